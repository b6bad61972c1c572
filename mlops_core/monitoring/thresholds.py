"""Thresholds as value objects: constant, learned from the reference, or a rule of thumb."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import groupby, pairwise
from statistics import fmean, stdev
from typing import Any, ClassVar, TypeAlias

from sqlmodel import col, select

from mlops_core.domain import Actor, Model, ModelVersion, Monitor, StoredSlice, Threshold
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Level, MonitorKind, Origin, Role
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.reading import read_reference
from mlops_core.monitoring.windows import window_at
from mlops_core.registry.columns import PREDICTION
from mlops_core.slices import merge_encoded
from mlops_core.statistics import DRIFT_STATISTICS, PERFORMANCE_STATISTICS, QUALITY_STATISTICS
from mlops_core.statistics.rules import RULES_OF_THUMB
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = [
    "AnyThreshold",
    "ConstantThreshold",
    "LearnedThreshold",
    "RuleOfThumb",
    "check_order",
    "history_of",
    "reference_history",
    "set_thresholds",
    "threshold_of",
    "threshold_row",
]

_LEVELS = (Level.WARNING, Level.CRITICAL, Level.RETRAIN)
_FEWEST_CHUNKS = 5


@dataclass(frozen=True, slots=True)
class ConstantThreshold:
    """A level that begins at a value that someone chose."""

    kind: ClassVar[str] = "constant"

    level: Level
    value: float
    above: bool
    reason: str = "chosen"

    def resolve(self, history: Sequence[float] = ()) -> Limit:
        """Return the limit; the history does not matter."""
        return Limit(self.level, self.value, self.above, self.reason)


@dataclass(frozen=True, slots=True)
class LearnedThreshold:
    """A level that begins k standard deviations from the mean of the statistic in the reference.

    Three standard deviations are the control limits of Shewhart, Economic Control of Quality of
    Manufactured Product, 1931.

    Attributes
    ----------
    k
        Standard deviations from the mean, greater than 0.
    lowest, highest
        The range of the statistic, into which the limit is clipped.
    fallback
        The limit when the reference has fewer than 5 chunks; None refuses.
    """

    kind: ClassVar[str] = "learned"

    level: Level
    above: bool
    k: float = 3.0
    lowest: float | None = None
    highest: float | None = None
    fallback: float | None = None

    def __post_init__(self) -> None:
        """Refuse a k that is not a positive number."""
        if not (math.isfinite(self.k) and self.k > 0):
            raise InvalidInput(
                f"{self.level} begins {self.k} standard deviations off: choose k above 0, such as 3"
            )

    def resolve(self, history: Sequence[float]) -> Limit:
        """Return the limit that follows from the statistic over the reference's chunks.

        The standard deviation is that of a sample (n - 1). Where it is 0 the limit lies directly beyond the
        mean: a window like the reference stays in range. Values that are not finite are left out.

        Raises
        ------
        InvalidInput
            If there are fewer than 5 values and no fallback.
        """
        values = [value for value in history if math.isfinite(value)]
        if len(values) < _FEWEST_CHUNKS:
            chunks = "chunk" if len(values) == 1 else "chunks"
            found = f"{len(values)} reference {chunks}, fewer than {_FEWEST_CHUNKS}"
            if self.fallback is None:
                raise InvalidInput(
                    f"{self.level} cannot be learned from {found}: set a constant, or a fallback"
                )
            return Limit(self.level, self.fallback, self.above, f"constant {self.fallback:.3g}: {found}")
        mean, spread = fmean(values), stdev(values)
        sign = 1.0 if self.above else -1.0
        value = mean + sign * self.k * spread
        reason = (
            f"mean {mean:.3g} {'+' if self.above else '-'} {self.k:g} \N{MULTIPLICATION SIGN} {spread:.3g}"
        )
        reason += f" over {len(values)} reference chunks"
        if self.highest is not None and value > self.highest:
            value, reason = self.highest, f"{reason}, at most {self.highest:g}"
        if self.lowest is not None and value < self.lowest:
            value, reason = self.lowest, f"{reason}, at least {self.lowest:g}"
        if value == mean:
            value = math.nextafter(mean, sign * math.inf)
        return Limit(self.level, value, self.above, reason)


@dataclass(frozen=True, slots=True)
class RuleOfThumb:
    """A level that begins where custom says for this statistic; there is none for `retrain`."""

    kind: ClassVar[str] = "rule_of_thumb"

    level: Level
    statistic: str

    def resolve(self, history: Sequence[float] = ()) -> Limit:
        """Return the limit; the history does not matter.

        Raises
        ------
        InvalidInput
            If there is no rule for this statistic and level.
        """
        rule = RULES_OF_THUMB.get(self.statistic)
        if rule is None or self.level not in {Level.WARNING, Level.CRITICAL}:
            raise InvalidInput(
                f"there is no rule of thumb for {self.level} of {self.statistic}: set a constant, or learn it"
            )
        value = rule.warning if self.level == Level.WARNING else rule.critical
        above = DRIFT_STATISTICS[self.statistic].higher_is_drift
        return Limit(self.level, value, above, f"rule of thumb, {rule.source}")


AnyThreshold: TypeAlias = ConstantThreshold | LearnedThreshold | RuleOfThumb

_KINDS: dict[str, type[AnyThreshold]] = {
    kind.kind: kind for kind in (ConstantThreshold, LearnedThreshold, RuleOfThumb)
}


def threshold_row(unit: UnitOfWork, monitor: Monitor, chosen: AnyThreshold, limit: Limit) -> Threshold:
    """Return the row that stores a threshold with the limit that it resolved to."""
    parameters: dict[str, Any] = asdict(chosen)
    return Threshold(
        monitor_id=monitor.id,
        level=limit.level,
        value=limit.value,
        above=limit.above,
        reason=limit.reason,
        at=unit.now,
        kind=chosen.kind,
        parameters=parameters,
    )


def threshold_of(row: Threshold) -> AnyThreshold:
    """Return how a stored threshold was chosen; a row older than its kind is a constant."""
    if row.kind is None or row.parameters is None:
        return ConstantThreshold(Level(row.level), row.value, row.above, row.reason)
    return _KINDS[row.kind](**{**row.parameters, "level": Level(row.level)})


def reference_history(
    workspace: Workspace, version: ModelVersion, statistic: str, column: str, days: int = 7
) -> list[float]:
    """Return a statistic over the windows of 1 or 7 days that lie wholly inside the reference.

    Each window is compared with the whole reference, itself included, as a monitor compares its windows;
    with few windows the values are a little lower than those of new data. Oldest first; nan where undefined.

    Raises
    ------
    InvalidInput
        If it is neither a drift nor a quality statistic (the outcomes of the reference are not kept), or
        the reference does not hold the column.
    """
    chosen = DRIFT_STATISTICS.get(statistic) or QUALITY_STATISTICS.get(statistic)
    if chosen is None:
        kept = (
            "its outcomes are not kept" if statistic in PERFORMANCE_STATISTICS else "it is not counted there"
        )
        raise InvalidInput(f"{statistic} cannot be learned from the reference ({kept}): set a constant")
    grids, whole = read_reference(workspace, version)
    if column not in whole.columns:
        raise InvalidInput(
            f"the reference has no column {column!r}: choose one of {', '.join(whole.columns)}"
        )
    with workspace.store.read() as session:
        rows = session.exec(
            select(StoredSlice.start, StoredSlice.payload)
            .where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == Origin.REFERENCE,
                StoredSlice.segment == "",
            )
            .order_by(col(StoredSlice.start))
        ).all()
    if not rows:
        return []
    first, last = rows[0][0], rows[-1][0] + timedelta(days=1)
    values = []
    for window, found in groupby(rows, key=lambda row: window_at(row[0], days)):
        if window.start >= first and window.end <= last:
            chunk = merge_encoded([payload for _, payload in found], [column])
            values.append(chosen.compute(whole.columns[column], chunk.columns[column], grids[column]))
    return values


def set_thresholds(
    workspace: Workspace, actor: Actor, monitor_id: int, thresholds: Sequence[AnyThreshold]
) -> list[Limit]:
    """Set where a monitor's levels begin from now on; return the limits.

    What is learned for a drift monitor is learned over all its columns together, which share the limit. A
    level and side that is not given stays as it is. What was measured keeps its level.

    Raises
    ------
    NotFound
        There is no such monitor.
    NotAllowed
        The actor is neither ML engineer nor lead.
    InvalidInput
        A limit is not a number, cannot be learned, or a milder level would begin beyond a worse one.
    """
    require_role(actor, "set thresholds", Role.ML_ENGINEER, Role.LEAD)
    with workspace.store.read() as session:
        monitor = session.get(Monitor, monitor_id)
        if monitor is None:
            raise NotFound(f"there is no monitor {monitor_id}: the page of its model lists the monitors")
        version = session.get_one(ModelVersion, monitor.model_version_id)
        model = session.get_one(Model, version.model_id)
    history: list[float] = []
    if any(isinstance(one, LearnedThreshold) for one in thresholds):
        history = history_of(workspace, version, monitor)
    limits = [one.resolve(history) for one in thresholds]

    def work(unit: UnitOfWork) -> list[Limit]:
        rows = unit.session.exec(
            select(Threshold).where(Threshold.monitor_id == monitor_id).order_by(col(Threshold.id))
        )
        together = {
            (row.level, row.above): Limit(Level(row.level), row.value, row.above, row.reason) for row in rows
        }
        together |= {(limit.level.value, limit.above): limit for limit in limits}
        check_order(f"the {monitor.kind} of {model.name} version {version.number}", together.values())
        unit.session.add_all(
            threshold_row(unit, monitor, chosen, limit)
            for chosen, limit in zip(thresholds, limits, strict=True)
        )
        words = ", ".join(
            f"{limit.level} {'from' if limit.above else 'down from'} {limit.value:.3g}" for limit in limits
        )
        unit.record(
            "monitors.thresholds_set",
            "model version",
            f"{model.name}:{version.number}",
            f"{monitor.kind} of {model.name} version {version.number} is judged anew: {words}",
            limits={f"{limit.level} {limit.value!r}": limit.reason for limit in limits},
        )
        return limits

    return workspace.store.write(actor, work)


def history_of(workspace: Workspace, version: ModelVersion, monitor: Monitor) -> list[float]:
    """Return what a monitor would have measured in the reference, of all its columns together.

    Raises
    ------
    InvalidInput
        It is no drift monitor, or it watches a segment: the reference keeps each segment as a whole.
    """
    if monitor.segment:
        raise InvalidInput(
            f"no limit can be learned for the segment {monitor.segment}, of which the reference keeps no "
            "single days: set a constant"
        )
    if monitor.column:
        return reference_history(workspace, version, monitor.statistic, monitor.column, monitor.window_days)
    if monitor.kind != MonitorKind.DRIFT:
        return reference_history(workspace, version, monitor.statistic, "", monitor.window_days)
    whole = read_reference(workspace, version)[1]
    return [
        value
        for column in (*version.columns, PREDICTION)
        if column in whole.columns
        for value in reference_history(workspace, version, monitor.statistic, column, monitor.window_days)
    ]


def check_order(what: str, limits: Iterable[Limit]) -> None:
    """Refuse limits that are no numbers, or of which a milder one lies beyond a worse one."""
    found = list(limits)
    for limit in found:
        if limit.level not in _LEVELS:
            raise InvalidInput(f"{what}: no threshold leads to {limit.level}; choose {', '.join(_LEVELS)}")
        if not math.isfinite(limit.value):
            raise InvalidInput(f"{what}: {limit.level} would begin at {limit.value}: choose a number")
    for above in (True, False):
        side = sorted((one for one in found if one.above == above), key=lambda one: one.level.severity)
        for mild, severe in pairwise(side):
            if mild.value > severe.value if above else mild.value < severe.value:
                raise InvalidInput(
                    f"{what}: {mild.level} would begin at {mild.value:g}, beyond {severe.level} at "
                    f"{severe.value:g}: set both"
                )
