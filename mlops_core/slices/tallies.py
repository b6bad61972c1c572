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

from mlops_core.slices.arrow_columns import categories_of, cells_of, numbers_of
from mlops_core.slices.cell_index import BLOCK, Scratch
from mlops_core.slices.counts import CategoricalCounts, NumericCounts
from mlops_core.slices.grid import CategoricalGrid, NumericGrid
from mlops_core.slices.grouping import Runs

__all__ = ["BlockRuns", "CategoricalTally", "NumericTally", "Tally", "grown"]

BlockRuns = Sequence[Sequence[Runs]]
"""For each block of `BLOCK` rows of a batch, the runs of each grouping."""

Number = TypeVar("Number", np.int64, np.float64)

_NULL, _NAN, _NEGATIVE, _POSITIVE = range(4)
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
        with np.errstate(over="ignore", invalid="ignore"):
            for place, groupings in enumerate(blocks):
                rows = slice(place * BLOCK, (place + 1) * BLOCK)
                valid = None if numbers.valid is None else numbers.valid[rows]
                self._add_block(numbers.values[rows], valid, groupings, scratch)

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
        valid: NDArray[np.bool_] | None,
        groupings: Sequence[Runs],
        scratch: Scratch,
    ) -> None:
        if valid is None and np.isfinite(values.sum()):
            cells = self._grid.index.find_block(values, scratch)
            moments = _Moments(values, values, values)
        else:
            counted = np.isfinite(values)
            if valid is not None:
                counted &= valid
            moments = _Moments(
                np.where(counted, values, 0.0),
                np.where(counted, values, np.inf),
                np.where(counted, values, -np.inf),
            )
            cells = self._grid.index.find_block(moments.summed, scratch)
            behind = self._grid.n_cells
            cells[np.isnan(values)] = behind + _NAN
            cells[values == -np.inf] = behind + _NEGATIVE
            cells[values == np.inf] = behind + _POSITIVE
            if valid is not None:
                cells[~valid] = behind + _NULL
        below, above = self._outside(moments)
        keys = scratch.parts.view(np.int64)[: len(values)]
        for runs in groupings:
            np.multiply(runs.groups, self._width, out=keys)
            keys += cells
            np.add.at(self._cells.reshape(-1), keys, 1)
            self._add_moments(moments if runs.order is None else moments.take(runs.order), runs, scratch)
            if len(below):
                np.add.at(self._below, runs.groups[below], moments.summed[below])
            if len(above):
                np.add.at(self._above, runs.groups[above], moments.summed[above])

    def _outside(self, moments: "_Moments") -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows in the first cell and those in the last; in most blocks there is none."""
        nobody = np.zeros(0, dtype=np.intp)
        below = moments.lowest.min() < self._first
        above = moments.highest.max() >= self._last
        return (
            np.flatnonzero(moments.lowest < self._first) if below else nobody,
            np.flatnonzero((moments.highest >= self._last) & (moments.highest > -np.inf))
            if above
            else nobody,
        )

    def _add_moments(self, moments: "_Moments", runs: Runs, scratch: Scratch) -> None:
        squares = np.square(moments.summed, out=scratch.numbers[: len(moments.summed)])
        np.add.at(self._sums, runs.run_groups, np.add.reduceat(moments.summed, runs.starts))
        np.add.at(self._squares, runs.run_groups, np.add.reduceat(squares, runs.starts))
        np.minimum.at(self._minima, runs.run_groups, np.minimum.reduceat(moments.lowest, runs.starts))
        np.maximum.at(self._maxima, runs.run_groups, np.maximum.reduceat(moments.highest, runs.starts))

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
    """The values of a block as they enter the sums, the minima and the maxima."""

    summed: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    def take(self, order: NDArray[np.intp]) -> "_Moments":
        summed = self.summed.take(order)
        if self.lowest is self.summed:
            return _Moments(summed, summed, summed)
        return _Moments(summed, self.lowest.take(order), self.highest.take(order))


class CategoricalTally:
    """Counts a categorical column.

    Parameters
    ----------
    name, grid
        The column and its known categories.
    """

    def __init__(self, name: str, grid: CategoricalGrid) -> None:
        self._name = name
        self._known = pa.array(grid.categories, pa.string())
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
            keys = scratch.parts.view(np.int64)[: len(codes)]
            for runs in groupings:
                np.multiply(runs.groups, self._width, out=keys)
                keys += cells
                np.add.at(self._cells.reshape(-1), keys, 1)
                if len(strange):
                    self._add_unseen(runs.groups[strange], codes[strange], categories.texts)

    def _add_unseen(self, groups: NDArray[np.int64], codes: NDArray[np.int64], texts: pa.Array) -> None:
        pairs, counts = np.unique(groups * len(texts) + codes, return_counts=True)
        found = divmod(pairs, len(texts))
        names = texts.take(pa.array(found[1])).to_pylist()
        for group, name, count in zip(found[0].tolist(), names, counts.tolist(), strict=True):
            self._unseen.setdefault(group, Counter())[name] += count

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
