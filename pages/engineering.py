"""Engineering (ML engineer): what is outside its range, whether the monitors run, and what was done."""

import math

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.formats import ago, day, exact
from app.components.tables import draw_table, status_text
from app.navigation import open_model
from mlops_core.domain.states import Level
from mlops_core.governance import audit_events
from mlops_core.monitoring import Board, BoardRow, read_board
from mlops_core.monitoring.findings import Finding
from mlops_core.monitoring.run import recent_runs

_read_board = until_changed(read_board)
_audit = until_changed(audit_events)
_runs = until_changed(recent_runs)
_PAGE = 15
_ROUTINE = "Routine"
_KINDS = {
    "Versions": ("version.", "model.", "test."),
    "Jobs": ("job.",),
    "Features": ("feature.", "feature_table.", "entity.", "snapshot."),
    "Monitors and calendar": ("monitors.", "calendar."),
    "People and settings": ("actor.", "setting.", "workspace."),
    _ROUTINE: ("predictions.", "outcomes.", "features.written"),
}


def draw_engineering() -> None:
    """Draw the queue, the runs and the audit log."""
    board = _read_board()
    queue = [(row, finding) for row in board.rows for finding in row.findings if finding.level.is_outside]
    queue.sort(key=lambda item: (-item[1].level.severity, item[1].window_start))
    _draw_headline(board, queue)
    if queue:
        _draw_queue(queue)
    log, runs = st.columns([0.66, 0.34], gap="medium")
    with log:
        _draw_audit(board)
    with runs:
        _draw_runs(board)


def _draw_headline(board: Board, queue: list[tuple[BoardRow, Finding]]) -> None:
    if board.is_stale:
        st.markdown(
            "### :orange[:material/warning:] The monitors have not run for a day: start `bigboard serve`"
        )
    elif queue:
        models = len({row.model for row, _ in queue})
        st.markdown(f"### :orange[:material/build:] {len(queue)} findings on {models} models to look into")
    else:
        st.markdown("### :green[:material/check_circle:] Nothing to fix: every monitor is in its range")


def _draw_queue(queue: list[tuple[BoardRow, Finding]]) -> None:
    frame = pd.DataFrame(
        {
            "status": [status_text(finding.level, finding.label) for _, finding in queue],
            "model": [f"{row.model} v{row.version}" for row, _ in queue],
            "what": [finding.sentence for _, finding in queue],
            "since": [day(finding.window_start) for _, finding in queue],
            "owner": [row.owner for row, _ in queue],
        }
    )
    draw_table(
        frame,
        {
            "status": st.column_config.TextColumn("Status", width=120),
            "model": st.column_config.TextColumn("Model", width=230, help="A click opens the model"),
            "what": st.column_config.TextColumn("What was measured", width=640),
            "since": st.column_config.TextColumn("Week of", width=75),
            "owner": st.column_config.TextColumn("Owner", width=130),
        },
        key="queue",
        alt="Findings outside their range, worst first",
        levels=[finding.level for _, finding in queue],
        status_column="status",
        height=min(33 * (len(queue) + 1) + 4, 270),
        on_open=lambda number: open_model(queue[number][0].model),
    )


def _draw_audit(board: Board) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Audit log**", width="content")
        kind = st.segmented_control(
            "Kind", list(_KINDS), key="events", bind="query-params", label_visibility="collapsed"
        )
        text = st.text_input(
            "Find an event",
            key="find_event",
            bind="query-params",
            placeholder="Find an event",
            icon=":material/search:",
            label_visibility="collapsed",
            width=200,
        )
    actions = (
        _KINDS[kind]
        if kind
        else tuple(prefix for name in _KINDS if name != _ROUTINE for prefix in _KINDS[name])
    )
    total = _audit(page=1, page_size=_PAGE, actions=actions, containing=text or "").total
    place = st.container()
    pages = max(1, math.ceil(total / _PAGE))
    page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    found = _audit(page=min(page, pages), page_size=_PAGE, actions=actions, containing=text or "")
    with place:
        if not found.lines:
            st.info(
                "No event matches: clear the search or choose another kind.", icon=":material/search_off:"
            )
            return
        frame = pd.DataFrame(
            {
                "at": [ago(line.at, board.now) for line in found.lines],
                "exact": [exact(line.at) for line in found.lines],
                "actor": [line.actor for line in found.lines],
                "summary": [line.summary for line in found.lines],
                "subject": [line.subject for line in found.lines],
            }
        )
        draw_table(
            frame,
            {
                "at": st.column_config.TextColumn("When", width=90),
                "exact": st.column_config.TextColumn("Exactly", width=140),
                "actor": st.column_config.TextColumn("Who", width=120),
                "summary": st.column_config.TextColumn("What", width=380),
                "subject": st.column_config.TextColumn("On", width=170),
            },
            key="audit",
            alt="Audit events, newest first",
        )
        st.caption(f"{total:,} events")


def _draw_runs(board: Board) -> None:
    st.markdown(f"**Monitoring runs** :gray[· {board.reporting} of {board.monitors} monitors reporting]")
    runs = _runs(limit=_PAGE)
    if not runs:
        st.info("The monitors have not run yet: `bigboard serve` runs them every five minutes.")
        return
    levels = {"succeeded": Level.IN_RANGE, "failed": Level.CRITICAL, "running": Level.UNKNOWN}
    states = [levels.get(run.state, Level.WARNING) for run in runs]
    frame = pd.DataFrame(
        {
            "state": [status_text(level, run.state) for level, run in zip(states, runs, strict=True)],
            "at": [exact(run.started_at) for run in runs],
            "message": [run.message for run in runs],
        }
    )
    draw_table(
        frame,
        {
            "state": st.column_config.TextColumn("Run", width=95),
            "at": st.column_config.TextColumn("Started", width=140),
            "message": st.column_config.TextColumn("What it did", width=260),
        },
        key="runs",
        alt="Monitoring runs, newest first",
        levels=states,
        status_column="state",
    )


draw_engineering()
