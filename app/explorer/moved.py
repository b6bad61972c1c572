"""What moved in a column, since when, and whether accuracy followed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app.components.distribution_chart import draw_distribution
from app.components.download import csv_of, draw_downloads, file_name_of
from app.components.figure_popover import draw_figure_popover
from app.components.plain import plain
from app.components.timeline import Track, draw_timeline
from app.components.titles import draw_title
from app.explorer.address import View, days_of, go_to, link_to
from app.explorer.figure import figure_code, figure_facts
from app.explorer.ranking import ranking_csv
from app.explorer.series import accuracy_track, rows_track, series_rows, statistic_track
from app.explorer.words import (
    figure,
    long_name,
    reference_words,
    short_name,
    since_title,
    window_words,
)
from mlops_core.explanation.results import ColumnMovement, Event, Explanation, Move, Shares
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.model_view import ModelView
from mlops_core.monitoring.windows import Window

__all__ = ["bins_moved", "draw_moved"]

_MOST_BINS = 30
_NEAR = 0.15  # a range that moved need not begin and end where bins do
_BRUSH = {"window": "Window", "reference": "Reference"}


def draw_moved(
    view: View,
    explanation: Explanation,
    model: ModelView,
    rows: Mapping[Window, int],
    events: Sequence[Event],
    limits: Sequence[Limit],
) -> None:
    """Draw a column's distribution against the reference, and below it the chart to brush.

    Parameters
    ----------
    rows
        Predictions in each of the explanation's weeks.
    events
        Those within the weeks.
    limits
        Of the statistic.
    """
    movement = next(one for one in explanation.columns if one.column == view.column)
    tracks = [
        rows_track(explanation, rows),
        statistic_track(explanation, view.column, rows, limits),
        *([track] if (track := accuracy_track(model, all_rows=bool(view.segment))) else []),
    ]
    _draw_distribution(view, explanation, movement, limits, tracks)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{plain(since_title(explanation, movement))}**", width="content")
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            st.markdown(":small[:gray[Drag sets the]]", width="content")
            sets = st.segmented_control(
                "Drag sets",
                list(_BRUSH),
                key="explorer_brush",
                default="window",
                format_func=_BRUSH.__getitem__,
                label_visibility="collapsed",
                required=True,
                width="content",
            )

    def brushed(window: Window) -> None:
        chosen = _within(window, explanation.weeks)
        if chosen is not None:
            go_to(replace(view, reference=chosen) if sets == "reference" else replace(view, window=chosen))

    draw_timeline(
        tracks,
        window=explanation.window,
        reference=explanation.reference,
        events=events,
        key="explorer_timeline",
        alt=f"{short_name(view.statistic)} of {view.column} and accuracy over time; a box sets the window",
        file_name=_file_name("over-time", view),
        on_brush=brushed,
    )


def _draw_distribution(
    view: View,
    explanation: Explanation,
    movement: ColumnMovement,
    limits: Sequence[Limit],
    tracks: Sequence[Track],
) -> None:
    shares, move = explanation.shares[view.column], movement.move
    marked = bins_moved(shares, move)
    with draw_title(_title(movement, view)):
        draw_figure_popover(
            f"{short_name(view.statistic)} {figure(movement.value)}",
            f"{long_name(view.statistic)} of {view.column}",
            figure_facts(view, explanation, movement, limits),
            code=figure_code(view, explanation),
            key="explorer_figure",
        )
        draw_downloads(
            {
                "The ranking": (_file_name("ranking", view), lambda: ranking_csv(explanation)),
                f"The distribution of {view.column}": (
                    _file_name("distribution", view),
                    lambda: csv_of(
                        ("value", "share_reference", "share_window"),
                        zip(shares.labels, shares.reference, shares.current, strict=True),
                    ),
                ),
                "The series over time": (
                    _file_name("series", view),
                    lambda: csv_of(
                        ("series", "from", "until", "value", "lower", "upper", "rows"), series_rows(tracks)
                    ),
                ),
            },
            key="explorer_downloads",
            link=link_to(view),
        )
    draw_distribution(
        shares.labels,
        shares.reference,
        shares.current,
        marked=marked,
        change=move.after - move.before
        if move is not None
        else shares.current[marked[0]] - shares.reference[marked[0]],
        names=(reference_words(explanation.reference), window_words(explanation.window)),
        rows=(explanation.reference_rows, explanation.rows),
        key="explorer_shares",
        alt=f"Shares of {view.column} in both windows",
        file_name=_file_name("distribution", view),
    )


def bins_moved(shares: Shares, move: Move | None) -> list[int]:
    """Return the bins beside each other whose shares are nearest to those of a move.

    Where none are near, or nothing is known of a move, it is the bin that moved most.

    >>> shares = Shares(["a", "b", "c"], [0.5, 0.3, 0.2], [0.2, 0.1, 0.7])
    >>> bins_moved(shares, Move("a to b", before=0.8, after=0.3, rows=30, sentence=""))
    [0, 1]
    >>> bins_moved(shares, None)
    [2]
    """
    size = len(shares.labels)
    if move is None or size > _MOST_BINS:
        return [shares.largest_move]

    def miss(run: tuple[int, int]) -> float:
        before, after = sum(shares.reference[slice(*run)]), sum(shares.current[slice(*run)])
        return abs(before - move.before) + abs(after - move.after)

    best = min(((first, end) for first in range(size) for end in range(first + 1, size + 1)), key=miss)
    return list(range(*best)) if miss(best) < _NEAR else [shares.largest_move]


def _title(movement: ColumnMovement, view: View) -> str:
    if movement.move is None:
        return f"No row of {view.column} moved"
    return movement.move.sentence.rstrip(".")


def _within(window: Window, weeks: Sequence[Window]) -> Window | None:
    """Return the part of a brushed window that lies within the weeks, None when none does."""
    start, end = max(window.start, weeks[0].start), min(window.end, weeks[-1].end)
    return Window(start, end) if start < end else None


def _file_name(what: str, view: View) -> str:
    window = days_of(view.window) if view.window else ""
    column = "" if what == "ranking" else view.column
    statistic = "" if what == "distribution" else view.statistic
    return file_name_of(view.model, what, column, statistic, view.segment, window)
