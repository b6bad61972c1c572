"""What has happened to a version, newest first: who did what, and when."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from app.components.formats import ago, exact
from app.components.plain import plain
from mlops_core.registry.version_activity import ActivityKind, ActivityStep

__all__ = ["draw_history"]

_ICONS = {
    ActivityKind.STAGE: "flag",
    ActivityKind.TESTS: "checklist",
    ActivityKind.COMPARISON: "compare_arrows",
    ActivityKind.CARD: "badge",
}
_MOST = 40


def draw_history(steps: Sequence[ActivityStep], now: datetime) -> None:
    """Draw the steps as a table of words."""
    st.markdown(f"**{_title(steps, now)}**")
    lines = [
        f"| :gray[:material/{_ICONS[one.kind]}:] | {plain(one.sentence)} | {plain(one.actor)} "
        f"| {ago(one.at, now)} | :gray[{exact(one.at)}] |"
        for one in steps[:_MOST]
    ]
    st.markdown("\n".join(["| | What | Who | When | |", "|---|:---|:---|:---|:---|", *lines]))
    if len(steps) > _MOST:
        st.caption(f"{len(steps) - _MOST} older steps are in the audit log of the Engineering page.")


def _title(steps: Sequence[ActivityStep], now: datetime) -> str:
    if not steps:
        return "Nothing has happened yet"
    newest = steps[0]
    return f"Last: {newest.sentence[:1].lower()}{newest.sentence[1:]}, {ago(newest.at, now)}"
