"""Running counts of one column over all slices at once.

A tally holds one matrix, a row for each slice and a column for each cell; rows that are in no cell (null,
NaN, infinite, unseen) have columns of their own behind the cells, so that one pass counts everything.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.slices.arrow_columns import categories_of, cells_of, numbers_of, text_array
from mlops_core.slices.cell_index import BLOCK, Scratch
from mlops_core.slices.counts import CategoricalCounts, NumericCounts
from mlops_core.slices.grid import CategoricalGrid, NumericGrid
from mlops_core.slices.grouping import Runs

__all__ = ["BlockRuns", "CategoricalTally", "NumericTally", "Tally", "grown"]

BlockRuns = Sequence[Sequence[Runs]]
"""For each block of `BLOCK` rows of a batch, the runs of each grouping."""

Number = TypeVar("Number", np.int64, np.float64)

_NULL, _NAN, _NEGATIVE, _POSITIVE = range(4)
_NOWHERE: Final = np.zeros(0, dtype=np.intp)
_FEW_RUNS: Final = 4  # up to here a histogram of each run is cheaper than one scatter over all of them
_UNSEEN: Final = 1  # behind the categories: missing, unseen


class NumericTally:
    """Counts a numeric column.

    Parameters
    ----------
    name, grid
        The column and its cells.
    """

    def __init__(self, name: str, grid: NumericGrid) -> None:
        self._name = name
        self._grid = grid
        self._width = grid.n_cells + 4
        self._cells = np.zeros((0, self._width), dtype=np.int64)
        self._sums = np.zeros(0)
        self._squares = np.zeros(0)
        self._minima = np.zeros(0)
        self._maxima = np.zeros(0)
        self._below = np.zeros(0)
        self._above = np.zeros(0)
        ends = grid.edges[[0, -1]].tolist() if len(grid.edges) else (math.inf, -math.inf)
        self._first: float = ends[0]
        self._last: float = ends[1]

    def add(self, array: pa.Array, blocks: BlockRuns, n_groups: int, scratch: Scratch) -> None:
        """Count a batch whose rows belong to slices below `n_groups`."""
        self._make_room(n_groups)
        numbers = numbers_of(array, self._name)
        null_at = _NOWHERE if numbers.valid is None else np.flatnonzero(~numbers.valid)
        bounds = np.searchsorted(null_at, np.arange(len(blocks) + 1) * BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):
            for place, groupings in enumerate(blocks):
                first = place * BLOCK
                nulls = null_at[bounds[place] : bounds[place + 1]] - first
                self._add_block(numbers.values[first : first + BLOCK], nulls, groupings, scratch)

    def _make_room(self, n_groups: int) -> None:
        self._cells = grown(self._cells, n_groups)
        self._sums = grown(self._sums, n_groups)
        self._squares = grown(self._squares, n_groups)
        self._minima = grown(self._minima, n_groups, np.inf)
        self._maxima = grown(self._maxima, n_groups, -np.inf)
        self._below = grown(self._below, n_groups)
        self._above = grown(self._above, n_groups)

    def _add_block(
        self,
        values: NDArray[np.float64],
        null_at: NDArray[np.intp],
        groupings: Sequence[Runs],
        scratch: Scratch,
    ) -> None:
        moments = _Moments.of(values, null_at)
        cells = self._grid.index.find_block(moments.summed, scratch)
        if moments.summed is not values:
            self._place_infinite(cells, values)
        cells[null_at] = self._grid.n_cells + _NULL
        for runs in groupings:
            count_cells(self._cells, runs, cells, scratch)
            self._add_moments(moments, runs, scratch)

    def _place_infinite(self, cells: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        behind = self._grid.n_cells
        cells[np.isnan(values)] = behind + _NAN
        cells[values == -np.inf] = behind + _NEGATIVE
        cells[values == np.inf] = behind + _POSITIVE

    def _add_moments(self, moments: "_Moments", runs: Runs, scratch: Scratch) -> None:
        ordered = moments if runs.order is None else moments.take(runs.order)
        squares = np.square(ordered.summed, out=scratch.numbers[: len(ordered.summed)])
        lowest = np.fmin.reduceat(ordered.compared, runs.starts)
        highest = np.fmax.reduceat(ordered.compared, runs.starts)
        np.add.at(self._sums, runs.run_groups, np.add.reduceat(ordered.summed, runs.starts))
        np.add.at(self._squares, runs.run_groups, np.add.reduceat(squares, runs.starts))
        np.fmin.at(self._minima, runs.run_groups, lowest)
        np.fmax.at(self._maxima, runs.run_groups, highest)
        if (lowest < self._first).any():
            outside = np.flatnonzero(moments.compared < self._first)
            np.add.at(self._below, runs.groups[outside], moments.summed[outside])
        if (highest >= self._last).any():
            outside = np.flatnonzero(moments.compared >= self._last)
            np.add.at(self._above, runs.groups[outside], moments.summed[outside])

    def counts(self, rows: list[int]) -> list[NumericCounts]:
        """Return the counts of each slice, given the rows of each."""
        n_groups = len(rows)
        self._make_room(n_groups)
        moments = (self._sums, self._squares, self._minima, self._maxima)
        behind = self._grid.n_cells
        columns = zip(
            rows,
            *self._cells[:n_groups, behind:].T.tolist(),
            *(values[:n_groups].tolist() for values in moments),
            self._cells[:n_groups, :behind],
            self._below[:n_groups].tolist(),
            self._above[:n_groups].tolist(),
            strict=True,
        )
        return [NumericCounts(*fields) for fields in columns]


@dataclass(frozen=True, slots=True)
class _Moments:
    """The values of a block as they enter the sums (0 where none counts) and the extremes (NaN there)."""

    summed: NDArray[np.float64]
    compared: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], null_at: NDArray[np.intp]) -> "_Moments":
        """Leave out what is null (0 in `values`), NaN or infinite."""
        summed = values
        if not np.isfinite(values.sum()):
            counted = np.isfinite(values)
            if not counted.all():
                summed = np.where(counted, values, 0.0)
                compared = np.where(counted, values, np.nan)
                compared[null_at] = np.nan
                return cls(summed, compared)
        if not len(null_at):
            return cls(values, values)
        compared = values.copy()
        compared[null_at] = np.nan
        return cls(summed, compared)

    def take(self, order: NDArray[np.intp]) -> "_Moments":
        """Return the values in another order."""
        summed = self.summed.take(order)
        return _Moments(summed, summed if self.compared is self.summed else self.compared.take(order))


class CategoricalTally:
    """Counts a categorical column.

    Parameters
    ----------
    name, grid
        The column and its known categories.
    """

    def __init__(self, name: str, grid: CategoricalGrid) -> None:
        self._name = name
        self._known = text_array(grid.categories)
        self._width = grid.n_cells + 2
        self._cells = np.zeros((0, self._width), dtype=np.int64)
        self._unseen: dict[int, Counter[str]] = {}

    def add(self, array: pa.Array, blocks: BlockRuns, n_groups: int, scratch: Scratch) -> None:
        """Count a batch whose rows belong to slices below `n_groups`."""
        self._cells = grown(self._cells, n_groups)
        categories = categories_of(array, self._name)
        table = cells_of(categories, self._known)
        for place, groupings in enumerate(blocks):
            codes = categories.codes[place * BLOCK : (place + 1) * BLOCK]
            cells = table.take(codes, out=scratch.cells[: len(codes)], mode="clip")
            strange = np.flatnonzero(cells == len(self._known) + _UNSEEN)
            for runs in groupings:
                count_cells(self._cells, runs, cells, scratch)
                if len(strange):
                    self._add_unseen(runs.groups[strange], codes[strange], categories.texts)

    def _add_unseen(self, groups: NDArray[np.int64], codes: NDArray[np.int64], texts: pa.Array) -> None:
        pairs, counts = np.unique(groups * len(texts) + codes, return_counts=True)
        found = divmod(pairs, len(texts))
        for group, place, count in zip(found[0].tolist(), found[1].tolist(), counts.tolist(), strict=True):
            self._unseen.setdefault(group, Counter())[texts[place].as_py()] += count

    def counts(self, rows: list[int]) -> list[CategoricalCounts]:
        """Return the counts of each slice, given the rows of each."""
        n_groups = len(rows)
        self._cells = grown(self._cells, n_groups)
        behind = len(self._known)
        nothing: dict[str, int] = {}
        columns = zip(
            rows,
            self._cells[:n_groups, behind].tolist(),
            self._cells[:n_groups, :behind],
            (self._unseen.get(group, nothing) for group in range(n_groups)),
            strict=True,
        )
        return [CategoricalCounts(*fields) for fields in columns]


Tally: TypeAlias = NumericTally | CategoricalTally


def count_cells(matrix: NDArray[np.int64], runs: Runs, cells: NDArray[np.int64], scratch: Scratch) -> None:
    """Add one for each row of a block at its slice (row of the matrix) and cell (column)."""
    width = matrix.shape[1]
    if runs.order is None and len(runs.starts) <= _FEW_RUNS:
        for group, part in zip(runs.run_groups.tolist(), np.split(cells, runs.starts[1:]), strict=True):
            matrix[group] += np.bincount(part, minlength=width)
        return
    keys = np.multiply(runs.groups, width, out=scratch.parts.view(np.int64)[: len(cells)])
    keys += cells
    np.add.at(matrix.reshape(-1), keys, 1)


def grown(matrix: NDArray[Number], rows: int, fill: float = 0) -> NDArray[Number]:
    """Return the matrix with room for so many rows, new ones filled; half is added to make growing rare."""
    before = len(matrix)
    if rows <= before:
        return matrix
    larger = np.zeros((max(rows, before + before // 2), *matrix.shape[1:]), dtype=matrix.dtype)
    larger[:before] = matrix
    if fill:
        larger[before:] = fill
    return larger
