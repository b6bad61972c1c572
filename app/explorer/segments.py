"""In which segments a column moved, and how much of its move each one explains."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.download import csv_of, draw_downloads, file_name_of
from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.components.titles import draw_title
from app.explorer.address import View, go_to
from app.explorer.words import first_upper, segment_words, short_name
from app.theme import palette
from mlops_core.domain.errors import BigboardError
from mlops_core.explanation.comparing_segments import compare_segments
from mlops_core.explanation.results import Explanation, SegmentShare

__all__ = ["draw_segments"]

_compare = until_changed(compare_segments)
_MOST_PIXELS = 400


def draw_segments(view: View, explanation: Explanation) -> None:
    """Draw the column's statistic by segment; a click on one shows that segment alone."""
    try:
        found = _compare(
            view.model,
            column=view.column,
            window=explanation.window,
            reference=explanation.reference,
            statistic=view.statistic,
        )
    except BigboardError as error:
        st.info(plain(f"{first_upper(str(error))}."), icon=":material/search_off:")
        return
    if not found.segments:
        _draw_none(view)
        return
    with draw_title(found.sentence or f"{view.column} by segment"):
        name = file_name_of(view.model, "segments", view.column, view.statistic)
        draw_downloads(
            {f"The segments of {view.column}": (name, lambda: _csv(view, found.segments))},
            key="explorer_segments_download",
        )
    _draw_table(view, found.segments)
    if view.segment:
        st.button(
            f"Show all rows again, not only where {plain(segment_words(view.segment))}",
            icon=":material/filter_alt_off:",
            key="explorer_all_rows",
            on_click=go_to,
            args=(replace(view, segment=""),),
        )
    else:
        st.caption(
            "A click on a segment shows it alone. Explained is its part of the change of the share that "
            f"moved; the parts of one segment column add up to 100 %. {short_name(view.statistic)} compares "
            "the segment with itself in the reference."
        )


def _draw_table(view: View, segments: Sequence[SegmentShare]) -> None:
    names = [one.segment for one in segments]
    frame = pd.DataFrame(
        {
            "segment": [segment_words(name) for name in names],
            "value": [one.value for one in segments],
            "explained": [round(100 * one.explained) for one in segments],
            "rows": [one.rows for one in segments],
            "reference_rows": [one.reference_rows for one in segments],
        }
    )
    key = f"segments-{view.model}-{view.column}-{view.statistic}"

    def clicked() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            go_to(replace(view, segment=names[int(cells[0][0])]))

    shown: Any = frame
    if view.segment in names:
        row = f"background-color: {palette().window_band}; font-weight: 600"
        chosen = pd.IndexSlice[[names.index(view.segment)], :]
        shown = frame.style.apply(lambda _: [row] * frame.shape[1], axis=1, subset=chosen)
    st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "segment": st.column_config.TextColumn("Segment", width=190, help="A click shows it alone"),
            "value": st.column_config.ProgressColumn(
                f"{short_name(view.statistic)} inside",
                format="%.3f",
                min_value=0,
                max_value=max((one.value or 0.0 for one in segments), default=0.0) or 1.0,
                width=130,
            ),
            "explained": st.column_config.ProgressColumn(
                "Explained", format="%.0f %%", min_value=0, max_value=100, width=130
            ),
            "rows": st.column_config.NumberColumn("Rows", format="localized", width=85),
            "reference_rows": st.column_config.NumberColumn(
                "In the reference", format="localized", width=120
            ),
        },
        row_height=ROW_PIXELS,
        height=min(ROW_PIXELS * (len(segments) + 1) + 4, _MOST_PIXELS),
        key=key,
        on_select=clicked,
        selection_mode="single-cell",
        alt=f"{view.column} by segment",
    )


def _draw_none(view: View) -> None:
    st.info(
        f"No other segment of {plain(view.model)} is counted in which {plain(view.column)} could have moved. "
        "Segments are the values of the columns that the model was registered with as its segment columns.",
        icon=":material/segment:",
    )


def _csv(view: View, segments: Sequence[SegmentShare]) -> bytes:
    return csv_of(
        ("segment", view.statistic, "explained", "rows", "reference_rows"),
        [(one.segment, one.value, one.explained, one.rows, one.reference_rows) for one in segments],
    )
