"""Ask for tests and comparisons: one core call each, shown disabled with the reason to who may not."""

import streamlit as st

from app import session
from app.components.plain import plain
from mlops_core.domain.errors import BigboardError, NotPermitted
from mlops_core.jobs import KINDS, enqueue
from mlops_core.registry.version_view import VersionView
from mlops_core.workspace import require_role

__all__ = ["draw_asking", "draw_said"]

_SAID = "registry_said"


def draw_asking(view: VersionView, other: int | None, *, waiting: set[str]) -> None:
    """Draw the buttons of a version.

    Parameters
    ----------
    other
        The version to compare it with; None where there is none.
    waiting
        The kinds of job that are queued or running for it already.
    """
    untestable = _refused("test_version") or _busy("test_version", waiting)
    st.button(
        "Run tests",
        icon=":material/checklist:",
        key="registry_test",
        disabled=bool(untestable),
        help=untestable or f"Runs the suite of {view.model.name} on version {view.version.number}",
        on_click=_ask,
        args=("test_version", view.label, {"model": view.model.name, "number": view.version.number}),
    )
    incomparable = _refused("compare_versions") or _why_not(view, other) or _busy("compare_versions", waiting)
    name = "champion" if other in (None, view.champion) else f"v{other}"
    st.button(
        f"Compare with {name}",
        icon=":material/compare_arrows:",
        key="registry_compare",
        disabled=bool(incomparable),
        help=incomparable or f"Measures both versions on {_evaluation(view)}, row by row",
        on_click=_ask,
        args=(
            "compare_versions",
            view.label,
            {
                "model": view.model.name,
                "challenger": view.version.number,
                "champion": other,
                "snapshot_id": None,
            },
        ),
    )


def draw_said() -> None:
    """Say once why something that was asked for was refused."""
    said = st.session_state.pop(_SAID, None)
    if said:
        st.error(plain(said), icon=":material/block:")


def _refused(kind: str) -> str:
    asked = KINDS[kind]
    try:
        require_role(session.current_actor(), f"ask for {asked.title.lower()}", *asked.roles)
    except NotPermitted as error:
        return str(error)
    return ""


def _busy(kind: str, waiting: set[str]) -> str:
    return "It is waiting or running already: see its progress below" if kind in waiting else ""


def _why_not(view: VersionView, other: int | None) -> str:
    """Return why a version cannot be compared; empty where it can."""
    if other is None:
        if view.is_champion:
            return "It is the champion itself: choose another version to compare it with"
        return f"{view.model.name} has no champion yet: choose another version to compare it with"
    if view.evaluation is None:
        return (
            "It has no evaluation snapshot, the rows that both versions are measured on: register it with one"
        )
    return ""


def _evaluation(view: VersionView) -> str:
    found = view.evaluation
    return f"{found.table_name}@{found.version} ({found.rows:,} rows)" if found else "its evaluation snapshot"


def _ask(kind: str, subject: str, arguments: dict[str, object]) -> None:
    try:
        enqueue(session.workspace(), session.current_actor(), kind, subject, arguments)
    except BigboardError as error:
        st.session_state[_SAID] = f"{str(error)[:1].upper()}{str(error)[1:]}."
