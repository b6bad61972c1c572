"""The monitors that every champion gets, with their thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from mlops_core.domain import Metric, Model, ModelVersion, Monitor, Threshold
from mlops_core.domain.states import Level, MonitorKind, ProblemType
from mlops_core.statistics import PERFORMANCE_STATISTICS
from mlops_core.store import UnitOfWork

__all__ = [
    "DRIFT_LIMITS",
    "Limit",
    "default_monitors",
    "monitors_of",
    "thresholds_of",
    "unwatched_versions",
    "watch_version",
]

_DAY = 24.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a level begins, on which side, and why there."""

    level: Level
    value: float
    above: bool
    reason: str


DRIFT_LIMITS: dict[str, tuple[Limit, ...]] = {
    "psi": (
        Limit(Level.WARNING, 0.1, above=True, reason="rule of thumb: a minor shift"),
        Limit(Level.CRITICAL, 0.25, above=True, reason="rule of thumb: a major shift"),
    ),
}
"""Where drift begins by each statistic that has a rule of thumb."""


@dataclass(frozen=True, slots=True)
class _NewMonitor:
    kind: MonitorKind
    statistic: str
    limits: tuple[Limit, ...]


def default_monitors(model: Model, trained: float | None) -> list[_NewMonitor]:
    """Return what a champion is watched for.

    Parameters
    ----------
    trained
        The primary metric on held-out data, None where the model has none.
    """
    monitors = [
        _NewMonitor(
            MonitorKind.DRIFT,
            "psi",
            DRIFT_LIMITS["psi"],
        ),
        _NewMonitor(
            MonitorKind.LATENCY,
            "p95",
            (
                Limit(Level.WARNING, model.latency_objective_ms, above=True, reason="the model's objective"),
                Limit(
                    Level.CRITICAL, 2 * model.latency_objective_ms, above=True, reason="twice the objective"
                ),
            ),
        ),
        _NewMonitor(
            MonitorKind.USAGE,
            "relative_usage",
            (
                Limit(Level.WARNING, 0.7, above=False, reason="30 % below the mean of the 8 windows before"),
                Limit(Level.CRITICAL, 0.3, above=False, reason="70 % below the mean of the 8 windows before"),
                Limit(Level.WARNING, 1.5, above=True, reason="50 % above the mean of the 8 windows before"),
            ),
        ),
        _NewMonitor(
            MonitorKind.FRESHNESS,
            "hours_since_prediction",
            (
                Limit(Level.WARNING, 1.25 * model.cadence_hours, above=True, reason="a quarter overdue"),
                Limit(Level.CRITICAL, 2 * model.cadence_hours, above=True, reason="a whole run missed"),
            ),
        ),
    ]
    if model.primary_metric and trained is not None and model.problem_type != ProblemType.CLUSTERING:
        monitors.append(
            _NewMonitor(
                MonitorKind.PERFORMANCE,
                model.primary_metric,
                _performance_limits(model.primary_metric, trained),
            )
        )
    return monitors


def watch_version(unit: UnitOfWork, model: Model, version: ModelVersion) -> None:
    """Give a version its default monitors, unless it has monitors already."""
    if monitors_of(unit.session, version):
        return
    trained = unit.session.exec(
        select(Metric.value).where(
            Metric.model_version_id == version.id, Metric.name == (model.primary_metric or "")
        )
    ).first()
    new_monitors = default_monitors(model, trained)
    for new in new_monitors:
        monitor = unit.add(
            Monitor(
                model_version_id=version.id,
                kind=new.kind,
                statistic=new.statistic,
                window_days=7 if model.cadence_hours > _DAY else 1,
                created_at=unit.now,
            )
        )
        unit.session.add_all(
            Threshold(
                monitor_id=monitor.id,
                level=limit.level,
                value=limit.value,
                above=limit.above,
                reason=limit.reason,
                at=unit.now,
            )
            for limit in new.limits
        )
    unit.record(
        "monitors.created",
        "model version",
        f"{model.name}:{version.number}",
        f"{model.name} version {version.number} is watched for {', '.join(new.kind for new in new_monitors)}",
    )


def monitors_of(session: Session, version: ModelVersion) -> list[Monitor]:
    """Return the monitors of a version."""
    return list(
        session.exec(select(Monitor).where(Monitor.model_version_id == version.id).order_by(col(Monitor.id)))
    )


def unwatched_versions(session: Session, versions: Sequence[ModelVersion]) -> set[int]:
    """Return the ids of those versions that have no monitor yet."""
    ids = {version.id for version in versions}
    watched = session.exec(
        select(Monitor.model_version_id).where(col(Monitor.model_version_id).in_(ids)).distinct()
    )
    return ids - set(watched)


def thresholds_of(session: Session, monitors: list[Monitor]) -> dict[int, list[Threshold]]:
    """Return the thresholds that hold now, by monitor id."""
    rows = session.exec(
        select(Threshold)
        .where(col(Threshold.monitor_id).in_([monitor.id for monitor in monitors]))
        .order_by(col(Threshold.id))
    )
    newest: dict[tuple[int, str, bool], Threshold] = {}
    for row in rows:
        newest[row.monitor_id, row.level, row.above] = row
    result: dict[int, list[Threshold]] = {monitor.id: [] for monitor in monitors}
    for row in newest.values():
        result[row.monitor_id].append(row)
    return result


def _performance_limits(metric: str, trained: float) -> tuple[Limit, ...]:
    if PERFORMANCE_STATISTICS[metric].higher_is_better:
        return (
            Limit(Level.WARNING, trained - 0.05, above=False, reason="0.05 below the held-out figure"),
            Limit(Level.CRITICAL, trained - 0.1, above=False, reason="0.10 below the held-out figure"),
        )
    return (
        Limit(Level.WARNING, 1.15 * trained, above=True, reason="15 % above the held-out figure"),
        Limit(Level.CRITICAL, 1.3 * trained, above=True, reason="30 % above the held-out figure"),
    )
