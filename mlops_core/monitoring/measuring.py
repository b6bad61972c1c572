"""Measure a version's windows from its slices, judge them, and keep what has changed."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from mlops_core.domain import (
    Actor,
    Measurement,
    Model,
    ModelVersion,
    Monitor,
    OutcomeSlice,
    StoredSlice,
    StoreRevision,
)
from mlops_core.domain.states import Level, MonitorKind, Origin
from mlops_core.monitoring.estimating import estimate_windows
from mlops_core.monitoring.found import Found
from mlops_core.monitoring.levels import FEWEST_ROWS, Judging, judge
from mlops_core.monitoring.progress import Progress, measurements_of
from mlops_core.monitoring.reading import read_grids, read_outcomes, read_reference, read_slices
from mlops_core.monitoring.usage import measure_usage
from mlops_core.monitoring.watch import monitors_of, thresholds_of
from mlops_core.monitoring.windows import Window, window_at, windows_around
from mlops_core.registry.columns import LATENCY, PREDICTION, SCORE
from mlops_core.slices import NumericCounts, NumericGrid
from mlops_core.statistics import DRIFT_STATISTICS, PERFORMANCE_STATISTICS, quantile
from mlops_core.statistics.registry import kind_of
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

__all__ = ["Found", "measure_past", "measure_version", "measurement"]

_LATENCY_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_HOUR = timedelta(hours=1)


def measure_version(workspace: Workspace, actor: Actor, model: Model, version: ModelVersion) -> int:
    """Measure every window whose counts have changed since the last time; return how many rows were kept.

    The measurements and how far they reach are stored together, so that a run that dies is made up for;
    one that another run has overtaken stores nothing.
    """
    log = measurements_of(version)
    with workspace.store.read() as session:
        monitors = monitors_of(session, version)
        thresholds = thresholds_of(session, monitors)
        since = Progress(session, model).of(log)
        # Read before the slices: what is counted meanwhile is measured again the next time.
        revision = session.exec(select(StoreRevision.revision)).one()
        versions = session.exec(select(ModelVersion.id).where(ModelVersion.model_id == model.id)).all()
        predictions = _changed(session, StoredSlice, [version.id], since)
        outcomes = _changed(session, OutcomeSlice, [version.id], since)
        usage = _changed(session, StoredSlice, versions, since)
        now = workspace.clock.now()
        results: list[tuple[Monitor, Found]] = []
        for monitor in monitors:
            match monitor.kind:
                case MonitorKind.PERFORMANCE:
                    # The share of outcomes that has arrived moves with the predictions too.
                    windows = windows_around(outcomes | predictions, monitor.window_days)
                case MonitorKind.USAGE:
                    windows = windows_around(usage, monitor.window_days)
                case _:
                    windows = windows_around(predictions, monitor.window_days)
            results += [(monitor, found) for found in _measure(workspace, version, monitor, windows, now)]

    def work(unit: UnitOfWork) -> int:
        progress = Progress(unit.session, model)
        if progress.of(log) != since:
            return 0
        known = _newest(unit.session, results)
        rows = [measurement(monitor, found, thresholds[monitor.id], now) for monitor, found in results]
        changed = [row for row in rows if _is_news(row, known)]
        unit.session.add_all(changed)
        progress.put(log, revision)
        return len(changed)

    return workspace.store.bookkeep(actor, work)


def measure_past(workspace: Workspace, version: ModelVersion, monitor: Monitor) -> list[Found]:
    """Return what a monitor would have found in every window so far; it need not be stored yet."""
    table = OutcomeSlice if monitor.kind == MonitorKind.PERFORMANCE else StoredSlice
    with workspace.store.read() as session:
        days = _changed(session, table, [version.id], since=-1)
    windows = windows_around(days, monitor.window_days)
    return _measure(workspace, version, monitor, windows, workspace.clock.now())


def _changed(
    session: Session, table: type[StoredSlice] | type[OutcomeSlice], versions: Sequence[int], since: int
) -> set[datetime]:
    """Return the days of some versions whose slices have changed since a revision."""
    rows = session.exec(
        select(table.start).where(
            col(table.model_version_id).in_(versions),
            table.origin == Origin.PRODUCTION,
            table.segment == "",
            table.revision > since,
        )
    )
    return set(rows)


def _measure(
    workspace: Workspace,
    version: ModelVersion,
    monitor: Monitor,
    windows: Sequence[Window],
    now: datetime,
) -> list[Found]:
    match MonitorKind(monitor.kind):
        case MonitorKind.DRIFT:
            return _drift(workspace, version, monitor, windows)
        case MonitorKind.LATENCY:
            return _latency(workspace, version, windows)
        case MonitorKind.USAGE:
            return measure_usage(workspace, version, windows, monitor.window_days, now)
        case MonitorKind.PERFORMANCE:
            return _performance(workspace, version, monitor, windows)
        case MonitorKind.ESTIMATE:
            return _estimates(workspace, version, monitor, windows)
        case MonitorKind.FRESHNESS:
            return _freshness(workspace, version, monitor.window_days, now)


def _drift(
    workspace: Workspace, version: ModelVersion, monitor: Monitor, windows: Sequence[Window]
) -> list[Found]:
    if not windows:
        return []
    chosen = DRIFT_STATISTICS[monitor.statistic]
    grids, reference = read_reference(workspace, version)
    if monitor.segment:
        reference = read_slices(workspace, version, None, origin=Origin.REFERENCE, segment=monitor.segment)
    wanted = [monitor.column] if monitor.column else [*version.columns, PREDICTION, SCORE]
    columns = [
        name
        for name in wanted
        if name in reference.columns
        and kind_of(reference.columns[name], reference.columns[name], grids[name]) in chosen.kinds
    ]
    found = []
    for window in windows:
        current = read_slices(workspace, version, window, segment=monitor.segment, columns=columns)
        for name in columns:
            if name in current.columns:
                value = chosen.compute(reference.columns[name], current.columns[name], grids[name])
                found.append(Found(monitor.statistic, window, value, current.rows, name))
    return found


def _latency(workspace: Workspace, version: ModelVersion, windows: Sequence[Window]) -> list[Found]:
    if LATENCY not in read_grids(workspace, version):
        return []
    found = []
    for window in windows:
        counts, grid = _latency_counts(workspace, version, window)
        found += [
            Found(name, window, quantile(counts, grid, q), counts.rows)
            for name, q in _LATENCY_QUANTILES.items()
        ]
    return found


def _latency_counts(
    workspace: Workspace, version: ModelVersion, window: Window
) -> tuple[NumericCounts, NumericGrid]:
    current = read_slices(workspace, version, window, columns=[LATENCY])
    counts, grid = current.columns[LATENCY], read_grids(workspace, version)[LATENCY]
    if not isinstance(counts, NumericCounts) or not isinstance(grid, NumericGrid):
        raise TypeError(f"{LATENCY} is counted as a number in every version")
    return counts, grid


def _performance(
    workspace: Workspace, version: ModelVersion, monitor: Monitor, windows: Sequence[Window]
) -> list[Found]:
    chosen = PERFORMANCE_STATISTICS[monitor.statistic]
    predictions = _predictions_in(workspace, version, monitor, windows)
    found = []
    for window in windows:
        outcomes = read_outcomes(workspace, version, window, segment=monitor.segment)
        if outcomes is not None:
            lower, upper = chosen.interval(outcomes)
            rows = predictions[window]
            found.append(
                Found(
                    monitor.statistic,
                    window,
                    chosen.compute(outcomes),
                    outcomes.rows,
                    lower=lower,
                    upper=upper,
                    # Slices of both logs are counted one after the other: an outcome may be ahead.
                    outcomes_share=min(outcomes.rows / rows, 1.0) if rows else None,
                )
            )
    return found


def _estimates(
    workspace: Workspace, version: ModelVersion, monitor: Monitor, windows: Sequence[Window]
) -> list[Found]:
    """Estimate the windows; one that cannot be estimated is left out."""
    estimated = estimate_windows(workspace, version, monitor.statistic, windows, monitor.segment)
    return [
        Found(monitor.statistic, found.window, found.value, found.rows, lower=found.lower, upper=found.upper)
        for found in estimated
        if found.value is not None
    ]


def _predictions_in(
    workspace: Workspace, version: ModelVersion, monitor: Monitor, windows: Sequence[Window]
) -> Counter[Window]:
    """Count one version's predictions in some windows of a monitor."""
    counts: Counter[Window] = Counter()
    if not windows:
        return counts
    with workspace.store.read() as session:
        rows = session.exec(
            select(StoredSlice.start, StoredSlice.rows).where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == Origin.PRODUCTION,
                StoredSlice.segment == monitor.segment,
                col(StoredSlice.start) >= windows[0].start,
                col(StoredSlice.start) < windows[-1].end,
            )
        )
        for start, n in rows:
            counts[window_at(start, monitor.window_days)] += n
    return counts


