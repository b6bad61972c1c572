"""One model: usage, latency, drift and accuracy on one time axis, and what the version was made from."""

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.charts import Line, Panel, draw_panels
from app.components.facts import draw_facts
from app.components.formats import ago, day, exact, period, signed
from app.components.tables import draw_table, status_text
from app.navigation import open_explorer, pages
from app.theme import Palette, palette, status_style
from mlops_core.domain.errors import BigboardError
from mlops_core.domain.states import Level, MonitorKind
from mlops_core.monitoring import read_board
from mlops_core.monitoring.findings import outcomes_in, statistic_name, with_interval
from mlops_core.monitoring.model_view import ModelView, Point, Series, read_model

_read_board = until_changed(read_board)
_read_model = until_changed(read_model)
_SHOWN_COLUMNS = 4


def draw_model() -> None:
    """Draw the page of the model that the URL names."""
    names = sorted(row.model for row in _read_board().rows)
    if not names:
        st.info("No model is in production yet: promote a version, and its page appears here.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.page_link(pages()["board"], label="Board", icon=":material/arrow_back:")
        name = st.selectbox(
            "Model", names, key="model", bind="query-params", label_visibility="collapsed", width=300
        )
    try:
        view = _read_model(name)
    except BigboardError as error:
        st.error(str(error))
        return
    _draw_headline(view)
    charts, facts = st.columns([0.68, 0.32], gap="medium")
    with charts:
        draw_panels(
            _panels(view),
            key="history",
            alt=f"Usage, response times, drift and accuracy of {view.row.model} over time",
        )
    with facts:
        _draw_drift_table(view)
        _draw_facts(view)


def _draw_headline(view: ModelView) -> None:
    row = view.row
    style = status_style(row.level)
    now = _read_board().now
    st.markdown(f"### :{style.color}[{style.icon}] {row.model} v{row.version}: {_headline(view)}")
    st.markdown(
        f":gray[{view.description}. Owned by {row.owner}, scored {ago(row.last_prediction, now)}, "
        f"outcomes known to {day(row.outcomes_to)}.]"
    )
    if row.needs_attention:
        for finding in row.findings:
            if finding.level.is_outside:
                look = status_style(finding.level)
                st.markdown(f":{look.color}-badge[{look.icon} {finding.label}] {finding.sentence}")


def _headline(view: ModelView) -> str:
    row = view.row
    state = "in range" if not row.needs_attention else row.status.lower()
    if row.measured is None or row.trained is None:
        return state
    change = signed(row.measured - row.trained)
    return f"{state}, measured {statistic_name(row.metric or '')} {row.measured:.3f} ({change} vs training)"


def _panels(view: ModelView) -> list[Panel]:
    colors = palette()
    drift = view.of_kind(MonitorKind.DRIFT)
    panels = [_usage_panel(view, colors)]
    if view.of_kind(MonitorKind.LATENCY):
        panels.append(_latency_panel(view, colors))
    if drift:
        panels.append(_drift_panel(drift, colors))
    accuracy = view.one(MonitorKind.PERFORMANCE, view.row.metric or "")
    if accuracy:
        panels.append(_accuracy_panel(view, accuracy, colors))
    return panels


def _usage_panel(view: ModelView, colors: Palette) -> Panel:
    usage = view.one(MonitorKind.USAGE, "predictions")
    points = usage.points if usage else []
    found = view.row.finding(MonitorKind.USAGE)
    span = "day" if found and found.is_of_a_day else "week"
    newest = f"{points[-1].rows:,} predictions in the newest {span}" if points else "Not used yet"
    return Panel(
        newest, "predictions", [Line("predictions", points, colors.current, bars=True)], number_format=",.0f"
    )


def _latency_panel(view: ModelView, colors: Palette) -> Panel:
    lines = []
    for name, color, dash in (
        ("p99", colors.series[1], "dot"),
        ("p95", colors.current, None),
        ("p50", colors.series[2], None),
    ):
        series = view.one(MonitorKind.LATENCY, name)
        if series:
            lines.append(Line(name, series.points, color, dash=dash))
    judged = view.one(MonitorKind.LATENCY, "p95")
    latency = view.row.latency
    title = (
        f"95 % of responses within {latency.p95:.1f} ms, objective {latency.objective:g} ms"
        if latency.p95 is not None
        else "No response time was measured"
    )
    return Panel(title, "ms", lines, limits=judged.limits if judged else [])


def _drift_panel(drift: list[Series], colors: Palette) -> Panel:
    lines = [
        Line(series.column, series.points, colors.reference, faint=True) for series in drift[_SHOWN_COLUMNS:]
    ]
    lines += [
        Line(series.column, series.points, color)
        for series, color in zip(drift[:_SHOWN_COLUMNS], colors.series, strict=False)
    ]
    worst = drift[0]
    statistic = statistic_name(worst.statistic)
    outside = sum(series.newest.level.is_outside for series in drift)
    title = (
        f"{outside} of {len(drift)} columns outside the range, {worst.column} furthest"
        if outside
        else f"All {len(drift)} columns near their reference, {worst.column} furthest"
    )
    return Panel(title, statistic, lines, limits=worst.limits)


def _accuracy_panel(view: ModelView, accuracy: Series, colors: Palette) -> Panel:
    name = statistic_name(accuracy.statistic)
    newest: Point = accuracy.newest
    known = day(view.row.outcomes_to)
    figure = with_interval(newest.value, newest.lower, newest.upper) if newest.value is not None else "—"
    arrived = outcomes_in(newest.outcomes_share) or f"{newest.rows:,} outcomes"
    title = f"Measured {name} {figure}, {arrived}, known to {known}"
    return Panel(
        title,
        name,
        [Line(f"measured {name}", accuracy.points, colors.text)],
        limits=accuracy.limits,
        reference=("training", view.row.trained) if view.row.trained is not None else None,
    )


def _draw_drift_table(view: ModelView) -> None:
    drift = view.of_kind(MonitorKind.DRIFT)
    if not drift:
        return
    statistic = statistic_name(drift[0].statistic)
    st.markdown(f"**{len(drift)} columns, furthest from the reference first**")
    frame = pd.DataFrame(
        {
            "column": [series.column for series in drift],
            "value": [series.newest.value for series in drift],
            "trend": [[point.value or 0.0 for point in series.points] for series in drift],
            "status": [_level_text(series.newest.level) for series in drift],
        }
    )
    draw_table(
        frame,
        {
            "column": st.column_config.TextColumn("Column", width=150, help="A click opens the explorer"),
            "value": st.column_config.NumberColumn(statistic, format="%.3f", width=60),
            "trend": st.column_config.LineChartColumn("Over time", width=90, y_min=0),
            "status": st.column_config.TextColumn("Status", width=90),
        },
        key="columns",
        alt="Columns of the model by drift",
        levels=[series.newest.level for series in drift],
        status_column="status",
        height=300,
        on_open=lambda number: open_explorer(view.row.model, drift[number].column),
    )


def _level_text(level: Level) -> str:
    return status_text(level, level.replace("_", " "))


def _draw_facts(view: ModelView) -> None:
    version, snapshot = view.version, view.snapshot
    commit = f"`{version.git_commit[:10]}`{' with local changes' if version.git_dirty else ''}"
    metrics = ", ".join(f"{statistic_name(one.name)} {one.value:.3f}" for one in view.metrics) or "none"
    rows = view.metrics[0].rows if view.metrics else 0
    st.markdown("**Where this version comes from**")
    draw_facts(
        {
            "Estimator": f"{version.estimator}, {len(version.columns)} columns",
            "Trained by": f"{view.author}, {exact(version.created_at)}",
            "Trained on": f"`{snapshot.table_name}@{snapshot.version}`, {snapshot.rows:,} rows",
            "Digest": f"`{snapshot.digest[:12]}`",
            "Held out": f"{metrics} (n = {rows:,})",
            "Reference": f"{period(view.reference_start, view.reference_end)}, {view.reference_rows:,} rows",
            "Commit": commit if version.git_commit else "not in a git repository",
            "Artefact": f"`{version.artefact_digest[:12]}`, {version.artefact_format}, "
            f"{version.artefact_bytes / 1024:,.0f} KiB"
            if version.artefact_digest
            else "none: the model runs elsewhere",
        }
    )


draw_model()
