"""The line above every page: what kind of workspace this is, and who is looking."""

import streamlit as st

from app import session
from app.components.formats import exact
from app.navigation import HOME, pages
from mlops_core.domain.states import Role
from mlops_core.workspace import setting

__all__ = ["draw_header"]

# Streamlit has no place for a widget beside its top navigation: this puts one keyed container there.
_STYLE = """
<style>
.st-key-bigboard_header {
    position: fixed; top: 0.35rem; right: 3.5rem; z-index: 999991; width: auto !important;
}
.st-key-bigboard_header p { white-space: nowrap; }
.stMainBlockContainer { padding: 4.2rem 2rem 2rem 2rem; }
</style>
"""


def draw_header() -> None:
    """Draw the header; choosing somebody else opens the page of that role."""
    st.html(_STYLE)
    people = {actor.name: actor for actor in session.people()}
    with st.container(
        key="bigboard_header", horizontal=True, vertical_alignment="center", width="content", gap="small"
    ):
        banner = _banner()
        if banner:
            st.caption(banner, width="content", help=f"Now is {exact(session.workspace().clock.now())}")
        names = list(people)
        chosen = st.selectbox(
            "Who is looking",
            names,
            format_func=lambda name: f"{people[name].full_name} · {people[name].role.replace('_', ' ')}",
            index=names.index(session.current_actor().name),
            key="actor_choice",
            label_visibility="collapsed",
            width=250,
        )
    if chosen != session.current_actor().name:
        # Streamlit forgets the box's own value when the page is switched: the session keeps it. It clears
        # no parameter that a widget is bound to, but replaces them all by none.
        session.look_as(people[chosen])
        st.switch_page(pages()[HOME[Role(people[chosen].role)]], query_params={})


def _banner() -> str:
    demo = setting(session.workspace(), "demo")
    return str(demo["banner"]) if demo and "banner" in demo else ""
