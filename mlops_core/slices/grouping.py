"""Which slices each row of a batch belongs to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.arrow_columns import (
    MISSING,
    Period,
    categories_of,
    column_of,
    period_start,
    periods_of,
)

__all__ = ["ALL_ROWS", "MOST_SEGMENTS", "GroupRegistry", "Runs", "SliceKey"]

ALL_ROWS: Final = ""
"""The segment of all rows."""

MOST_SEGMENTS: Final = 1_000
"""A segment column with more distinct values than this is refused."""

_ROWS_PER_RUN: Final = 16  # below this, sorting the rows once is cheaper than adding up many short runs


@dataclass(frozen=True, slots=True, order=True)
class SliceKey:
    """Which slice: its first moment and its segment.

    Attributes
    ----------
    start
        When the hour, day, week or month begins, aware, in UTC.
    segment
        ``""`` for all rows, otherwise ``"column=value"``, for nulls ``"column=(missing)"``.
    """

    start: datetime
    segment: str = ALL_ROWS


@dataclass(frozen=True, slots=True)
class Runs:
    """The rows of a block cut into runs of the same slice, so that sums and extremes need no scatter.

    Attributes
    ----------
    groups
        The slice number of each row in the order of the block, int64, shape ``(n,)``.
    order
        How to reorder the rows before they are cut, or None if they lie well already.
    starts, run_groups
        Where each run starts, and its slice number; a number may occur more than once.
    """

    groups: NDArray[np.int64]
    order: NDArray[np.intp] | None
    starts: NDArray[np.intp]
    run_groups: NDArray[np.int64]

    @classmethod
    def of(cls, groups: NDArray[np.int64]) -> Self:
        """Cut the rows of a block, at least one, into runs."""
        starts = _run_starts(groups)
        if len(starts) * _ROWS_PER_RUN <= len(groups) or len(starts) == 1:
            return cls(groups, None, starts, groups[starts])
        low = groups.min()
        narrow = np.uint16 if groups.max() - low < 2**16 else np.int64  # 16 bits are sorted by radix
        order = np.argsort((groups - low).astype(narrow), kind="stable")
        ordered = groups.take(order)
        starts = _run_starts(ordered)
        return cls(groups, order, starts, ordered[starts])


@dataclass(slots=True)
class GroupRegistry:
    """Numbers the slices in the order in which they are met.

    Attributes
    ----------
    time_column, period, segment_columns
        As in the plan.
    """

    time_column: str
    period: Period
    segment_columns: tuple[str, ...]
    _numbers: dict[tuple[int, str], int] = field(default_factory=dict)
    _values: dict[str, set[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._numbers)

    def number_rows(self, batch: pa.RecordBatch) -> list[NDArray[np.int64]]:
        """Return the slice number of each row: one array for all rows, then one for each segment column.

        Raises
        ------
        SchemaMismatch
            If the time or a segment column is missing or of the wrong type, or a time is null.
        InvalidInput
            If a segment column has more than `MOST_SEGMENTS` values.
        """
        periods = periods_of(column_of(batch, self.time_column), self.time_column, self.period)
        numbered = [self._number(periods, np.zeros(1, dtype=np.int64), [ALL_ROWS])]
        for name in self.segment_columns:
            categories = categories_of(column_of(batch, name), name)
            used = np.bincount(categories.codes, minlength=len(categories.texts) + 1).astype(bool)
            texts = [text for text, met in zip(categories.texts.to_pylist(), used, strict=False) if met]
            if used[-1]:
                texts.append(MISSING)
            self._check(name, texts)
            places = (np.cumsum(used) - 1).take(categories.codes)
            numbered.append(self._number(periods, places, [f"{name}={text}" for text in texts]))
        return numbered

    def keys(self) -> list[SliceKey]:
        """Return the key of each slice, by number.

        Raises
        ------
        InvalidInput
            If a time lies outside the years 1 to 9999.
        """
        try:
            return [SliceKey(period_start(number, self.period), segment) for number, segment in self._numbers]
        except OverflowError as error:
            raise InvalidInput(
                f"column {self.time_column!r} holds a time outside the years 1 to 9999: correct its unit"
            ) from error

    def _check(self, name: str, texts: list[str]) -> None:
        values = self._values.setdefault(name, set())
        values.update(texts)
        if len(values) > MOST_SEGMENTS:
            raise InvalidInput(
                f"segment column {name!r} has more than {MOST_SEGMENTS:,} values: declare one with fewer"
            )

    def _number(
        self, periods: NDArray[np.int64], places: NDArray[np.int64], segments: list[str]
    ) -> NDArray[np.int64]:
        if len(periods) == 0:
            return np.zeros(0, dtype=np.int64)
        first = int(periods.min())
        span = (int(periods.max()) - first + 1) * len(segments)
        keys = (periods - first) * len(segments) + places
        dense = span <= 4 * len(keys) + 65_536
        if dense:
            present = np.flatnonzero(np.bincount(keys, minlength=span))
        else:
            present, keys = np.unique(keys, return_inverse=True)
        numbers = np.empty(len(present), dtype=np.int64)
        for place, key in enumerate(present.tolist()):
            period, segment = divmod(key, len(segments))
            numbers[place] = self._numbers.setdefault((first + period, segments[segment]), len(self._numbers))
        if dense:
            table = np.zeros(span, dtype=np.int64)
            table[present] = numbers
            return table.take(keys)
        return numbers.take(keys)


def _run_starts(groups: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.concatenate((np.zeros(1, dtype=np.intp), np.flatnonzero(groups[1:] != groups[:-1]) + 1))
