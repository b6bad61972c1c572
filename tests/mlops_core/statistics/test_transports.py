"""Wasserstein distances of many windows at once, against scipy on the rows and against one at a time."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_core.slices import NumericGrid
from mlops_core.statistics.distances import transport
from mlops_core.statistics.transports import transports
from tests.mlops_core.statistics.counting import count

ROWS = st.lists(
    st.one_of(st.floats(-1e12, 1e12), st.floats(-3, 3, width=16), st.integers(-4, 4).map(float)),
    min_size=1,
    max_size=30,
)


def one_by_one(reference, windows, grid):
    return [transport(reference, one, grid.edges).value for one in windows]


@given(ROWS, st.lists(ROWS, min_size=1, max_size=5), st.integers(1, 12), st.booleans())
def test_many_windows_have_the_distances_that_each_has_alone(first, others, cells, old):
    grid = NumericGrid.from_values(first, cells)
    reference, windows = count(first, grid), [count(rows, grid) for rows in others]
    if old:  # slices of an older release lack the sums of the outer cells
        windows[0] = replace(windows[0], total_below=math.nan, total_above=math.nan)
    largest = max(map(abs, (*first, *(value for rows in others for value in rows))))
    assert transports(reference, windows, grid.edges) == pytest.approx(
        one_by_one(reference, windows, grid), rel=1e-9, abs=1e-13 * largest
    )


def test_many_windows_have_the_distances_of_their_rows():
    rng = np.random.default_rng(5)
    first = np.round(rng.lognormal(2, 1, 20_000), 1)
    others = [np.round(rng.lognormal(2 + shift, 1, 3_000), 1) for shift in np.linspace(-1, 1, 80)]
    grid = NumericGrid.from_values(first)
    reference, windows = count(first, grid), [count(rows, grid) for rows in others]
    found = transports(reference, windows, grid.edges)
    for value, rows, window in zip(found, others, windows, strict=True):
        bound = transport(reference, window, grid.edges).error_bound
        assert bound < 0.02 * first.std()
        assert value == pytest.approx(stats.wasserstein_distance(first, rows), abs=bound + 1e-9)


@pytest.mark.parametrize("cells", [5, 40, 1_000])
def test_windows_that_begin_and_end_within_cells_have_the_distances_that_each_has_alone(cells):
    rng = np.random.default_rng(cells)
    for _ in range(20):
        first = rng.normal(0, 1, 2_000)
        others = [rng.normal(shift, 1, int(rng.integers(30, 900))) for shift in rng.normal(0, 0.2, 8)]
        if rng.random() < 0.5:
            others.append(np.round(others[0]))
        grid = NumericGrid.from_values(first, cells)
        reference, windows = count(first, grid), [count(rows, grid) for rows in others]
        assert transports(reference, windows, grid.edges) == pytest.approx(
            one_by_one(reference, windows, grid), rel=1e-9
        )


@pytest.mark.parametrize("scale", [1e-300, 1e200])
def test_numbers_of_any_size_and_a_grid_without_edges(scale):
    first, others = [0.0, scale, 2 * scale], [[scale], [0.0, 5 * scale], [-scale, scale]]
    for grid in (NumericGrid.from_values(first), NumericGrid(np.zeros(0))):
        reference, windows = count(first, grid), [count(rows, grid) for rows in others]
        assert transports(reference, windows, grid.edges) == pytest.approx(
            one_by_one(reference, windows, grid), rel=1e-9
        )
