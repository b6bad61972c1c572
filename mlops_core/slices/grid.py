"""Reference grids: what the cells of a column's fine histogram are.

A grid is made once, from the reference of a model version; every slice of that version is counted on it,
so that slices can be added up and compared.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.arrow_columns import categories_of, column_of, is_categorical, is_numeric, numbers_of
from mlops_core.slices.cell_index import CellIndex

__all__ = ["MOST_CATEGORIES", "CategoricalGrid", "Grid", "Grids", "NumericGrid", "grids_from_table"]

MOST_CATEGORIES: Final = 50_000
"""A column with more distinct values than this is an identifier, and no category."""


@dataclass(frozen=True, eq=False)
class NumericGrid:
    """Cells of a numeric column.

    Cell 0 lies below the first edge, cell i is ``[edges[i-1], edges[i])``, the last cell starts at the
    last edge, so every finite value has a cell.

    Attributes
    ----------
    edges
        Strictly increasing finite float64, shape ``(n_cells - 1,)``; may be empty. Not to be written to.

    Examples
    --------
    >>> grid = NumericGrid.uniform(0.0, 1.0, cells=4)
    >>> grid.n_cells
    6
    >>> grid.cell_of([-1.0, 0.0, 0.3, 1.0, 2.0]).tolist()
    [0, 1, 2, 4, 5]
    """

    edges: NDArray[np.float64]

    def __post_init__(self) -> None:
        edges = np.array(self.edges, dtype=np.float64)
        if edges.ndim != 1 or not np.isfinite(edges).all() or (edges[1:] <= edges[:-1]).any():
            raise InvalidInput("edges of a numeric grid must be finite and strictly increasing: sort them")
        edges.flags.writeable = False
        object.__setattr__(self, "edges", edges)

    @classmethod
    def from_values(cls, values: ArrayLike, cells: int = 1000) -> Self:
        """Make a grid whose edges are quantiles of the reference values.

        A value that fills more than one quantile gets a cell of its own, from the value to the next
        floating-point number; so does every value if there are few distinct ones (at most half of `cells`).
        Other cells hold less than ``2 / cells`` of the values; towards both ends each holds half of what its
        inner neighbour holds, so that few extreme values do not share one wide cell. The first and the last
        cell are empty in the reference: they wait for values below and above it.

        Parameters
        ----------
        values
            Reference values; NaN and infinities are left out. None at all makes a grid of one cell.
        cells
            About how many cells, at least 1.

        Raises
        ------
        InvalidInput
            If `cells` is less than 1.
        """
        return cls.from_ordered(np.sort(np.asarray(values, dtype=np.float64), axis=None), cells)

    @classmethod
    def from_ordered(cls, values: NDArray[np.float64], cells: int = 1000) -> Self:
        """Make the grid of `from_values` from values in rising order, NaN last; they are not copied.

        Raises
        ------
        InvalidInput
            If `cells` is less than 1.
        """
        if cells < 1:
            raise InvalidInput(f"a grid of {cells} cells cannot be made: ask for at least one")
        low, high = np.searchsorted(values, -np.inf, "right"), np.searchsorted(values, np.inf, "left")
        ordered = values[low:high]
        if len(ordered) == 0:
            return cls(ordered)
        starts = ordered[np.arange(cells) * len(ordered) // cells]
        distinct = _distinct(starts, ordered, cells // 2)
        if distinct is not None:
            starts, ends = distinct, _next(distinct)
        else:
            spikes = starts[1:][starts[1:] == starts[:-1]]
            ends = _next(np.append(spikes, ordered[-1]))
            starts = np.append(starts, ordered[_towards_the_ends(len(ordered), cells)])
        return cls(np.unique(np.concatenate((starts, ends[np.isfinite(ends)])) + 0.0))

    @classmethod
    def uniform(cls, low: float, high: float, cells: int = 1000) -> Self:
        """Make `cells` equally wide cells over ``[low, high]``, and one below and one above.

        The last of them includes `high`, as in `numpy.histogram`.

        Raises
        ------
        InvalidInput
            If `low` is not below `high`, or the cells would be too narrow for floating-point numbers.
        """
        if not (np.isfinite(low) and np.isfinite(high) and low < high and cells >= 1):
            raise InvalidInput(f"no {cells} cells fit between {low} and {high}: low must be below high")
        return cls(_closed(np.linspace(low, high, cells + 1)))

    @classmethod
    def log_spaced(cls, low: float, high: float, cells: int = 1000) -> Self:
        """Make `cells` cells of equal ratio over ``[low, high]``, and one below and one above.

        For latencies: a quantile read from it is off by less than the factor ``(high / low) ** (1 / cells)``.

        Raises
        ------
        InvalidInput
            If not ``0 < low < high``.
        """
        if not (np.isfinite(high) and 0 < low < high and cells >= 1):
            raise InvalidInput(f"no {cells} log cells fit between {low} and {high}: low must be above 0")
        return cls(_closed(np.geomspace(low, high, cells + 1)))

    @property
    def n_cells(self) -> int:
        """The number of cells, the first and the last included."""
        return len(self.edges) + 1

    @cached_property
    def index(self) -> CellIndex:
        """The table that finds cells; made on first use."""
        return CellIndex(self.edges)

    def cell_of(self, values: ArrayLike) -> NDArray[np.intp]:
        """Return the cell of each value: the same as ``numpy.searchsorted(edges, values, side="right")``.

        Parameters
        ----------
        values
            Numbers, shape ``(n,)``. -inf falls into the first cell, inf and NaN into the last.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if not np.isfinite(numbers).all():
            return np.searchsorted(self.edges, numbers, side="right")
        return self.index.find(numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumericGrid) and np.array_equal(self.edges, other.edges)

    def __hash__(self) -> int:
        return hash(self.edges.tobytes())


