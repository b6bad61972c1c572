"""Which workspace this process serves, and who is looking."""

import streamlit as st

from mlops_core.domain import Actor
from mlops_core.settings import Settings
from mlops_core.workspace import SYSTEM, Workspace, actors, open_workspace

__all__ = ["ACTOR", "current_actor", "people", "use", "workspace"]

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
    """Return who is looking: who was chosen in the header or named by the URL, else the first one."""
    known = {actor.name: actor for actor in people()}
    return known.get(st.session_state.get(ACTOR, "")) or next(iter(known.values()))
