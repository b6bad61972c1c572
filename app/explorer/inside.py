"""What drifted inside one segment alone, and the way into it."""

from dataclasses import replace

import streamlit as st

from app.components.plain import plain
from app.explorer.address import View, go_to
from app.explorer.words import figure, in_segment, short_name
from app.theme import status_style
from mlops_core.domain.states import Level
from mlops_core.explanation.results import Explanation, SegmentDrift

__all__ = ["draw_inside"]

_MOST = 3


def draw_inside(view: View, explanation: Explanation) -> None:
    """Draw a line on the furthest moves inside a segment; a click shows that segment alone."""
    found = explanation.in_segments
    if not found:
        return
    look = status_style(Level.CRITICAL)
    statistic = short_name(explanation.statistic)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        for number, one in enumerate(found[:_MOST]):
            words = plain(f"{one.column}{in_segment(one.segment)}") if number else plain(one.sentence)
            st.button(
                f":{look.color}[{look.icon}] {words}",
                key=f"explorer_inside_{number}",
                type="tertiary",
                on_click=go_to,
                args=(replace(view, segment=one.segment, column=one.column),),
                help=_help(one, statistic, sentence=number > 0),
            )
        more = len(found) - _MOST
        if more > 0:
            words = "; ".join(one.sentence.rstrip(".") for one in found[_MOST:])
            st.caption(f"and {more} more", help=f"{plain(words)}.", width="content")


def _help(one: SegmentDrift, statistic: str, *, sentence: bool) -> str:
    figures = f"{one.column} in it: {statistic} {figure(one.value)}, n = {one.rows:,}"
    said = f"{one.sentence} " if sentence else ""
    return plain(f"{said}{figures}, {one.reference_rows:,} in the reference. A click shows it alone.")
