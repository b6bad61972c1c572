"""What drifted inside one segment alone, and the way into it."""

from dataclasses import replace

import streamlit as st

from app.components.plain import plain
from app.explorer.address import View, go_to
from app.explorer.words import figure, short_name
from app.theme import status_style
from mlops_core.domain.states import Level
from mlops_core.explanation.results import Explanation

__all__ = ["draw_inside"]

_MOST = 3


def draw_inside(view: View, explanation: Explanation) -> None:
    """Draw a line for each of the furthest moves inside a segment; a click shows that segment alone."""
    found = explanation.in_segments
    if not found:
        return
    look = status_style(Level.CRITICAL)
    with st.container(gap="xxsmall"):
        for number, one in enumerate(found[:_MOST]):
            st.button(
                f":{look.color}[{look.icon}] {plain(one.sentence)}",
                key=f"explorer_inside_{number}",
                type="tertiary",
                on_click=go_to,
                args=(replace(view, segment=one.segment, column=one.column),),
                help=f"{plain(one.column)} in it: {short_name(explanation.statistic)} {figure(one.value)} "
                f"(n = {one.rows:,}, {one.reference_rows:,} in the reference). A click shows it alone.",
            )
        if len(found) > _MOST:
            more = "; ".join(plain(one.sentence.rstrip(".")) for one in found[_MOST:10])
            st.caption(f"{len(found) - _MOST} more inside segments", help=f"{more}.")
