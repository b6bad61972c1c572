"""A model's history: usage, response times, drift and accuracy on one time axis, and what happened."""

from datetime import datetime

import streamlit as st

from app.cache import until_changed
from app.components.charts import Line, Panel, draw_panels
from app.components.formats import day
from app.components.plain import plain
from app.model.measured_on import line_name
from app.theme import Palette, palette
from mlops_core.domain.states import MonitorKind
from mlops_core.explanation.events import events_between
from mlops_core.explanation.results import Event
from mlops_core.monitoring.estimate_errors import estimate_errors
from mlops_core.monitoring.findings import outcomes_in, statistic_name, with_interval
from mlops_core.monitoring.model_view import ModelView, Series

__all__ = ["draw_history"]

_events_between = until_changed(events_between)
_estimate_errors = until_changed(estimate_errors)
_SHOWN_COLUMNS = 4


def draw_history(view: ModelView, now: datetime) -> None:
    """Draw the panels of a model below each other, with what happened up to now."""
    draw_panels(
        _panels(view),
        key="history",
        alt=f"Usage, response times, drift and accuracy of {view.row.model} over time",
        events=_events(view, now),
    )
    if view.of_kind(MonitorKind.ESTIMATE):
        st.caption(plain(_estimate_errors(view.row.model).sentence))


def _events(view: ModelView, now: datetime) -> list[Event]:
    first = min((series.points[0].start for series in view.series if series.points), default=None)
    return _events_between(view.row.model, first, now) if first is not None and first < now else []


def _panels(view: ModelView) -> list[Panel]:
    colors = palette()
    drift = view.of_kind(MonitorKind.DRIFT)
    panels = [_usage_panel(view, colors)]
    if view.of_kind(MonitorKind.LATENCY):
        panels.append(_latency_panel(view, colors))
    if drift:
        panels.append(_drift_panel(drift, colors))
    metric = view.row.metric or ""
    measured = view.one(MonitorKind.PERFORMANCE, metric)
    estimated = view.one(MonitorKind.ESTIMATE, metric)
    if measured or estimated:
        panels.append(_accuracy_panel(view, metric, measured, estimated, colors))
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


def _accuracy_panel(
    view: ModelView, metric: str, measured: Series | None, estimated: Series | None, colors: Palette
) -> Panel:
    name = statistic_name(metric)
    lines = []
    if estimated:
        lines.append(Line(f"estimated {name}", estimated.points, colors.estimated, dash="dash"))
    if measured:
        lines.append(Line(f"measured {name}", measured.points, colors.text, band=True))
    return Panel(
        _accuracy_title(view, name, measured, estimated),
        name,
        lines,
        limits=measured.limits if measured else [],
        reference=(line_name(view), view.row.trained) if view.row.trained is not None else None,
    )


def _accuracy_title(view: ModelView, name: str, measured: Series | None, estimated: Series | None) -> str:
    if measured:
        newest = measured.newest
        figure = with_interval(newest.value, newest.lower, newest.upper) if newest.value is not None else "—"
        arrived = outcomes_in(newest.outcomes_share) or f"{newest.rows:,} outcomes"
        return f"Measured {name} {figure}, {arrived}, known to {day(view.row.outcomes_to)}"
    if estimated is None or estimated.newest.value is None:
        return f"No {name} is known yet"
    figure = with_interval(estimated.newest.value, estimated.newest.lower, estimated.newest.upper)
    return f"Estimated {name} {figure}, no outcome is known yet"
