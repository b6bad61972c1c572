"""Significance from counts, against scipy on raw rows and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import CategoricalCounts, CategoricalGrid, NumericCounts, NumericGrid
from mlops_core.statistics.significance import FALSE_DISCOVERY_RATE, adjusted_p_values, shift_p_value
from tests.mlops_core.statistics.counting import categories, count, window


def numeric(values, grid):
    """Counts of finite values and NaN, straight from numpy."""
    known = values[~np.isnan(values)]
    missing = len(values) - len(known)
    cells = np.bincount(grid.cell_of(known), minlength=grid.n_cells)
    ends = (known.min(), known.max()) if len(known) else (math.inf, -math.inf)
    return NumericCounts(
        len(values), missing, 0, 0, 0, known.sum(), np.square(known).sum(), *ends, cells.astype(np.int64)
    )


def by_value(values, grid):
    found = dict(zip(*(part.tolist() for part in np.unique(values, return_counts=True)), strict=True))
    known = np.array([found.pop(category, 0) for category in grid.categories], np.int64)
    return CategoricalCounts(len(values), 0, known, found)


# ── the correction for many columns ──────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_are_those_of_scipy(p_values):
    assert adjusted_p_values(p_values) == pytest.approx(stats.false_discovery_control(p_values), abs=1e-12)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=40), st.floats(0.001, 0.5))
def test_those_at_most_q_are_what_stepping_up_by_hand_rejects(p_values, q):
    known = sorted(value for value in p_values if not math.isnan(value))
    passing = [p for rank, p in enumerate(known, 1) if p <= q * rank / len(known)]
    limit = max(passing, default=-1.0)
    for p, adjusted in zip(p_values, adjusted_p_values(p_values), strict=True):
        assert math.isnan(adjusted) == math.isnan(p)
        if not math.isnan(p) and abs(adjusted - q) > 1e-9:  # rounding decides on the border
            assert (adjusted <= q) == (p <= limit)


# ── one column ───────────────────────────────────────────────────────────────────────────────────


def test_categories_are_tested_as_scipy_tests_their_table():
    random = np.random.default_rng(1)
    grid = CategoricalGrid(("a", "b", "c"))
    first = random.choice(["a", "b", "c", "new", None], 900, p=[0.4, 0.3, 0.1, 0.1, 0.1]).tolist()
    second = random.choice(["a", "b", "c", "new", None], 500, p=[0.35, 0.3, 0.15, 0.1, 0.1]).tolist()
    table = [[rows.count(value) for value in ("a", "b", "c", "new", None)] for rows in (first, second)]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert shift_p_value(*categories(grid, first, second)) == pytest.approx(expected, rel=1e-9)


def test_rare_values_are_pooled_until_five_rows_are_expected():
    grid = CategoricalGrid(("often", "x", "y", "z"))
    first = ["often"] * 100 + ["x"] * 4 + ["y"] * 3 + ["z"] * 2
    second = ["often"] * 80 + ["x"] * 9 + ["y"] * 2 + ["strange"] * 8 + ["odd"]
    # expected in the smaller window: x 6.2, y 2.4, z 1.0, strange 3.8, odd 0.5; all but x together 7.7
    table = [[100, 4, 5], [80, 9, 11]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert shift_p_value(*categories(grid, first, second)) == pytest.approx(expected, rel=1e-9)


def test_numbers_are_tested_by_their_deciles_and_by_kolmogorov_smirnov():
    random = np.random.default_rng(2)
    first, second = random.normal(0, 1, 2000), random.normal(0.05, 1, 1500)
    edges = np.quantile(first, np.arange(1, 10) / 10)
    table = [np.bincount(np.searchsorted(edges, rows), minlength=10) for rows in (first, second)]
    by_bins = stats.chi2_contingency(table, correction=False).pvalue
    by_distance = stats.ks_2samp(first, second, method="asymp").pvalue
    expected = min(1.0, 2 * min(by_bins, by_distance))
    assert shift_p_value(*window(first, second)) == pytest.approx(expected, rel=0.25)


def test_a_shift_a_null_burst_and_infinities_are_each_seen():
    random = np.random.default_rng(3)
    first = random.normal(0, 1, 1000)
    calm = random.normal(0, 1, 1000)
    burst = np.where(random.random(1000) < 0.05, np.nan, calm)
    infinite = np.where(random.random(1000) < 0.05, np.inf, calm)
    assert shift_p_value(*window(first, calm)) > 0.01
    for moved in (calm + 0.4, burst, infinite):
        assert shift_p_value(*window(first, moved)) < 1e-5


def test_values_that_the_reference_does_not_know_are_seen():
    grid = CategoricalGrid(("a", "b"))
    first, second = ["a", "b"] * 500, ["a", "b"] * 480 + ["c"] * 40
    assert shift_p_value(*categories(grid, first, second)) < 1e-5


def test_identifiers_of_which_no_value_comes_twice_are_no_drift():
    grid = CategoricalGrid(tuple(f"id-{number}" for number in range(1000)))
    first, second = [f"id-{number}" for number in range(1000)], [f"other-{number}" for number in range(1000)]
    assert shift_p_value(*categories(grid, first, second)) == 1.0


def test_a_window_of_three_rows_tells_little_and_an_empty_one_nothing():
    grid = NumericGrid.from_values(np.arange(1000.0))
    reference = count(np.arange(1000.0), grid)
    assert shift_p_value(reference, count([1.0, 500.0, 900.0], grid), grid) > 0.5
    assert math.isnan(shift_p_value(reference, reference.empty(grid.n_cells), grid))
    nothing = count([None, None, None], grid)
    assert shift_p_value(reference, nothing, grid) == 1.0


def test_counts_of_another_grid_are_refused():
    reference, current, _ = window([1.0, 2.0], [1.0])
    for grid in (CategoricalGrid(("a",)), NumericGrid.uniform(0, 1, 7)):
        with pytest.raises(InvalidInput, match="not counted on this grid"):
            shift_p_value(reference, current, grid)


# ── false alarms ─────────────────────────────────────────────────────────────────────────────────

SHAPES = (
    lambda random, rows: random.normal(50, 15, rows),
    lambda random, rows: random.lognormal(3, 1, rows),
    lambda random, rows: random.poisson(3, rows).astype(float),
    lambda random, rows: np.where(random.random(rows) < 0.7, 0.0, random.pareto(2, rows)),
    lambda random, rows: np.where(random.random(rows) < 0.1, np.nan, random.integers(18, 90, rows)),
    lambda random, rows: random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
    lambda random, rows: random.zipf(1.5, rows).clip(max=10_000).astype(str),
)


def p_value_of_two_samples(random, shape, rows, later, shift=0.0):
    first, second = shape(random, rows), shape(random, later)
    if first.dtype.kind == "f":
        grid = NumericGrid.from_values(first)
        return shift_p_value(numeric(first, grid), numeric(second + shift, grid), grid)
    grid = CategoricalGrid.from_values(first.tolist())
    return shift_p_value(by_value(first, grid), by_value(second, grid), grid)


def any_alarm(random, columns, rows, later):
    found = [
        p_value_of_two_samples(random, SHAPES[place % len(SHAPES)], rows, later) for place in range(columns)
    ]
    return min(adjusted_p_values(found)) <= FALSE_DISCOVERY_RATE, min(found) <= FALSE_DISCOVERY_RATE


def test_two_hundred_columns_that_have_not_drifted_cry_wolf_in_at_most_one_of_twenty_runs():
    random = np.random.default_rng(4)
    runs = [any_alarm(random, 200, 900, 400) for _ in range(30)]
    corrected, naive = (sum(found) for found in zip(*runs, strict=True))
    assert corrected <= stats.binom.ppf(0.999, len(runs), FALSE_DISCOVERY_RATE)
    assert naive > 26  # without the correction nearly every run would have alarmed


def test_the_rate_is_nominal_and_not_zero_where_the_test_is_not_conservative():
    """Categories of a few values: no ties, no doubling."""
    random = np.random.default_rng(5)
    runs = 300
    alarms = 0
    for _ in range(runs):
        found = [p_value_of_two_samples(random, SHAPES[5], 900, 400) for _ in range(20)]
        alarms += min(adjusted_p_values(found)) <= FALSE_DISCOVERY_RATE
    low, high = stats.binom.ppf([0.0005, 0.9995], runs, FALSE_DISCOVERY_RATE)
    assert low <= alarms <= high


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_each_kind_of_column_keeps_to_its_level(shape):
    random = np.random.default_rng(6 + shape)
    found = np.array([p_value_of_two_samples(random, SHAPES[shape], 700, 500) for _ in range(200)])
    for level in (0.05, 0.2):
        assert (found <= level).sum() <= stats.binom.ppf(0.9995, len(found), level)


def test_one_drifted_column_among_two_hundred_is_found_and_no_other():
    random = np.random.default_rng(20)
    found = [
        p_value_of_two_samples(random, SHAPES[place % 5], 900, 400, shift=5.0 if place == 140 else 0.0)
        for place in range(200)
    ]
    adjusted = adjusted_p_values(found)
    assert [place for place, p in enumerate(adjusted) if p <= FALSE_DISCOVERY_RATE] == [140]
