"""Registry (lead): which versions there are, where they stand, and how they were measured."""

import pandas as pd
import streamlit as st

from app import session
from app.cache import until_changed
from app.components.choices import counted_choice
from app.components.facts import draw_facts
from app.components.formats import ago, exact
from app.components.tables import draw_table
from app.navigation import open_model
from mlops_core.domain.states import Stage
from mlops_core.monitoring.findings import statistic_name
from mlops_core.registry.catalogue import VersionLine, list_versions, stage_history

_list_versions = until_changed(list_versions)
_stage_history = until_changed(stage_history)
_WORDS = {
    Stage.DEVELOPMENT: "In development",
    Stage.CANDIDATE: "Candidates",
    Stage.APPROVED: "Approved",
    Stage.SCHEDULED: "Scheduled",
    Stage.PRODUCTION: "In production",
    Stage.ARCHIVED: "Archived",
    Stage.REJECTED: "Rejected",
}


def draw_registry() -> None:
    """Draw the counts that filter, the versions, and the one that was clicked."""
    lines = _list_versions()
    now = session.workspace().clock.now()
    week = [line for line in lines if (now - line.entered_stage).days < 7]
    waiting = [line for line in lines if line.stage in {Stage.CANDIDATE, Stage.APPROVED}]
    moved = f"{len(week)} versions moved this week" if week else "No version moved this week"
    waits = f"{len(waiting)} wait for a decision" if waiting else "nothing waits for you"
    st.markdown(f"### :material/inventory_2: {moved}, {waits}")
    if not lines:
        st.info(
            "Versions appear here once they are registered: `register_version` in Python, or `bigboard demo`."
        )
        return
    chosen, text = _draw_filters(lines)
    shown = [
        line
        for line in lines
        if (chosen is None or line.stage == chosen)
        and text.lower() in f"{line.model} {line.owner} {line.estimator}".lower()
    ]
    st.markdown(f"**{len(shown)} of {len(lines)} versions, the last moved first**")
    if not shown:
        st.info("No version matches: choose another stage or clear the search.", icon=":material/search_off:")
        return
    _draw_versions(shown)
    _draw_chosen(shown)


def _draw_filters(lines: list[VersionLine]) -> tuple[Stage | None, str]:
    counts = {stage: sum(line.stage == stage for line in lines) for stage in Stage}
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = counted_choice("Stage", counts, _WORDS, key="stage")
        text = st.text_input(
            "Find a version",
            key="find_version",
            bind="query-params",
            placeholder="Find a model, owner or estimator",
            icon=":material/search:",
            label_visibility="collapsed",
            width=280,
        )
    return chosen, text or ""


def _draw_versions(lines: list[VersionLine]) -> None:
    now = session.workspace().clock.now()
    frame = pd.DataFrame(
        {
            "model": [line.model for line in lines],
            "version": [f"v{line.number}" for line in lines],
            "stage": [_WORDS[line.stage] + (" · champion" if line.is_champion else "") for line in lines],
            "entered": [ago(line.entered_stage, now) for line in lines],
            "metric": [
                f"{statistic_name(line.primary_metric or '')} {line.primary:.3f}"
                if line.primary is not None
                else "—"
                for line in lines
            ],
            "others": [
                ", ".join(
                    f"{statistic_name(name)} {value:.3f}"
                    for name, value in line.metrics.items()
                    if name != line.primary_metric
                )
                for line in lines
            ],
            "estimator": [line.estimator for line in lines],
            "features": [line.features for line in lines],
            "rows": [line.snapshot_rows for line in lines],
            "owner": [line.owner for line in lines],
        }
    )

    def choose(number: int) -> None:
        st.query_params["version"] = f"{lines[number].model}:{lines[number].number}"

    draw_table(
        frame,
        {
            "model": st.column_config.TextColumn("Model", width=210, help="A click shows the version below"),
            "version": st.column_config.TextColumn("Version", width=60),
            "stage": st.column_config.TextColumn("Stage", width=170),
            "entered": st.column_config.TextColumn("Since", width=90),
            "metric": st.column_config.TextColumn("Held-out", width=100),
            "others": st.column_config.TextColumn("Other metrics", width=190),
            "estimator": st.column_config.TextColumn("Estimator", width=210),
            "features": st.column_config.NumberColumn("Features", width=70),
            "rows": st.column_config.NumberColumn("Training rows", format="localized", width=95),
            "owner": st.column_config.TextColumn("Owner", width=120),
        },
        key="versions",
        alt="Model versions with stage and metrics",
        height=min(33 * (len(lines) + 1) + 4, 440),
        on_open=choose,
    )


def _draw_chosen(lines: list[VersionLine]) -> None:
    wanted = st.query_params.get("version", "")
    line = next((one for one in lines if f"{one.model}:{one.number}" == wanted), lines[0])
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{line.model} v{line.number}** {line.description}", width="stretch")
            if line.is_champion and st.button(
                "Open the model", icon=":material/monitoring:", key="open_version"
            ):
                open_model(line.model)
        facts, history = st.columns(2)
        commit = f"`{line.git_commit[:10]}`{' with local changes' if line.git_dirty else ''}"
        with facts:
            draw_facts(
                {
                    "Author": line.author,
                    "Trained on": f"`{line.snapshot}`, {line.snapshot_rows:,} rows",
                    "Digest": f"`{line.snapshot_digest[:12]}`",
                    "Held out": f"{line.metric_rows:,} rows",
                    "Artefact": f"`{line.artefact_digest[:12]}`, {line.artefact_bytes / 1024:,.0f} KiB"
                    if line.artefact_digest
                    else "none: the model runs elsewhere",
                    "Commit": commit if line.git_commit else "not in a git repository",
                }
            )
        steps = "\n".join(
            f"| {_WORDS[step.stage]} | {exact(step.at)} | {step.actor} |"
            for step in _stage_history(line.version_id)
        )
        history.markdown(f"| Stage | Entered | By |\n|---|---|---|\n{steps}")


draw_registry()
