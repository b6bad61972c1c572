"""Features (data scientist): what can be reused, and what changed."""

import pandas as pd
import streamlit as st

from app import session
from app.cache import until_changed
from app.components.choices import counted_choice
from app.components.formats import ago
from app.components.tables import draw_table
from mlops_core.domain.states import FeatureKind
from mlops_core.features.search import FeatureLine, feature_news, search_features

_WORDS = {kind: kind.capitalize() for kind in FeatureKind}
_search = until_changed(search_features)
_news = until_changed(feature_news)


def draw_features() -> None:
    """Draw the search, the catalogue, the news and the feature that was clicked."""
    everything = _search("")
    tables = len({line.table for line in everything})
    st.markdown(f"### :material/table_chart: {len(everything)} features in {tables} tables to build on")
    if not everything:
        st.info("Features appear here once a feature table is declared: `create_feature_table` in Python.")
        return
    catalogue, side = st.columns([0.72, 0.28], gap="medium")
    with catalogue:
        lines = _draw_search(everything)
        if lines:
            _draw_catalogue(lines)
        else:
            st.info("No feature matches: use fewer words, or choose all kinds.", icon=":material/search_off:")
    with side:
        _draw_chosen(everything)
        _draw_news()


def _draw_search(everything: list[FeatureLine]) -> list[FeatureLine]:
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            "Search features",
            key="search",
            bind="query-params",
            placeholder="Search names, descriptions, sources",
            icon=":material/search:",
            label_visibility="collapsed",
            width=330,
        )
        counts = {kind: sum(line.kind == kind for line in everything) for kind in FeatureKind}
        kind = counted_choice("Kind", counts, _WORDS, key="kind")
    found = [line for line in _search(text or "") if kind is None or line.kind == kind]
    st.markdown(f"**{len(found)} of {len(everything)} features**")
    return found


def _draw_catalogue(lines: list[FeatureLine]) -> None:
    frame = pd.DataFrame(
        {
            "name": [line.name for line in lines],
            "kind": [line.kind for line in lines],
            "description": [line.description for line in lines],
            "sources": [", ".join(line.sources) for line in lines],
            "used": [len(line.used_by) for line in lines],
            "status": [line.status for line in lines],
            "owner": [line.owner for line in lines],
            "table": [line.table for line in lines],
        }
    )

    def choose(number: int) -> None:
        st.query_params["feature"] = lines[number].name

    draw_table(
        frame,
        {
            "name": st.column_config.TextColumn("Feature", width=150, help="A click shows its lineage"),
            "kind": st.column_config.TextColumn("Kind", width=75),
            "description": st.column_config.TextColumn("What it is", width=250),
            "sources": st.column_config.TextColumn("Comes from", width=155),
            "used": st.column_config.NumberColumn(
                "Models", width=55, help="Models in production that use it"
            ),
            "status": st.column_config.TextColumn("Status", width=65),
            "owner": st.column_config.TextColumn("Owner", width=100),
            "table": st.column_config.TextColumn("Table", width=150),
        },
        key="features",
        alt="Features with kind, source and use",
        height=min(33 * (len(lines) + 1) + 4, 560),
        on_open=choose,
    )


def _draw_chosen(everything: list[FeatureLine]) -> None:
    wanted = st.query_params.get("feature", "")
    line = next((one for one in everything if one.name == wanted), None) or max(
        everything, key=lambda one: len(one.used_by)
    )
    with st.container(border=True):
        st.markdown(f"**{line.name}** :gray[{line.kind} · {line.dtype} · {line.status}]")
        st.markdown(line.description)
        st.markdown("Comes from  \n" + "  \n".join(f":material/arrow_back: `{one}`" for one in line.sources))
        used = ", ".join(line.used_by[:6]) + (
            f" and {len(line.used_by) - 6} more" if len(line.used_by) > 6 else ""
        )
        st.markdown(f"Used by {len(line.used_by)} models  \n:gray[{used or 'no model in production yet'}]")
        st.code(f'read_features(workspace, ["{line.name}"], start=start, end=end)', language="python")


def _draw_news() -> None:
    now = session.workspace().clock.now()
    st.markdown("**News of the feature store**")
    for item in _news():
        st.markdown(f"{item.summary}  \n:gray[{item.actor} · {ago(item.at, now)}]")


draw_features()
