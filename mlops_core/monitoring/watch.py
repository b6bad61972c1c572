"""The monitors that every champion gets, with their thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel import Session, col, select

from mlops_core.domain import (
    Metric,
    Model,
    ModelVersion,
    Monitor,
    OutcomeSlice,
    ReferenceProfile,
    Threshold,
)
from mlops_core.domain.states import Level, MonitorKind, Origin, ProblemType
from mlops_core.monitoring.estimating import can_be_estimated
from mlops_core.monitoring.levels import FEWEST_ROWS, Limit
from mlops_core.monitoring.thresholds import AnyThreshold, ConstantThreshold, RuleOfThumb, threshold_row
from mlops_core.registry.columns import LATENCY
from mlops_core.slices import Grids, decode_grids
from mlops_core.statistics import PERFORMANCE_STATISTICS
from mlops_core.store import UnitOfWork

__all__ = [
    "DRIFT_LIMITS",
    "Limit",
    "default_ids",
    "default_monitors",
    "monitors_of",
    "thresholds_of",
    "unwatched_versions",
    "watch_version",
]

_DAY = 24.0


_PSI: Final = (RuleOfThumb(Level.WARNING, "psi"), RuleOfThumb(Level.CRITICAL, "psi"))

DRIFT_LIMITS: dict[str, tuple[Limit, ...]] = {"psi": tuple(rule.resolve() for rule in _PSI)}
"""Where drift begins by the statistic that decides."""


@dataclass(frozen=True, slots=True)
class _NewMonitor:
    kind: MonitorKind
    statistic: str
    thresholds: tuple[AnyThreshold, ...]


def default_monitors(
    model: Model, trained: float | None, *, timed: bool = True, estimated: bool = False
) -> list[_NewMonitor]:
    """Return what a champion is watched for.

    Parameters
    ----------
    trained
        The primary metric on held-out data, None where the model has none.
    timed
        Whether response times are logged; without them no monitor watches them.
    estimated
        Whether the primary metric can be estimated before outcomes arrive; it is, and is not judged.
    """
    monitors = [
        _NewMonitor(
            MonitorKind.DRIFT,
            "psi",
            _PSI,
        ),
        _NewMonitor(
            MonitorKind.LATENCY,
            "p95",
            (
                _ceiling(Level.WARNING, model.latency_objective_ms, "the model's objective"),
                _ceiling(Level.CRITICAL, 2 * model.latency_objective_ms, "twice the objective"),
            ),
        ),
        _NewMonitor(
            MonitorKind.USAGE,
            "relative_usage",
            (
                _floor(Level.WARNING, 0.7, "30 % below the mean of the 8 windows before"),
                _floor(Level.CRITICAL, 0.3, "70 % below the mean of the 8 windows before"),
                _ceiling(Level.WARNING, 1.5, "50 % above the mean of the 8 windows before"),
            ),
        ),
        _NewMonitor(
            MonitorKind.FRESHNESS,
            "hours_since_prediction",
            (
                _ceiling(Level.WARNING, 1.25 * model.cadence_hours, "a quarter overdue"),
                _ceiling(Level.CRITICAL, 2 * model.cadence_hours, "a whole run missed"),
            ),
        ),
    ]
    if not timed:
        monitors = [monitor for monitor in monitors if monitor.kind != MonitorKind.LATENCY]
    if model.primary_metric and trained is not None and model.problem_type != ProblemType.CLUSTERING:
        monitors.append(
            _NewMonitor(
                MonitorKind.PERFORMANCE,
                model.primary_metric,
                _performance_thresholds(model.primary_metric, trained),
            )
        )
    if model.primary_metric and estimated:
        monitors.append(_NewMonitor(MonitorKind.ESTIMATE, model.primary_metric, ()))
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
    days = _window_days(unit.session, model, version)
    grids = _grids(unit.session, version)
    new_monitors = default_monitors(
        model,
        trained,
        timed=_is_timed(version, grids),
        estimated=can_be_estimated(
            model.problem_type,
            model.primary_metric or "",
            grids,
            outcomes=_has_outcomes(unit.session, version),
        ),
    )
    for new in new_monitors:
        monitor = unit.add(
            Monitor(
                model_version_id=version.id,
                kind=new.kind,
                statistic=new.statistic,
                window_days=days,
                created_at=unit.now,
            )
        )
        unit.session.add_all(
            threshold_row(unit, monitor, chosen, chosen.resolve(())) for chosen in new.thresholds
        )
    unit.record(
        "monitors.created",
        "model version",
        f"{model.name}:{version.number}",
        f"{model.name} version {version.number} is watched for {', '.join(new.kind for new in new_monitors)}",
    )


def _window_days(session: Session, model: Model, version: ModelVersion) -> int:
    """Return 1, or 7 for a model that predicts less often than daily, or too little a day to be judged.

    How much it predicts is known of a model that runs elsewhere: its reference is what it has predicted.
    """
    if model.cadence_hours > _DAY:
        return 7
    reference = session.exec(
        select(ReferenceProfile).where(ReferenceProfile.model_version_id == version.id)
    ).first()
    if reference is None or version.artefact_digest:
        return 1
    days = max((reference.end - reference.start) / timedelta(days=1), 1.0)
    return 7 if reference.rows / days < FEWEST_ROWS else 1


def monitors_of(session: Session, version: ModelVersion) -> list[Monitor]:
    """Return the monitors of a version that nobody has ended, the default ones first."""
    return list(
        session.exec(
            select(Monitor)
            .where(Monitor.model_version_id == version.id, col(Monitor.ended_at).is_(None))
            .order_by(col(Monitor.id))
        )
    )


def default_ids(monitors: Sequence[Monitor]) -> set[int]:
    """Return the ids of those monitors of a version that it was given: one of a kind, at one moment.

    Parameters
    ----------
    monitors
        All that nobody has ended, the oldest first, as `monitors_of` returns them.
    """
    first = {one.kind: one for one in reversed(monitors)}
    return {one.id for one in first.values() if one.created_at == monitors[0].created_at}


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


def _grids(session: Session, version: ModelVersion) -> Grids:
    grids = session.exec(
        select(ReferenceProfile.grids).where(ReferenceProfile.model_version_id == version.id)
    ).first()
    return {} if grids is None else decode_grids(grids)


def _has_outcomes(session: Session, version: ModelVersion) -> bool:
    """Return whether outcomes of a version's reference are known."""
    known = select(OutcomeSlice.id).where(
        OutcomeSlice.model_version_id == version.id, OutcomeSlice.origin == Origin.REFERENCE
    )
    return session.exec(known).first() is not None


