"""What no single column shows: whether a classifier can tell the window from the reference."""

import streamlit as st

from app.explorer.address import View

__all__ = ["draw_together"]


def draw_together(view: View) -> None:
    """Say that it is not here yet."""
    st.info(f"Drift of many columns of {view.model} together is not looked at yet.")
