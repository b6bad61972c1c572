import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import CategoricalGrid, NumericGrid
from mlops_core.statistics import (
    binned_shares,
    category_shares,
    mean,
    null_share,
    quantile,
    standard_deviation,
)
from tests.mlops_core.statistics.counting import categories, count, window

RNG = np.random.default_rng(41)
VALUES = RNG.lognormal(3, 1, 20_000)
DASH = "\N{EN DASH}"


@pytest.mark.parametrize("q", [0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999, 1.0])
def test_a_quantile_is_that_of_the_rows(q):
    grid = NumericGrid.from_values(VALUES)
    found = quantile(count(VALUES, grid), grid, q)
    rank = np.searchsorted(np.sort(VALUES), found) / len(VALUES)
    assert rank == pytest.approx(q, abs=0.0005)
    assert found == pytest.approx(np.quantile(VALUES, q), rel=0.05)


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_latency_quantile_is_within_a_cell_of_that_of_the_rows(q):
    grid = NumericGrid.log_spaced(0.1, 60_000, cells=1000)
    latencies = RNG.lognormal(3, 0.8, 50_000)
    assert quantile(count(latencies, grid), grid, q) == pytest.approx(np.quantile(latencies, q), rel=0.014)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_never_leaves_the_values(values, q):
    grid = NumericGrid.uniform(-100, 100, 10)
    found = quantile(count(values, grid), grid, q)
    assert min(values) <= found <= max(values)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_of_few_distinct_values_is_one_of_them(values, q):
    grid = NumericGrid.from_values(values)
    found = quantile(count([float(value) for value in values], grid), grid, q)
    assert found in values
    below = sum(value < found for value in values)
    assert below - 1e-9 <= q * len(values) <= below + values.count(found) + 1e-9


def test_a_quantile_of_no_rows_is_nan_and_of_another_share_refused():
    grid = NumericGrid.from_values([1.0])
    assert math.isnan(quantile(count([], grid), grid, 0.5))
    for q in (-0.1, 1.1, math.nan):
        with pytest.raises(InvalidInput):
            quantile(count([1.0], grid), grid, q)


def test_mean_and_standard_deviation_are_those_of_numpy():
    grid = NumericGrid.from_values(VALUES)
    counts = count(pa.array([*VALUES.tolist(), None, math.nan, math.inf]), grid)
    assert mean(counts) == pytest.approx(VALUES.mean())
    assert standard_deviation(counts) == pytest.approx(VALUES.std(ddof=1))
    assert null_share(counts) == 2 / 20_003


def test_moments_of_too_few_rows_are_nan():
    grid = NumericGrid.from_values([1.0])
    assert math.isnan(mean(count([], grid)))
    assert math.isnan(null_share(count([], grid)))
    assert math.isnan(standard_deviation(count([1.0], grid)))
    assert standard_deviation(count([0.1] * 7, grid)) == pytest.approx(0.0, abs=1e-8)


def test_category_shares_name_the_unseen_and_the_missing():
    grid = CategoricalGrid(("b", "a"))
    counts = count(["a", "b", "b", "q", "p", "p", None, "a"], grid)
    assert category_shares(counts, grid) == {"b": 0.25, "a": 0.25, "p": 0.25, "q": 0.125, "(missing)": 0.125}
    assert list(category_shares(counts.capped(1), grid)) == ["b", "a", "p", "(other unseen)", "(missing)"]
    assert all(math.isnan(share) for share in category_shares(count([], grid), grid).values())


def test_binned_shares_are_those_of_raw_deciles():
    current = VALUES[:5000] * 1.5
    shares = binned_shares(*window(VALUES, current))
    edges = [-np.inf, *np.quantile(VALUES, np.arange(1, 10) / 10), np.inf]
    assert shares.reference == pytest.approx([0.1] * 10, abs=0.002)
    assert shares.current == pytest.approx(np.histogram(current, edges)[0] / 5000, abs=0.004)
    assert len(shares.labels) == len(set(shares.labels)) == 10


@pytest.mark.parametrize("spike", np.arange(0.05, 1.0, 0.1))
def test_a_spike_shares_its_bin_with_no_other_value(spike):
    values = np.concatenate((RNG.random(8500), np.full(1500, spike)))
    shares = binned_shares(*window(values, values))
    place = shares.labels.index(f"{spike:.2f}")
    assert shares.reference[place] == 0.15
    assert sum(shares.reference) == pytest.approx(1.0)


def test_labels_are_readable():
    reference = np.repeat([0.0] + [float(value) for value in range(1, 1001)], [1000] + [1] * 1000)
    shares = binned_shares(*window(reference, [None, -5.0, 5e9, math.inf]), bins=4)
    expected = ["< 0", "0", f"0{DASH}501", "\N{GREATER-THAN OR EQUAL TO} 501", "(missing)", "(infinite)"]
    assert list(shares.labels) == expected
    assert shares.reference == pytest.approx([0, 0.5, 0.25, 0.25, 0, 0])
    assert shares.current == (0.25, 0, 0, 0.25, 0.25, 0.25)


def test_labels_keep_close_bounds_apart_and_negative_ones_legible():
    close = 1_000_000 + RNG.random(5000)
    assert len(set(binned_shares(*window(close, close)).labels)) == 10
    negative = binned_shares(*window(-VALUES, -VALUES), bins=3)
    assert f" {DASH} -" in negative.labels[1]
    tiny = binned_shares(*window(VALUES * 1e-12, VALUES), bins=3)
    assert "e-11" in tiny.labels[1]


def test_a_window_without_rows_has_shares_of_nan():
    shares = binned_shares(*window(VALUES, []))
    assert all(math.isnan(share) for share in shares.current)
    assert sum(shares.reference) == pytest.approx(1.0)
    assert binned_shares(*window([], [])).labels == ()


def test_binned_categories_end_with_unseen_and_missing():
    shares = binned_shares(
        *categories(CategoricalGrid(("a", "b")), ["a", "a", "b", None], ["b", "q", "p", "a"])
    )
    assert shares.labels == ("a", "b", "(unseen)", "(missing)")
    assert shares.reference == (0.5, 0.25, 0.0, 0.25)
    assert shares.current == (0.25, 0.25, 0.5, 0.0)


def test_rare_categories_are_shown_together():
    names = [f"c{i}" for i in range(40)]
    grid = CategoricalGrid(tuple(names))
    shares = binned_shares(*categories(grid, names, names[:20]), most_categories=10)
    assert shares.labels == (*names[:10], "(other)")
    assert shares.reference[-1] == pytest.approx(0.75)
    assert shares.current[-1] == pytest.approx(0.5)


def test_a_chart_needs_at_least_one_bin():
    with pytest.raises(InvalidInput):
        binned_shares(*window([1.0], [1.0]), bins=0)
