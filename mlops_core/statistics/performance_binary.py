"""Performance of decisions: what the counts of right and wrong labels say.

All are nan when they divide by nothing, in particular when there are no rows.
"""

import math
from typing import Final

from mlops_core.slices.outcome_counts import BinaryOutcomes
from mlops_core.statistics.intervals import NO_INTERVAL, Interval, wilson
from mlops_core.statistics.registry import performance_statistic

__all__ = ["CLASSIFICATION", "f1", "precision", "ratio", "recall", "specificity"]

CLASSIFICATION: Final = "ISO/IEC TS 4213, Assessment of machine learning classification performance, 2022"


def ratio(part: float, whole: float) -> float:
    """Return the quotient, nan when it divides by nothing."""
    return part / whole if whole else math.nan


def _precision_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    found = outcomes.true_positives
    return wilson(found, found + outcomes.false_positives, confidence)


def _recall_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    found = outcomes.true_positives
    return wilson(found, found + outcomes.false_negatives, confidence)


def _specificity_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    found = outcomes.true_negatives
    return wilson(found, found + outcomes.false_positives, confidence)


def _f1_interval(outcomes: BinaryOutcomes, confidence: float) -> Interval:
    """Wilson's for the true positives among all rows but the true negatives, j; F1 is 2 j / (1 + j)."""
    involved = outcomes.true_positives + outcomes.false_positives + outcomes.false_negatives
    if not involved:
        return NO_INTERVAL
    lower, upper = wilson(outcomes.true_positives, involved, confidence)
    return Interval(2 * lower / (1 + lower), 2 * upper / (1 + upper))


@performance_statistic(
    "precision",
    problem_types={"binary"},
    higher_is_better=True,
    reference=CLASSIFICATION,
    interval=_precision_interval,
)
def precision(outcomes: BinaryOutcomes) -> float:
    """Share of the predicted positives that were positive."""
    return ratio(outcomes.true_positives, outcomes.true_positives + outcomes.false_positives)


@performance_statistic(
    "recall",
    problem_types={"binary"},
    higher_is_better=True,
    reference=CLASSIFICATION,
    interval=_recall_interval,
)
def recall(outcomes: BinaryOutcomes) -> float:
    """Share of the positives that were predicted."""
    return ratio(outcomes.true_positives, outcomes.true_positives + outcomes.false_negatives)


@performance_statistic(
    "f1", problem_types={"binary"}, higher_is_better=True, reference=CLASSIFICATION, interval=_f1_interval
)
def f1(outcomes: BinaryOutcomes) -> float:
    """Harmonic mean of precision and recall."""
    wrong = outcomes.false_positives + outcomes.false_negatives
    return ratio(2 * outcomes.true_positives, 2 * outcomes.true_positives + wrong)


@performance_statistic(
    "specificity",
    problem_types={"binary"},
    higher_is_better=True,
    reference=CLASSIFICATION,
    interval=_specificity_interval,
)
def specificity(outcomes: BinaryOutcomes) -> float:
    """Share of the negatives that were predicted as such."""
    return ratio(outcomes.true_negatives, outcomes.true_negatives + outcomes.false_positives)
