import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import BinaryOutcomes, MulticlassOutcomes, RegressionOutcomes
from mlops_core.statistics import (
    PERFORMANCE_STATISTICS,
    average_precision,
    average_precision_error_bound,
    lift,
    mean_error,
    performance_undefined_reason,
    roc_auc,
    roc_auc_error_bound,
)
from tests.mlops_core.statistics.counting import outcomes

RNG = np.random.default_rng(31)
N = 20_000
LABELS = RNG.integers(0, 2, N)
SCORES = np.clip(RNG.normal(0.35 + 0.3 * LABELS, 0.2), 0, 1)
ACTUAL = RNG.normal(100, 20, N)
PREDICTED = ACTUAL + RNG.normal(2, 5, N)
NO_ROWS = {
    "binary": BinaryOutcomes(0, np.zeros(9, np.int64), np.zeros(9, np.int64), 0.0, 0.0, 0, 0, 0, 0),
    "multiclass": MulticlassOutcomes((), np.zeros((0, 0), np.int64)),
    "regression": RegressionOutcomes(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
}

BINARY = {
    "accuracy": lambda y, p: metrics.accuracy_score(y, p >= 0.5),
    "precision": lambda y, p: metrics.precision_score(y, p >= 0.5),
    "recall": lambda y, p: metrics.recall_score(y, p >= 0.5),
    "f1": lambda y, p: metrics.f1_score(y, p >= 0.5),
    "specificity": lambda y, p: metrics.recall_score(y, p >= 0.5, pos_label=0),
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


MILLION = np.random.default_rng(7)
_ODDS = MILLION.normal(-6.5, 1.2, 1_000_000)
_RARE = 1 / (1 + np.exp(-_ODDS))
_WIDE = MILLION.random(1_000_000)
HARD = {
    "rare": (_RARE, MILLION.random(1_000_000) < _RARE),
    "spread": (_WIDE, MILLION.random(1_000_000) < _WIDE),
    "rounded": (np.round(_WIDE, 2), MILLION.random(1_000_000) < _WIDE**2),
    "tied": (np.round(_WIDE, 1), MILLION.random(1_000_000) < _WIDE**2),
    "certain": (1 - _RARE, MILLION.random(1_000_000) >= _RARE),
    "constant": (np.full(1_000_000, 0.003), MILLION.random(1_000_000) < 0.003),
}


@pytest.mark.parametrize("name", HARD)
def test_both_areas_of_a_million_rows_are_within_a_thousandth_of_scikit_learn(name):
    scores, labels = HARD[name]
    sums = outcomes(scores, labels)
    exact = metrics.roc_auc_score(labels, scores), metrics.average_precision_score(labels, scores)
    assert roc_auc(sums) == pytest.approx(exact[0], abs=0.001)
    assert average_precision(sums) == pytest.approx(exact[1], abs=0.001)
    assert abs(roc_auc(sums) - exact[0]) <= roc_auc_error_bound(sums) + 1e-12
    assert abs(average_precision(sums) - exact[1]) <= average_precision_error_bound(sums) + 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2), st.integers(1, 30))
def test_both_areas_of_any_rows_are_within_their_bounds(rows, cells):
    scores, labels = np.array([score for score, _ in rows]), np.array([label for _, label in rows])
    sums = outcomes(scores, labels, score_cells=cells)
    if labels.any():
        exact = metrics.average_precision_score(labels, scores)
        assert abs(average_precision(sums) - exact) <= average_precision_error_bound(sums) + 1e-9
    if 0 < labels.sum() < len(labels):
        exact = metrics.roc_auc_score(labels, scores)
        assert abs(roc_auc(sums) - exact) <= roc_auc_error_bound(sums) + 1e-12


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_lift_is_that_of_the_sorted_rows(share):
    top = np.argsort(-SCORES, kind="stable")[: round(share * N)]
    assert lift(outcomes(SCORES, LABELS), share) == pytest.approx(
        LABELS[top].mean() / LABELS.mean(), rel=0.02
    )


def test_a_share_outside_its_range_is_refused():
    with pytest.raises(InvalidInput, match="share of 0 is not above 0"):
        lift(outcomes(SCORES, LABELS), 0)


def test_labels_without_scores_have_no_statistic_of_scores():
    label = (SCORES > 0.3).astype(int)
    sums = outcomes(label, LABELS, labels_only=True)
    assert PERFORMANCE_STATISTICS["f1"].compute(sums) == pytest.approx(metrics.f1_score(LABELS, label))
    for name in ("roc_auc", "average_precision", "log_loss", "brier", "lift_at_10"):
        assert math.isnan(PERFORMANCE_STATISTICS[name].compute(sums))
        assert performance_undefined_reason(name, sums) == "no score"


def test_the_reason_says_why_a_statistic_is_undefined():
    negative = outcomes([0.1, 0.2], [0, 0])
    assert performance_undefined_reason("roc_auc", negative) == "one class only"
    assert performance_undefined_reason("precision", negative) == "no predicted positive"
    assert performance_undefined_reason("brier", negative) is None
    assert performance_undefined_reason("rmse", negative) == "not defined for binary outcomes"
    assert performance_undefined_reason("rmse", None) == "no outcome yet"
    constant = outcomes([1.0, 2.0], [3.0, 3.0], "regression")
    assert performance_undefined_reason("r_squared", constant) == "the outcome is constant"
    huge = outcomes([1e300, -1e300], [-1e300, 1e300], "regression")
    assert performance_undefined_reason("rmse", huge) == "numbers too large"
    with pytest.raises(InvalidInput, match="there is no statistic 'luck'"):
        performance_undefined_reason("luck", negative)


@pytest.mark.parametrize("centre", [0.0, 1e9, -1e12])
def test_r_squared_is_right_far_from_zero_and_in_any_parts(centre):
    rng = np.random.default_rng(3)
    actual = centre + rng.normal(0, 1, 6000)
    predicted = actual + rng.normal(0, 0.5, 6000)
    whole = outcomes(predicted, actual, "regression")
    parts = [
        outcomes(p, a, "regression") for p, a in zip(np.split(predicted, 6), np.split(actual, 6), strict=True)
    ]
    expected = metrics.r2_score(actual, predicted)
    for sums in (whole, RegressionOutcomes.sum_of(parts)):
        assert PERFORMANCE_STATISTICS["r_squared"].compute(sums) == pytest.approx(expected, rel=1e-6)
