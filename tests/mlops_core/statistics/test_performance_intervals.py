import math

import numpy as np
import pytest
from scipy import stats

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import BinaryOutcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS
from tests.mlops_core.statistics.counting import outcomes

REPEATS = 600


def binary_rows(rng, n):
    scores = rng.beta(1.2, 2.5, n)
    return scores, rng.random(n) < scores


def multiclass_rows(rng, n):
    actual = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return np.where(rng.random(n) < 0.6, actual, rng.choice(3, n, p=[0.4, 0.4, 0.2])), actual


def regression_rows(rng, n):
    actual = rng.normal(50, 10, n)
    return actual + rng.normal(1, 5, n), actual


MAKERS = {"binary": binary_rows, "multiclass": multiclass_rows, "regression": regression_rows}
CASES = [
    (kind, name) for name, found in PERFORMANCE_STATISTICS.items() for kind in sorted(found.problem_types)
]


@pytest.fixture(scope="module", params=[500, 5000])
def samples(request):
    """Outcomes of many samples of a size, and of one so large that its statistics are the truth."""
    rng = np.random.default_rng(request.param)
    repeats = REPEATS if request.param == 500 else REPEATS // 2
    return {
        kind: (
            [outcomes(*maker(rng, request.param), kind) for _ in range(repeats)],
            outcomes(*maker(rng, 1_000_000), kind),
        )
        for kind, maker in MAKERS.items()
    }


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_an_interval_of_95_per_cent_covers_the_truth_in_about_95_per_cent_of_samples(kind, name, samples):
    statistic, (drawn, population) = PERFORMANCE_STATISTICS[name], samples[kind]
    truth = statistic.compute(population)
    limits = [statistic.interval(sample) for sample in drawn]
    covered = np.mean([lower <= truth <= upper for lower, upper in limits])
    assert 0.92 <= covered <= 0.98


def test_proportions_have_the_interval_of_wilson_as_in_scipy():
    sums = BinaryOutcomes(100, np.zeros(9, np.int64), np.zeros(9, np.int64), 0.0, 0.0, 30, 10, 55, 5)
    for name, (part, whole) in {
        "accuracy": (85, 100),
        "precision": (30, 40),
        "recall": (30, 35),
        "specificity": (55, 65),
    }.items():
        for confidence in (0.8, 0.95):
            expected = stats.binomtest(part, whole).proportion_ci(confidence, method="wilson")
            found = PERFORMANCE_STATISTICS[name].interval(sums, confidence)
            assert found == pytest.approx((expected.low, expected.high))


def test_the_interval_of_the_area_has_the_variance_of_delong():
    rng = np.random.default_rng(2)
    scores, labels = binary_rows(rng, 400)
    scores = np.round(scores, 2)
    high, low = scores[labels], scores[~labels]
    wins = (high[:, None] > low[None, :]) + 0.5 * (high[:, None] == low[None, :])
    variance = wins.mean(axis=1).var(ddof=1) / len(high) + wins.mean(axis=0).var(ddof=1) / len(low)
    area = wins.mean()
    reach = stats.norm.ppf(0.975) * math.sqrt(variance) / (area * (1 - area))
    expected = 1 / (1 + np.exp(-(math.log(area / (1 - area)) + np.array([-reach, reach]))))
    found = PERFORMANCE_STATISTICS["roc_auc"].interval(outcomes(scores, labels))
    assert found == pytest.approx(tuple(expected))


def test_the_mean_of_a_loss_has_the_interval_of_its_standard_error():
    rng = np.random.default_rng(4)
    predicted, actual = regression_rows(rng, 300)
    losses = np.abs(predicted - actual)
    expected = stats.norm.interval(0.95, losses.mean(), stats.sem(losses))
    assert PERFORMANCE_STATISTICS["mae"].interval(outcomes(predicted, actual, "regression")) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_an_interval_is_about_that_of_a_bootstrap_of_the_rows(kind, name):
    rng = np.random.default_rng(11)
    predicted, actual = MAKERS[kind](rng, 2000)
    statistic, again = PERFORMANCE_STATISTICS[name], []
    for _ in range(200):
        rows = rng.integers(0, 2000, 2000)
        again.append(statistic.compute(outcomes(predicted[rows], actual[rows], kind)))
    lower, upper = statistic.interval(outcomes(predicted, actual, kind))
    assert upper - lower == pytest.approx(2 * 1.96 * np.std(again), rel=0.25)
    assert lower < statistic.compute(outcomes(predicted, actual, kind)) < upper


def test_a_perfect_model_has_an_interval_below_one():
    sums = outcomes([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    for name in ("roc_auc", "average_precision", "accuracy", "f1"):
        lower, upper = PERFORMANCE_STATISTICS[name].interval(sums)
        assert 0 < lower < 1 == pytest.approx(upper)


def test_a_confidence_outside_its_range_is_refused():
    with pytest.raises(InvalidInput, match=r"confidence of 95 is not between 0 and 1"):
        PERFORMANCE_STATISTICS["accuracy"].interval(outcomes([0.1], [0]), 95)
