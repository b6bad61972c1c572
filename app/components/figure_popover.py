"""What stands behind one figure: n, interval, threshold, formula, source, and how to get it in Python."""

from collections.abc import Mapping

import streamlit as st

from app.components.plain import plain

__all__ = ["draw_figure_popover"]


def draw_figure_popover(label: str, title: str, facts: Mapping[str, str], *, code: str, key: str) -> None:
    """Draw a figure that opens what it was made from.

    Parameters
    ----------
    facts
        By name, in Markdown; an empty one is left out.
    code
        Python that returns the figure.
    """
    with st.popover(label, icon=":material/info:", type="tertiary", key=key, help="What this figure is"):
        st.markdown(f"**{plain(title)}**")
        first, *others = [f"| :gray[{name}] | {_cell(value)} |" for name, value in facts.items() if value]
        st.markdown("\n".join([first, "|:---|:---|", *others]))
        st.markdown(":gray[In Python]")
        st.code(code, language="python")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
