"""Performance of predicted numbers, from sums of errors; nan when undefined or too large to compute with.

Intervals use the delta method on the means of each row's loss, from sums of their squares and products.
"""

import math
from typing import Final

from mlops_core.slices.regression_counts import RegressionOutcomes
from mlops_core.statistics.intervals import NO_INTERVAL, Interval, around
from mlops_core.statistics.performance_binary import ratio
from mlops_core.statistics.performance_scores import mean_interval
from mlops_core.statistics.registry import performance_statistic

__all__ = ["mae", "mape", "mean_error", "r_squared", "rmse"]

_FORECASTS: Final = "Hyndman and Koehler, Another look at measures of forecast accuracy, 2006"


def _mean(total: float, rows: int) -> float:
    value = ratio(total, rows)
    return value if math.isfinite(value) else math.nan


def _rmse_interval(outcomes: RegressionOutcomes, confidence: float) -> Interval:
    """Root of the limits of the mean squared error, which are symmetric in its logarithm."""
    rows = outcomes.rows
    if rows < 2:
        return NO_INTERVAL
    mean = _mean(outcomes.squared_error_sum, rows)
    if mean == 0.0:
        return Interval(0.0, 0.0)
    variance = (_mean(outcomes.fourth_error_sum, rows) / mean / mean - 1.0) / (rows - 1)
    lower, upper = around(math.log(mean), variance, confidence)
    return Interval(_exp(lower / 2), _exp(upper / 2))


@performance_statistic(
    "rmse",
    problem_types={"regression"},
    higher_is_better=False,
    reference=_FORECASTS,
    interval=_rmse_interval,
)
def rmse(outcomes: RegressionOutcomes) -> float:
    """Root of the mean squared error, in the unit of the outcome."""
    return math.sqrt(_mean(outcomes.squared_error_sum, outcomes.rows))


def _mae_interval(outcomes: RegressionOutcomes, confidence: float) -> Interval:
    return mean_interval(outcomes.absolute_error_sum, outcomes.squared_error_sum, outcomes.rows, confidence)


@performance_statistic(
    "mae",
    problem_types={"regression"},
    higher_is_better=False,
    reference=_FORECASTS,
    interval=_mae_interval,
)
def mae(outcomes: RegressionOutcomes) -> float:
    """Mean magnitude of the error, in the unit of the outcome."""
    return _mean(outcomes.absolute_error_sum, outcomes.rows)


def mean_error(outcomes: RegressionOutcomes) -> float:
    """Mean of prediction minus outcome: the bias; 0 is best, above 0 the model predicts too much."""
    return _mean(outcomes.error_sum, outcomes.rows)


def _mape_interval(outcomes: RegressionOutcomes, confidence: float) -> Interval:
    total, squares = outcomes.absolute_percentage_error_sum, outcomes.absolute_percentage_error_squared_sum
    return mean_interval(total, squares, outcomes.rows, confidence)


@performance_statistic(
    "mape",
    problem_types={"regression"},
    higher_is_better=False,
    reference=_FORECASTS,
    interval=_mape_interval,
)
def mape(outcomes: RegressionOutcomes) -> float:
    """Mean of the magnitude of the error over that of the outcome; 0.1 is ten per cent.

    An outcome of 0 makes it huge, as in scikit-learn.
    """
    return _mean(outcomes.absolute_percentage_error_sum, outcomes.rows)


def _r_squared_interval(outcomes: RegressionOutcomes, confidence: float) -> Interval:
    """Limits symmetric in the logarithm of 1 - R², the quotient of two means."""
    errors, spread, rows = outcomes.squared_error_sum, outcomes.deviation_squares, outcomes.rows
    if rows < 3 or not (0.0 < spread < math.inf and errors < math.inf):
        return NO_INTERVAL
    if errors == 0.0:
        return Interval(1.0, 1.0)
    variance = (
        outcomes.fourth_error_sum / errors / errors
        - 2 * outcomes.squared_error_deviation_squares / errors / spread
        + outcomes.deviation_fourths / spread / spread
    )
    lower, upper = around(math.log(errors / spread), variance, confidence)
    return Interval(1.0 - _exp(upper), 1.0 - _exp(lower))


@performance_statistic(
    "r_squared",
    problem_types={"regression"},
    higher_is_better=True,
    reference="Kvalseth, Cautionary note about R squared, 1985",
    interval=_r_squared_interval,
)
def r_squared(outcomes: RegressionOutcomes) -> float:
    """Share of the variance of the outcome that the predictions explain; nan when the outcome is constant.

    The variance comes from sums about the mean: some 10 digits are right even for outcomes of 1e9 ± 1. From
    slices of earlier releases it comes from the sum of squares, which needs a spread above 1e-6 of the mean.
    Deviations below 1e-12 of the mean outcome cannot be told from a constant.
    """
    if not outcomes.rows:
        return math.nan
    spread = outcomes.deviation_squares
    mean = outcomes.outcome_sum / outcomes.rows
    if math.isnan(spread):
        spread = outcomes.outcome_squared_sum - outcomes.outcome_sum * mean
    constant = not outcomes.rows * (1e-12 * abs(mean)) ** 2 < spread if math.isfinite(mean) else True
    if constant or not math.isfinite(spread):
        return math.nan
    value = 1.0 - outcomes.squared_error_sum / spread
    return value if math.isfinite(value) else math.nan


def _exp(value: float) -> float:
    return math.exp(value) if value < 709.0 else math.inf if value == value else math.nan
