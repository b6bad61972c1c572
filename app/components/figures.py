"""Figures as plain dictionaries in Plotly's own vocabulary, handed to the browser as they are.

Plotly's classes validate every part of a figure each time it is drawn, which takes half of a page's time:
`tests/pages/test_figures.py` has Plotly validate what the pages draw instead.
"""

from collections.abc import Callable
from functools import lru_cache

import plotly.io
import streamlit as st
from plotly.basedatatypes import BaseFigure

from app.components.time_marks import Part

__all__ = ["draw_figure"]


class _Prepared(BaseFigure):  # type: ignore[misc]  # Plotly has no types
    """A figure that needs no validation; Streamlit asks a figure for `to_dict`, and for nothing else."""

    def __init__(self, data: list[Part], layout: Part) -> None:
        self._parts: Part = {"data": data, "layout": {"template": _template(), **layout}}

    def to_dict(self) -> Part:
        """Return the figure as it was given, in the template whose colours the browser replaces."""
        return self._parts


def draw_figure(
    data: list[Part],
    layout: Part,
    *,
    key: str,
    config: Part,
    alt: str,
    on_box: Callable[[], None] | None = None,
) -> None:
    """Draw traces in a layout; nothing is drawn anew in the browser when all arguments are as before.

    Parameters
    ----------
    config
        Plotly's settings of the chart's buttons.
    on_box
        Called when a box has been dragged over the chart, which stands in the session's state at `key`.
    """
    figure = _Prepared(data, layout)
    if on_box is None:
        st.plotly_chart(figure, key=key, config=config, alt=alt)
    else:
        st.plotly_chart(figure, key=key, config=config, alt=alt, on_select=on_box, selection_mode="box")


@lru_cache(maxsize=1)
def _template() -> Part:
    template: Part = plotly.io.templates["streamlit"].to_plotly_json()
    return template
