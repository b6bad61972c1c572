"""The counts above the list: one click keeps what was counted, another shows everything again."""

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from app.registry.address import Shown, View, go_to

__all__ = ["draw_counts"]

_WORDS = {
    Shown.DEVELOPMENT: ("in development", "science", "Versions that are not decided on yet"),
    Shown.UPDATES: (
        "update a model in production",
        "upgrade",
        "Versions on their way whose model has a champion already",
    ),
    Shown.PASSED: (
        "passed their tests",
        "check_circle",
        "Every test of the newest run passed or did not apply",
    ),
    Shown.FAILED: ("failed a test", "cancel", "A test of the newest run failed or could not be carried out"),
    Shown.PROMOTED: ("promoted this week", "rocket_launch", "Entered production in the last seven days"),
}
# A button's label is one line of text: the number in it is set large here.
_STYLE = """
<style>
.st-key-registry_counts button { justify-content: flex-start; padding: 0.35rem 0.9rem; min-height: 3.1rem; }
.st-key-registry_counts button p { display: flex; align-items: center; gap: 0.5rem; white-space: nowrap; }
.st-key-registry_counts button strong { font-size: 1.55rem; font-weight: 600; line-height: 1; }
</style>
"""


def draw_counts(view: View, counts: Mapping[Shown, int]) -> None:
    """Draw the counts as buttons of equal width; the one that is chosen is marked."""
    st.html(_STYLE)
    with st.container(key="registry_counts", horizontal=True, gap="small"):
        for one, (words, icon, help_text) in _WORDS.items():
            is_chosen = view.show == one
            st.button(
                f"**{counts[one]:,}** {words}",
                icon=f":material/{icon}:",
                type="primary" if is_chosen else "secondary",
                key=f"registry_show_{one}",
                width="stretch",
                help=f"{help_text}. {'A click shows all versions again.' if is_chosen else ''}",
                on_click=go_to,
                args=(replace(view.all_versions, show="" if is_chosen else one),),
            )
