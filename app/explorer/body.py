"""The two halves of the explorer: the ranking, and beside it what the open tab shows."""

from dataclasses import replace

import streamlit as st

from app.cache import until_changed
from app.explorer.address import TABS, View, go_to
from app.explorer.backtest import draw_backtest
from app.explorer.moved import draw_moved
from app.explorer.ranking import draw_ranking
from app.explorer.reading import rows_by_week
from app.explorer.segments import draw_segments
from app.explorer.together import draw_together
from mlops_core.explanation.events import events_between
from mlops_core.explanation.movement import limits_of
from mlops_core.explanation.results import Explanation
from mlops_core.monitoring.model_view import read_model

__all__ = ["draw_body"]

_read_model = until_changed(read_model)
_rows_by_week = until_changed(rows_by_week)
_events = until_changed(events_between)
_TITLES = dict(zip(TABS, ("What moved", "Segments", "Would we have known?", "Columns together"), strict=True))
_KEYS = {title: key for key, title in _TITLES.items()}


def draw_body(view: View, explanation: Explanation) -> None:
    """Draw the ranking and the open tab; hidden tabs are not computed."""
    if not explanation.columns:
        st.info("No column is in both windows: choose another.", icon=":material/search_off:")
        return
    ranking, reasons = st.columns([0.385, 0.615], gap="medium")
    with ranking:
        draw_ranking(explanation, view.column, lambda column: go_to(replace(view, column=column)))
    with reasons:
        _draw_tabs(view, explanation)


def _draw_tabs(view: View, explanation: Explanation) -> None:
    def choose() -> None:
        go_to(replace(view, tab=_KEYS[st.session_state["explorer_tab"]]))

    if st.session_state.get("explorer_tab") != _TITLES[view.tab]:
        st.session_state["explorer_tab"] = _TITLES[view.tab]
    tabs = dict(zip(TABS, st.tabs(list(_KEYS), key="explorer_tab", on_change=choose), strict=True))
    with tabs[view.tab], st.container(gap="xxsmall"):
        match view.tab:
            case "segments":
                draw_segments(view, explanation)
            case "backtest":
                draw_backtest(view)
            case "together":
                draw_together(view, explanation.window)
            case _:
                draw_moved(
                    view,
                    explanation,
                    _read_model(view.model),
                    _rows_by_week(view.model, view.segment),
                    _events(view.model, explanation.weeks[0].start, explanation.weeks[-1].end),
                    limits_of(view.statistic),
                )
