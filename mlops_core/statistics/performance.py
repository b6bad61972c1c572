"""Performance statistics: how good predictions were, from merged outcomes.

All are nan when they are undefined, in particular when there are no rows.
"""

import math
from typing import Final

import numpy as np

from mlops_core.slices.outcome_counts import BinaryOutcomes, RegressionOutcomes
from mlops_core.statistics.registry import performance_statistic

__all__ = [
    "accuracy",
    "brier",
    "f1",
    "log_loss",
    "mae",
    "mape",
    "mean_error",
    "precision",
    "r_squared",
    "recall",
    "rmse",
    "roc_auc",
    "roc_auc_error_bound",
]

_CLASSIFICATION: Final = "ISO/IEC TS 4213, Assessment of machine learning classification performance, 2022"
_FORECASTS: Final = "Hyndman and Koehler, Another look at measures of forecast accuracy, 2006"


@performance_statistic("accuracy", problem_types={"binary"}, higher_is_better=True, reference=_CLASSIFICATION)
def accuracy(outcomes: BinaryOutcomes) -> float:
    """Share of rows whose decision was right."""
    return _ratio(outcomes.true_positives + outcomes.true_negatives, outcomes.rows)


@performance_statistic(
    "precision", problem_types={"binary"}, higher_is_better=True, reference=_CLASSIFICATION
)
def precision(outcomes: BinaryOutcomes) -> float:
    """Share of the predicted positives that were positive."""
    return _ratio(outcomes.true_positives, outcomes.true_positives + outcomes.false_positives)


@performance_statistic("recall", problem_types={"binary"}, higher_is_better=True, reference=_CLASSIFICATION)
def recall(outcomes: BinaryOutcomes) -> float:
    """Share of the positives that were predicted."""
    return _ratio(outcomes.true_positives, outcomes.true_positives + outcomes.false_negatives)


@performance_statistic("f1", problem_types={"binary"}, higher_is_better=True, reference=_CLASSIFICATION)
def f1(outcomes: BinaryOutcomes) -> float:
    """Harmonic mean of precision and recall."""
    wrong = outcomes.false_positives + outcomes.false_negatives
    return _ratio(2 * outcomes.true_positives, 2 * outcomes.true_positives + wrong)


@performance_statistic(
    "roc_auc",
    problem_types={"binary"},
    higher_is_better=True,
    reference="Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982",
)
def roc_auc(outcomes: BinaryOutcomes) -> float:
    """Probability that a positive scores above a negative; pairs within a score cell count half.

    nan unless both labels occur. The area over the rows differs by at most `roc_auc_error_bound`.
    """
    positives, negatives = outcomes.positives.astype(np.float64), outcomes.negatives.astype(np.float64)
    below = np.cumsum(negatives) - negatives / 2
    return _ratio(float(positives @ below), float(positives.sum() * negatives.sum()))


def roc_auc_error_bound(outcomes: BinaryOutcomes) -> float:
    """Return how far `roc_auc` can be from the area over the rows: half the share of pairs within a cell.

    Never more than half the share of the negatives (or of the positives) that the fullest cell holds.
    """
    positives, negatives = outcomes.positives.astype(np.float64), outcomes.negatives.astype(np.float64)
    return _ratio(float(positives @ negatives) / 2, float(positives.sum() * negatives.sum()))


@performance_statistic(
    "log_loss", problem_types={"binary"}, higher_is_better=False, reference="Good, Rational Decisions, 1952"
)
def log_loss(outcomes: BinaryOutcomes) -> float:
    """Mean of -ln of the probability given to the outcome (natural logarithm)."""
    return _ratio(outcomes.log_loss_sum, outcomes.rows)


@performance_statistic(
    "brier",
    problem_types={"binary"},
    higher_is_better=False,
    reference="Brier, Verification of forecasts expressed in terms of probability, 1950",
)
def brier(outcomes: BinaryOutcomes) -> float:
    """Mean squared difference of probability and outcome."""
    return _ratio(outcomes.brier_sum, outcomes.rows)


@performance_statistic("rmse", problem_types={"regression"}, higher_is_better=False, reference=_FORECASTS)
def rmse(outcomes: RegressionOutcomes) -> float:
    """Root of the mean squared error, in the unit of the outcome."""
    return math.sqrt(_ratio(outcomes.squared_error_sum, outcomes.rows))


@performance_statistic("mae", problem_types={"regression"}, higher_is_better=False, reference=_FORECASTS)
def mae(outcomes: RegressionOutcomes) -> float:
    """Mean magnitude of the error, in the unit of the outcome."""
    return _ratio(outcomes.absolute_error_sum, outcomes.rows)


def mean_error(outcomes: RegressionOutcomes) -> float:
    """Mean of prediction minus outcome: the bias; 0 is best, above 0 the model predicts too much."""
    return _ratio(outcomes.error_sum, outcomes.rows)


@performance_statistic("mape", problem_types={"regression"}, higher_is_better=False, reference=_FORECASTS)
def mape(outcomes: RegressionOutcomes) -> float:
    """Mean of the magnitude of the error over that of the outcome; 0.1 is ten per cent.

    An outcome of 0 makes it huge, as in scikit-learn.
    """
    return _ratio(outcomes.absolute_percentage_error_sum, outcomes.rows)


@performance_statistic(
    "r_squared",
    problem_types={"regression"},
    higher_is_better=True,
    reference="Kvalseth, Cautionary note about R squared, 1985",
)
def r_squared(outcomes: RegressionOutcomes) -> float:
    """Share of the variance of the outcome that the predictions explain; nan when the outcome is constant."""
    if not outcomes.rows:
        return math.nan
    spread = outcomes.outcome_squared_sum - outcomes.outcome_sum**2 / outcomes.rows
    return 1.0 - outcomes.squared_error_sum / spread if spread > 0 else math.nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
