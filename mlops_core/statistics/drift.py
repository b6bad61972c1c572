"""Drift statistics: how far a window is from the reference.

All are functions of merged counts. All are nan when they are undefined: when a window has no rows (numeric
Kolmogorov-Smirnov: no finite values).
"""

import math

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import Grid
from mlops_core.statistics.binning import bin_counts, value_counts
from mlops_core.statistics.registry import drift_statistic, kind_of

__all__ = [
    "chi_squared",
    "chi_squared_p_value",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "kolmogorov_smirnov_p_value",
    "l_infinity",
    "population_stability_index",
]


@drift_statistic(
    "psi",
    kinds={"numeric", "categorical"},
    lower=0.0,
    upper=math.inf,
    reference="Siddiqi, Credit Risk Scorecards, 2006; Yurdakul, Statistical Properties of PSI, 2018",
)
def population_stability_index(reference: Counts, current: Counts, grid: Grid) -> float:
    """Sum of (current share - reference share) * ln(current share / reference share) over bins.

    Bins: the deciles of the reference, a spike on its own, missing and infinite values each on their own;
    for categories see `bin_counts`. A bin that is empty in one window counts there as half a row; a bin
    that is empty in both does not count. Customary thresholds: 0.1 a shift, 0.25 a large one. Two samples
    of n and m rows from one distribution give about ``(bins - 1) * (1/n + 1/m)``.
    """
    binned = bin_counts(reference, current, grid)
    if not reference.rows or not current.rows:
        return math.nan
    filled = (binned.reference > 0) | (binned.current > 0)
    first = np.maximum(binned.reference[filled], 0.5) / reference.rows
    second = np.maximum(binned.current[filled], 0.5) / current.rows
    return float(np.sum((second - first) * np.log(second / first)))


@drift_statistic(
    "jensen_shannon",
    kinds={"numeric", "categorical"},
    lower=0.0,
    upper=1.0,
    reference="Lin, Divergence measures based on the Shannon entropy, 1991",
)
def jensen_shannon(reference: Counts, current: Counts, grid: Grid) -> float:
    """Jensen-Shannon distance: the square root of the divergence to base 2, over the bins of psi."""
    binned = bin_counts(reference, current, grid)
    if not reference.rows or not current.rows:
        return math.nan
    first, second = binned.reference / reference.rows, binned.current / current.rows
    middle = (first + second) / 2
    from scipy import special  # where it is used: a server starts without it

    divergence = (special.rel_entr(first, middle) + special.rel_entr(second, middle)).sum() / 2
    return math.sqrt(max(0.0, float(divergence) / math.log(2)))


@drift_statistic(
    "kolmogorov_smirnov",
    kinds={"numeric"},
    lower=0.0,
    upper=1.0,
    reference="Smirnov, Table for estimating the goodness of fit of empirical distributions, 1948",
)
def kolmogorov_smirnov(reference: Counts, current: Counts, grid: Grid) -> float:
    """Largest distance between the cumulative shares of finite values, looked at between cells.

    Never above the statistic of the rows, and below it by no more than what a cell of several values holds
    in the window that holds less there: at most about 0.002 on a grid of 1,000 cells.
    """
    first, second = _cells_of_both(reference, current, grid)
    if not first.any() or not second.any():
        return math.nan
    difference = np.cumsum(first) / first.sum() - np.cumsum(second) / second.sum()
    return float(np.abs(difference).max())


@drift_statistic(
    "l_infinity",
    kinds={"categorical"},
    lower=0.0,
    upper=1.0,
    reference="Breck et al., Data Validation for Machine Learning, 2019",
)
def l_infinity(reference: Counts, current: Counts, grid: Grid) -> float:
    """Largest change of the share of any one value, missing and each unseen value included.

    Unseen rows that a stored slice no longer names (`unseen_other`) are many rare values, not one: they
    only count as rows.
    """
    first, second = _values_of_both(reference, current, grid)
    if not reference.rows or not current.rows:
        return math.nan
    change = np.abs(first[:-1] / reference.rows - second[:-1] / current.rows)
    return float(change.max())


@drift_statistic(
    "chi_squared",
    kinds={"categorical"},
    lower=0.0,
    upper=math.inf,
    reference="Pearson, On the criterion that a given system of deviations ..., 1900",
)
def chi_squared(reference: Counts, current: Counts, grid: Grid) -> float:
    """Pearson's statistic of the table window by value: missing and each unseen value are values.

    It grows with the number of rows; compare `chi_squared_p_value` across windows of different size.
    Unseen rows that are no longer named count as one value.
    """
    statistic, _ = _chi_squared(reference, current, grid)
    return statistic


def chi_squared_p_value(reference: Counts, current: Counts, grid: Grid) -> float:
    """Return the probability of at least this `chi_squared` if both windows had one distribution.

    nan when a window has no rows.

    Raises
    ------
    InvalidInput
        If the column is not categorical.
    """
    statistic, freedom = _chi_squared(reference, current, grid)
    if math.isnan(statistic) or freedom == 0:
        return statistic if math.isnan(statistic) else 1.0
    from scipy import special  # where it is used: a server starts without it

    return float(special.chdtrc(freedom, statistic))


def kolmogorov_smirnov_p_value(reference: Counts, current: Counts, grid: Grid) -> float:
    """Return the probability of at least this distance if both windows had one distribution.

    Two-sided, asymptotic, with the correction of Stephens (1970) for few rows. The grid never sees more
    than the distance of the rows, so the probability errs towards no drift. nan when undefined.

    Raises
    ------
    InvalidInput
        If the column is not numeric.
    """
    statistic = kolmogorov_smirnov(reference, current, grid)
    first, second = _cells_of_both(reference, current, grid)
    if math.isnan(statistic):
        return math.nan
    rows = math.sqrt(1.0 / (1.0 / int(first.sum()) + 1.0 / int(second.sum())))
    from scipy import special  # where it is used: a server starts without it

    return float(special.kolmogorov((rows + 0.12 + 0.11 / rows) * statistic))


def _cells_of_both(
    reference: Counts, current: Counts, grid: Grid
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    kind_of(reference, current, grid)
    if not isinstance(reference, NumericCounts) or not isinstance(current, NumericCounts):
        raise InvalidInput("Kolmogorov-Smirnov compares numbers, and this column has categories: use psi")
    return reference.cells, current.cells


def _values_of_both(
    reference: Counts, current: Counts, grid: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kind_of(reference, current, grid)
    if not isinstance(reference, CategoricalCounts) or not isinstance(current, CategoricalCounts):
        raise InvalidInput("this statistic compares categories, and this column has numbers: use psi")
    return value_counts(reference, current)


def _chi_squared(reference: Counts, current: Counts, grid: Grid) -> tuple[float, int]:
    """Return the statistic and its degrees of freedom."""
    table = np.stack(_values_of_both(reference, current, grid))
    table = table[:, table.sum(axis=0) > 0]
    if not reference.rows or not current.rows:
        return math.nan, 0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float((np.square(table - expected) / expected).sum()), table.shape[1] - 1
