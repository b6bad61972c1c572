"""One model: its figures window by window, with their thresholds, and what it was made from."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mlops_core.domain import (
    Actor,
    Measurement,
    Metric,
    Model,
    ModelVersion,
    Monitor,
    ReferenceProfile,
    Snapshot,
)
from mlops_core.domain.states import Level, MonitorKind
from mlops_core.monitoring.board import BoardRow, read_board
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.watch import default_ids, monitors_of, thresholds_of
from mlops_core.registry.models import champion_of, find_model
from mlops_core.workspace import Workspace

__all__ = ["ModelView", "Point", "Series", "read_model"]


@dataclass(frozen=True, slots=True)
class Point:
    """A measured window."""

    start: datetime
    value: float | None
    rows: int
    level: Level
    lower: float | None = None
    upper: float | None = None
    outcomes_share: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One statistic over time, oldest window first, with the thresholds that judge it.

    Attributes
    ----------
    segment
        `column=value`, empty for all rows.
    saved
        Whether the monitor is one that a person has saved beside the default ones.
    monitor
        The id of the monitor, to set its thresholds or to end it by.
    """

    kind: MonitorKind
    statistic: str
    column: str
    points: Sequence[Point]
    limits: Sequence[Limit]
    segment: str = ""
    saved: bool = False
    monitor: int = 0

    @property
    def newest(self) -> Point:
        """Return the last measured window."""
        return self.points[-1]

    @property
    def highest(self) -> float:
        """Return the largest value, 0 when none was measured."""
        return max((point.value for point in self.points if point.value is not None), default=0.0)


@dataclass(frozen=True, slots=True)
class ModelView:
    """Everything that the page of one model shows."""

    row: BoardRow
    description: str
    version: ModelVersion
    author: str
    snapshot: Snapshot
    metrics: Sequence[Metric]
    reference_start: datetime
    reference_end: datetime
    reference_rows: int
    series: Sequence[Series]

    def of_kind(self, kind: MonitorKind) -> list[Series]:
        """Return the series of a default monitor; for drift, the column that is furthest now first."""
        found = [series for series in self.series if series.kind == kind and not series.saved]
        if kind == MonitorKind.DRIFT:
            found.sort(key=lambda series: -(series.newest.value or 0.0))
        return found

    @property
    def saved(self) -> list[Series]:
        """Return the series of the monitors that people have saved."""
        return [series for series in self.series if series.saved]

    def one(self, kind: MonitorKind, statistic: str) -> Series | None:
        """Return the series of a statistic, None when it was never measured."""
        return next((one for one in self.of_kind(kind) if one.statistic == statistic), None)


def read_model(workspace: Workspace, name: str) -> ModelView:
    """Return what is known about a model in production.

    Raises
    ------
    NotFound
        There is no such model, or it has no champion.
    """
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = champion_of(session, model)
        profile = session.exec(
            select(ReferenceProfile).where(ReferenceProfile.model_version_id == version.id)
        ).one()
        return ModelView(
            row=_row(workspace, model),
            description=model.description,
            version=version,
            author=session.get_one(Actor, version.author_id).full_name,
            snapshot=session.get_one(Snapshot, version.snapshot_id),
            metrics=session.exec(select(Metric).where(Metric.model_version_id == version.id)).all(),
            reference_start=profile.start,
            reference_end=profile.end,
            reference_rows=profile.rows,
            series=_series(session, version),
        )


def _row(workspace: Workspace, model: Model) -> BoardRow:
    return next(row for row in read_board(workspace, model).rows)


def _series(session: Session, version: ModelVersion) -> list[Series]:
    monitors = monitors_of(session, version)
    thresholds = thresholds_of(session, monitors)
    rows = session.exec(
        select(Measurement)
        .where(col(Measurement.monitor_id).in_([monitor.id for monitor in monitors]))
        .order_by(col(Measurement.id))
    )
    windows: dict[tuple[int, str, str], dict[datetime, Measurement]] = defaultdict(dict)
    for row in rows:
        windows[row.monitor_id, row.statistic, row.column][row.window_start] = row
    by_id: dict[int, Monitor] = {monitor.id: monitor for monitor in monitors}
    default = default_ids(monitors)
    return [
        Series(
            kind=MonitorKind(by_id[monitor_id].kind),
            statistic=statistic,
            column=column,
            points=[
                Point(
                    row.window_start,
                    row.value,
                    row.rows,
                    Level(row.level),
                    row.lower,
                    row.upper,
                    row.outcomes_share,
                )
                for _, row in sorted(found.items())
            ],
            limits=[
                Limit(Level(one.level), one.value, one.above, one.reason) for one in thresholds[monitor_id]
            ]
            if statistic == by_id[monitor_id].statistic
            else [],
            segment=by_id[monitor_id].segment,
            saved=monitor_id not in default,
            monitor=monitor_id,
        )
        for (monitor_id, statistic, column), found in windows.items()
    ]
