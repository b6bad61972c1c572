"""When the measured accuracy of a version fell."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby

from sqlmodel import Session, col, select

from mlops_core.domain import Measurement, Metric, Model, ModelVersion, Monitor, OutcomeSlice
from mlops_core.domain.states import Level, MonitorKind, Origin
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.levels import Limit, judge
from mlops_core.monitoring.watch import default_monitors, monitors_of, thresholds_of
from mlops_core.monitoring.windows import Window, window_at
from mlops_core.slices import decode_outcomes, merge_outcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS
from mlops_core.workspace import Workspace

__all__ = [
    "Accuracy",
    "Fall",
    "Measured",
    "find_falls",
    "monitor_of_accuracy",
    "newest_measurements",
    "read_accuracy",
]


@dataclass(frozen=True, slots=True)
class Measured:
    """A performance statistic of one window, with its 95 % interval where it has one."""

    window: Window
    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Fall:
    """Windows in a row in which accuracy was worse than its limit.

    Attributes
    ----------
    start, first_end, end
        Of its first window, and where the last one ends. A fall has the date of its windows; it was known
        when their outcomes had arrived, which may be weeks later.
    windows
        How many there are.
    value
        The metric in the first of them.
    """

    start: datetime
    first_end: datetime
    end: datetime
    windows: int
    value: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is known about the accuracy of a version.

    Attributes
    ----------
    metric
        Empty for a model without one.
    limit
        Where a fall begins, None where nothing says so.
    known_to
        The end of the last window whose accuracy was measured; None when none was, and falls are unknown.
    unknown_reason
        Why falls are not known, in words without a full stop; empty when they are.
    """

    metric: str
    limit: Limit | None
    falls: Sequence[Fall]
    known_to: datetime | None
    unknown_reason: str = ""


def find_falls(measured: Iterable[Measured], limit: Limit) -> list[Fall]:
    """Return the falls among measured windows, oldest first.

    A window is bad when its whole 95 % interval has reached the limit (the value alone, for a metric
    without an interval). Bad windows in a row are one fall, which begins with the first. A window whose
    metric is not known neither begins nor ends one.

    Parameters
    ----------
    measured
        In order of time.
    limit
        A floor (``above`` False) where higher is better, otherwise a ceiling.
    """
    known = [one for one in measured if _better_end(one, limit) is not None]
    falls = []
    for bad, run in groupby(known, key=lambda one: judge(_better_end(one, limit), [limit]).is_outside):
        if bad:
            windows = list(run)
            first, last = windows[0], windows[-1]
            value = first.value if first.value is not None else math.nan
            falls.append(Fall(first.window.start, first.window.end, last.window.end, len(windows), value))
    return falls


def _better_end(one: Measured, limit: Limit) -> float | None:
    """Return the end of the interval that is farthest from being bad, the value where there is none."""
    end = one.lower if limit.above else one.upper
    chosen = one.value if end is None or math.isnan(end) else end
    return None if one.value is None or chosen is None or math.isnan(chosen) else chosen


def read_accuracy(workspace: Workspace, model: Model, version: ModelVersion, segment: str = "") -> Accuracy:
    """Return the falls of a version's primary metric, in all rows or in one segment.

    A fall begins where the performance monitor warns, and without a monitor at the held-out figure less its
    tolerance (0.05, or 15 % of an error). A segment without a monitor is held to its own figure in the
    reference less the same tolerance, and to the limit of all rows where that figure is not known.
    """
    return _accuracy(workspace, model.id, version.id, segment, workspace.store.revision())


