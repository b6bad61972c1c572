import math

import numpy as np
import pytest
from scipy import stats
from sklearn import calibration

from mlops_core.domain.errors import InvalidInput
from mlops_core.statistics import calibration_curve, expected_calibration_error
from tests.mlops_core.statistics.counting import outcomes

RNG = np.random.default_rng(41)
SCORES = RNG.beta(0.8, 4, 30_000)
LABELS = (RNG.random(30_000) < SCORES**1.2).astype(int)
SUMS = outcomes(SCORES, LABELS)


@pytest.mark.parametrize(("strategy", "tolerance"), [("uniform", 1e-9), ("quantile", 0.01)])
def test_the_curve_is_that_of_scikit_learn(strategy, tolerance):
    shares, means = calibration.calibration_curve(LABELS, SCORES, n_bins=10, strategy=strategy)
    found = calibration_curve(SUMS, 10, strategy)
    assert [part.positive_share for part in found] == pytest.approx(shares, abs=tolerance)
    assert [part.mean_score for part in found] == pytest.approx(means, abs=tolerance + 0.0005)
    assert sum(part.rows for part in found) == len(SCORES)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_rows_of_a_bin_are_those_between_its_bounds(strategy):
    for part in calibration_curve(SUMS, 7, strategy):
        inside = (part.lower <= SCORES) & (part.upper > SCORES)
        assert part.rows == inside.sum()
        assert part.positive_share == pytest.approx(LABELS[inside].mean())
        expected = stats.binomtest(int(LABELS[inside].sum()), part.rows).proportion_ci(method="wilson")
        assert part.interval == pytest.approx((expected.low, expected.high))


def test_the_expected_calibration_error_is_that_of_the_rows():
    bins = np.minimum((SCORES * 10).astype(int), 9)
    expected = sum(
        (bins == place).mean() * abs(SCORES[bins == place].mean() - LABELS[bins == place].mean())
        for place in range(10)
        if (bins == place).any()
    )
    assert expected_calibration_error(SUMS, 10, "uniform") == pytest.approx(expected, abs=0.0005)
    assert math.isnan(expected_calibration_error(outcomes([1, 0], [1, 0], labels_only=True)))


def test_bins_that_make_no_sense_are_refused():
    with pytest.raises(InvalidInput, match="0 calibration bins"):
        calibration_curve(SUMS, 0)
    with pytest.raises(InvalidInput, match="strategy 'best' is unknown"):
        calibration_curve(SUMS, 10, "best")
