"""Board (director): whether anything is on fire, and how the fleet does."""

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.formats import ago, day, signed
from app.components.tables import draw_table, status_text
from app.navigation import open_explorer, open_model
from app.theme import status_style
from mlops_core.domain.states import Level, MonitorKind
from mlops_core.monitoring import Board, BoardRow, read_board
from mlops_core.monitoring.board import describe_metric
from mlops_core.monitoring.findings import Finding, percent_of, statistic_name, with_interval
from mlops_core.monitoring.fleet import fleet_figures
from mlops_core.monitoring.windows import Window

_FILTERS = {
    "All": None,
    "Needs attention": None,
    "Drifting": MonitorKind.DRIFT,
    "Slow": MonitorKind.LATENCY,
    "Inaccurate": MonitorKind.PERFORMANCE,
    "Stale": MonitorKind.FRESHNESS,
}
_read_board = until_changed(read_board)


@st.fragment(run_every="20s")
def draw_board() -> None:
    """Draw the whole board; it looks for changes every 20 seconds."""
    board = _read_board()
    _draw_headline(board)
    if not board.rows:
        st.info(
            "Models appear here once a version is promoted. `bigboard demo` builds a workspace full of them.",
            icon=":material/inventory_2:",
        )
        return
    _draw_one_thing(board)
    _draw_figures(board)
    _draw_fleet(board)


def _draw_headline(board: Board) -> None:
    level = Level.WARNING if board.is_stale else board.level
    style = status_style(level)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"### :{style.color}[{style.icon}] {board.headline}", width="content")
        run = board.last_run
        checked = ago(run.finished_at, board.now) if run else "never"
        st.markdown(
            f":gray[Checked {checked} · {board.reporting} of {board.monitors} monitors reporting · "
            f"outcomes known to {day(board.outcomes_to)}]",
            width="content",
        )


def _draw_one_thing(board: Board) -> None:
    """Say the one thing to know in words, with the way to its reasons."""
    row = board.rows[0]
    finding = row.findings[0] if row.findings else None
    if finding is None:
        return
    with (
        st.container(border=True),
        st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"),
    ):
        drift = row.finding(MonitorKind.DRIFT)
        if row.needs_attention:
            style = status_style(finding.level)
            words = f":{style.color}-badge[{style.icon} {row.status}] **{row.model}** {finding.sentence}"
        else:
            words = f"Every monitor is in its range. {_furthest(row)}"
        st.markdown(f"{words} {_accuracy_words(row)}", width="stretch")
        if st.button("Explore", type="primary", icon=":material/query_stats:", key="explore_one_thing"):
            _open_explorer(row.model, drift)


def _open_explorer(model: str, drift: Finding | None) -> None:
    """Explore the column that is furthest off, in the window in which it was found outside its range."""
    outside = drift is not None and drift.level.is_outside
    window = Window(drift.window_start, drift.window_end) if drift is not None and outside else None
    open_explorer(model, drift.column if drift else "", window=window)


def _furthest(row: BoardRow) -> str:
    drift = row.finding(MonitorKind.DRIFT)
    if drift is None or drift.value is None or not drift.limit:
        return ""
    return (
        f"Nearest to a limit: **{drift.column}** of **{row.model}**, {statistic_name(drift.statistic)} "
        f"**{drift.value:.3f}** where a warning begins at {drift.limit:.3g} (n = {drift.rows:,})."
    )


def _accuracy_words(row: BoardRow) -> str:
    if row.measured is None or row.trained is None:
        return ""
    name = statistic_name(row.metric or "")
    found = row.finding(MonitorKind.PERFORMANCE)
    figure = with_interval(row.measured, found.lower, found.upper) if found else f"{row.measured:.3f}"
    arrived = f" with {row.outcomes}" if row.outcomes else ""
    return f"Its measured {name} is **{figure}**{arrived}, {row.trained:.3f} in training."


def _draw_figures(board: Board) -> None:
    fleet = fleet_figures(board)
    usage, latency, accuracy, drift = st.columns(4)
    change = fleet.predictions_change
    usage.metric(
        "Predictions this week",
        f"{fleet.predictions:,}",
        f"{change:+.1%}" if change is not None else None,
        delta_color="off",
        delta_description="vs the mean of 4 weeks",
        border=True,
    )
    slow = fleet.slowest
    latency.metric(
        "Slowest p95 response, against its objective",
        f"{slow.latency.p95:.1f} ms" if slow else "—",
        f"limit {slow.latency.objective:g} ms" if slow else None,
        delta_color="off",
        delta_arrow="off",
        delta_description=slow.model if slow else None,
        border=True,
    )
    accuracy.metric(
        f"Measured AUC, median of {fleet.auc_models}",
        f"{fleet.measured_auc:.3f}" if fleet.measured_auc is not None else "—",
        signed(fleet.auc_change) if fleet.auc_change is not None else None,
        delta_color="off",
        delta_arrow="off",
        delta_description="vs training",
        border=True,
    )
    moved = fleet.most_drifted
    found = moved.finding(MonitorKind.DRIFT) if moved else None
    drift.metric(
        "Largest drift",
        f"{statistic_name(found.statistic)} {found.value:.3f}" if found and found.value is not None else "—",
        found.column if found else None,
        delta_color="off",
        delta_arrow="off",
        delta_description=moved.model if moved else None,
        border=True,
    )


