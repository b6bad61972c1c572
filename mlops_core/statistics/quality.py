"""Data quality of a column: missing, infinite, out of range, unseen.

Every share is one of all rows of the window, so that the shares of a column can be compared; nan when the
window has no row.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import CategoricalGrid, Grid, NumericGrid
from mlops_core.statistics.binning import OTHER_UNSEEN
from mlops_core.statistics.registry import kind_of, quality_statistic
from mlops_core.statistics.summary import null_share

__all__ = [
    "infinite_share",
    "missing_categories",
    "missing_share",
    "out_of_range_is_exact",
    "out_of_range_share",
    "unseen_categories",
    "unseen_share",
]

_VALIDATION = "Breck et al., Data Validation for Machine Learning, 2019"


@quality_statistic(
    "null_share", kinds={"numeric", "categorical"}, lower=0.0, upper=1.0, reference=_VALIDATION
)
def missing_share(reference: Counts, current: Counts, grid: Grid) -> float:
    """Share of rows without a value: null or NaN."""
    kind_of(reference, current, grid)
    return null_share(current)


@quality_statistic("infinite_share", kinds={"numeric"}, lower=0.0, upper=1.0, reference=_VALIDATION)
def infinite_share(reference: Counts, current: Counts, grid: Grid) -> float:
    """Share of rows that hold an infinity of either sign."""
    _, second, _ = _numbers(reference, current, grid)
    return second.infinite / second.rows if second.rows else math.nan


@quality_statistic("out_of_range_share", kinds={"numeric"}, lower=0.0, upper=1.0, reference=_VALIDATION)
def out_of_range_share(reference: Counts, current: Counts, grid: Grid) -> float:
    """Share of rows whose value is less than the least, or more than the greatest, of the reference.

    An infinity is out of range unless the reference holds the same one. Exact where `out_of_range_is_exact`,
    in particular for the reference that the grid was made from; else the rows that are out of range for
    certain, which may be fewer than there are. nan when the reference has no value: there is no range.
    """
    first, second, edges = _numbers(reference, current, grid)
    if not second.rows or not (first.finite or first.infinite):
        return math.nan
    outside = 0 if first.negative_infinite else second.negative_infinite
    outside += 0 if first.positive_infinite else second.positive_infinite
    if first.finite:
        outside += _rows_below(first.minimum, second, edges) if not first.negative_infinite else 0
        outside += _rows_above(first.maximum, second, edges) if not first.positive_infinite else 0
    elif not (first.negative_infinite and first.positive_infinite):
        outside += second.finite
    return outside / second.rows


def out_of_range_is_exact(reference: Counts, current: Counts, grid: Grid) -> bool:
    """Say whether `out_of_range_share` is that of the rows.

    It is where the window stays within the range of the reference, or goes beyond it on a side where the
    range ends at an edge of the grid. `NumericGrid.from_values` puts edges at the least value and behind the
    greatest one. It is not where another window than the one of the grid is the reference and its least or
    greatest value shares a cell with values beyond it.

    Raises
    ------
    InvalidInput
        If the column is not numeric.
    """
    first, second, edges = _numbers(reference, current, grid)
    if not first.finite or not second.finite:
        return True
    below = bool(np.isin(first.minimum, edges)) or bool(first.negative_infinite)
    above = bool(np.isin(np.nextafter(first.maximum, math.inf), edges)) or bool(first.positive_infinite)
    return (below or second.minimum >= first.minimum) and (above or second.maximum <= first.maximum)


@quality_statistic("unseen_share", kinds={"categorical"}, lower=0.0, upper=1.0, reference=_VALIDATION)
def unseen_share(reference: Counts, current: Counts, grid: Grid) -> float:
    """Share of rows whose value the reference does not hold.

    A category of the grid is known, even when no row of the reference window holds it (the reference may be
    a part of what the grid was made from), and so is a value outside the grid that the reference window
    names. Rows whose value a stored slice no longer names count as unseen.
    """
    first, second, _ = _categories(reference, current, grid)
    if not second.rows:
        return math.nan
    unseen = sum(rows for value, rows in second.unseen.items() if not first.unseen.get(value))
    return (unseen + second.unseen_other) / second.rows


def unseen_categories(reference: Counts, current: Counts, grid: Grid) -> dict[str, int]:
    """Return the values that `unseen_share` counts and their rows, the most frequent first.

    Rows with values that are no longer named come last, as "(other unseen)"; so the rows add up.

    Raises
    ------
    InvalidInput
        If the column is not categorical.
    """
    first, second, _ = _categories(reference, current, grid)
    found = {value: rows for value, rows in second.unseen.items() if rows and not first.unseen.get(value)}
    ordered = dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
    return ordered | ({OTHER_UNSEEN: second.unseen_other} if second.unseen_other else {})


def missing_categories(reference: Counts, current: Counts, grid: Grid) -> list[str]:
    """Return the values that the reference holds and the window does not, the most frequent first.

    A value outside the grid is left out when the window has values that are no longer named: it may be one
    of them. An empty window lacks every value.

    Raises
    ------
    InvalidInput
        If the column is not categorical.
    """
    first, second, names = _categories(reference, current, grid)
    gone = np.flatnonzero((first.known > 0) & (second.known == 0))
    rows = {names[place]: int(first.known[place]) for place in gone.tolist()}
    if not second.unseen_other:
        rows |= {
            value: count for value, count in first.unseen.items() if count and not second.unseen.get(value)
        }
    return sorted(rows, key=lambda value: (-rows[value], value))


def _rows_below(limit: float, counts: NumericCounts, edges: NDArray[np.float64]) -> int:
    """Count the values that are certain to be less than `limit`."""
    if counts.minimum >= limit:
        return 0
    if counts.maximum < limit:
        return counts.finite
    cell = int(np.searchsorted(edges, limit, side="right"))
    return max(1, int(counts.cells[:cell].sum()))


def _rows_above(limit: float, counts: NumericCounts, edges: NDArray[np.float64]) -> int:
    """Count the values that are certain to be more than `limit`."""
    if counts.maximum <= limit:
        return 0
    if counts.minimum > limit:
        return counts.finite
    cell = int(np.searchsorted(edges, limit, side="right"))
    return max(1, int(counts.cells[cell + 1 :].sum()))


def _numbers(
    reference: Counts, current: Counts, grid: Grid
) -> tuple[NumericCounts, NumericCounts, NDArray[np.float64]]:
    kind_of(reference, current, grid)
    if not (
        isinstance(reference, NumericCounts)
        and isinstance(current, NumericCounts)
        and isinstance(grid, NumericGrid)
    ):
        raise InvalidInput("only numbers have a range, and this column has categories: use unseen_share")
    return reference, current, grid.edges


def _categories(
    reference: Counts, current: Counts, grid: Grid
) -> tuple[CategoricalCounts, CategoricalCounts, tuple[str, ...]]:
    kind_of(reference, current, grid)
    if not (
        isinstance(reference, CategoricalCounts)
        and isinstance(current, CategoricalCounts)
        and isinstance(grid, CategoricalGrid)
    ):
        raise InvalidInput("only categories are unseen, and this column has numbers: use out_of_range_share")
    return reference, current, grid.categories
