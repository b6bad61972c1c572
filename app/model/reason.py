"""Why a model drifted, above its charts: what moved, since when, where, and what happened then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import streamlit as st

from app.components.formats import day, period
from app.components.plain import plain
from app.explorer.address import View, parameters_of
from app.navigation import pages
from app.theme import status_style
from mlops_core.domain.states import Level
from mlops_core.explanation.results import ColumnMovement, Event, Explanation, PerformanceChange
from mlops_core.monitoring.findings import statistic_name

__all__ = ["draw_reason"]

_MOST_COLUMNS = 3
_MOST_EVENTS = 3
_NO_ICON = ""  # not the page's own
_FOLLOWED = {
    True: ":orange[:material/trending_down:]",
    False: ":green[:material/check:]",
    None: ":gray[:material/help:]",
}


def draw_reason(explanation: Explanation) -> None:
    """Draw why the model drifted; one quiet line where it did not."""
    drifted = explanation.drifted
    if not drifted and not explanation.in_segments:
        _draw_quiet(explanation)
        return
    with st.container(border=True, key="reason"):
        moved, around = st.columns([0.6, 0.4], gap="medium")
        with moved:
            _draw_moved(explanation, drifted)
            _draw_inside(explanation)
            if explanation.notes:
                st.caption("  \n".join(plain(f"{note[:1].upper()}{note[1:]}.") for note in explanation.notes))
        with around:
            _draw_around(explanation)


def _draw_quiet(explanation: Explanation) -> None:
    window = explanation.window
    performance = f" {explanation.performance.sentence}" if explanation.performance else ""
    st.markdown(
        f":gray[No column drifted from {period(window.start, window.end).replace('–', 'to')} "
        f"(n = {explanation.rows:,}).{plain(performance)}]"
    )


def _draw_moved(explanation: Explanation, drifted: Sequence[ColumnMovement]) -> None:
    if not drifted:
        return
    since = f" since {day(explanation.since)}" if explanation.since else ""
    st.markdown(f"**What moved{since}**")
    for movement in drifted[:_MOST_COLUMNS]:
        look = status_style(movement.level)
        sentence = movement.move.sentence if movement.move else f"{movement.column} moved."
        _link(
            f":{look.color}[{look.icon}] :primary[{plain(sentence)}]",
            _view(explanation, movement.column),
            help=f"{_figure(explanation, movement)}. A click shows the column in the explorer.",
        )
        if movement is drifted[0] and movement.segments_sentence:
            _draw_segments(explanation, movement)
    more = len(drifted) - _MOST_COLUMNS
    if more > 0:
        _link(f":primary[{more} more {'columns' if more > 1 else 'column'} drifted]", _view(explanation, ""))


def _draw_segments(explanation: Explanation, movement: ColumnMovement) -> None:
    """Lead into the segment that the sentence names, or to all of them where they moved alike."""
    first = movement.segments[0]
    view = _view(explanation, movement.column, first.segment)
    meant = "A click shows the column in that segment."
    if not first.stands_out:
        view = replace(_view(explanation, movement.column), tab="segments")
        meant = "A click compares the segments."
    sentence = plain(movement.segments_sentence)
    _link(f":gray[:material/subdirectory_arrow_right:] :primary[{sentence}]", view, help=meant)


def _draw_inside(explanation: Explanation) -> None:
    """Draw what drifted inside one segment alone, each with its way into that segment."""
    found = explanation.in_segments
    if not found:
        return
    st.markdown("**What moved inside one segment, which all rows together hide**")
    look = status_style(Level.CRITICAL)
    for one in found[:_MOST_COLUMNS]:
        _link(
            f":{look.color}[{look.icon}] :primary[{plain(one.sentence)}]",
            _view(explanation, one.column, one.segment),
            help=f"{one.column} in it: {statistic_name(explanation.statistic)} {one.value:.3f} "
            f"(n = {one.rows:,}). A click shows the column in that segment.",
        )
    more = len(found) - _MOST_COLUMNS
    if more > 0:
        _link(
            f":primary[{more} more inside {'segments' if more > 1 else 'a segment'}]", _view(explanation, "")
        )


def _figure(explanation: Explanation, movement: ColumnMovement) -> str:
    value = "not defined" if movement.value is None else f"{movement.value:.3f}"
    return f"{movement.column}: {statistic_name(explanation.statistic)} {value} (n = {explanation.rows:,})"


def _draw_around(explanation: Explanation) -> None:
    if explanation.performance:
        _draw_performance(explanation.performance)
    since = explanation.since or explanation.window.start
    shown = explanation.events[:_MOST_EVENTS]
    if not shown:
        st.markdown(f":gray[Nothing is noted that happened near {day(since)}.]")
        return
    lines = [f"**What happened near {day(since)}**", *(_event_line(event, since) for event in shown)]
    st.markdown("  \n".join(lines))


def _draw_performance(performance: PerformanceChange) -> None:
    st.markdown(
        f"**Did accuracy follow?**  \n{_FOLLOWED[performance.followed]} {plain(performance.sentence)}"
    )


def _event_line(event: Event, since: datetime) -> str:
    days = (since.date() - event.at.date()).days
    when = "in that week" if days <= 0 else f"{days} {'days' if days > 1 else 'day'} before"
    return f":gray[{day(event.at)}, {when}:] {plain(event.title)}"


def _view(explanation: Explanation, column: str, segment: str = "") -> View:
    return View(
        explanation.model,
        explanation.window,
        explanation.reference,
        segment or explanation.segment,
        explanation.statistic,
        column,
    )


def _link(label: str, view: View, help: str | None = None) -> None:
    st.page_link(pages()["explorer"], label=label, icon=_NO_ICON, query_params=parameters_of(view), help=help)
