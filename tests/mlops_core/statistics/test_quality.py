import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import CategoricalGrid, NumericGrid
from mlops_core.statistics import (
    QUALITY_STATISTICS,
    missing_categories,
    out_of_range_is_exact,
    out_of_range_share,
    unseen_categories,
    unseen_share,
)
from tests.mlops_core.statistics.counting import categories, count, window

CELLS = st.floats() | st.integers(-3, 3).map(float) | st.none()
ROWS = st.lists(CELLS, min_size=1, max_size=40)
GRID = CategoricalGrid(("a", "b", "c"))
VALUES = st.lists(st.sampled_from(["a", "b", "c", "p", "q", None]), min_size=1, max_size=40)


def numeric(reference, current, cells=1000, made_from=None):
    arrays = [np.array(rows, dtype=float) for rows in (reference, current)]
    grid = NumericGrid.from_values(arrays[0] if made_from is None else made_from, cells)
    return *(count(array, grid) for array in arrays), grid


def is_value(cell):
    return cell is not None and not math.isnan(cell)


def outside_of(reference, current):
    held = [cell for cell in reference if is_value(cell)]
    if not held:
        return math.nan
    outside = [cell for cell in current if is_value(cell) and not min(held) <= cell <= max(held)]
    return len(outside) / len(current)


@given(ROWS, ROWS)
def test_missing_and_infinite_shares_are_those_of_the_rows(reference, current):
    counted = numeric(reference, current)
    nulls = sum(not is_value(cell) for cell in current)
    infinite = sum(is_value(cell) and math.isinf(cell) for cell in current)
    assert QUALITY_STATISTICS["null_share"].compute(*counted) == nulls / len(current)
    assert QUALITY_STATISTICS["infinite_share"].compute(*counted) == infinite / len(current)


@given(ROWS, ROWS, st.integers(1, 5) | st.just(1000))
def test_the_share_out_of_range_is_exact_on_the_grid_of_the_reference(reference, current, cells):
    counted = numeric(reference, current, cells)
    assert out_of_range_is_exact(*counted)
    assert out_of_range_share(*counted) == pytest.approx(outside_of(reference, current), nan_ok=True)


@given(ROWS, ROWS, st.lists(st.floats(-9, 9), max_size=9), st.integers(1, 5))
def test_the_share_out_of_range_is_never_too_large_on_another_grid(reference, current, made_from, cells):
    counted = numeric(reference, current, cells, made_from)
    found, exact = out_of_range_share(*counted), outside_of(reference, current)
    assert math.isnan(found) == math.isnan(exact)
    assert not found > exact + 1e-12
    if out_of_range_is_exact(*counted):
        assert found == pytest.approx(exact, nan_ok=True)


@given(VALUES, VALUES)
def test_unseen_and_missing_categories_are_those_of_the_rows(reference, current):
    counted = categories(GRID, reference, current)
    known = {*GRID.categories, *reference}
    unseen = [value for value in current if value is not None and value not in known]
    assert unseen_share(*counted) == len(unseen) / len(current)
    assert unseen_categories(*counted) == {value: unseen.count(value) for value in unseen}
    gone = missing_categories(*counted)
    assert set(gone) == {value for value in reference if value is not None} - set(current)
    assert [reference.count(value) for value in gone] == sorted(map(reference.count, gone), reverse=True)


def test_unseen_values_are_listed_by_frequency_and_add_up_when_some_are_no_longer_named():
    reference, current, _ = categories(GRID, ["a", "z"], ["p", "q", "q", "r", "a"])
    found = unseen_categories(reference, current, GRID)
    assert list(found.items()) == [("q", 2), ("p", 1), ("r", 1)]
    capped = current.capped(1)
    assert unseen_categories(reference, capped, GRID) == {"q": 2, "(other unseen)": 2}
    assert unseen_share(reference, capped, GRID) == unseen_share(reference, current, GRID) == 0.8
    assert missing_categories(reference, current, GRID) == ["z"]
    assert missing_categories(reference, capped, GRID) == []


@pytest.mark.parametrize("name", QUALITY_STATISTICS)
def test_every_share_is_nan_for_a_window_without_rows(name):
    statistic = QUALITY_STATISTICS[name]
    for kind in statistic.kinds:
        grid = NumericGrid.from_values([1.0, 2.0]) if kind == "numeric" else GRID
        full, empty = count([1.0, 2.0] if kind == "numeric" else ["a"], grid), count([], grid)
        assert math.isnan(statistic.compute(full, empty, grid))
        assert statistic.compute(full, full, grid) == 0.0


def test_a_share_of_the_wrong_kind_is_refused():
    numbers, text = window([1.0], [2.0]), categories(GRID, ["a"], ["b"])
    with pytest.raises(InvalidInput, match="unseen_share is not defined for a numeric column: choose one of"):
        QUALITY_STATISTICS["unseen_share"].compute(*numbers)
    for function, counted in (
        (out_of_range_share, text),
        (unseen_share, numbers),
        (missing_categories, numbers),
    ):
        with pytest.raises(InvalidInput):
            function(*counted)
