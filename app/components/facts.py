"""Facts as a plain two-column list."""

from collections.abc import Mapping

import streamlit as st

__all__ = ["draw_facts"]


def draw_facts(facts: Mapping[str, str]) -> None:
    """Draw names in grey and their values (Markdown) beside them."""
    for name, value in facts.items():
        left, right = st.columns([0.3, 0.7], gap="small")
        left.markdown(f":gray[{name}]")
        right.markdown(value)
