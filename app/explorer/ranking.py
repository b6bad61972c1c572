"""The columns of a model, ranked as the explanation ranks them; a click opens one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.download import csv_of
from app.components.tables import ROW_PIXELS, status_text
from app.explorer.words import ranking_title, short_name
from app.theme import level_color, palette
from mlops_core.domain.states import Level
from mlops_core.explanation.results import ColumnMovement, Explanation
from mlops_core.monitoring.watch import DRIFT_LIMITS

__all__ = ["draw_ranking", "ranking_csv"]

_MOST_PIXELS = 500


def draw_ranking(explanation: Explanation, column: str, on_open: Callable[[str], None]) -> None:
    """Draw the ranking with one column marked; a click on a row calls `on_open` with its column."""
    columns = explanation.columns
    names = [one.column for one in columns]
    inside = {one.column for one in explanation.in_segments}
    known = any(one.importance is not None for one in columns)
    frame = pd.DataFrame(
        {
            "column": names,
            "value": [one.value for one in columns],
            "trend": [[0.0 if value is None else value for value in one.trend] for one in columns],
            "importance": [_importance(one) for one in columns],
            "status": [_status(one, one.column in inside) for one in columns],
        }
    )
    if not known:
        frame = frame.drop(columns="importance")
    key = f"ranking-{explanation.model}-{explanation.statistic}-{explanation.segment}"

    def clicked() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            on_open(names[int(cells[0][0])])

    st.markdown(f"**{ranking_title(explanation)}**")
    st.dataframe(
        _styled(frame, [_level(one, one.column in inside) for one in columns], names.index(column)),
        hide_index=True,
        column_config=_configuration(explanation),
        row_height=ROW_PIXELS,
        height=min(ROW_PIXELS * (len(columns) + 1) + 4, _MOST_PIXELS),
        key=key,
        on_select=clicked,
        selection_mode="single-cell",
        alt=f"Columns of {explanation.model}: {ranking_title(explanation)}",
    )


def ranking_csv(explanation: Explanation) -> bytes:
    """Return the ranking as a CSV file, a line for each column."""
    inside = {one.column for one in explanation.in_segments}
    return csv_of(
        (
            "column",
            explanation.statistic,
            "adjusted_p_value",
            "importance",
            "status",
            "since",
            "moved",
            "share_before",
            "share_after",
        ),
        [
            (
                one.column,
                one.value,
                one.adjusted_p_value,
                one.importance,
                "in_segment" if one.column in inside else one.level,
                one.since.date() if one.since else None,
                one.move.label if one.move else None,
                one.move.before if one.move else None,
                one.move.after if one.move else None,
            )
            for one in explanation.columns
        ],
    )


def _styled(frame: pd.DataFrame, levels: Sequence[Level], chosen: int) -> Any:
    colors = palette()
    css = [f"color: {level_color(one)}; font-weight: 600" if one.is_outside else "" for one in levels]
    row = f"background-color: {colors.window_band}; font-weight: 600"
    style = frame.style.apply(lambda _: css, subset=["status"])
    return style.apply(lambda _: [row] * frame.shape[1], axis=1, subset=pd.IndexSlice[[chosen], :])


def _configuration(explanation: Explanation) -> Mapping[str, Any]:
    statistic = explanation.statistic
    largest = max((one.value or 0.0 for one in explanation.columns), default=1.0)
    warning = DRIFT_LIMITS[statistic][0].value if statistic in DRIFT_LIMITS else 0.0
    return {
        "column": st.column_config.TextColumn("Column", width=126, help="A click shows the column"),
        "value": st.column_config.ProgressColumn(
            short_name(statistic),
            format="%.3f",
            min_value=0,
            max_value=max(largest, warning) or 1.0,
            width=104,
        ),
        "trend": st.column_config.LineChartColumn("Trend", width=86, y_min=0),
        "importance": st.column_config.TextColumn(
            "Importance",
            alignment="right",
            width=78,
            help="To the model, relative to the most important column",
        ),
        "status": st.column_config.TextColumn("Status", width=88),
    }


def _importance(movement: ColumnMovement) -> str:
    return "—" if movement.importance is None else f"{movement.importance:.2f}"


def _level(movement: ColumnMovement, inside: bool) -> Level:
    return Level.CRITICAL if inside else movement.level


def _status(movement: ColumnMovement, inside: bool) -> str:
    if inside:
        return status_text(_level(movement, inside), "in segment")
    if movement.value is None:
        return status_text(Level.UNKNOWN, "not defined")
    return status_text(movement.level, movement.level.replace("_", " "))
