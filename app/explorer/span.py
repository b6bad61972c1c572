"""The choice between windows of a week and of a day."""

from dataclasses import replace

import streamlit as st

from app.explorer.address import View, go_to

__all__ = ["choose_span"]

_SPANS = {7: "Weeks", 1: "Days"}


def choose_span(view: View, key: str, *, labelled: bool = True) -> None:
    """Draw the choice, which changes the view's windows of backtests and of saved monitors."""

    def choose() -> None:
        go_to(replace(view, days=st.session_state[key]))

    if st.session_state.get(key) != view.days:
        st.session_state[key] = view.days
    st.segmented_control(
        "Windows of",
        list(_SPANS),
        key=key,
        format_func=_SPANS.__getitem__,
        on_change=choose,
        required=True,
        label_visibility="visible" if labelled else "collapsed",
        width="content",
    )
