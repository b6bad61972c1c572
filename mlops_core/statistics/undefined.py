"""Why a drift statistic is undefined, in words."""

import math

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import Counts, NumericCounts
from mlops_core.slices.grid import Grid
from mlops_core.statistics.registry import DRIFT_STATISTICS, kind_of

__all__ = ["undefined_reason"]


def undefined_reason(name: str, reference: Counts, current: Counts, grid: Grid) -> str | None:
    """Say why a drift statistic of these windows is nan; None when it is a number.

    Parameters
    ----------
    name
        A key of `DRIFT_STATISTICS`.

    Returns
    -------
    str | None
        Words without a full stop, like "no row in the current window".

    Raises
    ------
    InvalidInput
        If there is no such statistic, or the counts and the grid do not fit.
    """
    if name not in DRIFT_STATISTICS:
        raise InvalidInput(f"there is no statistic {name!r}: choose from {', '.join(DRIFT_STATISTICS)}")
    statistic = DRIFT_STATISTICS[name]
    kind = kind_of(reference, current, grid)
    if kind not in statistic.kinds:
        return f"not defined for a {kind} column"
    if not math.isnan(statistic.compute(reference, current, grid)):
        return None
    for counts, window in ((reference, "the reference"), (current, "the current window")):
        if not counts.rows:
            return f"no row in {window}"
    for counts, window in ((reference, "the reference"), (current, "the current window")):
        if isinstance(counts, NumericCounts):
            if counts.missing == counts.rows:
                return f"no value in {window}"
            if not counts.finite:
                return f"no finite value in {window}"
    if isinstance(reference, NumericCounts) and reference.minimum == reference.maximum:
        return "the reference is constant"
    return "the values are too large to compute with"
