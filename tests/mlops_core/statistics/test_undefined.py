import math

import pytest

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import CategoricalGrid, NumericGrid
from mlops_core.statistics import DRIFT_STATISTICS, undefined_reason
from tests.mlops_core.statistics.counting import categories, count, window

NUMERIC = [name for name, statistic in DRIFT_STATISTICS.items() if "numeric" in statistic.kinds]
DISTANCES = ["kolmogorov_smirnov", "kolmogorov_smirnov_p_value", "wasserstein", "wasserstein_normalised"]


@pytest.mark.parametrize("name", NUMERIC)
def test_an_empty_window_is_named(name):
    grid = NumericGrid.from_values([1.0, 2.0])
    full, empty = count([1.0, 2.0], grid), count([], grid)
    assert undefined_reason(name, full, empty, grid) == "no row in the current window"
    assert undefined_reason(name, empty, full, grid) == "no row in the reference"
    assert undefined_reason(name, full, full, grid) is None


@pytest.mark.parametrize("name", DISTANCES)
def test_a_window_of_nulls_is_named_and_its_distance_is_nan(name):
    nulls = window([1.0, 2.0], [None, math.nan])
    assert math.isnan(DRIFT_STATISTICS[name].compute(*nulls))
    assert undefined_reason(name, *nulls) == "no value in the current window"
    assert undefined_reason(name, nulls[1], nulls[0], nulls[2]) == "no value in the reference"


def test_a_window_of_nulls_has_drifted_by_the_bins():
    nulls = window([1.0, 2.0], [None, math.nan])
    for name in ("psi", "jensen_shannon", "hellinger"):
        assert undefined_reason(name, *nulls) is None
    assert DRIFT_STATISTICS["hellinger"].compute(*nulls) == pytest.approx(1.0)


def test_infinities_alone_have_no_mean_distance():
    infinite = window([1.0, 2.0], [math.inf])
    assert undefined_reason("wasserstein", *infinite) == "no finite value in the current window"
    assert undefined_reason("kolmogorov_smirnov", *infinite) is None


def test_a_constant_reference_is_named():
    assert undefined_reason("wasserstein_normalised", *window([2.0], [3.0])) == "the reference is constant"
    assert undefined_reason("wasserstein_normalised", *window([2.0], [2.0])) is None


def test_a_statistic_of_another_kind_is_named_and_an_unknown_one_refused():
    text = categories(CategoricalGrid(("a",)), ["a"], ["a"])
    assert undefined_reason("wasserstein", *text) == "not defined for a categorical column"
    with pytest.raises(InvalidInput, match="there is no statistic 'mine': choose from psi"):
        undefined_reason("mine", *text)
