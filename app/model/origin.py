"""Where a version comes from: who trained it, on what, and what it was measured to be."""

import streamlit as st

from app.components.facts import draw_facts
from app.components.formats import exact, period
from app.model.measured_on import fact_name
from app.navigation import pages
from mlops_core.domain import Metric
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.model_view import ModelView

__all__ = ["draw_origin"]


def draw_origin(view: ModelView) -> None:
    """Draw the facts of the version in production."""
    version, snapshot = view.version, view.snapshot
    commit = f"`{version.git_commit[:10]}`{' with local changes' if version.git_dirty else ''}"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("**Where this version comes from**", width="stretch")
        st.page_link(
            pages()["registry"],
            label="In the registry",
            icon=":material/inventory_2:",
            query_params={"version": f"{view.row.model}:{version.number}"},
            help="Its card, tests and lineage, and the versions that were tried since",
        )
    draw_facts(
        {
            "Estimator": f"{version.estimator}, {len(version.columns)} columns",
            "Trained by": f"{view.author}, {exact(version.created_at)}",
            "Trained on": f"`{snapshot.table_name}@{snapshot.version}`, {snapshot.rows:,} rows",
            "Digest": f"`{snapshot.digest[:12]}`",
            **_figures(view),
            "Reference": f"{period(view.reference_start, view.reference_end)}, {view.reference_rows:,} rows",
            "Commit": commit if version.git_commit else "not in a git repository",
            "Artefact": f"`{version.artefact_digest[:12]}`, {version.artefact_format}, "
            f"{version.artefact_bytes / 1024:,.0f} KiB"
            if version.artefact_digest
            else "none: the model runs elsewhere",
        }
    )


def _figures(view: ModelView) -> dict[str, str]:
    """Return the figures of the version by the data on which they were measured."""
    found: dict[str, list[Metric]] = {}
    for one in view.metrics:
        found.setdefault(fact_name(one), []).append(one)
    return {
        name: ", ".join(f"{statistic_name(one.name)} {one.value:.3f}" for one in metrics)
        + f" (n = {metrics[0].rows:,})"
        for name, metrics in found.items()
    } or {"Held out": "no figure came with this version"}
