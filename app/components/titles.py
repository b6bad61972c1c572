"""A title that says what was found, with what can be done about it at its right."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.components.plain import plain

__all__ = ["draw_title"]


def draw_title(text: str, *, actions: float = 0.2) -> DeltaGenerator:
    """Draw a title, and return the place at its right for buttons.

    Parameters
    ----------
    actions
        The part of the width that the place takes, between 0 and 1.
    """
    left, right = st.columns([1 - actions, actions], vertical_alignment="center", gap="small")
    left.markdown(f"**{plain(text)}**")
    return right.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="xxsmall"
    )
