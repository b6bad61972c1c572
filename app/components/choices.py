"""A choice whose options show how many there are of each, and whose value stands in the URL."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import streamlit as st

__all__ = ["counted_choice"]

Word = TypeVar("Word", bound=StrEnum)


def counted_choice(
    label: str, counts: Mapping[Word, int], words: Mapping[Word, str], *, key: str
) -> Word | None:
    """Draw options like `In production · 22` and return the chosen one, None when none is.

    Streamlit's own binding would put the count into the URL, where it would be wrong tomorrow.
    """
    asked = st.query_params.get(key, "")
    options = list(counts)
    chosen = st.segmented_control(
        label,
        options,
        format_func=lambda one: f"{words[one]} · {counts[one]}",
        default=next((one for one in options if one == asked), None),
        key=key,
        label_visibility="collapsed",
    )
    if chosen is not None:
        st.query_params[key] = str(chosen)
    elif key in st.query_params:
        del st.query_params[key]
    return chosen
