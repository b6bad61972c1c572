"""What a slice holds: counts that can be added up.

Every count is exact whatever way the rows were split and in whatever order the parts are merged.
The sums (`total`, `total_squares`, `total_below`, `total_above`) are floating-point: merged in another order
they may differ by rounding (about 1e-15 of the sum of the magnitudes).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput

__all__ = ["MOST_UNSEEN", "CategoricalCounts", "Counts", "NumericCounts", "Slice", "merge_slices"]

MOST_UNSEEN: Final = 1_000
"""How many distinct unseen values a stored slice names; the rest are counted together."""


@dataclass(frozen=True, slots=True, eq=False)
class NumericCounts:
    """Counts of a numeric column on its grid.

    Attributes
    ----------
    rows
        All rows, whatever they hold.
    nulls, nans, negative_infinite, positive_infinite
        Rows that are in no cell.
    total, total_squares
        Sum of the finite values and of their squares.
    minimum, maximum
        Of the finite values; ``inf`` and ``-inf`` when there is none.
    cells
        int64, shape ``(grid.n_cells,)``. Not to be written to.
    total_below, total_above
        Sum of the finite values in the first cell and in the last one, which have no edge to the outside;
        nan in a slice that an older release stored.
    """

    rows: int
    nulls: int
    nans: int
    negative_infinite: int
    positive_infinite: int
    total: float
    total_squares: float
    minimum: float
    maximum: float
    cells: NDArray[np.int64]
    total_below: float = 0.0
    total_above: float = 0.0

    @classmethod
    def empty(cls, n_cells: int) -> Self:
        """Return the counts of no row."""
        return cls(0, 0, 0, 0, 0, 0.0, 0.0, math.inf, -math.inf, np.zeros(n_cells, dtype=np.int64))

    @classmethod
    def sum_of(cls, parts: Sequence[Self]) -> Self:
        """Add up one or more counts on the same grid.

        Raises
        ------
        InvalidInput
            If the counts were made on grids of different size, or there are none.
        """
        return cls(
            rows=sum(part.rows for part in parts),
            nulls=sum(part.nulls for part in parts),
            nans=sum(part.nans for part in parts),
            negative_infinite=sum(part.negative_infinite for part in parts),
            positive_infinite=sum(part.positive_infinite for part in parts),
            total=sum(part.total for part in parts),
            total_squares=sum(part.total_squares for part in parts),
            minimum=min((part.minimum for part in parts), default=math.inf),
            maximum=max((part.maximum for part in parts), default=-math.inf),
            cells=_sum_arrays([part.cells for part in parts]),
            total_below=sum(part.total_below for part in parts),
            total_above=sum(part.total_above for part in parts),
        )

    @property
    def finite(self) -> int:
        """The rows that are in a cell."""
        return self.rows - self.missing - self.infinite

    @property
    def missing(self) -> int:
        """The rows that hold no value: null or NaN."""
        return self.nulls + self.nans

    @property
    def infinite(self) -> int:
        """The rows that hold an infinity of either sign."""
        return self.negative_infinite + self.positive_infinite

    def merge(self, other: Self) -> Self:
        """Return the counts of the rows of both.

        Raises
        ------
        InvalidInput
            If the counts were made on grids of different size.
        """
        return self.sum_of((self, other))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NumericCounts)
            and self._scalars() == other._scalars()
            and np.array_equal(self.cells, other.cells)
        )

    __hash__ = None  # type: ignore[assignment]

    def _scalars(self) -> tuple[float, ...]:
        counts = (self.rows, self.nulls, self.nans, self.negative_infinite, self.positive_infinite)
        sums = (self.total, self.total_squares, self.total_below, self.total_above)
        return (*counts, *sums, self.minimum, self.maximum)


@dataclass(frozen=True, slots=True, eq=False)
class CategoricalCounts:
    """Counts of a categorical column by value.

    In memory every unseen value keeps its own count, so that merging is exact in any order. A slice is cut
    to `MOST_UNSEEN` of them when it is encoded (`capped`); from then on their sum stays exact.

    Attributes
    ----------
    rows, nulls
        All rows, and those without a value.
    known
        Rows by category in the order of the grid, int64, shape ``(grid.n_cells,)``. Not to be written to.
    unseen
        Rows by value, for values that the grid does not know.
    unseen_other
        Rows with unseen values that are no longer named.
    """

    rows: int
    nulls: int
    known: NDArray[np.int64]
    unseen: Mapping[str, int] = field(default_factory=dict)
    unseen_other: int = 0

    @classmethod
    def empty(cls, n_cells: int) -> Self:
        """Return the counts of no row."""
        return cls(0, 0, np.zeros(n_cells, dtype=np.int64))

    @classmethod
    def sum_of(cls, parts: Sequence[Self]) -> Self:
        """Add up one or more counts on the same grid.

        Raises
        ------
        InvalidInput
            If the counts were made on grids of different size, or there are none.
        """
        unseen: Counter[str] = Counter()
        for part in parts:
            unseen.update(part.unseen)
        return cls(
            rows=sum(part.rows for part in parts),
            nulls=sum(part.nulls for part in parts),
            known=_sum_arrays([part.known for part in parts]),
            unseen=dict(unseen),
            unseen_other=sum(part.unseen_other for part in parts),
        )

    @property
    def missing(self) -> int:
        """The rows that hold no value."""
        return self.nulls

    @property
    def unseen_rows(self) -> int:
        """The rows whose value the grid does not know."""
        return sum(self.unseen.values()) + self.unseen_other

    def merge(self, other: Self) -> Self:
        """Return the counts of the rows of both.

        Raises
        ------
        InvalidInput
            If the counts were made on grids of different size.
        """
        return self.sum_of((self, other))

    def capped(self, most: int = MOST_UNSEEN) -> Self:
        """Name only the `most` most frequent unseen values, equally frequent ones by name.

        The result depends on the counts alone, never on the order in which they were merged.
        """
        if len(self.unseen) <= most:
            return self
        ranked = sorted(self.unseen.items(), key=lambda pair: (-pair[1], pair[0]))
        rest = sum(count for _, count in ranked[most:])
        return type(self)(self.rows, self.nulls, self.known, dict(ranked[:most]), self.unseen_other + rest)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CategoricalCounts)
            and (self.rows, self.nulls, self.unseen_other) == (other.rows, other.nulls, other.unseen_other)
            and self.unseen == other.unseen
            and np.array_equal(self.known, other.known)
        )

    __hash__ = None  # type: ignore[assignment]


Counts: TypeAlias = NumericCounts | CategoricalCounts


@dataclass(frozen=True, slots=True)
class Slice:
    """The counts of the rows of one period and segment.

    Attributes
    ----------
    rows
        How many rows.
    columns
        The counts of each column.
    """

    rows: int
    columns: Mapping[str, Counts]


def merge_slices(slices: Iterable[Slice]) -> Slice:
    """Return the slice of all rows together; no slice at all gives no rows and no columns.

    A column that some of the slices lack (it was added later) is merged from those that have it: its own
    `rows` says how many rows that is.

    Raises
    ------
    InvalidInput
        If a column was counted on different grids.

    Examples
    --------
    >>> merge_slices([Slice(2, {}), Slice(3, {})]).rows
    5
    """
    rows = 0
    parts: dict[str, list[Counts]] = {}
    for part in slices:
        rows += part.rows
        for name, counts in part.columns.items():
            parts.setdefault(name, []).append(counts)
    return Slice(rows, {name: _merge_column(name, counts) for name, counts in parts.items()})


def _merge_column(name: str, parts: list[Counts]) -> Counts:
    numeric = [part for part in parts if isinstance(part, NumericCounts)]
    categorical = [part for part in parts if isinstance(part, CategoricalCounts)]
    if numeric and categorical:
        raise InvalidInput(f"column {name!r} was counted both as numbers and by value: rebuild its slices")
    try:
        return NumericCounts.sum_of(numeric) if numeric else CategoricalCounts.sum_of(categorical)
    except InvalidInput as error:
        raise InvalidInput(f"column {name!r}: {error}") from error


def _sum_arrays(arrays: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    if len({len(array) for array in arrays}) != 1:
        raise InvalidInput("counts of different grids cannot be added: rebuild the slices on one grid")
    result = arrays[0].copy()
    for array in arrays[1:]:
        result += array
    return result
