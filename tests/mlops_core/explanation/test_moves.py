"""Which values moved, against a search over raw rows."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.explanation.moves import PartKind, moved_part
from mlops_core.slices import NumericGrid
from mlops_core.statistics.binning import bin_starts
from tests.mlops_core.explanation.rows import counted, grids_of

E = 0.01


def told(p, q):
    """What a part adds to the stability index; one that rose wins if it tells three quarters as much."""
    return (q - p) * math.log((q + E) / (p + E)) / (0.75 if q > p else 1)


def part_of(first, second):
    before, after = pd.DataFrame({"x": first}), pd.DataFrame({"x": second})
    grids = grids_of(before)
    counts = [counted(frame, grids).columns["x"] for frame in (before, after)]
    return moved_part(*counts, grids["x"]), counts, grids["x"]


@given(
    st.lists(st.integers(0, 12), min_size=5, max_size=60),
    st.lists(st.integers(-2, 15), min_size=1, max_size=60),
    st.integers(0, 10),
)
def test_the_part_of_a_number_is_the_run_of_bins_that_tells_most(first, second, missing):
    first, second = [float(x) for x in first], [float(x) for x in second] + [math.nan] * missing
    part, counts, grid = part_of(first, second)
    edges = [-math.inf, *grid.edges[bin_starts(counts[0], 20)[1:] - 1], math.inf]
    runs = {}
    for low in range(len(edges) - 1):
        for high in range(low + 1, len(edges)):
            p, q = (sum(edges[low] <= x < edges[high] for x in rows) / len(rows) for rows in (first, second))
            runs[edges[low], edges[high]] = told(p, q)
    best = max(runs.values())
    null = told(0.0, missing / len(second))
    if part is None:
        assert best == pytest.approx(0.0, abs=1e-9)
    elif part.kind == PartKind.MISSING:
        assert null >= best - 1e-9
    else:
        bounds = (
            grid.edges[part.first - 1] if part.first else -math.inf,
            grid.edges[part.end - 1] if part.end <= len(grid.edges) else math.inf,
        )
        assert runs[bounds] == pytest.approx(best, abs=1e-9)
        assert null <= best + 1e-9
        for rows, counts_of in zip((first, second), counts, strict=True):
            assert part.rows_in(counts_of) == sum(bounds[0] <= x < bounds[1] for x in rows)


@given(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=40),
    st.lists(st.sampled_from(["a", "b", "c", "new", "newer", None]), min_size=1, max_size=40),
)
def test_the_part_of_a_category_is_the_value_that_tells_most(first, second):
    part, counts, grid = part_of(first, pd.Series(second, dtype="str"))
    known = set(first)
    groups = {value: {value} for value in known} | {"unseen": {"new", "newer", "a", "b", "c"} - known}
    groups["missing"] = {None}
    shares = {
        name: tuple(sum(x in values for x in rows) / len(rows) for rows in (first, second))
        for name, values in groups.items()
    }
    best = max(told(p, q) for p, q in shares.values())
    if part is None:
        assert best == 0.0
        return
    name = grid.categories[part.first] if part.kind == PartKind.VALUE else str(part.kind)
    assert told(*shares[name]) == pytest.approx(best, abs=1e-12)
    assert [part.rows_in(one) for one in counts] == [
        sum(x in groups[name] for x in rows) for rows in (first, second)
    ]


def test_neighbouring_bins_that_rose_are_one_range():
    random = np.random.default_rng(2)
    first = random.uniform(0, 100, 5_000)
    second = np.concatenate((random.uniform(0, 100, 5_000), random.uniform(30, 60, 2_000)))
    part, _, grid = part_of(first, second)
    assert isinstance(grid, NumericGrid)
    assert part.kind == PartKind.RANGE
    assert grid.edges[part.first - 1] == pytest.approx(30, abs=1.5)
    assert grid.edges[part.end - 1] == pytest.approx(60, abs=1.5)


def test_nothing_has_moved_between_a_window_and_itself():
    for values in ([1.0, 2.0, None], ["a", "b", None]):
        assert part_of(values, values)[0] is None


def test_a_new_value_in_one_row_of_a_hundred_is_not_the_news_where_a_known_one_doubled():
    first = ["a"] * 800 + ["b"] * 200
    second = ["a"] * 590 + ["b"] * 400 + ["strange"] * 10
    part, _, grid = part_of(first, second)
    assert grid.categories[part.first] == "b"