@lru_cache(maxsize=256)
def _accuracy(
    workspace: Workspace,
    model_id: int,
    version_id: int,
    segment: str,
    revision: int,  # what is kept is of this revision alone
) -> Accuracy:
    with workspace.store.read() as session:
        model = session.get_one(Model, model_id)
        version = session.get_one(ModelVersion, version_id)
        metric = model.primary_metric
        if metric is None:
            return Accuracy("", None, (), None, f"model '{model.name}' has no metric")
        monitor = monitor_of_accuracy(session, version, metric)
        limit = _limit(session, model, version, metric, segment)
        if limit is None:
            return Accuracy(
                metric, None, (), None, f"model '{model.name}' has no held-out {statistic_name(metric)}"
            )
        if segment or monitor is None:
            payloads = _outcome_payloads(session, version, Origin.PRODUCTION, segment)
            measured = _measure(metric, payloads, monitor.window_days if monitor else 7)
        else:
            measured = [
                Measured(Window(row.window_start, row.window_end), row.value, row.lower, row.upper)
                for row in newest_measurements(session, monitor, metric)
            ]
    known = [one.window.end for one in measured if one.value is not None]
    if not known:
        return Accuracy(metric, limit, (), None, "no outcome has arrived yet")
    return Accuracy(metric, limit, find_falls(measured, limit), known[-1])


def monitor_of_accuracy(
    session: Session, version: ModelVersion, metric: str, segment: str = ""
) -> Monitor | None:
    """Return the performance monitor of a metric, None when there is none."""
    wanted = (MonitorKind.PERFORMANCE, metric, segment)
    return next(
        (one for one in monitors_of(session, version) if (one.kind, one.statistic, one.segment) == wanted),
        None,
    )


def newest_measurements(
    session: Session, monitor: Monitor, statistic: str, column: str = ""
) -> list[Measurement]:
    """Return the newest measurement of each window of a monitor's statistic, oldest window first."""
    rows = session.exec(
        select(Measurement)
        .where(
            Measurement.monitor_id == monitor.id,
            Measurement.statistic == statistic,
            Measurement.column == column,
        )
        .order_by(col(Measurement.id))
    )
    newest = {row.window_start: row for row in rows}
    return [row for _, row in sorted(newest.items())]


def _limit(session: Session, model: Model, version: ModelVersion, metric: str, segment: str) -> Limit | None:
    monitor = monitor_of_accuracy(session, version, metric, segment)
    if monitor is not None:
        for row in thresholds_of(session, [monitor])[monitor.id]:
            if row.level == Level.WARNING:
                return Limit(Level.WARNING, row.value, row.above, row.reason)
    if segment:
        payloads = _outcome_payloads(session, version, Origin.REFERENCE, segment)
        before = [one.value for one in _measure(metric, payloads, 7) if one.value is not None]
        found = _less_tolerance(model, before[0] if before else None)
        return found or _limit(session, model, version, metric, "")
    held_out = session.exec(
        select(Metric.value).where(Metric.model_version_id == version.id, Metric.name == metric)
    ).first()
    return _less_tolerance(model, held_out)


def _less_tolerance(model: Model, figure: float | None) -> Limit | None:
    """Return where a default monitor would warn that was made for this figure."""
    for new in default_monitors(model, figure):
        if new.kind == MonitorKind.PERFORMANCE:
            return new.thresholds[0].resolve(())
    return None


def _outcome_payloads(
    session: Session, version: ModelVersion, origin: Origin, segment: str
) -> Sequence[tuple[datetime, bytes]]:
    return session.exec(
        select(OutcomeSlice.start, OutcomeSlice.payload)
        .where(
            OutcomeSlice.model_version_id == version.id,
            OutcomeSlice.origin == origin,
            OutcomeSlice.segment == segment,
        )
        .order_by(col(OutcomeSlice.start))
    ).all()


def _measure(metric: str, payloads: Sequence[tuple[datetime, bytes]], days: int) -> list[Measured]:
    chosen = PERFORMANCE_STATISTICS[metric]
    measured = []
    for window, found in groupby(payloads, key=lambda row: window_at(row[0], days)):
        outcomes = merge_outcomes([decode_outcomes(payload) for _, payload in found])
        value, (lower, upper) = chosen.compute(outcomes), chosen.interval(outcomes)
        measured.append(Measured(window, None if math.isnan(value) else value, lower, upper))
    return measured
