"""What a window looks like: quantiles, mean, spread, and shares for a chart."""

import math
from dataclasses import dataclass

import numpy as np

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.arrow_columns import MISSING
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import CategoricalGrid, Grid, NumericGrid
from mlops_core.statistics.binning import OTHER_UNSEEN, Binned, bin_counts

__all__ = [
    "OTHER",
    "BinnedShares",
    "binned_shares",
    "category_shares",
    "mean",
    "null_share",
    "quantile",
    "standard_deviation",
]

OTHER = "(other)"
"""The label of the rarer categories together, where there are too many to show."""


@dataclass(frozen=True, slots=True)
class BinnedShares:
    """Two windows side by side, for a chart.

    Attributes
    ----------
    labels
        One for each bin.
    reference, current
        Share of all rows of the window, from 0 to 1; nan for a window without rows.
    """

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


def quantile(counts: NumericCounts, grid: NumericGrid, q: float) -> float:
    """Return the value below which a share `q` of the finite values lies; nan when there is none.

    Interpolated within its cell, so the error is less than the width of the cell; exact for a value with a
    cell of its own, and for the minimum and the maximum (q = 0 and 1), beyond which it never goes.

    Raises
    ------
    InvalidInput
        If `q` is not between 0 and 1.

    Examples
    --------
    >>> grid = NumericGrid.from_values(range(101))
    >>> cells = np.bincount(grid.cell_of(range(101)), minlength=grid.n_cells)
    >>> quantile(NumericCounts(101, 0, 0, 0, 0, 5050.0, 338350.0, 0.0, 100.0, cells), grid, 0.5)
    50.0
    """
    if not 0.0 <= q <= 1.0:
        raise InvalidInput(f"quantile {q} does not exist: ask for one between 0 and 1")
    cumulative = np.cumsum(counts.cells)
    if not len(cumulative) or not cumulative[-1]:
        return math.nan
    if q in (0.0, 1.0):
        return counts.maximum if q else counts.minimum
    rank = q * int(cumulative[-1])
    cell = int(np.searchsorted(cumulative, rank))
    low = float(grid.edges[cell - 1]) if cell else counts.minimum
    high = float(grid.edges[cell]) if cell < len(grid.edges) else counts.maximum
    if high == math.nextafter(low, math.inf):
        return low
    low, high = max(low, counts.minimum), min(high, counts.maximum)
    within = 1.0 - (int(cumulative[cell]) - rank) / int(counts.cells[cell])
    return low + within * (high - low)


def mean(counts: NumericCounts) -> float:
    """Return the mean of the finite values; nan when there is none."""
    return counts.total / counts.finite if counts.finite else math.nan


def standard_deviation(counts: NumericCounts) -> float:
    """Return the standard deviation of the finite values (divisor n - 1); nan for fewer than two.

    From sums of squares: where it is less than a millionth of the mean, rounding spoils it.
    """
    n = counts.finite
    if n < 2:
        return math.nan
    spread = counts.total_squares - counts.total * (counts.total / n)
    return math.sqrt(max(0.0, spread) / (n - 1)) if math.isfinite(spread) else math.nan


def null_share(counts: Counts) -> float:
    """Return the share of rows without a value (null or NaN); nan when there are no rows."""
    return counts.missing / counts.rows if counts.rows else math.nan


def category_shares(counts: CategoricalCounts, grid: CategoricalGrid) -> dict[str, float]:
    """Return the share of all rows by category, in the order of the grid.

    Behind the categories, if there are such rows: each unseen value, the most frequent first, then
    "(other unseen)" and "(missing)". nan when there are no rows.
    """
    unseen = dict(sorted(counts.unseen.items(), key=lambda pair: (-pair[1], pair[0])))
    rest = {OTHER_UNSEEN: counts.unseen_other, MISSING: counts.missing}
    known = dict(zip(grid.categories, counts.known.tolist(), strict=True))
    shown = known | unseen | {label: rows for label, rows in rest.items() if rows}
    return {label: rows / counts.rows if counts.rows else math.nan for label, rows in shown.items()}


def binned_shares(
    reference: Counts, current: Counts, grid: Grid, bins: int = 10, most_categories: int = 30
) -> BinnedShares:
    """Return both windows in the bins of the reference, with labels to read.

    Numeric: about `bins` bins of equal share, a spike on its own, labelled like ``12-34`` with an en dash;
    Categorical: the categories of the grid, those behind the first `most_categories` together as
    "(other)". Then "(unseen)", "(missing)" and "(infinite)". Bins that are empty in both windows are left
    out.

    Raises
    ------
    InvalidInput
        If the counts and the grid do not fit together, or `bins` is less than 1.
    """
    if bins < 1 or most_categories < 1:
        raise InvalidInput(f"{min(bins, most_categories)} bins cannot be shown: ask for at least one")
    binned = bin_counts(reference, current, grid, bins)
    if isinstance(grid, CategoricalGrid):
        binned = _with_few_categories(binned, grid.n_cells, most_categories)
    kept = np.flatnonzero(binned.reference + binned.current).tolist()
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (
            tuple((rows[kept] / np.float64(counts.rows)).tolist())
            for rows, counts in ((binned.reference, reference), (binned.current, current))
        )
    return BinnedShares(tuple(binned.labels[place] for place in kept), first, second)


def _with_few_categories(binned: Binned, n_categories: int, most: int) -> Binned:
    """Pool the categories behind the first `most`, unless it would be one alone."""
    if n_categories <= most + 1:
        return binned
    rest = slice(most, n_categories)
    labels = (*binned.labels[:most], OTHER, *binned.labels[n_categories:])
    first, second = (
        np.concatenate((rows[:most], [rows[rest].sum()], rows[n_categories:]))
        for rows in (binned.reference, binned.current)
    )
    return Binned(labels, first, second)
