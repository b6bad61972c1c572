"""Where a version comes from: its card, its facts, and one step of its lineage to either side."""

import pandas as pd
import streamlit as st

from app.components.facts import draw_facts
from app.components.formats import exact
from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.navigation import pages
from app.registry.address import View, go_to
from mlops_core.domain import Snapshot
from mlops_core.domain.states import FeatureStatus
from mlops_core.monitoring.findings import statistic_name
from mlops_core.registry.version_view import UsedFeature, VersionView

__all__ = ["draw_origin"]

_MOST_PIXELS = 430


def draw_origin(found: VersionView) -> None:
    """Draw the model card and the facts on the left, the lineage on the right."""
    left, right = st.columns([0.4, 0.6], gap="medium")
    with left:
        _draw_card(found)
        st.markdown("**What it is**")
        draw_facts(facts_of(found))
    with right:
        _draw_lineage(found)


def _draw_card(found: VersionView) -> None:
    st.markdown("**Model card**")
    card = found.card
    if card is None:
        st.info(
            "No card yet: what the version is for, where it must not be used, whose fair treatment was "
            f"looked at. `bigboard register` takes one, and `write_card` in Python ({found.label}).",
            icon=":material/badge:",
        )
        return
    draw_facts(
        {
            "Intended use": plain(card.intended_use) or "—",
            "Limits": plain(card.limits) or "—",
            "Protected": plain(", ".join(card.protected_attributes)) or "no attribute is declared",
            "Considered": plain(card.considerations) or "—",
            "Written by": f"{plain(card.actor)}, {exact(card.at)}",
        }
    )


def facts_of(found: VersionView) -> dict[str, str]:
    """Return what the version is, by name, in Markdown."""
    version = found.version
    commit = f"`{version.git_commit[:10]}`{' with local changes' if version.git_dirty else ''}"
    metrics = ", ".join(f"{statistic_name(one.name)} {one.value:.3f}" for one in found.metrics)
    measured = found.metrics[0] if found.metrics else None
    where = f"{measured.snapshot or measured.data}, n = {measured.rows:,}" if measured else ""
    environment = version.environment or {}
    return {
        "Estimator": f"{plain(version.estimator)}, {len(version.columns)} columns",
        "Author": f"{plain(found.author)}, {exact(version.created_at)}",
        "Registered with": f"{metrics} :gray[({plain(where)})]" if metrics else "no figure",
        "Commit": commit if version.git_commit else "not in a git repository",
        "Artefact": f"`{version.artefact_digest[:12]}`, {plain(version.artefact_format)}, "
        f"{version.artefact_bytes / 1024:,.0f} KiB"
        if version.artefact_digest
        else "none: the model runs elsewhere",
        "Environment": ", ".join(f"{plain(name)} {plain(one)}" for name, one in environment.items())
        or "not recorded",
        "Tags": " ".join(f":gray-badge[{plain(tag)}]" for tag in found.tags) or "none",
    }


def _draw_lineage(found: VersionView) -> None:
    used = f", whose predictions {len(found.used_by)} models use" if found.used_by else ""
    made = f"{_count(len(found.training), 'snapshot')} and {_count(len(found.features), 'feature')}"
    st.markdown(f"**Made from {made}{used}**")
    data, arrow, version, out = st.columns([0.44, 0.05, 0.2, 0.31], gap="small", vertical_alignment="center")
    with data.container(border=True, gap="xxsmall"):
        for one in found.training:
            st.markdown(_snapshot("model_training", "Trained on", one))
        if found.evaluation:
            st.markdown(_snapshot("rule", "Evaluated on", found.evaluation))
        else:
            st.markdown(":gray[:material/rule: No evaluation snapshot: it cannot be compared]")
    arrow.markdown(":gray[:material/arrow_forward:]")
    with version.container(border=True):
        st.markdown(f":material/inventory_2: **{plain(found.model.name)} v{found.version.number}**")
    with out:
        _draw_consumers(found)
    if found.features:
        _draw_features(found)
    if found.plain_columns:
        st.caption(
            f"Not in the feature catalogue: {plain(', '.join(found.plain_columns[:12]))}"
            + (f" and {len(found.plain_columns) - 12} more." if len(found.plain_columns) > 12 else ".")
        )


def _draw_consumers(found: VersionView) -> None:
    if not found.used_by:
        st.markdown(":gray[No model in production uses its predictions]")
        return
    for name in found.used_by[:4]:
        st.button(
            name,
            icon=":material/arrow_forward:",
            type="tertiary",
            key=f"registry_used_by_{name}",
            help="Its production version is trained on this model's predictions",
            on_click=go_to,
            args=(View(find=name),),
        )


def _draw_features(found: VersionView) -> None:
    changed = [one for one in found.features if one.has_changed]
    out_of_use = [one for one in found.features if one.status != FeatureStatus.ACTIVE]
    frame = pd.DataFrame(
        {
            "feature": [one.name for one in found.features],
            "importance": [one.importance for one in found.features],
            "table": [one.table for one in found.features],
            "definition": [_definition(one) for one in found.features],
            "status": [_status(one) for one in found.features],
            "model": [", ".join(one.predicted_by) for one in found.features],
        }
    )
    if not any(frame["model"]):
        frame = frame.drop(columns="model")

    def opened() -> None:
        cells = st.session_state["registry_features"]["selection"]["cells"]
        if cells:
            st.session_state["registry_feature"] = found.features[int(cells[0][0])].name

    highest = max((one.importance or 0.0 for one in found.features), default=0.0) or 1.0
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "feature": st.column_config.TextColumn("Feature", width=160, help="A click opens the catalogue"),
            "importance": st.column_config.ProgressColumn(
                "Importance", format="%.3f", min_value=0, max_value=highest, width=110
            ),
            "table": st.column_config.TextColumn("Feature table", width=140),
            "definition": st.column_config.TextColumn("Definition", width=110),
            "status": st.column_config.TextColumn("Status", width=100),
            "model": st.column_config.TextColumn("Predicted by", width=150),
        },
        row_height=ROW_PIXELS,
        height=min(ROW_PIXELS * (len(frame) + 1) + 4, _MOST_PIXELS),
        key="registry_features",
        on_select=opened,
        selection_mode="single-cell",
        alt="Features that the version was trained on",
    )
    said = []
    if changed:
        said.append(f"{_count(len(changed), 'feature')} defined anew since it was trained")
    if out_of_use:
        said.append(f"{_count(len(out_of_use), 'feature')} deprecated or retired")
    if said:
        st.caption(f"{'; '.join(said)}.")
    wanted = st.session_state.pop("registry_feature", "")
    if wanted:
        st.switch_page(pages()["features"], query_params={"feature": wanted})


def _definition(one: UsedFeature) -> str:
    if one.has_changed:
        return f"v{one.definition_version}, now v{one.newest_definition}"
    return f"v{one.definition_version}"


def _status(one: UsedFeature) -> str:
    sign = {FeatureStatus.ACTIVE: "●", FeatureStatus.DEPRECATED: "▲", FeatureStatus.RETIRED: "◆"}[one.status]
    return f"{sign} {one.status}"


def _snapshot(icon: str, words: str, one: Snapshot) -> str:
    return (
        f":material/{icon}: {words} `{one.table_name}@{one.version}`  \n:gray[{one.rows:,} rows, "
        f"digest {one.digest[:12]}]"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
