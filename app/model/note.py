"""Note an event from the page of the model whose chart it explains."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from app import session
from app.components.plain import plain
from mlops_core.domain.errors import BigboardError
from mlops_core.explanation.events import KEEPERS, add_calendar_event

__all__ = ["draw_note_event"]


def draw_note_event(model: str) -> None:
    """Draw a button that opens the form of an event; those who may not note one see why."""
    actor = session.current_actor()
    may = actor.has_role(*KEEPERS)
    with st.popover(
        "Note an event",
        icon=":material/event:",
        disabled=not may,
        help=None
        if may
        else f"{actor.full_name} looks on: directors, leads, data scientists and ML engineers note events.",
        key="note_event",
    ):
        _draw_form(model)


def _draw_form(model: str) -> None:
    today = session.workspace().clock.now().date()
    with st.form("event", border=False, enter_to_submit=False):
        title = st.text_input("What happened", placeholder="Campaign 19", max_chars=120, key="event_title")
        days: Sequence[date] = st.date_input(
            "First and last day", value=(today, today), format="DD/MM/YYYY", key="event_days"
        )
        alone = st.checkbox(f"It concerns {model} alone", key="event_alone")
        if not st.form_submit_button("Note it", type="primary", key="event_submit"):
            return
    if not days:
        st.error("An event needs a day: choose the first and the last one.")
        return
    first, last = days[0], days[-1]  # one alone while only the first is chosen
    try:
        add_calendar_event(
            session.workspace(),
            session.current_actor(),
            title=title,
            start=_midnight(first),
            end=None if last == first else _midnight(last) + timedelta(days=1),
            model_name=model if alone else None,
        )
    except BigboardError as error:
        st.error(plain(str(error)))
        return
    st.toast(f"Noted: {plain(title.strip())}", icon=":material/event_available:")
    st.rerun()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
