"""Intervals: between which values a statistic lies with a stated confidence."""

import math
from typing import NamedTuple

from mlops_core.domain.errors import InvalidInput

__all__ = ["NO_INTERVAL", "Interval", "around", "logit_interval", "quantile_of_normal", "wilson"]


class Interval(NamedTuple):
    """Two limits, nan where they are undefined."""

    lower: float
    upper: float


NO_INTERVAL = Interval(math.nan, math.nan)
"""The interval of what is undefined."""


def quantile_of_normal(confidence: float) -> float:
    """Return how many standard errors each side an interval of this confidence reaches.

    Raises
    ------
    InvalidInput
        If the confidence is not between 0 and 1.
    """
    from statistics import NormalDist

    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"a confidence of {confidence} is not between 0 and 1: choose, for example, 0.95")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(part: float, whole: float, confidence: float) -> Interval:
    """Return the interval of a proportion (Wilson, Probable inference, 1927)."""
    z = quantile_of_normal(confidence)
    if not whole > 0:
        return NO_INTERVAL
    share, weight = part / whole, z * z / whole
    centre = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(max(share * (1 - share) / whole, 0.0) + weight / (4 * whole)) / (1 + weight)
    return Interval(max(centre - reach, 0.0), min(centre + reach, 1.0))


def around(value: float, variance: float, confidence: float, lowest: float = -math.inf) -> Interval:
    """Return value ± so many standard errors, not below `lowest`."""
    z = quantile_of_normal(confidence)
    if not (math.isfinite(value) and math.isfinite(variance)):
        return NO_INTERVAL
    reach = z * math.sqrt(max(variance, 0.0))
    return Interval(max(value - reach, lowest), value + reach)


def logit_interval(value: float, variance: float, rows: float, confidence: float) -> Interval:
    """Return the interval of a value in [0, 1], symmetric in its log-odds, which keeps it inside.

    Where the variance is zero (a perfect or a useless model), that of Wilson for a proportion of `rows`.
    """
    z = quantile_of_normal(confidence)
    if not (math.isfinite(value) and math.isfinite(variance)):
        return NO_INTERVAL
    if not 0.0 < value < 1.0 or variance <= 0.0:
        return wilson(min(max(value, 0.0), 1.0) * rows, rows, confidence)
    odds = math.log(value / (1 - value))
    reach = z * math.sqrt(variance) / (value * (1 - value))
    return Interval(_expit(odds - reach), _expit(odds + reach))


def _expit(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(max(odds, -700.0)) / (1 + math.exp(odds))
