import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from mlops_core.analysis.delong import delong, placements
from mlops_core.analysis.paired_bootstrap import Part, paired_bootstrap
from mlops_core.analysis.paired_metrics import Answers, PairedRows
from mlops_core.domain.errors import InvalidInput

SCORES = st.integers(0, 5).map(float)
CASES = st.lists(st.tuples(st.booleans(), SCORES, SCORES), min_size=4, max_size=40).filter(
    lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2
)


def kernel(positives, negatives):
    """The matrix of DeLong's psi, pair by pair."""
    return np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in negatives] for x in positives])


def columns(cases):
    positive, first, second = zip(*cases, strict=True)
    return np.array(positive), np.array(first), np.array(second)


@given(CASES)
def test_placements_equal_those_counted_pair_by_pair(cases):
    positive, scores, _ = columns(cases)
    pairs = kernel(scores[positive], scores[~positive])
    beaten, losing = placements(scores, positive)
    np.testing.assert_allclose(beaten, pairs.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(losing, pairs.mean(axis=0), atol=1e-12)


@given(CASES)
def test_areas_equal_scikit_learn_and_the_error_the_covariance_of_all_pairs(cases):
    positive, first, second = columns(cases)
    found = delong(positive, first, second)
    assert found.challenger == pytest.approx(roc_auc_score(positive, first))
    assert found.champion == pytest.approx(roc_auc_score(positive, second))
    psi = [kernel(scores[positive], scores[~positive]) for scores in (first, second)]
    by_positive = np.cov([one.mean(axis=1) for one in psi])
    by_negative = np.cov([one.mean(axis=0) for one in psi])
    covariance = by_positive / positive.sum() + by_negative / (~positive).sum()
    contrast = np.array([1.0, -1.0])
    assert found.standard_error**2 == pytest.approx(contrast @ covariance @ contrast, abs=1e-12)


def test_the_error_agrees_with_the_paired_bootstrap_of_rows():
    random = np.random.default_rng(5)
    positive = random.random(1_500) < 0.2
    signal = random.normal(size=1_500) + positive
    first = np.round(signal + random.normal(size=1_500), 1)
    second = signal + 1.5 * random.normal(size=1_500)
    rows = PairedRows(
        "binary",
        positive.astype(float),
        Answers(np.zeros(1_500, np.int64), first),
        Answers(np.zeros(1_500, np.int64), second),
        2,
    )
    drawn = paired_bootstrap(rows, [Part(["roc_auc"])])[0]["roc_auc"]
    assert delong(positive, first, second).standard_error == pytest.approx(drawn.standard_error, rel=0.08)
    found = delong(positive, first, second)
    lower, upper = drawn.interval()
    assert found.difference - 1.96 * found.standard_error == pytest.approx(lower, abs=0.004)
    assert found.difference + 1.96 * found.standard_error == pytest.approx(upper, abs=0.004)


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    random = np.random.default_rng(11)
    truth = stats.norm.cdf(1.2 / math.sqrt(2)) - stats.norm.cdf(0.9 / math.sqrt(2))
    times, held = 600, 0
    positive = np.arange(240) < 80
    for _ in range(times):
        shared = random.normal(size=240)
        first = 0.6 * shared + 0.8 * random.normal(size=240) + 1.2 * positive
        second = 0.6 * shared + 0.8 * random.normal(size=240) + 0.9 * positive
        found = delong(positive, first, second)
        held += abs(found.difference - truth) <= 1.959964 * found.standard_error
    assert stats.binom.ppf(0.001, times, 0.95) <= held <= stats.binom.ppf(0.999, times, 0.95)


def test_scores_of_the_same_order_do_not_differ_at_all():
    random = np.random.default_rng(2)
    positive, scores = random.random(300) < 0.3, random.random(300)
    found = delong(positive, scores, scores**3)
    assert (found.difference, found.standard_error) == (0.0, 0.0)


def test_one_outcome_alone_has_no_area_and_one_positive_no_error():
    scores = np.array([0.1, 0.4, 0.3])
    assert math.isnan(delong(np.array([True, True, True]), scores, scores).difference)
    lonely = delong(np.array([False, True, False]), scores, scores[::-1].copy())
    assert lonely.challenger == 1.0
    assert math.isnan(lonely.standard_error)


def test_scores_of_other_rows_are_refused():
    with pytest.raises(InvalidInput, match="3 outcomes cannot be paired with 3 and 2 scores"):
        delong(np.array([True, False, True]), np.zeros(3), np.zeros(2))
