"""Performance of several classes: means over the classes of what their counts say.

The classes are those that occurred or were predicted. As in scikit-learn with ``zero_division=0``, the
precision of a class that was never predicted is 0, and so is the recall of one that never occurred; balanced
accuracy leaves the latter out. ``weighted`` weighs a class by how often it occurred.

Intervals use the delta method on the multinomial distribution of the confusion matrix (Takahashi, Yamamoto,
Kuchiba and Koyama, Confidence interval for micro-averaged F1 and macro-averaged F1 scores, 2022).
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.outcome_counts import BinaryOutcomes, MulticlassOutcomes
from mlops_core.statistics.intervals import NO_INTERVAL, Interval, logit_interval, wilson
from mlops_core.statistics.performance_binary import CLASSIFICATION, ratio
from mlops_core.statistics.registry import performance_statistic

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "precision_weighted",
    "recall_macro",
    "recall_weighted",
]

_Floats = NDArray[np.float64]
_Measure: TypeAlias = Literal["precision", "recall", "f1"]
_Weights: TypeAlias = Literal["macro", "weighted", "occurring"]


def _right(outcomes: BinaryOutcomes | MulticlassOutcomes) -> int:
    if isinstance(outcomes, MulticlassOutcomes):
        return int(np.trace(outcomes.confusion))
    return outcomes.true_positives + outcomes.true_negatives


def _accuracy_interval(outcomes: BinaryOutcomes | MulticlassOutcomes, confidence: float) -> Interval:
    return wilson(_right(outcomes), outcomes.rows, confidence)


@performance_statistic(
    "accuracy",
    problem_types={"binary", "multiclass"},
    higher_is_better=True,
    reference=CLASSIFICATION,
    interval=_accuracy_interval,
)
def accuracy(outcomes: BinaryOutcomes | MulticlassOutcomes) -> float:
    """Share of rows whose decision was right."""
    return ratio(_right(outcomes), outcomes.rows)


def _average(outcomes: MulticlassOutcomes, measure: _Measure, weights: _Weights) -> tuple[float, float]:
    """Return the mean over the classes, and its variance by the delta method.

    A measure of class k is ``m C[k, k] / s``, where s adds up row k, column k or both (then m is 2). Its
    derivative by a count is ``-m C[k, k] / s²`` for each time that the count enters s, and ``m / s`` more on
    the diagonal; the weight of a class, when it depends on the counts of its row, adds to that row.
    """
    confusion = outcomes.confusion.astype(np.float64)
    n = confusion.sum()
    if not n:
        return ratio(0, 0), ratio(0, 0)
    right, occurred, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    by_row, by_column = measure != "precision", measure != "recall"
    size = by_row * occurred + by_column * predicted
    factor = 2.0 if by_row and by_column else 1.0
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    values = factor * right * inverse
    if weights == "weighted":
        weight = occurred / n
    else:
        counted = occurred > 0 if weights == "occurring" else np.ones(len(values), dtype=np.bool_)
        weight = counted / counted.sum()
    mean = float(weight @ values)
    slope = -weight * values * inverse
    rows = by_row * slope + ((values - mean) / n if weights == "weighted" else 0.0)
    derivative = rows[:, None] + (by_column * slope)[None, :]
    np.fill_diagonal(derivative, np.diag(derivative) + weight * factor * inverse)
    return mean, float(np.sum(confusion * np.square(derivative)))


def _mean_of(measure: _Measure, weights: _Weights) -> Callable[[MulticlassOutcomes], float]:
    return lambda outcomes: _average(outcomes, measure, weights)[0]


def _interval_of(measure: _Measure, weights: _Weights) -> Callable[[MulticlassOutcomes, float], Interval]:
    def interval(outcomes: MulticlassOutcomes, confidence: float) -> Interval:
        if not outcomes.rows:
            return NO_INTERVAL
        return logit_interval(*_average(outcomes, measure, weights), outcomes.rows, confidence)

    return interval


def _statistic(
    name: str, measure: _Measure, weights: _Weights, summary: str
) -> Callable[[MulticlassOutcomes], float]:
    function = _mean_of(measure, weights)
    function.__name__, function.__doc__ = name, summary
    return performance_statistic(
        name,
        problem_types={"multiclass"},
        higher_is_better=True,
        reference=_REFERENCE,
        interval=_interval_of(measure, weights),
    )(function)


_REFERENCE: Final = "Sokolova and Lapalme, A systematic analysis of performance measures, 2009"

balanced_accuracy = _statistic(
    "balanced_accuracy", "recall", "occurring", "Mean recall of the classes that occurred."
)
precision_macro = _statistic(
    "precision_macro",
    "precision",
    "macro",
    "Mean precision of the classes.",
)
recall_macro = _statistic("recall_macro", "recall", "macro", "Mean recall of the classes.")
f1_macro = _statistic("f1_macro", "f1", "macro", "Mean F1 of the classes.")
precision_weighted = _statistic(
    "precision_weighted",
    "precision",
    "weighted",
    "Mean precision of the classes, weighted by frequency.",
)
recall_weighted = _statistic(
    "recall_weighted",
    "recall",
    "weighted",
    "Mean recall of the classes, weighted by frequency.",
)
f1_weighted = _statistic("f1_weighted", "f1", "weighted", "Mean F1 of the classes, weighted by frequency.")
