"""Whether a column has moved, or may have by chance: p-values from counts, corrected for many columns."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.counts import CategoricalCounts, Counts
from mlops_core.slices.grid import Grid, NumericGrid
from mlops_core.statistics.binning import rows_in_bins, value_counts
from mlops_core.statistics.many_windows import drift_of_windows
from mlops_core.statistics.registry import kind_of

__all__ = ["FALSE_DISCOVERY_RATE", "adjusted_p_values", "shift_p_value"]

FALSE_DISCOVERY_RATE: Final = 0.05
"""Which part of the columns that are called drifted may have moved by chance; where none has drifted, the
chance of any alarm."""

_FEWEST_EXPECTED: Final = 5.0


def shift_p_value(reference: Counts, current: Counts, grid: Grid) -> float:
    """Return the chance of at least such a move if both windows had one distribution; nan for an empty one.

    Categories: Pearson's chi-squared test of the values; unseen ones and missing are values. Numbers: the
    same test of the bins of psi, missing and infinite values among them, and the test of Kolmogorov and
    Smirnov; twice the smaller p-value (Bonferroni). Values and bins in which either window would have
    fewer than 5 rows are pooled first (Cochran, Some methods for strengthening the common chi-squared
    tests, 1954), which looks at the rows of both windows together and so does not favour either.

    Raises
    ------
    InvalidInput
        If the counts and the grid do not fit together.
    """
    if not reference.rows or not current.rows:
        return math.nan
    if isinstance(grid, NumericGrid):
        first, second = _pool_neighbours(*rows_in_bins(reference, current, grid))
        (by_distance,) = drift_of_windows("kolmogorov_smirnov_p_value", reference, [current], grid)
        if len(first) == 1:
            return 1.0 if by_distance is None else by_distance
        by_bins = _homogeneity(first, second)
        return by_bins if by_distance is None else min(1.0, 2 * min(by_bins, by_distance))
    kind_of(reference, current, grid)
    if not isinstance(reference, CategoricalCounts) or not isinstance(current, CategoricalCounts):
        raise TypeError("kind_of has checked that both are counted by value")
    return _homogeneity(*_pool_rare(*value_counts(reference, current)))


def adjusted_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; nan stays nan and does not count.

    Those at most `q` name columns of which a part of `q`, on average and at most, has not drifted (Benjamini
    and Hochberg, Controlling the false discovery rate, 1995): the smallest, over all ranks from its own up,
    of ``p * number / rank``.

    Examples
    --------
    >>> adjusted_p_values([0.01, 0.04, math.nan, 0.03])
    [0.03, 0.04, nan, 0.04]
    """
    values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted = np.full(len(values), math.nan)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    found: list[float] = adjusted.tolist()
    return found


def _homogeneity(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the p-value of Pearson's test that two rows of counts have one distribution."""
    if len(first) < 2:
        return 1.0
    n, m = first.sum(), second.sum()
    both = first + second
    gap = first / n - second / m
    statistic = float(np.sum(gap * gap / both)) * n * m
    from scipy import special  # where it is used: a server starts without it

    return float(special.chdtrc(len(first) - 1, statistic))


def _expected(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows that the smaller window would have in each bin if nothing had moved."""
    n, m = first.sum(), second.sum()
    expected: NDArray[np.float64] = (first + second) * (min(n, m) / (n + m))
    return expected


def _pool_neighbours(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join bins of few rows with their neighbours; the last two are missing and infinite."""
    groups = np.zeros(len(first), np.intp)
    group, filled = -1, _FEWEST_EXPECTED
    for place, rows in enumerate(_expected(first, second)[:-2].tolist()):
        if filled >= _FEWEST_EXPECTED:
            group, filled = group + 1, 0.0
        groups[place] = group
        filled += rows
    if filled < _FEWEST_EXPECTED and group > 0:
        groups[groups == group] = group - 1
    groups[-2:] = group + 1, group + 2
    pooled = [np.bincount(groups, rows).astype(np.float64) for rows in (first, second)]
    return _pool_rest(*pooled)


def _pool_rare(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join all values of few rows, and the last entry, which is many values, into one."""
    often = _expected(first, second) >= _FEWEST_EXPECTED
    often[-1] = False
    rest_first, rest_second = first[~often].sum(), second[~often].sum()
    return _pool_rest(np.append(first[often], rest_first), np.append(second[often], rest_second))


def _pool_rest(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join what still has few rows with the smallest of the others, and leave out what has none."""
    filled = first + second > 0
    first, second = first[filled], second[filled]
    expected = _expected(first, second)
    few = expected < _FEWEST_EXPECTED
    if not few.any() or len(first) == 1:
        return first, second
    if few.all():
        return first.sum(keepdims=True), second.sum(keepdims=True)
    host = int(np.flatnonzero(~few)[np.argmin(expected[~few])])
    for rows in (first, second):
        rows[host] += rows[few].sum()
    return first[~few], second[~few]