def _freshness(workspace: Workspace, version: ModelVersion, days: int, now: datetime) -> list[Found]:
    with workspace.store.read() as session:
        last = session.exec(
            select(func.max(StoredSlice.latest)).where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == Origin.PRODUCTION,
                StoredSlice.segment == "",
            )
        ).one()
    if last is None:
        return [Found("hours_since_prediction", window_at(now, days), None, 0)]
    return [Found("hours_since_prediction", window_at(now, days), (now - last) / _HOUR, 0)]


def measurement(monitor: Monitor, found: Found, limits: Sequence[Judging], now: datetime) -> Measurement:
    """Return what was found as a row, judged by the monitor's limits."""
    judged = found.statistic == monitor.statistic and (monitor.kind != MonitorKind.ESTIMATE or bool(limits))
    value = _number(found.value)
    level = judge(value, limits) if judged else Level.UNJUDGED
    if judged and monitor.kind == MonitorKind.DRIFT and found.rows < FEWEST_ROWS:
        level = Level.UNKNOWN
    return Measurement(
        monitor_id=monitor.id,
        statistic=found.statistic,
        column=found.column,
        window_start=found.window.start,
        window_end=found.window.end,
        value=value,
        rows=found.rows,
        level=level,
        measured_at=now,
        lower=_number(found.lower),
        upper=_number(found.upper),
        outcomes_share=found.outcomes_share,
    )


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


_Key = tuple[int, str, str, datetime]


def _key(row: Measurement) -> _Key:
    return row.monitor_id, row.statistic, row.column, row.window_start


def _newest(session: Session, results: Sequence[tuple[Monitor, Found]]) -> dict[_Key, Measurement]:
    monitors = {monitor.id for monitor, _ in results}
    starts = {found.window.start for _, found in results}
    rows = session.exec(
        select(Measurement)
        .where(col(Measurement.monitor_id).in_(monitors), col(Measurement.window_start).in_(starts))
        .order_by(col(Measurement.id))
    )
    return {_key(row): row for row in rows}


def _is_news(row: Measurement, known: dict[_Key, Measurement]) -> bool:
    """Return whether a measurement says something that the newest one of its window did not."""
    before = known.get(_key(row))
    if before is None:
        return True
    if row.statistic == "hours_since_prediction":
        return before.level != row.level
    return _said(before) != _said(row)


def _said(row: Measurement) -> tuple[object, ...]:
    return row.value, row.rows, row.level, row.lower, row.upper, row.outcomes_share
