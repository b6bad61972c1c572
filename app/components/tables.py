"""Dense tables: status in colour, one click on a cell opens the row."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.theme import level_color, status_style
from mlops_core.domain.states import Level

__all__ = ["ROW_PIXELS", "draw_table", "status_text"]

ROW_PIXELS = 33


def status_text(level: Level, words: str) -> str:
    """Return a status as symbol and word, so that it is never colour alone."""
    return f"{status_style(level).symbol} {words}"


def draw_table(
    frame: pd.DataFrame,
    columns: dict[str, Any],
    *,
    key: str,
    alt: str,
    levels: Sequence[Level] = (),
    status_column: str = "",
    height: int | None = None,
    on_open: Callable[[int], None] | None = None,
) -> None:
    """Draw a table; a click on a cell calls `on_open` with the number of its row.

    Parameters
    ----------
    levels
        One for each row: the colour of `status_column`.
    """
    shown: Any = frame
    if status_column:
        css = [f"color: {level_color(level)}; font-weight: 600" for level in levels]
        shown = frame.style.apply(lambda _: css, subset=[status_column])
    event: Any = st.dataframe(
        shown,
        hide_index=True,
        column_config=columns,
        row_height=ROW_PIXELS,
        height=height or ROW_PIXELS * (len(frame) + 1) + 4,
        key=key,
        on_select="rerun" if on_open else "ignore",
        selection_mode="single-cell",
        alt=alt,
    )
    cells = event.selection.cells if on_open else []
    if cells and on_open:
        on_open(int(cells[0][0]))