def _is_timed(version: ModelVersion, grids: Grids) -> bool:
    """Return whether a version's slices count response times: one that runs elsewhere may log none."""
    return bool(version.artefact_digest) or not grids or LATENCY in grids


def _performance_thresholds(metric: str, trained: float) -> tuple[AnyThreshold, ...]:
    if PERFORMANCE_STATISTICS[metric].higher_is_better:
        return (
            _floor(Level.WARNING, trained - 0.05, "0.05 below the held-out figure"),
            _floor(Level.CRITICAL, trained - 0.1, "0.10 below the held-out figure"),
            _floor(Level.RETRAIN, trained - 0.15, "0.15 below the held-out figure"),
        )
    return (
        _ceiling(Level.WARNING, 1.15 * trained, "15 % above the held-out figure"),
        _ceiling(Level.CRITICAL, 1.3 * trained, "30 % above the held-out figure"),
        _ceiling(Level.RETRAIN, 1.45 * trained, "45 % above the held-out figure"),
    )


def _ceiling(level: Level, value: float, reason: str) -> ConstantThreshold:
    return ConstantThreshold(level, value, above=True, reason=reason)


def _floor(level: Level, value: float, reason: str) -> ConstantThreshold:
    return ConstantThreshold(level, value, above=False, reason=reason)
