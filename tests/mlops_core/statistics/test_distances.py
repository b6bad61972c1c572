"""Distances of a million rows, and the bounds of their errors, against scipy on the raw rows."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_core.slices import NumericCounts, NumericGrid
from mlops_core.statistics import (
    kolmogorov_smirnov,
    kolmogorov_smirnov_error_bound,
    wasserstein,
    wasserstein_error_bound,
    wasserstein_normalised,
)
from mlops_core.statistics.distances import population_deviation

HALF = 500_000
RNG = np.random.default_rng(7)

SHAPES = {
    "normal": lambda: RNG.normal(size=HALF),
    "log-normal": lambda: RNG.lognormal(3, 1, HALF),
    "Pareto": lambda: RNG.pareto(1.5, HALF),
    "Cauchy": lambda: RNG.standard_cauchy(HALF),
    "ties": lambda: np.round(RNG.lognormal(2, 1, HALF), 1),
    "nine zeros of ten": lambda: np.where(RNG.random(HALF) < 0.9, 0.0, RNG.pareto(1, HALF)),
    "integers": lambda: RNG.poisson(300, HALF).astype(float),
    "two far modes": lambda: RNG.normal(np.where(RNG.random(HALF) < 0.5, 0.0, 1e6), 1.0),
    "timestamps": lambda: 1.7e9 + 1e5 * RNG.random(HALF),
}
SHIFTS = {
    "drawn again": lambda rows: rows[RNG.integers(0, HALF, HALF)],
    "moved": lambda rows: rows + 0.1 * rows.std(),
    "wider": lambda rows: (rows - np.median(rows)) * 1.3 + np.median(rows),
}


def counted(values, grid) -> NumericCounts:
    """Count with numpy alone."""
    values = np.asarray(values, dtype=float)
    cells = np.searchsorted(grid.edges, values, side="right")
    return NumericCounts(
        len(values),
        0,
        0,
        0,
        0,
        float(values.sum()),
        float(np.square(values).sum()),
        float(values.min()),
        float(values.max()),
        np.bincount(cells, minlength=grid.n_cells).astype(np.int64),
        float(values[cells == 0].sum()),
        float(values[cells == grid.n_cells - 1].sum()),
    )


def check(reference, current, grid):
    """Both distances are within 0.005 of those of the rows, and within their bounds."""
    windows = counted(reference, grid), counted(current, grid), grid
    exact = stats.ks_2samp(reference, current, method="asymp").statistic
    error = abs(kolmogorov_smirnov(*windows) - exact)
    assert error <= kolmogorov_smirnov_error_bound(*windows) + 1e-12
    assert error <= 0.005
    distance, deviation = stats.wasserstein_distance(reference, current), reference.std()
    rounding = 1e-11 * max(np.abs(reference).max(), np.abs(current).max())
    error = abs(wasserstein(*windows) - distance)
    assert error <= wasserstein_error_bound(*windows) + rounding
    assert wasserstein_normalised(*windows) == pytest.approx(distance / deviation, rel=1e-6, abs=0.005)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_million_rows_have_the_distances_of_scipy(shape):
    reference = SHAPES[shape]()
    grid = NumericGrid.from_values(reference)
    for shift in SHIFTS.values():
        check(reference, shift(reference), grid)


@pytest.mark.parametrize("shape", ["normal", "Pareto", "nine zeros of ten"])
def test_a_window_beyond_the_reference_or_of_one_value_has_the_distances_of_scipy(shape):
    reference = SHAPES[shape]()
    grid = NumericGrid.from_values(reference)
    span = reference.max() - reference.min()
    check(reference, reference + 1.5 * span, grid)
    check(reference, -reference + reference.min() - span, grid)
    for share in (0.3, 0.99999):
        check(reference, np.full(1000, np.quantile(reference, share)), grid)


def test_the_bound_of_kolmogorov_smirnov_is_small_on_a_thousand_cells():
    reference = SHAPES["normal"]()
    grid = NumericGrid.from_values(reference)
    windows = counted(reference, grid), counted(reference * 1.1, grid), grid
    assert kolmogorov_smirnov_error_bound(*windows) < 0.0025


NUMBERS = st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float) | st.sampled_from([1e9, 1e9 + 1, -1e-9])
WINDOW = st.lists(NUMBERS, min_size=1, max_size=40)


def check_bounds(reference, current, grid, windows):
    found = kolmogorov_smirnov(*windows)
    exact = stats.ks_2samp(reference, current, method="asymp").statistic
    assert found <= exact + 1e-12
    assert exact <= found + kolmogorov_smirnov_error_bound(*windows) + 1e-12
    exact = stats.wasserstein_distance(reference, current)
    rounding = 1e-12 * max(map(abs, [*reference, *current]))
    assert abs(wasserstein(*windows) - exact) <= wasserstein_error_bound(*windows) + rounding


@given(WINDOW, WINDOW, st.lists(NUMBERS, max_size=10), st.integers(1, 8))
def test_the_bounds_hold_on_any_grid(reference, current, others, cells):
    for made_from in (reference, current, others):
        grid = NumericGrid.from_values(made_from, cells)
        check_bounds(reference, current, grid, (counted(reference, grid), counted(current, grid), grid))


@given(WINDOW, WINDOW, st.integers(1, 8))
def test_the_bounds_hold_for_slices_that_lack_the_sums_of_the_outer_cells(reference, current, cells):
    grid = NumericGrid.from_values(reference[: len(reference) // 2], cells)
    windows = [
        dataclasses.replace(counted(rows, grid), total_below=math.nan, total_above=math.nan)
        for rows in (reference, current)
    ]
    check_bounds(reference, current, grid, (*windows, grid))


@given(WINDOW, WINDOW)
def test_few_distinct_reference_values_leave_no_doubt_when_the_window_has_the_same(reference, current):
    current = [reference[place % len(reference)] for place, _ in enumerate(current)]
    grid = NumericGrid.from_values(reference)
    windows = counted(reference, grid), counted(current, grid), grid
    exact = stats.wasserstein_distance(reference, current)
    assert wasserstein(*windows) == pytest.approx(exact, abs=1e-12 * max(map(abs, reference)))
    assert kolmogorov_smirnov_error_bound(*windows) == 0.0


def test_windows_apart_in_one_outer_cell_are_told_apart_by_their_extremes():
    grid = NumericGrid.from_values([0.0, 1.0])
    windows = counted([5.0, 6.0], grid), counted([7.0, 9.0], grid), grid
    assert kolmogorov_smirnov(*windows) == 1.0
    assert wasserstein(*windows) == pytest.approx(2.5)


@pytest.mark.parametrize("size", [1e-300, 1e-5, 1.0, 1e200, 3e307])
def test_no_size_of_values_overflows(size):
    reference, current = np.array([-0.5, 0.1, 0.5]), np.array([0.2, 0.6, 1.0])
    grid = NumericGrid.from_values(reference * size)
    with np.errstate(over="ignore"):
        windows = counted(reference * size, grid), counted(current * size, grid), grid
    exact = stats.wasserstein_distance(reference, current)
    assert wasserstein(*windows) / size == pytest.approx(exact, rel=1e-6)
    assert wasserstein_normalised(*windows) == pytest.approx(exact / reference.std(), rel=1e-6)


def test_values_whose_sum_overflows_have_a_distance_within_its_bound():
    reference, current = np.array([-0.5, 0.1, 0.5]), np.array([0.2, 0.6, 1.0])
    grid = NumericGrid.from_values(reference * 1.7e308)
    with np.errstate(over="ignore"):
        windows = counted(reference * 1.7e308, grid), counted(current * 1.7e308, grid), grid
    exact = stats.wasserstein_distance(reference, current)
    bound = wasserstein_error_bound(*windows) / 1.7e308
    assert abs(wasserstein(*windows) / 1.7e308 - exact) <= bound < 0.3


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12])
def test_a_deviation_is_that_of_numpy_however_far_from_zero(offset):
    values = RNG.normal(size=50_000) + offset
    grid = NumericGrid.from_values(values)
    assert population_deviation(counted(values, grid), grid.edges) == pytest.approx(values.std(), rel=0.005)