def _draw_fleet(board: Board) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        title = st.empty()
        chosen = st.segmented_control(
            "Show",
            list(_FILTERS),
            default="All",
            required=True,
            key="show",
            bind="query-params",
            label_visibility="collapsed",
        )
        text = st.text_input(
            "Find a model",
            key="find",
            bind="query-params",
            placeholder="Find a model or an owner",
            icon=":material/search:",
            label_visibility="collapsed",
            width=260,
        )
    rows = [row for row in board.rows if _is_shown(row, chosen or "All", text or "")]
    title.markdown(f"**{len(rows)} of {len(board.rows)} models, worst first**", width="content")
    if not rows:
        st.info(
            "No model matches. Choose All and clear the search to see the fleet.",
            icon=":material/search_off:",
        )
        return
    draw_table(
        _frame(rows, board),
        _COLUMNS,
        key="fleet",
        alt="Models in production with status, usage, latency, drift and accuracy",
        levels=[row.level for row in rows],
        status_column="status",
        on_open=lambda number: open_model(rows[number].model),
    )


def _is_shown(row: BoardRow, chosen: str, text: str) -> bool:
    if text.lower() not in f"{row.model} {row.owner}".lower():
        return False
    if chosen == "Needs attention":
        return row.needs_attention
    kind = _FILTERS[chosen]
    return kind is None or any(finding.kind == kind and finding.level.is_outside for finding in row.findings)


def _frame(rows: list[BoardRow], board: Board) -> pd.DataFrame:
    drifts = [row.finding(MonitorKind.DRIFT) for row in rows]
    return pd.DataFrame(
        {
            "status": [status_text(row.level, row.status) for row in rows],
            "model": [row.model for row in rows],
            "version": [f"v{row.version}" for row in rows],
            "usage": [list(row.usage) for row in rows],
            "predictions": [row.predictions for row in rows],
            "of_objective": [
                100 * row.latency.p95 / row.latency.objective if row.latency.p95 is not None else None
                for row in rows
            ],
            "latency": [_latency(row) for row in rows],
            "scored": [ago(row.last_prediction, board.now) for row in rows],
            "drift": [
                f"{found.column} · {statistic_name(found.statistic)} {found.value:.3f}"
                if found and found.value is not None
                else "—"
                for found in drifts
            ],
            "measured": [describe_metric(row) for row in rows],
            "change": [
                signed(row.measured - row.trained)
                if row.measured is not None and row.trained is not None
                else "—"
                for row in rows
            ],
            "arrived": [_arrived(row) for row in rows],
            "outcomes": [day(row.outcomes_to) for row in rows],
            "owner": [row.owner for row in rows],
        }
    )


def _arrived(row: BoardRow) -> str:
    found = row.finding(MonitorKind.PERFORMANCE)
    return percent_of(found.outcomes_share) if found and found.outcomes_share is not None else "—"


def _latency(row: BoardRow) -> str:
    times = (row.latency.p50, row.latency.p95, row.latency.p99)
    if all(time is None for time in times):
        return "—"
    return " / ".join("—" if time is None else f"{time:.1f}" for time in times)


_COLUMNS = {
    "status": st.column_config.TextColumn("Status", width=112),
    "model": st.column_config.TextColumn("Model", width=190, help="A click opens the model"),
    "version": st.column_config.TextColumn("Version", width=60),
    "usage": st.column_config.AreaChartColumn("Usage, 26 weeks", width=120, y_min=0),
    "predictions": st.column_config.NumberColumn("This week", format="localized", width=78),
    "of_objective": st.column_config.ProgressColumn(
        "p95 of objective",
        format="%.0f %%",
        min_value=0,
        max_value=100,
        width=112,
        help="The 95th percentile of response times, as a share of what the model promises",
    ),
    "latency": st.column_config.TextColumn("p50 / p95 / p99 ms", width=128, alignment="right"),
    "scored": st.column_config.TextColumn("Scored", width=72),
    "drift": st.column_config.TextColumn("Worst drift", width=190),
    "measured": st.column_config.TextColumn("Measured", width=84),
    "change": st.column_config.TextColumn(
        "vs training", width=78, alignment="right", help="Measured on outcomes, minus the held-out figure"
    ),
    "arrived": st.column_config.TextColumn(
        "Outcomes in",
        width=84,
        alignment="right",
        help="How many predictions of the measured window have an outcome",
    ),
    "outcomes": st.column_config.TextColumn(
        "Outcomes to", width=84, help="The day of the newest predictions whose outcome is known"
    ),
    "owner": st.column_config.TextColumn("Owner", width=120),
}

draw_board()
