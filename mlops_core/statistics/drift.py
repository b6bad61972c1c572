"""Drift statistics: how far a window is from the reference.

All are functions of merged counts, and nan where they are undefined (`undefined_reason` says why).

Values that are no numbers: null and NaN are a bin of their own where bins are compared (psi, Jensen-Shannon,
Hellinger) and left out elsewhere. -inf and +inf are values below and above all others for
Kolmogorov-Smirnov, as in scipy; they are a bin of their own where bins are compared; Wasserstein and the
standard deviation are infinite or nan with them, so they are taken of the finite values alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import Grid, NumericGrid
from mlops_core.statistics import distances
from mlops_core.statistics.binning import rows_in_bins, value_counts
from mlops_core.statistics.latest import remember_latest
from mlops_core.statistics.registry import drift_statistic, kind_of

__all__ = [
    "chi_squared",
    "chi_squared_p_value",
    "hellinger",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "kolmogorov_smirnov_error_bound",
    "kolmogorov_smirnov_p_value",
    "l_infinity",
    "population_stability_index",
    "wasserstein",
    "wasserstein_error_bound",
    "wasserstein_normalised",
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
    first, second = _rows_in_bins(reference, current, grid)
    if not reference.rows or not current.rows:
        return math.nan
    filled = (first > 0) | (second > 0)
    p = np.maximum(first[filled], 0.5) / reference.rows
    q = np.maximum(second[filled], 0.5) / current.rows
    return float(np.sum((q - p) * np.log(q / p)))


@drift_statistic(
    "jensen_shannon",
    kinds={"numeric", "categorical"},
    lower=0.0,
    upper=1.0,
    reference="Lin, Divergence measures based on the Shannon entropy, 1991",
)
def jensen_shannon(reference: Counts, current: Counts, grid: Grid) -> float:
    """Jensen-Shannon distance: the square root of the divergence to base 2, over the bins of psi."""
    first, second = _rows_in_bins(reference, current, grid)
    if not reference.rows or not current.rows:
        return math.nan
    p, q = first / reference.rows, second / current.rows
    middle = (p + q) / 2
    from scipy import special  # where it is used: a server starts without it

    divergence = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum() / 2
    return math.sqrt(max(0.0, float(divergence) / math.log(2)))


@drift_statistic(
    "hellinger",
    kinds={"numeric", "categorical"},
    lower=0.0,
    upper=1.0,
    reference="Hellinger, Neue Begründung der Theorie quadratischer Formen, 1909; "
    "as a distance of shares: Le Cam and Yang, Asymptotics in Statistics, 2000",
)
def hellinger(reference: Counts, current: Counts, grid: Grid) -> float:
    """Hellinger distance: sqrt(sum of (sqrt(p) - sqrt(q))^2 / 2) over the bins of psi, p and q the shares."""
    first, second = _rows_in_bins(reference, current, grid)
    if not reference.rows or not current.rows:
        return math.nan
    change = np.sqrt(first / reference.rows) - np.sqrt(second / current.rows)
    return math.sqrt(float(change @ change) / 2)


@drift_statistic(
    "kolmogorov_smirnov",
    kinds={"numeric"},
    lower=0.0,
    upper=1.0,
    reference="Smirnov, Table for estimating the goodness of fit of empirical distributions, 1948",
)
def kolmogorov_smirnov(reference: Counts, current: Counts, grid: Grid) -> float:
    """Largest distance between the two cumulative shares, looked at between the cells of the grid.

    ``max |F(x) - G(x)|`` over the edges, and where a window begins or ends within a cell. Infinities are
    values below and above all others; null and NaN are left out. Never above the statistic of the rows, and
    below it by at most `kolmogorov_smirnov_error_bound`: no more than what a cell of several values holds in
    the window that holds less there, about 0.002 on a grid of 1,000 cells.
    """
    found = _gap(reference, current, grid)
    return abs(found.value) if found else math.nan  # 0.0, never -0.0


def kolmogorov_smirnov_error_bound(reference: Counts, current: Counts, grid: Grid) -> float:
    """Return how far `kolmogorov_smirnov` can be from the statistic of the rows; nan where that is nan.

    Within a cell that holds shares p and q of the windows, and before which the cumulative shares differ by
    d, the difference lies between ``d - q`` and ``d + p``, whatever the values are. A cell of one value adds
    nothing, and neither does one that only one window reaches.

    Raises
    ------
    InvalidInput
        If the column is not numeric.
    """
    found = _gap(reference, current, grid)
    return found.error_bound if found else math.nan


@drift_statistic(
    "kolmogorov_smirnov_p_value",
    kinds={"numeric"},
    lower=0.0,
    upper=1.0,
    reference="Stephens, Use of the Kolmogorov-Smirnov, Cramer-von Mises and related statistics, 1970",
    higher_is_drift=False,
)
def kolmogorov_smirnov_p_value(reference: Counts, current: Counts, grid: Grid) -> float:
    """Probability of at least this Kolmogorov-Smirnov distance if both windows had one distribution.

    Two-sided, asymptotic: ``K((r + 0.12 + 0.11 / r) * D)`` with ``r = sqrt(n * m / (n + m))``, K the
    complementary distribution of Kolmogorov. The grid never sees more than the distance of the rows, so the
    probability errs towards no drift. With ties it is too large, as scipy's is.
    """
    found = _gap(reference, current, grid)
    if found is None:
        return math.nan
    n, m = (_values(counts) for counts in _numbers_of_both(reference, current, grid))
    rows = math.sqrt(n * m / (n + m))
    from scipy import special  # where it is used: a server starts without it

    return float(special.kolmogorov((rows + 0.12 + 0.11 / rows) * found.value))


@drift_statistic(
    "wasserstein",
    kinds={"numeric"},
    lower=0.0,
    upper=math.inf,
    reference="Vallender, Calculation of the Wasserstein distance between probability distributions on the "
    "line, 1973",
)
def wasserstein(reference: Counts, current: Counts, grid: Grid) -> float:
    """First Wasserstein distance, the integral of |F - G|: how far a value has moved on average.

    In the unit of the column, of the finite values alone. F and G rise in a straight line within a cell; see
    `wasserstein_error_bound`.
    """
    found = _transport(reference, current, grid)
    return found.value if found else math.nan


def wasserstein_error_bound(reference: Counts, current: Counts, grid: Grid) -> float:
    """Return how far `wasserstein` can be from the distance of the rows, in the unit of the column.

    Divide by the standard deviation of the reference for `wasserstein_normalised`. Within a cell, F and G
    can be anything between their values at its edges; beyond the outer edges the sums of the values are
    known, and overall the difference of the means is. nan where the distance is nan.

    Raises
    ------
    InvalidInput
        If the column is not numeric.
    """
    found = _transport(reference, current, grid)
    return found.error_bound if found else math.nan


@drift_statistic(
    "wasserstein_normalised",
    kinds={"numeric"},
    lower=0.0,
    upper=math.inf,
    reference="Vallender, 1973, in units of the standard deviation of the reference",
)
def wasserstein_normalised(reference: Counts, current: Counts, grid: Grid) -> float:
    """First Wasserstein distance over the standard deviation (divisor n) of the reference.

    A shift by one standard deviation is 1, so columns compare. When the reference is constant: 0 if nothing
    moved, else nan.
    """
    found = _transport(reference, current, grid)
    first, _ = _numbers_of_both(reference, current, grid)
    if found is None or found.value == 0.0:
        return math.nan if found is None else 0.0
    spread = distances.population_deviation(first, _edges(grid))
    return found.value / spread if spread > 0 and math.isfinite(found.value) else math.nan


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
    """Pearson's statistic of the table window by value: sum of (observed - expected)^2 / expected.

    Missing and each unseen value are values. It grows with the number of rows; compare `chi_squared_p_value`
    across windows of different size. Unseen rows that are no longer named count as one value.
    """
    statistic, _ = _chi_squared(reference, current, grid)
    return statistic


@drift_statistic(
    "chi_squared_p_value",
    kinds={"categorical"},
    lower=0.0,
    upper=1.0,
    reference="Pearson, 1900; degrees of freedom: Fisher, On the interpretation of chi-squared from "
    "contingency tables, 1922",
    higher_is_drift=False,
)
def chi_squared_p_value(reference: Counts, current: Counts, grid: Grid) -> float:
    """Probability of at least this `chi_squared` if both windows had one distribution.

    From the chi-squared distribution with (number of values - 1) degrees of freedom; 1 when there is only one
    value.
    """
    statistic, freedom = _chi_squared(reference, current, grid)
    if math.isnan(statistic) or freedom == 0:
        return statistic if math.isnan(statistic) else 1.0
    from scipy import special  # where it is used: a server starts without it

    return float(special.chdtrc(freedom, statistic))


@remember_latest
def _rows_in_bins(
    reference: Counts, current: Counts, grid: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return rows_in_bins(reference, current, grid)


@remember_latest
def _gap(reference: Counts, current: Counts, grid: Grid) -> distances.Distance | None:
    first, second = _numbers_of_both(reference, current, grid)
    if not _values(first) or not _values(second):
        return None
    return distances.largest_gap(first, second, _edges(grid))


@remember_latest
def _transport(reference: Counts, current: Counts, grid: Grid) -> distances.Distance | None:
    first, second = _numbers_of_both(reference, current, grid)
    if not first.finite or not second.finite:
        return None
    return distances.transport(first, second, _edges(grid))


def _values(counts: NumericCounts) -> int:
    return counts.finite + counts.infinite


def _edges(grid: Grid) -> NDArray[np.float64]:
    return grid.edges if isinstance(grid, NumericGrid) else np.zeros(0)


def _numbers_of_both(reference: Counts, current: Counts, grid: Grid) -> tuple[NumericCounts, NumericCounts]:
    kind_of(reference, current, grid)
    if not isinstance(reference, NumericCounts) or not isinstance(current, NumericCounts):
        raise InvalidInput("this statistic compares numbers, and this column has categories: use psi")
    return reference, current


def _values_of_both(
    reference: Counts, current: Counts, grid: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kind_of(reference, current, grid)
    if not isinstance(reference, CategoricalCounts) or not isinstance(current, CategoricalCounts):
        raise InvalidInput("this statistic compares categories, and this column has numbers: use psi")
    return value_counts(reference, current)


@remember_latest
def _chi_squared(reference: Counts, current: Counts, grid: Grid) -> tuple[float, int]:
    """Return the statistic and its degrees of freedom."""
    table = np.stack(_values_of_both(reference, current, grid))
    table = table[:, table.sum(axis=0) > 0]
    if not reference.rows or not current.rows:
        return math.nan, 0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float((np.square(table - expected) / expected).sum()), table.shape[1] - 1
