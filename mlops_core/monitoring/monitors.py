"""Monitors that a person saves beside the default ones: one column, one segment, another statistic."""

from collections.abc import Sequence

from sqlmodel import Session, select

from mlops_core.domain import Actor, Model, ModelVersion, Monitor, StoredSlice
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound
from mlops_core.domain.states import MonitorKind, Role
from mlops_core.monitoring.findings import some_of
from mlops_core.monitoring.measuring import measure_past, measurement
from mlops_core.monitoring.reading import read_reference
from mlops_core.monitoring.thresholds import (
    AnyThreshold,
    LearnedThreshold,
    check_order,
    history_of,
    threshold_row,
)
from mlops_core.monitoring.watch import default_ids, monitors_of, watch_version
from mlops_core.registry.models import champion_of, find_model
from mlops_core.statistics import DRIFT_STATISTICS, PERFORMANCE_STATISTICS
from mlops_core.statistics.registry import kind_of
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["MAY_SAVE_MONITORS", "end_monitor", "save_monitor"]

MAY_SAVE_MONITORS = (Role.ML_ENGINEER, Role.LEAD)
_SAVED_KINDS = (MonitorKind.DRIFT, MonitorKind.PERFORMANCE, MonitorKind.ESTIMATE)


def save_monitor(
    workspace: Workspace,
    actor: Actor,
    model_name: str,
    *,
    kind: MonitorKind,
    statistic: str,
    column: str = "",
    segment: str = "",
    window_days: int = 7,
    thresholds: Sequence[AnyThreshold],
) -> Monitor:
    """Watch a model's champion for something more; all past windows are measured at once.

    Parameters
    ----------
    kind
        Drift, performance or estimate.
    column
        The one to watch for drift; empty for all columns together. Empty for the other kinds.
    segment
        `column=value`, empty for all rows.
    window_days
        1 or 7.

    Raises
    ------
    NotFound
        There is no such model, column or segment.
    NotPermitted
        The actor is neither ML engineer nor lead.
    InvalidInput
        The statistic is not defined for this column or problem, or the thresholds make no sense.
    Conflict
        The same monitor exists; one that was ended is taken up again.
    """
    require_role(actor, "save a monitor", *MAY_SAVE_MONITORS)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        version = champion_of(session, model)
        _check_segment(session, version, model_name, segment)
    _check_window(window_days)
    _check_statistic(workspace, version, model.problem_type, kind, statistic, column)
    if not thresholds:
        raise InvalidInput("a monitor without a threshold judges nothing: give at least one")
    monitor = Monitor(
        model_version_id=version.id,
        kind=kind,
        statistic=statistic,
        column=column,
        segment=segment,
        window_days=window_days,
        created_at=workspace.clock.now(),
    )
    what = _words(monitor)
    learned = any(isinstance(one, LearnedThreshold) for one in thresholds)
    history = history_of(workspace, version, monitor) if learned else []
    limits = [one.resolve(history) for one in thresholds]
    check_order(f"{what} of {model_name}", limits)
    found = measure_past(workspace, version, monitor)

    def work(unit: UnitOfWork) -> Monitor:
        of_unit = unit.session.get_one(Model, model.id), unit.session.get_one(ModelVersion, version.id)
        watch_version(unit, *of_unit)  # a version that has any monitor is given none later
        known = unit.session.exec(
            select(Monitor).where(
                Monitor.model_version_id == version.id,
                Monitor.kind == kind,
                Monitor.statistic == statistic,
                Monitor.column == column,
                Monitor.segment == segment,
                Monitor.window_days == window_days,
            )
        ).first()
        if known is not None and known.ended_at is None:
            raise Conflict(f"{what} of {model_name} is watched already: set the thresholds of that monitor")
        saved = known or unit.add(monitor)
        saved.ended_at = None
        unit.session.add_all(
            threshold_row(unit, saved, chosen, limit)
            for chosen, limit in zip(thresholds, limits, strict=True)
        )
        unit.session.add_all(measurement(saved, one, limits, unit.now) for one in found)
        unit.record(
            "monitors.saved",
            "model version",
            f"{model_name}:{version.number}",
            f"{what} of {model_name} version {version.number} is watched: "
            + ", ".join(f"{one.level} from {one.value:.3g}" for one in limits),
            limits={f"{one.level} {one.value!r}": one.reason for one in limits},
        )
        return saved

    return workspace.store.write(actor, work)


