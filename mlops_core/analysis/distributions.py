"""What two windows of a column look like side by side, in a few numbers for a chart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.counts import Counts, NumericCounts
from mlops_core.slices.grid import Grid, NumericGrid
from mlops_core.statistics.summary import binned_shares, quantile

__all__ = ["Distribution", "distribution_of"]

_BINS = 36
_FEW_VALUES = 24
_TAIL = 0.005


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares of all rows of two windows.

    Attributes
    ----------
    edges
        Where the bars of a histogram begin and end, one more than bars; empty when bars have labels.
    labels
        Values, for columns with few; empty when bars have edges.
    reference, current
        The share of each bar, from 0 to 1; nan for a window without rows.
    """

    edges: tuple[float, ...]
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


def distribution_of(reference: Counts, current: Counts, grid: Grid) -> Distribution:
    """Return the bars of a chart: equally wide over the middle 99 % of numbers, one for each of few values.

    Within a cell of the grid values are taken to be spread evenly. What lies beyond the middle is in no bar.
    """
    if (
        isinstance(reference, NumericCounts)
        and isinstance(current, NumericCounts)
        and isinstance(grid, NumericGrid)
        and not _has_few_values(reference, current, grid)
    ):
        windows = [counts for counts in (reference, current) if counts.finite]
        low = min((quantile(counts, grid, _TAIL) for counts in windows), default=0.0)
        high = max((quantile(counts, grid, 1 - _TAIL) for counts in windows), default=0.0)
        if np.isfinite(high - low) and high > low:
            if _holds_whole_numbers(reference, grid):
                step = np.ceil((high - low + 1) / _BINS)
                edges = np.arange(np.floor(low) - 0.5, high + step, step)
            else:
                edges = np.linspace(low, high, _BINS + 1)
                edges[-1] = np.nextafter(high, np.inf)
            first, second = (_shares(counts, grid, edges) for counts in (reference, current))
            return Distribution(tuple(edges.tolist()), (), first, second)
    shown = binned_shares(reference, current, grid, bins=_FEW_VALUES, most_categories=_FEW_VALUES)
    return Distribution((), shown.labels, shown.reference, shown.current)


def _has_few_values(reference: NumericCounts, current: NumericCounts, grid: NumericGrid) -> bool:
    filled = np.flatnonzero(reference.cells + current.cells)
    return len(filled) <= _FEW_VALUES


def _holds_whole_numbers(counts: NumericCounts, grid: NumericGrid) -> bool:
    """Say whether nearly all values are whole and have a cell each: bars must not beat against them."""
    starts, ends = grid.edges[:-1], grid.edges[1:]
    whole = (ends == np.nextafter(starts, np.inf)) & (starts == np.round(starts))
    return bool(counts.cells[1:-1][whole].sum() > 0.99 * counts.finite)


def _shares(counts: NumericCounts, grid: NumericGrid, edges: NDArray[np.float64]) -> tuple[float, ...]:
    if not counts.finite:
        return (0.0 if counts.rows else float("nan"),) * (len(edges) - 1)
    inner = grid.edges
    low = min(counts.minimum, inner[0]) if len(inner) else counts.minimum
    high = max(np.nextafter(counts.maximum, np.inf), inner[-1]) if len(inner) else counts.maximum
    points = np.concatenate(([low], inner, [high]))
    cumulative = np.concatenate(([0], np.cumsum(counts.cells)))
    shares = np.diff(np.interp(edges, points, cumulative)) / counts.rows
    return tuple(np.maximum(shares, 0.0).tolist())
