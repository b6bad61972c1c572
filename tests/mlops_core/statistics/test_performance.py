import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import BinaryOutcomes, RegressionOutcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS, mean_error, roc_auc, roc_auc_error_bound
from tests.mlops_core.statistics.counting import outcomes

RNG = np.random.default_rng(31)
N = 20_000
LABELS = RNG.integers(0, 2, N)
SCORES = np.clip(RNG.normal(0.35 + 0.3 * LABELS, 0.2), 0, 1)
ACTUAL = RNG.normal(100, 20, N)
PREDICTED = ACTUAL + RNG.normal(2, 5, N)
NO_ROWS = {
    "binary": BinaryOutcomes(0, np.zeros(9, np.int64), np.zeros(9, np.int64), 0.0, 0.0, 0, 0, 0, 0),
    "regression": RegressionOutcomes(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
}

BINARY = {
    "accuracy": lambda y, p: metrics.accuracy_score(y, p >= 0.5),
    "precision": lambda y, p: metrics.precision_score(y, p >= 0.5),
    "recall": lambda y, p: metrics.recall_score(y, p >= 0.5),
    "f1": lambda y, p: metrics.f1_score(y, p >= 0.5),
    "log_loss": lambda y, p: metrics.log_loss(y, p),
    "brier": metrics.brier_score_loss,
}
REGRESSION = {
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "mape": metrics.mean_absolute_percentage_error,
    "r_squared": metrics.r2_score,
}


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_statistic_is_that_of_scikit_learn(name):
    found = PERFORMANCE_STATISTICS[name].compute(outcomes(SCORES, LABELS))
    assert found == pytest.approx(BINARY[name](LABELS, SCORES), rel=1e-9)


@pytest.mark.parametrize("name", REGRESSION)
def test_a_regression_statistic_is_that_of_scikit_learn(name):
    found = PERFORMANCE_STATISTICS[name].compute(outcomes(PREDICTED, ACTUAL, "regression"))
    assert found == pytest.approx(REGRESSION[name](ACTUAL, PREDICTED), rel=1e-9)


def test_the_mean_error_is_the_bias():
    found = mean_error(outcomes(PREDICTED, ACTUAL, "regression"))
    assert found == pytest.approx((PREDICTED - ACTUAL).mean())


@pytest.mark.parametrize("cells", [1, 10, 1000])
@pytest.mark.parametrize("scores", [SCORES, np.round(SCORES, 1), SCORES**6])
def test_the_area_under_the_curve_is_that_of_scikit_learn_within_its_bound(cells, scores):
    sums = outcomes(scores, LABELS, score_cells=cells)
    exact = metrics.roc_auc_score(LABELS, scores)
    assert abs(roc_auc(sums) - exact) <= roc_auc_error_bound(sums) + 1e-12


def test_the_bound_of_the_area_is_small_on_a_thousand_cells():
    assert roc_auc_error_bound(outcomes(SCORES, LABELS)) < 0.01


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=2))
def test_the_area_is_exact_when_equal_scores_alone_share_a_cell(rows):
    scores, labels = (
        np.array([score for score, _ in rows]) / 10 + 0.05,
        np.array([label for _, label in rows]),
    )
    found = roc_auc(outcomes(scores, labels, score_cells=10))
    if labels.min() == labels.max():
        assert math.isnan(found)
    else:
        assert found == pytest.approx(metrics.roc_auc_score(labels, scores))


@pytest.mark.parametrize("name", PERFORMANCE_STATISTICS)
def test_every_statistic_is_nan_without_rows(name):
    statistic = PERFORMANCE_STATISTICS[name]
    for problem_type in statistic.problem_types:
        assert math.isnan(statistic.compute(NO_ROWS[problem_type]))


def test_what_divides_by_nothing_is_nan():
    never_positive = outcomes([0.1, 0.2], [0, 0])
    for name in ("precision", "recall", "f1", "roc_auc"):
        assert math.isnan(PERFORMANCE_STATISTICS[name].compute(never_positive))
    assert math.isnan(roc_auc_error_bound(never_positive))
    constant = outcomes([1.0, 2.0], [3.0, 3.0], "regression")
    assert math.isnan(PERFORMANCE_STATISTICS["r_squared"].compute(constant))


def test_a_statistic_of_another_problem_type_is_refused():
    with pytest.raises(InvalidInput, match="rmse is not defined for binary outcomes: choose one of accuracy"):
        PERFORMANCE_STATISTICS["rmse"].compute(NO_ROWS["binary"])