def end_monitor(workspace: Workspace, actor: Actor, monitor_id: int) -> None:
    """Stop watching what somebody saved; what was measured stays.

    Raises
    ------
    NotFound
        There is no such monitor, or it was ended before.
    NotPermitted
        The actor is neither ML engineer nor lead.
    InvalidInput
        It is a default monitor, which every champion has.
    """
    require_role(actor, "end a monitor", *MAY_SAVE_MONITORS)

    def work(unit: UnitOfWork) -> None:
        monitor = unit.session.get(Monitor, monitor_id)
        if monitor is None or monitor.ended_at is not None:
            raise NotFound(f"no monitor {monitor_id} watches: the page of its model lists those that do")
        version = unit.session.get_one(ModelVersion, monitor.model_version_id)
        model = unit.session.get_one(Model, version.model_id)
        if monitor.id in default_ids(monitors_of(unit.session, version)):
            raise InvalidInput(
                f"the {monitor.kind} monitor of {model.name} comes by default and stays: set its thresholds"
            )
        monitor.ended_at = unit.now
        unit.record(
            "monitors.ended",
            "model version",
            f"{model.name}:{version.number}",
            f"{_words(monitor)} of {model.name} version {version.number} is watched no more",
        )

    workspace.store.write(actor, work)


def _words(monitor: Monitor) -> str:
    where = f" in {monitor.segment}" if monitor.segment else ""
    of = f" of {monitor.column}" if monitor.column else ""
    return f"{monitor.kind} by {monitor.statistic}{of}{where}"


def _check_window(days: int) -> None:
    if days not in {1, 7}:
        raise InvalidInput(f"windows of {days} days are not kept: choose 1 or 7")


def _check_segment(session: Session, version: ModelVersion, model_name: str, segment: str) -> None:
    if not segment:
        return
    known = session.exec(
        select(StoredSlice.id)
        .where(StoredSlice.model_version_id == version.id, StoredSlice.segment == segment)
        .limit(1)
    ).first()
    if known is None:
        raise NotFound(f"model '{model_name}' has no segment '{segment}': choose one of its own")


def _check_statistic(
    workspace: Workspace,
    version: ModelVersion,
    problem_type: str,
    kind: MonitorKind,
    statistic: str,
    column: str,
) -> None:
    if kind not in _SAVED_KINDS:
        raise InvalidInput(f"a {kind} monitor comes by default: save one of {', '.join(_SAVED_KINDS)}")
    if kind == MonitorKind.DRIFT:
        _check_drift(workspace, version, statistic, column)
        return
    fitting = [name for name, one in PERFORMANCE_STATISTICS.items() if problem_type in one.problem_types]
    if statistic not in fitting:
        raise InvalidInput(
            f"'{statistic}' does not judge a {problem_type} model: choose {', '.join(fitting) or 'drift'}"
        )
    if column:
        raise InvalidInput(f"{kind} is that of all columns together: leave {column} out, or choose a segment")


def _check_drift(workspace: Workspace, version: ModelVersion, statistic: str, column: str) -> None:
    chosen = DRIFT_STATISTICS.get(statistic)
    if chosen is None:
        raise InvalidInput(f"there is no statistic '{statistic}': choose from {', '.join(DRIFT_STATISTICS)}")
    if not column:
        return
    grids, reference = read_reference(workspace, version)
    if column not in reference.columns:
        raise NotFound(f"the reference has no column '{column}': choose one of {some_of(version.columns)}")
    counts = reference.columns[column]
    found = kind_of(counts, counts, grids[column])
    if found not in chosen.kinds:
        fitting = ", ".join(name for name, one in DRIFT_STATISTICS.items() if found in one.kinds)
        raise InvalidInput(f"{statistic} is not defined for {column}, a {found} column: choose {fitting}")
