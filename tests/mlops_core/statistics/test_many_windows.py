"""Statistics of many windows at once, against the same of one window after the other and against scipy."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from mlops_core.slices import CategoricalGrid, NumericGrid
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.statistics.many_windows import drift_of_pairs, drift_of_windows
from tests.mlops_core.statistics.counting import count

NUMBERS = st.one_of(
    st.floats(-3, 3, width=16), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 100.0, -100.0])
)
WINDOWS = st.lists(st.lists(NUMBERS, max_size=25), max_size=5)


def one_after_the_other(statistic, reference, windows, grid):
    values = [DRIFT_STATISTICS[statistic].compute(reference, one, grid) for one in windows]
    return [value if math.isfinite(value) else None for value in values]


@pytest.mark.parametrize("statistic", sorted(DRIFT_STATISTICS))
@given(st.lists(NUMBERS, min_size=1, max_size=40), WINDOWS, st.integers(1, 12))
def test_numbers_give_what_one_window_after_the_other_does(statistic, first, others, cells):
    if "numeric" not in DRIFT_STATISTICS[statistic].kinds:
        return
    grid = NumericGrid.from_values(first, cells)
    reference, windows = count(first, grid), [count(pa.array(rows, pa.float64()), grid) for rows in others]
    expected = one_after_the_other(statistic, reference, windows, grid)
    assert drift_of_windows(statistic, reference, windows, grid) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("statistic", sorted(DRIFT_STATISTICS))
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=30),
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=20), max_size=5),
)
def test_categories_give_what_one_window_after_the_other_does(statistic, first, others):
    if "categorical" not in DRIFT_STATISTICS[statistic].kinds:
        return
    grid = CategoricalGrid.from_values(first)
    reference, *windows = (count(pa.array(rows, pa.string()), grid) for rows in (first, *others))
    expected = one_after_the_other(statistic, reference, windows, grid)
    assert drift_of_windows(statistic, reference, windows, grid) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("statistic", sorted(DRIFT_STATISTICS))
@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.lists(NUMBERS, max_size=25)] * 2), min_size=1, max_size=5), st.integers(1, 40))
def test_each_pair_of_numbers_gives_what_it_does_alone(statistic, pairs, cells):
    if "numeric" not in DRIFT_STATISTICS[statistic].kinds:
        return
    grid = NumericGrid.from_values([0.0, *pairs[0][0]], cells)
    counted = [[count(pa.array(rows, pa.float64()), grid) for rows in pair] for pair in pairs]
    check_pairs(statistic, counted, grid)


@pytest.mark.parametrize("statistic", sorted(DRIFT_STATISTICS))
@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(*[st.lists(st.sampled_from(["a", "b", "d", None]), max_size=20)] * 2),
        min_size=1,
        max_size=5,
    )
)
def test_each_pair_of_categories_gives_what_it_does_alone(statistic, pairs):
    if "categorical" not in DRIFT_STATISTICS[statistic].kinds:
        return
    grid = CategoricalGrid(("a", "b"))
    counted = [[count(pa.array(rows, pa.string()), grid) for rows in pair] for pair in pairs]
    check_pairs(statistic, counted, grid)


def check_pairs(statistic, pairs, grid):
    expected = [
        one_after_the_other(statistic, first, [second], grid)[0] if first.rows and second.rows else None
        for first, second in pairs
    ]
    references, windows = zip(*pairs, strict=True)
    assert drift_of_pairs(statistic, references, windows, grid) == pytest.approx(expected, abs=1e-12)


def test_a_statistic_of_the_other_kind_has_no_value_for_any_pair():
    grid = NumericGrid.from_values([1.0, 2.0])
    reference = count([1.0, 2.0], grid)
    assert drift_of_pairs("chi_squared", [reference] * 2, [reference] * 2, grid) == [None] * 2
    assert drift_of_pairs("psi", [], [], grid) == []


def test_distances_are_those_of_scipy_on_rows():
    random = np.random.default_rng(1)
    first = np.round(random.normal(0, 1, 500), 1)
    others = [np.round(random.normal(shift, 1, 300), 1) for shift in (0.0, 0.5, 9.0)]
    grid = NumericGrid.from_values(first)
    reference, windows = count(first, grid), [count(rows, grid) for rows in others]
    found = drift_of_windows("kolmogorov_smirnov", reference, windows, grid)
    assert found == pytest.approx([stats.ks_2samp(first, rows).statistic for rows in others], abs=0.005)


def test_divergences_are_those_of_scipy_on_shares():
    first, others = ["a"] * 70 + ["b"] * 30, [["a"] * 30 + ["b"] * 20, ["b"] * 9 + ["a"]]
    grid = CategoricalGrid(("a", "b"))
    reference, *windows = (count(pa.array(rows), grid) for rows in (first, *others))
    found = drift_of_windows("jensen_shannon", reference, windows, grid)
    expected = [distance.jensenshannon([0.7, 0.3], q, base=2) for q in ([0.6, 0.4], [0.1, 0.9])]
    assert found == pytest.approx(expected)


def test_what_is_not_there_or_not_defined_has_no_value():
    grid = NumericGrid.from_values([1.0, 2.0])
    reference = count([1.0, 2.0], grid)
    windows = [None, reference, reference.empty(grid.n_cells)]
    assert drift_of_windows("psi", reference, windows, grid) == [None, 0.0, None]
    assert drift_of_windows("psi", reference, [], grid) == []
    assert drift_of_windows("chi_squared", reference, windows, grid) == [None] * 3
    assert drift_of_windows("psi", reference.empty(grid.n_cells), windows, grid) == [None] * 3
