"""What a column looks like after an accident: another unit, one value for all, or everything shifted."""

import math
from typing import Final

import numpy as np

from mlops_core.slices import CategoricalCounts, CategoricalGrid, Counts, Grid, NumericCounts, NumericGrid
from mlops_core.statistics import mean, quantile, standard_deviation

__all__ = ["constant_value", "shifted_median", "unit_factor"]

_WHOLE: Final = (7, 10, 12, 24, 30, 60, 100, 365, 1_000, 3_600, 10_000, 86_400, 100_000, 1_000_000)
_FACTORS: Final = np.array([factor for whole in _WHOLE for factor in (whole, 1 / whole)])
_FEWEST: Final = 30
_SMALLEST_GAP: Final = 0.1  # Kolmogorov-Smirnov; the customary limit of drift is 0.13


def unit_factor(before: Counts, after: Counts) -> float | None:
    """Return by how many times all values have grown, None unless it looks like another unit.

    Mean, standard deviation, minimum and maximum must all have grown by about the same factor, and the
    factor be one that units are apart by: 10, 100, 1,000, 7, 12, 24, 30, 60, 365, 3,600, 86,400 …, or one
    over it. A mean, minimum or maximum near zero, measured by the spread, does not count.

    Returns
    -------
    float | None
        The factor that units are apart by: 100 where values are 98 times as large.
    """
    if not isinstance(before, NumericCounts) or not isinstance(after, NumericCounts):
        return None
    if min(before.finite, after.finite) < _FEWEST:
        return None
    spread, later = standard_deviation(before), standard_deviation(after)
    if not (spread > 0 and later > 0 and math.isfinite(later)):
        return None
    centre = mean(before)
    grown = mean(after) / centre if abs(centre) > 0.3 * spread else later / spread
    if not (grown > 0 and math.isfinite(grown)):
        return None
    factor = float(_FACTORS[np.argmin(np.abs(np.log(_FACTORS / grown)))])
    off = abs(math.log(grown / factor)), abs(math.log(later / spread / factor))
    if off[0] > math.log(1.2) or off[1] > math.log(1.35):
        return None
    ends = ((before.minimum, after.minimum), (before.maximum, after.maximum))
    for first, second in ends:
        if abs(first) > 0.3 * spread and not 1 / 3 < second / first / factor < 3:
            return None
        if abs(first) <= 0.3 * spread and abs(second) > spread * factor:
            return None
    return factor


def constant_value(before: Counts, after: Counts, grid: Grid) -> str | float | None:
    """Return the only value that a window holds, None where it holds several or the reference does too few.

    Missing values do not count, unless they are half of the rows.
    """
    known = after.rows - after.missing
    if 2 * known <= after.rows or known < _FEWEST:
        return None
    if isinstance(before, NumericCounts) and isinstance(after, NumericCounts):
        is_one = after.minimum == after.maximum and not after.infinite
        was_other = before.finite > 0 and (before.minimum, before.maximum) != (after.minimum, after.maximum)
        return after.minimum if is_one and was_other else None
    if not isinstance(before, CategoricalCounts) or not isinstance(after, CategoricalCounts):
        return None
    if not isinstance(grid, CategoricalGrid) or int((before.known > 0).sum()) + len(before.unseen) < 2:
        return None
    values = dict(zip(grid.categories, after.known.tolist(), strict=True)) | dict(after.unseen)
    return next((value for value, rows in values.items() if rows == known), None)


def shifted_median(before: Counts, after: Counts, grid: Grid) -> tuple[float, float] | None:
    """Return the medians before and after, None unless the whole distribution has shifted to one side.

    It has if the cumulative shares differ by 0.1 and more somewhere, and nowhere by a tenth of that in the
    other direction.
    """
    if not isinstance(grid, NumericGrid) or not isinstance(before, NumericCounts):
        return None
    if not isinstance(after, NumericCounts) or min(before.finite, after.finite) < _FEWEST:
        return None
    gap = np.cumsum(after.cells) / after.finite - np.cumsum(before.cells) / before.finite
    up, down = -float(gap.min()), float(gap.max())
    if max(up, down) < _SMALLEST_GAP or min(up, down) > 0.1 * max(up, down):
        return None
    medians = quantile(before, grid, 0.5), quantile(after, grid, 0.5)
    return medians if medians[0] != medians[1] and all(map(math.isfinite, medians)) else None