@dataclass(frozen=True, slots=True)
class CategoricalGrid:
    """The values of a categorical column that the reference knows.

    Attributes
    ----------
    categories
        Distinct values as text: an integer in decimal, a boolean as ``"true"`` or ``"false"``.
    """

    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.categories)) != len(self.categories):
            raise InvalidInput("the categories of a grid must be distinct: leave out the repeated ones")

    @classmethod
    def from_values(cls, values: Iterable[object]) -> Self:
        """Make a grid of the distinct values, the most frequent first, equally frequent ones by name.

        Parameters
        ----------
        values
            Strings, booleans or integers, in any iterable or Arrow array; nulls are left out.

        Raises
        ------
        InvalidInput
            If the values cannot be categories, or more than `MOST_CATEGORIES` are distinct.
        """
        if isinstance(values, pa.ChunkedArray):
            array = values.combine_chunks()
        elif isinstance(values, pa.Array):
            array = values
        else:
            try:
                array = pa.array(list(values))
            except pa.ArrowException as error:
                raise InvalidInput(f"these values cannot be categories: {error}") from error
        return cls(_frequent_first(array, "values"))

    @property
    def n_cells(self) -> int:
        """The number of categories."""
        return len(self.categories)


Grid: TypeAlias = NumericGrid | CategoricalGrid
Grids: TypeAlias = Mapping[str, Grid]


def grids_from_table(table: pa.Table, columns: Iterable[str], cells: int = 1000) -> dict[str, Grid]:
    """Make the grid of each column of a reference table.

    Strings, booleans and dictionary-encoded columns become categorical grids, numbers numeric ones.

    Parameters
    ----------
    table
        The reference rows.
    columns
        Which columns.
    cells
        About how many cells a numeric grid has.

    Raises
    ------
    SchemaMismatch
        If a column is missing, or holds neither numbers nor categories.
    InvalidInput
        If a categorical column holds more than `MOST_CATEGORIES` distinct values.
    """
    grids: dict[str, Grid] = {}
    for name in columns:
        array = column_of(table, name)
        if isinstance(array, pa.ChunkedArray):
            array = array.unify_dictionaries().combine_chunks()
        kind = array.type
        by_value = pa.types.is_dictionary(kind) or not is_numeric(kind) or pa.types.is_null(kind)
        if by_value and (is_categorical(kind) or not is_numeric(kind)):
            grids[name] = CategoricalGrid(_frequent_first(array, name))
        else:
            numbers = numbers_of(array, name)
            values = numbers.values if numbers.valid is None else numbers.values[numbers.valid]
            grids[name] = NumericGrid.from_values(values, cells)
    return grids


def _distinct(
    quantiles: NDArray[np.float64], ordered: NDArray[np.float64], most: int
) -> NDArray[np.float64] | None:
    """Return the distinct values, or None if there are more than `most`, as quantiles mostly tell already."""
    if np.count_nonzero(quantiles[1:] != quantiles[:-1]) >= most:
        return None
    first_of_kind = np.append(True, ordered[1:] != ordered[:-1])
    return ordered[first_of_kind] if np.count_nonzero(first_of_kind) <= most else None


def _towards_the_ends(rows: int, cells: int) -> NDArray[np.int64]:
    """Return the places among the ordered values that halve the first and the last cell again and again."""
    steps = rows // cells >> np.arange(1, max(2, (rows // cells).bit_length()))
    steps = steps[steps > 0]
    return np.concatenate((steps, rows - steps))


def _closed(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    edges[-1] = _next(edges[-1])
    return edges


def _next(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # nothing follows the largest number but infinity
        return np.nextafter(values, np.inf)


def _frequent_first(array: pa.Array, name: str) -> tuple[str, ...]:
    categories = categories_of(array, name)
    counted: Counter[str] = Counter()
    rows = np.bincount(categories.codes, minlength=len(categories.texts) + 1)
    for text, count in zip(categories.texts.to_pylist(), rows.tolist(), strict=False):
        if count:
            counted[text] += count
    if len(counted) > MOST_CATEGORIES:
        raise InvalidInput(
            f"column {name!r} holds {len(counted):,} distinct values, more than {MOST_CATEGORIES:,}: "
            "it is an identifier, leave it out"
        )
    return tuple(sorted(counted, key=lambda text: (-counted[text], text)))
