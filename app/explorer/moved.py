"""What moved in a column, since when, and whether accuracy followed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app.components.distribution_chart import draw_distribution
from app.components.download import csv_of, draw_downloads, file_name_of
from app.components.figure_popover import draw_figure_popover
from app.components.timeline import Track, draw_timeline
from app.explorer.address import View, days_of, go_to
from app.explorer.ranking import ranking_csv
from app.explorer.series import accuracy_track, rows_track, series_rows, statistic_track
from app.explorer.words import (
    figure,
    long_name,
    reference_words,
    segment_words,
    short_name,
    since_title,
    window_words,
)
from mlops_core.explanation.results import ColumnMovement, Event, Explanation
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.model_view import ModelView
from mlops_core.monitoring.windows import Window
from mlops_core.statistics import DRIFT_STATISTICS

__all__ = ["draw_moved"]

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
        *([track] if (track := accuracy_track(model)) else []),
    ]
    _draw_distribution(view, explanation, movement, limits, tracks)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{since_title(explanation, movement)}**", width="content")
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
    if view.segment and len(tracks) > 2:
        st.caption("Accuracy is that of all rows.")


def _draw_distribution(
    view: View,
    explanation: Explanation,
    movement: ColumnMovement,
    limits: Sequence[Limit],
    tracks: Sequence[Track],
) -> None:
    shares = explanation.shares[view.column]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{_title(movement, view)}**", width="stretch")
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xxsmall"):
            draw_figure_popover(
                f"{short_name(view.statistic)} {figure(movement.value)}",
                f"{long_name(view.statistic)} of {view.column}",
                _facts(view, explanation, movement, limits),
                code=_snippet(view, explanation),
                key="explorer_figure",
            )
            with st.popover(
                "",
                icon=":material/download:",
                type="tertiary",
                key="explorer_downloads",
                help="Download as CSV",
            ):
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
                                ("series", "from", "until", "value", "lower", "upper", "rows"),
                                series_rows(tracks),
                            ),
                        ),
                    },
                    key="explorer_download",
                )
                st.caption("A chart is saved as a picture by the camera at its upper right.")
    draw_distribution(
        shares.labels,
        shares.reference,
        shares.current,
        marked=shares.largest_move,
        names=(reference_words(explanation.reference), window_words(explanation.window)),
        rows=(explanation.reference_rows, explanation.rows),
        key="explorer_shares",
        alt=f"Shares of {view.column} in both windows",
        file_name=_file_name("distribution", view),
    )


def _title(movement: ColumnMovement, view: View) -> str:
    if movement.move is None:
        return f"No row of {view.column} moved"
    return movement.move.sentence.rstrip(".")


def _facts(
    view: View, explanation: Explanation, movement: ColumnMovement, limits: Sequence[Limit]
) -> dict[str, str]:
    statistic = DRIFT_STATISTICS[view.statistic]
    chance = movement.adjusted_p_value
    most = "∞" if statistic.upper == float("inf") else f"{statistic.upper:g}"
    return {
        "Value": f"{figure(movement.value)}, in a range from {statistic.lower:g} to {most}",
        "Window": f"{window_words(explanation.window, years=True)}, n = {explanation.rows:,}",
        "Reference": f"{reference_words(explanation.reference)}, n = {explanation.reference_rows:,}",
        "Rows": segment_words(view.segment) if view.segment else "",
        "By chance": f"p = {chance:.2g}, "
        f"corrected for {len(explanation.columns)} columns (Benjamini-Hochberg)"
        if chance is not None
        else "not known for this column",
        "Thresholds": _thresholds(limits),
        "Formula": f"{statistic.summary} :gray[{statistic.reference}]",
    }


def _thresholds(limits: Sequence[Limit]) -> str:
    if not limits:
        return "none is customary: a monitor needs one that is learned or chosen"
    words = [f"{one.level} {'from' if one.above else 'down from'} {one.value:.3g}" for one in limits]
    return f"{', '.join(words)} :gray[({'; '.join(dict.fromkeys(one.reason for one in limits))})]"


def _snippet(view: View, explanation: Explanation) -> str:
    """Return Python that computes the figure; the end of a window is not included there."""
    window, reference = explanation.window, explanation.reference
    lines = [
        "import mlops_core",
        "",
        "explanation = mlops_core.explain(",
        f"    {view.model!r},",
        f'    start="{window.start.date()}",',
        f'    end="{window.end.date()}",',
    ]
    if reference:
        lines += [
            f'    reference_start="{reference.start.date()}",',
            f'    reference_end="{reference.end.date()}",',
        ]
    lines += [f"    segment={view.segment!r},", f"    statistic={view.statistic!r},", ")"]
    lines.append(f"value = next(one.value for one in explanation.columns if one.column == {view.column!r})")
    return "\n".join(lines)


def _within(window: Window, weeks: Sequence[Window]) -> Window | None:
    """Return the part of a brushed window that lies within the weeks, None when none does."""
    start, end = max(window.start, weeks[0].start), min(window.end, weeks[-1].end)
    return Window(start, end) if start < end else None


def _file_name(what: str, view: View) -> str:
    window = days_of(view.window) if view.window else ""
    column = "" if what == "ranking" else view.column
    return file_name_of(view.model, what, column, view.statistic, view.segment, window)
