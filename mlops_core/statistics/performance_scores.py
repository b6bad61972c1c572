"""Performance of scores: how well probabilities rank the rows and how far they are from the outcomes.

All are nan without scores. Rows within a score cell count as tied. Intervals whose statistic is a smooth
function of the cell counts use the delta method on their multinomial distribution: the variance is the sum
of each count times the square of the derivative by it, as no statistic changes when all counts double.
"""

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.outcome_counts import BinaryOutcomes
from mlops_core.statistics.intervals import NO_INTERVAL, Interval, around, logit_interval
from mlops_core.statistics.performance_binary import ratio
from mlops_core.statistics.registry import performance_statistic

__all__ = [
    "average_precision",
    "average_precision_error_bound",
    "brier",
    "lift",
    "lift_at_10",
    "log_loss",
    "mean_interval",
    "roc_auc",
    "roc_auc_error_bound",
]

_Floats = NDArray[np.float64]


def _histograms(outcomes: BinaryOutcomes) -> tuple[_Floats, _Floats]:
    return outcomes.positives.astype(np.float64), outcomes.negatives.astype(np.float64)


def _auc_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    """DeLong, DeLong and Clarke-Pearson, Comparing the areas under correlated ROC curves, 1988."""
    positives, negatives = _histograms(outcomes)
    n_positives, n_negatives = positives.sum(), negatives.sum()
    if not (n_positives and n_negatives):
        return NO_INTERVAL
    beaten = (np.cumsum(negatives) - negatives / 2) / n_negatives
    losing = 1 - (np.cumsum(positives) - positives / 2) / n_positives
    area = float(positives @ beaten) / n_positives
    variance = 0.0
    for counts, shares, total in ((positives, beaten, n_positives), (negatives, losing, n_negatives)):
        variance += float(counts @ np.square(shares - area)) / (max(total - 1, 1) * total)
    return logit_interval(float(area), variance, float(min(n_positives, n_negatives)), confidence)


@performance_statistic(
    "roc_auc",
    problem_types={"binary"},
    higher_is_better=True,
    reference="Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982",
    interval=_auc_interval,
)
def roc_auc(outcomes: BinaryOutcomes) -> float:
    """Probability that a positive scores above a negative; pairs within a score cell count half.

    nan unless both labels occur. The area over the rows differs by at most `roc_auc_error_bound`.
    """
    positives, negatives = _histograms(outcomes)
    below = np.cumsum(negatives) - negatives / 2
    return ratio(float(positives @ below), float(positives.sum() * negatives.sum()))


def roc_auc_error_bound(outcomes: BinaryOutcomes) -> float:
    """Return how far `roc_auc` can be from the area over the rows: half the share of pairs within a cell.

    Never more than half the share of the negatives (or of the positives) that the fullest cell holds.
    """
    positives, negatives = _histograms(outcomes)
    return ratio(float(positives @ negatives) / 2, float(positives.sum() * negatives.sum()))


def _average_precision_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    """By the delta method, in log-odds as Boyd, Eng and Page, Area under the precision-recall curve, 2013."""
    positives, negatives, hits, misses = _from_the_top(outcomes)
    total = positives.sum()
    if not (total and negatives.sum()):
        return NO_INTERVAL
    seen = np.maximum(hits + misses, 1.0)
    by_hit = np.cumsum((positives / total * misses / np.square(seen))[::-1])[::-1]
    by_miss = -np.cumsum((positives / total * hits / np.square(seen))[::-1])[::-1]
    value = float(positives @ (hits / seen)) / total
    by_hit = by_hit + (hits / seen - value) / total
    variance = float(positives @ np.square(by_hit) + negatives @ np.square(by_miss))
    return logit_interval(float(value), variance, float(total), confidence)


@performance_statistic(
    "average_precision",
    problem_types={"binary"},
    higher_is_better=True,
    reference="Zhu, Recall, precision and average precision, 2004",
    interval=_average_precision_interval,
)
def average_precision(outcomes: BinaryOutcomes) -> float:
    """Mean over the positives of the precision among the rows that score at least as high.

    nan without a positive. That over the rows differs by at most `average_precision_error_bound`.
    """
    positives, _, hits, misses = _from_the_top(outcomes)
    return ratio(float(positives @ (hits / np.maximum(hits + misses, 1.0))), float(positives.sum()))


