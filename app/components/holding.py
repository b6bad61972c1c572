"""Widgets that show what the URL says."""

import streamlit as st

__all__ = ["hold"]


def hold(key: str, value: object) -> None:
    """Let the widget with a key show a value, whatever it showed before."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
