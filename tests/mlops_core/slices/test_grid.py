import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices import MOST_CATEGORIES, CategoricalGrid, NumericGrid, grids_from_table
from mlops_core.slices.cell_index import CellIndex, Scratch

RNG = np.random.default_rng(11)
N = 60_000
SHAPES = {
    "normal": RNG.normal(size=N),
    "log-normal": RNG.lognormal(3, 2, N),
    "Pareto": RNG.pareto(0.7, N),
    "Cauchy": RNG.standard_cauchy(N),
    "mostly zero with a heavy tail": np.where(RNG.random(N) < 0.9, 0.0, RNG.pareto(1, N)),
    "prices": np.round(RNG.lognormal(2, 1, N), 2),
    "integers": RNG.integers(-40, 900, N).astype(float),
    "few integers": RNG.poisson(3, N).astype(float),
    "timestamps": 1.7e9 + RNG.integers(0, 10**8, N),
    "tiny": RNG.normal(size=N) * 1e-12,
    "subnormal": RNG.integers(0, 5000, N) * 5e-324,
    "huge": RNG.normal(size=N) * 1e307,
    "constant": np.full(N, 4.2),
    "two far modes": np.concatenate((RNG.normal(0, 1, N // 2), RNG.normal(1e9, 1, N // 2))),
    "three far modes": np.concatenate([RNG.normal(mode, 1, N // 3) for mode in (-1e12, 0, 1e9)]),
    "one value": np.array([3.0]),
    "two values": np.array([3.0, np.nextafter(3.0, 4.0)]),
    "the largest numbers": np.array([-sys.float_info.max, 0.0, sys.float_info.max]),
    "nothing": np.array([]),
}
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def probes(values, edges):
    """The values, the edges with their neighbours on both sides, and points all over the axis."""
    far = [-sys.float_info.max, -1e300, -1.0, -0.0, 0.0, 5e-324, 1e-300, 1.0, 1e300, sys.float_info.max]
    with np.errstate(over="ignore"):
        neighbours = [edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
    everything = np.concatenate([values, *neighbours, far])
    return everything[np.isfinite(everything)]


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_equal_a_binary_search_bit_for_bit(shape):
    grid = NumericGrid.from_values(SHAPES[shape])
    values = probes(SHAPES[shape], grid.edges)
    assert np.array_equal(grid.cell_of(values), np.searchsorted(grid.edges, values, side="right"))


@given(st.lists(FINITE, max_size=40, unique_by=float), st.lists(FINITE, max_size=40))
def test_cells_of_any_edges_equal_a_binary_search(edges, values):
    grid = NumericGrid(np.unique(np.array(edges, dtype=float)))
    asked = probes(np.array(values, dtype=float), grid.edges)
    assert np.array_equal(grid.cell_of(asked), np.searchsorted(grid.edges, asked, side="right"))


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32))
def test_values_next_to_a_border_between_parts_find_their_cell(scale, seed):
    """The places where rounding could put a value into the wrong part of the table."""
    rng = np.random.default_rng(seed)
    edges = np.unique(rng.normal(size=200) * scale)
    index = CellIndex(edges)
    centre, spread = index._centre, index._scale
    border = (rng.integers(1, 32_767, 500) + 0.5) / 16_384 - 1
    values = centre + spread * border / (1 - np.abs(border))
    for _ in range(3):
        values = np.concatenate((values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf)))
    moved = CellIndex(np.unique(np.concatenate((edges, values[:40]))))
    for found in (index, moved):
        expected = np.searchsorted(found._edges, values, side="right")
        assert np.array_equal(found.find(values), expected)


def test_only_far_modes_and_absurd_scales_need_the_binary_search():
    searching = {name for name, values in SHAPES.items() if NumericGrid.from_values(values).index.searches}
    assert searching <= {"two far modes", "three far modes", "the largest numbers", "huge", "subnormal"}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_cell_of_several_values_holds_much_of_the_reference(shape):
    values = SHAPES[shape]
    grid = NumericGrid.from_values(values)
    cells = grid.cell_of(values)
    for cell in np.flatnonzero(np.bincount(cells, minlength=grid.n_cells) > 0.0021 * N):
        assert len(np.unique(values[cells == cell])) == 1


@pytest.mark.parametrize("shape", ["normal", "Pareto", "Cauchy", "log-normal"])
def test_towards_the_ends_each_cell_holds_about_half_of_its_inner_neighbour(shape):
    values = SHAPES[shape]
    grid = NumericGrid.from_values(values)
    held = np.bincount(np.searchsorted(grid.edges, values, side="right"), minlength=grid.n_cells)
    for outermost in (held[1:7], held[-2:-8:-1]):
        assert outermost[0] <= 2
        assert (outermost[1:] <= 2 * outermost[:-1] + 1).all()
        assert outermost.sum() == pytest.approx(N / 1000, abs=2)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_outer_cells_wait_for_values_beyond_the_reference(shape):
    values = SHAPES[shape]
    grid = NumericGrid.from_values(values)
    if len(values) and grid.edges[-1] != sys.float_info.max:
        cells = grid.cell_of(values)
        assert cells.min() == 1
        assert cells.max() == grid.n_cells - 2


def test_few_distinct_values_each_get_a_cell():
    grid = NumericGrid.from_values([5, 5, 5, 1, 2, 2])
    assert grid.edges.tolist() == sorted([*(1.0, 2.0, 5.0), *np.nextafter([1.0, 2.0, 5.0], np.inf)])


def test_nan_and_infinities_have_the_place_that_numpy_gives_them():
    grid = NumericGrid.uniform(0, 1, 2)
    assert grid.cell_of([-np.inf, np.inf, np.nan, 0.2]).tolist() == [0, 3, 3, 1]
    assert NumericGrid.from_values([np.nan, np.inf, 1.0]).edges.tolist() == [1.0, np.nextafter(1.0, 2.0)]


def test_uniform_cells_equal_those_of_numpy_histogram():
    grid = NumericGrid.uniform(0.0, 1.0, cells=50)
    values = np.concatenate((RNG.random(10_000), np.arange(51) / 50))
    expected, _ = np.histogram(values, bins=np.linspace(0, 1, 51))
    assert np.bincount(grid.cell_of(values), minlength=grid.n_cells)[1:-1].tolist() == expected.tolist()


def test_log_spaced_cells_have_equal_ratios():
    grid = NumericGrid.log_spaced(0.1, 1000.0, cells=80)
    assert grid.n_cells == 82
    assert grid.edges[1:] / grid.edges[:-1] == pytest.approx(10 ** (4 / 80))
    assert grid.cell_of([0.01, 1000.0, 1001.0]).tolist() == [0, 80, 81]


def test_a_block_is_found_in_working_memory_that_is_reused():
    index, scratch = NumericGrid.uniform(0, 1, 10).index, Scratch()
    values = RNG.random(100)
    assert np.array_equal(index.find_block(values, scratch), index.find(values))
    assert index.find_block(values, scratch).base is scratch.cells


def test_grids_are_values():
    assert NumericGrid.from_values([1, 2]) == NumericGrid.from_values([2, 1])
    assert len({NumericGrid.uniform(0, 1, 5), NumericGrid.uniform(0, 1, 5)}) == 1
    assert NumericGrid.uniform(0, 1, 5) != CategoricalGrid(())


@pytest.mark.parametrize(
    "make",
    [
        lambda: NumericGrid(np.array([1.0, 1.0])),
        lambda: NumericGrid(np.array([1.0, np.inf])),
        lambda: NumericGrid(np.array([[1.0]])),
        lambda: NumericGrid.from_values([1.0], cells=0),
        lambda: NumericGrid.uniform(1, 1),
        lambda: NumericGrid.uniform(1, np.nextafter(1.0, 2.0)),
        lambda: NumericGrid.log_spaced(0, 1),
        lambda: CategoricalGrid(("a", "a")),
        lambda: CategoricalGrid.from_values(["a", 1]),
        lambda: CategoricalGrid.from_values([0.5]),
        lambda: CategoricalGrid.from_values(range(MOST_CATEGORIES + 1)),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(make):
    with pytest.raises(InvalidInput):
        make()


def test_categories_are_ordered_by_frequency_then_name():
    assert CategoricalGrid.from_values(["b", None, "c", "a", "c"]).categories == ("c", "a", "b")
    assert CategoricalGrid.from_values(pa.chunked_array([["b"], ["b", "a"]])).categories == ("b", "a")
    assert CategoricalGrid.from_values([]).categories == ()


def test_a_table_gives_each_column_the_grid_of_its_kind():
    table = pa.table(
        {
            "price": pa.chunked_array([[1.0, 2.0], [None]]),
            "count": [1, 2, 3],
            "city": ["x", "y", None],
            "flag": [True, None, False],
            "code": pa.chunked_array(
                [pa.array(["p"]).dictionary_encode(), pa.array(["q", "p"]).dictionary_encode()]
            ),
            "number": pa.array([7, 7, 8]).dictionary_encode(),
            "nothing": pa.nulls(3),
        }
    )
    grids = grids_from_table(table, table.column_names)
    assert grids["price"] == NumericGrid.from_values([1.0, 2.0])
    assert grids["count"] == NumericGrid.from_values([1, 2, 3])
    assert grids["city"] == CategoricalGrid(("x", "y"))
    assert grids["flag"] == CategoricalGrid(("false", "true"))
    assert grids["code"] == CategoricalGrid(("p", "q"))
    assert grids["number"] == CategoricalGrid(("7", "8"))
    assert grids["nothing"] == CategoricalGrid(())


def test_a_column_without_a_grid_is_named():
    table = pa.table({"when": pa.array([0], pa.timestamp("s")), "ids": pa.array([[1]])})
    with pytest.raises(SchemaMismatch, match="'when' holds"):
        grids_from_table(table, ["when"])
    with pytest.raises(SchemaMismatch, match="'absent' is missing"):
        grids_from_table(table, ["absent"])
