"""A statistic of one column, window by window, kept in memory until the store changes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby

from sqlmodel import Session, col, select

from mlops_core.domain import ModelVersion, Monitor, StoredSlice
from mlops_core.domain.states import MonitorKind, Origin
from mlops_core.explanation.falls import newest_measurements
from mlops_core.monitoring.levels import FEWEST_ROWS
from mlops_core.monitoring.reading import read_reference
from mlops_core.monitoring.thresholds import reference_history
from mlops_core.monitoring.watch import monitors_of
from mlops_core.monitoring.windows import Window, window_at
from mlops_core.slices import Slice, decode_slice, merge_encoded
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.workspace import Workspace

__all__ = ["Series", "monitor_of_series", "read_series", "reference_values", "series_from_slices"]


@dataclass(frozen=True, slots=True)
class Series:
    """A statistic over time.

    Attributes
    ----------
    windows
        Oldest first.
    values
        None where a window is not judged: fewer than 200 predictions, or undefined.
    rows
        The predictions of each window.
    """

    windows: Sequence[Window]
    values: Sequence[float | None]
    rows: Sequence[int]


def read_series(
    workspace: Workspace, version: ModelVersion, column: str, statistic: str, segment: str, days: int
) -> Series:
    """Return a drift statistic of a column, or the estimated performance of the model (`column` empty).

    As a monitor has measured it, where one measures just this in windows of so many days; otherwise
    counted from the stored slices.
    """
    revision = workspace.store.revision()
    return _series(workspace, version.id, column, statistic, segment, days, revision)


@lru_cache(maxsize=512)
def _series(
    workspace: Workspace,
    version_id: int,
    column: str,
    statistic: str,
    segment: str,
    days: int,
    revision: int,  # what is kept is of this revision alone
) -> Series:
    with workspace.store.read() as session:
        version = session.get_one(ModelVersion, version_id)
        monitor = monitor_of_series(session, version, column, statistic, segment, days)
        rows = newest_measurements(session, monitor, statistic, column) if monitor else []
    if not rows and column:
        return series_from_slices(workspace, version, column, statistic, segment, days)
    return Series(
        [Window(row.window_start, row.window_end) for row in rows],
        [row.value if not column or row.rows >= FEWEST_ROWS else None for row in rows],
        [row.rows for row in rows],
    )


def series_from_slices(
    workspace: Workspace, version: ModelVersion, column: str, statistic: str, segment: str, days: int
) -> Series:
    """Return a drift statistic of a column in each window that has slices."""
    chosen = DRIFT_STATISTICS[statistic]
    grids, reference = read_reference(workspace, version)
    if segment:
        reference = _sum([one for _, one in _payloads(workspace, version, Origin.REFERENCE, segment)], column)
    windows, values, rows = [], [], []
    stored = _payloads(workspace, version, Origin.PRODUCTION, segment)
    for window, run in groupby(stored, key=lambda row: window_at(row[0], days)):
        current = _sum([payload for _, payload in run], column)
        value = math.nan
        if column in current.columns and column in reference.columns and current.rows >= FEWEST_ROWS:
            value = chosen.compute(reference.columns[column], current.columns[column], grids[column])
        windows.append(window)
        values.append(value if math.isfinite(value) else None)
        rows.append(current.rows)
    return Series(windows, values, rows)


def _sum(payloads: Sequence[bytes], column: str) -> Slice:
    if len(payloads) == 1:  # a model that predicts weekly: decoding one alone takes less than half
        return decode_slice(payloads[0], [column])
    return merge_encoded(payloads, [column])


def _payloads(
    workspace: Workspace, version: ModelVersion, origin: Origin, segment: str
) -> Sequence[tuple[datetime, bytes]]:
    with workspace.store.read() as session:
        return session.exec(
            select(StoredSlice.start, StoredSlice.payload)
            .where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == origin,
                StoredSlice.segment == segment,
            )
            .order_by(col(StoredSlice.start))
        ).all()


@lru_cache(maxsize=512)
def reference_values(
    workspace: Workspace, version_id: int, statistic: str, column: str, days: int
) -> Sequence[float]:
    """Return the statistic in the windows of the reference, which never change: see `reference_history`.

    Raises
    ------
    InvalidInput
        If it cannot be learned from the reference.
    """
    with workspace.store.read() as session:
        version = session.get_one(ModelVersion, version_id)
    return reference_history(workspace, version, statistic, column, days)


def monitor_of_series(
    session: Session,
    version: ModelVersion,
    column: str,
    statistic: str,
    segment: str,
    days: int | None = None,
) -> Monitor | None:
    """Return the monitor that measures this, one of the column alone before one of all columns.

    With `days` None, windows of any length, as for an estimate (`column` empty).
    """
    kind = MonitorKind.DRIFT if column else MonitorKind.ESTIMATE
    found = [
        one
        for one in monitors_of(session, version)
        if (one.kind, one.statistic, one.segment) == (kind, statistic, segment)
        and one.column in {"", column}
        and (not column or days in {None, one.window_days})
    ]
    return max(found, key=lambda one: bool(one.column), default=None)
