"""Compare two windows of a model, column by column: what moved, how far, and since when."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import select

from mlops_core.domain import ModelVersion, StoredSlice
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Level, Origin
from mlops_core.monitoring.levels import judge
from mlops_core.monitoring.reading import read_reference, read_slices
from mlops_core.monitoring.watch import DRIFT_LIMITS
from mlops_core.monitoring.windows import Window, windows_around
from mlops_core.registry.columns import PREDICTION
from mlops_core.registry.models import champion_of, find_model
from mlops_core.slices import CategoricalGrid, Grids, Slice
from mlops_core.statistics import DRIFT_STATISTICS, binned_shares
from mlops_core.workspace import Workspace

__all__ = ["ColumnMovement", "Comparison", "Shares", "compare_windows", "segments_of", "span_of"]


@dataclass(frozen=True, slots=True)
class ColumnMovement:
    """How far one column has moved between the two windows.

    Attributes
    ----------
    value
        None when the statistic is not defined for this column or a window is empty.
    trend
        The same statistic for each week against the reference, oldest first.
    """

    column: str
    is_categorical: bool
    value: float | None
    trend: Sequence[float | None]
    level: Level


@dataclass(frozen=True, slots=True)
class Shares:
    """How a column's rows are spread over its bins in both windows, each adding up to 1."""

    labels: Sequence[str]
    reference: Sequence[float]
    current: Sequence[float]

    @property
    def largest_move(self) -> int:
        """Return the bin whose share changed most."""
        moves = [abs(c - r) for r, c in zip(self.reference, self.current, strict=True)]
        return moves.index(max(moves))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two windows of one model in one segment.

    Attributes
    ----------
    columns
        Furthest moved first.
    weeks
        The windows of `ColumnMovement.trend`.
    """

    model: str
    version: int
    statistic: str
    reference_rows: int
    current_rows: int
    columns: Sequence[ColumnMovement]
    weeks: Sequence[Window]
    shares: dict[str, Shares]


def compare_windows(
    workspace: Workspace,
    model_name: str,
    *,
    window: Window,
    reference: Window | None = None,
    segment: str = "",
    statistic: str = "psi",
) -> Comparison:
    """Compare a window of a model's champion with its reference, or with another window.

    Parameters
    ----------
    reference
        None takes the version's own reference window.
    segment
        `column=value`, or empty for all rows; it holds for both windows.
    statistic
        A key of `DRIFT_STATISTICS`.

    Raises
    ------
    NotFound
        The model or the segment does not exist.
    InvalidInput
        The statistic does not exist.
    """
    if statistic not in DRIFT_STATISTICS:
        raise InvalidInput(f"there is no statistic '{statistic}': choose from {', '.join(DRIFT_STATISTICS)}")
    version = _champion(workspace, model_name)
    grids, whole_reference = read_reference(workspace, version)
    before = (
        read_slices(workspace, version, reference, segment=segment)
        if reference
        else whole_reference
        if not segment
        else read_slices(workspace, version, None, origin=Origin.REFERENCE, segment=segment)
    )
    after = read_slices(workspace, version, window, segment=segment)
    if segment and segment not in segments_of(workspace, model_name):
        raise NotFound(f"model '{model_name}' has no segment '{segment}': choose one of its own")
    columns = [name for name in (*version.columns, PREDICTION) if name in before.columns]
    weeks = windows_around(_days(workspace, version), 7)
    by_week = [read_slices(workspace, version, week, segment=segment, columns=columns) for week in weeks]
    moved = [
        _movement(name, statistic, grids, before, after, by_week) for name in columns if name in after.columns
    ]
    sign = -1.0 if DRIFT_STATISTICS[statistic].higher_is_drift else 1.0
    moved.sort(key=lambda one: math.inf if one.value is None else sign * one.value)
    return Comparison(
        model=model_name,
        version=version.number,
        statistic=statistic,
        reference_rows=before.rows,
        current_rows=after.rows,
        columns=moved,
        weeks=weeks,
        shares={one.column: _shares(one.column, grids, before, after) for one in moved},
    )


def segments_of(workspace: Workspace, model_name: str) -> list[str]:
    """Return the segments that a model's figures are kept apart by, as `column=value`, by name."""
    version = _champion(workspace, model_name)
    with workspace.store.read() as session:
        found = session.exec(
            select(StoredSlice.segment).where(StoredSlice.model_version_id == version.id).distinct()
        )
        return sorted(segment for segment in found if segment)


def span_of(workspace: Workspace, model_name: str) -> Window | None:
    """Return the span of days in which a model's champion has predicted, None when it has not yet."""
    days = _days(workspace, _champion(workspace, model_name))
    if not days:
        return None
    weeks = windows_around(days, 7)
    return Window(weeks[0].start, weeks[-1].end)


def _champion(workspace: Workspace, model_name: str) -> ModelVersion:
    with workspace.store.read() as session:
        return champion_of(session, find_model(session, model_name))


def _days(workspace: Workspace, version: ModelVersion) -> list[datetime]:
    with workspace.store.read() as session:
        return list(
            session.exec(
                select(StoredSlice.start).where(
                    StoredSlice.model_version_id == version.id,
                    StoredSlice.origin == Origin.PRODUCTION,
                    StoredSlice.segment == "",
                )
            )
        )


def _movement(
    name: str, statistic: str, grids: Grids, before: Slice, after: Slice, weeks: Sequence[Slice]
) -> ColumnMovement:
    chosen = DRIFT_STATISTICS[statistic]
    is_categorical = isinstance(grids[name], CategoricalGrid)
    kind = "categorical" if is_categorical else "numeric"

    def against(current: Slice) -> float | None:
        if kind not in chosen.kinds or name not in current.columns:
            return None
        value = chosen.compute(before.columns[name], current.columns[name], grids[name])
        return value if math.isfinite(value) else None

    value = against(after)
    limits = DRIFT_LIMITS.get(statistic, ())
    return ColumnMovement(
        column=name,
        is_categorical=is_categorical,
        value=value,
        trend=[against(week) for week in weeks],
        level=judge(value, limits) if limits else Level.UNJUDGED,
    )


def _shares(name: str, grids: Grids, before: Slice, after: Slice) -> Shares:
    bins = binned_shares(before.columns[name], after.columns[name], grids[name])
    return Shares(labels=bins.labels, reference=bins.reference, current=bins.current)
