"""Which workspace this process serves, and who is looking."""

import streamlit as st

from mlops_core.domain import Actor
from mlops_core.settings import Settings
from mlops_core.workspace import SYSTEM, Workspace, actors, open_workspace

__all__ = ["ACTOR", "current_actor", "look_as", "people", "use", "workspace"]

ACTOR = "actor"
_served: list[Workspace] = []


def use(served: Workspace) -> None:
    """Say which workspace the pages of this process show."""
    _served[:] = [served]


def workspace() -> Workspace:
    """Return the workspace that the pages show; outside a server, the one of the settings.

    Raises
    ------
    StoreError
        When there is none, or another process holds it.
    """
    if not _served:
        use(open_workspace(Settings()))
    return _served[0]


def people() -> list[Actor]:
    """Return who can be chosen in the header: everybody but Bigboard itself, unless it is alone."""
    everybody = actors(workspace())
    return [actor for actor in everybody if actor.name != SYSTEM] or everybody


def current_actor() -> Actor:
    """Return who is looking: who was chosen in the header, else whom `?actor=` names, else the first one.

    The choice is not written to the URL: a link that is passed on must not make its reader act as another.
    """
    known = {actor.name: actor for actor in people()}
    chosen = st.session_state.get(ACTOR) or st.query_params.get(ACTOR, "")
    return known.get(chosen) or next(iter(known.values()))


def look_as(actor: Actor) -> None:
    """Remember for this session who is looking."""
    st.session_state[ACTOR] = actor.name