def average_precision_error_bound(outcomes: BinaryOutcomes) -> float:
    """Return how far `average_precision` can be from that over the rows.

    At best the positives of a cell are tied before all its negatives, at worst one by one behind them; the
    bound is the larger distance of the two from what is reported. nan without a positive.
    """
    positives, negatives, hits, misses = _from_the_top(outcomes)
    total = float(positives.sum())
    if not total:
        return ratio(0.0, 0.0)
    value = average_precision(outcomes)
    filled = np.flatnonzero(positives)
    best = worst = 0.0
    for cell in filled.tolist():
        ranks = hits[cell] - positives[cell] + np.arange(1, int(positives[cell]) + 1)
        best += float(positives[cell] * hits[cell] / (hits[cell] + misses[cell] - negatives[cell]))
        worst += float(np.sum(ranks / (ranks + misses[cell])))
    return max(best / total - value, value - worst / total, 0.0)


def _from_the_top(outcomes: BinaryOutcomes) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Return both histograms from the highest score down, and the rows of each label up to each cell."""
    positives, negatives = (cells[::-1] for cells in _histograms(outcomes))
    return positives, negatives, np.cumsum(positives), np.cumsum(negatives)


def _log_loss_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    return mean_interval(outcomes.log_loss_sum, outcomes.log_loss_squared_sum, outcomes.scored, confidence)


def _brier_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    return mean_interval(outcomes.brier_sum, outcomes.brier_squared_sum, outcomes.scored, confidence)


def mean_interval(total: float, squares: float, rows: int, confidence: float) -> Interval:
    """Return the interval of the mean of a loss that is never below 0, from its sums."""
    if rows < 2:
        return NO_INTERVAL
    mean = total / rows
    variance = (squares / rows - mean * mean) / (rows - 1)
    return around(mean, variance, confidence, lowest=0.0)


@performance_statistic(
    "log_loss",
    problem_types={"binary"},
    higher_is_better=False,
    reference="Good, Rational Decisions, 1952",
    interval=_log_loss_interval,
)
def log_loss(outcomes: BinaryOutcomes) -> float:
    """Mean of -ln of the probability given to the outcome (natural logarithm)."""
    return ratio(outcomes.log_loss_sum, outcomes.scored)


@performance_statistic(
    "brier",
    problem_types={"binary"},
    higher_is_better=False,
    reference="Brier, Verification of forecasts expressed in terms of probability, 1950",
    interval=_brier_interval,
)
def brier(outcomes: BinaryOutcomes) -> float:
    """Mean squared difference of probability and outcome."""
    return ratio(outcomes.brier_sum, outcomes.scored)


def lift(outcomes: BinaryOutcomes, share: float) -> float:
    """Return how many times more positives the highest scores hold than as many rows at random.

    Rows of the cell at the limit count in part, as if it were cut at random. nan without a positive.

    Parameters
    ----------
    share
        The share of the rows that have the highest scores, above 0 and at most 1.

    Raises
    ------
    InvalidInput
        If the share is not in that range.
    """
    captured, _, total = _captured(outcomes, share)
    return ratio(captured, total * share)


def _captured(outcomes: BinaryOutcomes, share: float) -> tuple[float, float, float]:
    """Return the positives among the highest scores, their share around the limit, and all positives."""
    if not 0.0 < share <= 1.0:
        raise InvalidInput(f"a share of {share} is not above 0 and at most 1: choose, for example, 0.1")
    _, _, hits, misses = _from_the_top(outcomes)
    rows = np.concatenate(([0.0], hits + misses))
    found = np.concatenate(([0.0], hits))
    n = rows[-1]
    captured, low, high = np.interp([share * n, 0.75 * share * n, min(1.25 * share, 1.0) * n], rows, found)
    width = (min(1.25 * share, 1.0) - 0.75 * share) * n
    return float(captured), ratio(float(high - low), float(width)), float(found[-1])


def _lift_at_10_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    """By the delta method on the share of positives captured, with the limit itself estimated."""
    share = 0.1
    captured, rate, total = _captured(outcomes, share)
    n = outcomes.scored
    if not total:
        return NO_INTERVAL
    part = captured / total
    groups = (
        (captured, (1 - (1 - share) * rate - part) / total),  # positive, above the limit
        (share * n - captured, -(1 - share) * rate / total),  # negative, above
        (total - captured, (share * rate - part) / total),
        ((1 - share) * n - total + captured, share * rate / total),
    )
    variance = sum(count * derivative**2 for count, derivative in groups)
    lower, upper = logit_interval(part, variance, total, confidence)
    return Interval(lower / share, upper / share)


@performance_statistic(
    "lift_at_10",
    problem_types={"binary"},
    higher_is_better=True,
    reference="Ling and Li, Data mining for direct marketing, 1998",
    interval=_lift_at_10_interval,
)
def lift_at_10(outcomes: BinaryOutcomes) -> float:
    """How many times more positives the tenth of the rows with the highest scores holds."""
    return lift(outcomes, 0.1)
