"""How the current rows are cut: not at all, by time, or after so many rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.analysis.source import Source, is_text
from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices.arrow_columns import Period, check_period

__all__ = ["CHUNK", "MOST_CHUNKS", "Bound", "Chunking", "check_range", "untimely", "whole"]

CHUNK: Final = "\x00chunk"
"""The name of the column that holds the number of the chunk, as days since 1970."""

MOST_CHUNKS: Final = 10_000
"""More chunks than this are refused."""

Bound: TypeAlias = datetime | int | None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(1, 1, 1)  # noqa: DTZ001 - compared with times that are UTC without saying so
_LAST: Final = datetime(9999, 12, 31)  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class Chunking:
    """How to cut.

    Attributes
    ----------
    timestamp, every
        The time column and the period, or None both.
    rows
        Rows per chunk, or None.
    """

    timestamp: str | None = None
    every: Period | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.rows is not None and (self.timestamp or self.every):
            raise InvalidInput("chunks are cut by time or by rows, not by both: leave one of them out")
        if (self.timestamp is None) != (self.every is None):
            raise InvalidInput("a timestamp column and a period (day, week or month) go together: give both")
        if self.every is not None:
            check_period(self.every)
        if self.rows is not None and self.rows < 1:
            raise InvalidInput(f"chunks of {self.rows} rows cannot be cut: ask for at least 1")

    @property
    def time_column(self) -> str:
        """The column that the slices are cut by."""
        return self.timestamp or CHUNK

    @property
    def period(self) -> Period:
        """The period that the slices are cut by."""
        return self.every or "day"

    def check(self, source: Source) -> None:
        """Raise InvalidInput if a source cannot be cut like this."""
        if self.rows is not None and source.rows > self.rows * MOST_CHUNKS:
            raise InvalidInput(
                f"{source.name} has {source.rows:,} rows, more than {MOST_CHUNKS:,} chunks of {self.rows:,}: "
                f"ask for chunks of at least {-(-source.rows // MOST_CHUNKS):,}"
            )
        if self.timestamp is None:
            return
        source.check_columns([self.timestamp])
        kind = source.schema.field(self.timestamp).type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return
        where = source.owner(self.timestamp)
        if is_text(kind):
            raise SchemaMismatch(f"{where}: {untimely(source, self.timestamp)}")
        if source.rows:
            raise SchemaMismatch(
                f"{where}: column {self.timestamp!r} holds {kind}, not times: convert it to a timestamp"
            )

    def tagged(self, batches: Iterable[pa.RecordBatch], source: Source) -> Iterator[pa.RecordBatch]:
        """Give each row what it is cut by, or check that it has it."""
        offset = 0
        for batch in batches:
            if self.timestamp is not None:
                _check_times(batch.column(self.timestamp), self.timestamp, source, offset)
                yield batch
            else:
                numbers = np.arange(offset, offset + batch.num_rows) // (self.rows or 2**62)
                yield _with_chunk(batch, numbers)
            offset += batch.num_rows

    def bounds(self, start: datetime, rows: int) -> tuple[Bound, Bound]:
        """Return where a chunk begins and ends: times, row numbers from 0 with the end left out, or None."""
        if self.timestamp is not None:
            return start, _end(start, self.period)
        if self.rows is None:
            return None, None
        first = (start - _EPOCH).days * self.rows
        return first, first + rows


def whole(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put all rows into chunk 0."""
    for batch in batches:
        yield _with_chunk(batch, np.zeros(batch.num_rows))


def _with_chunk(
    batch: pa.RecordBatch, numbers: "np.ndarray[tuple[int], np.dtype[np.generic]]"
) -> pa.RecordBatch:
    # From a buffer, because pyarrow.array imports all of pandas.
    buffer = pa.py_buffer(numbers.astype(np.int32))
    days = pa.Array.from_buffers(pa.date32(), len(numbers), [None, buffer])
    return pa.RecordBatch.from_arrays([*batch.columns, days], names=[*batch.schema.names, CHUNK])


def _end(start: datetime, period: Period) -> datetime | None:
    try:
        if period == "month":
            year, month = divmod(start.year * 12 + start.month, 12)
            return start.replace(year=year, month=month + 1)
        return start + {"hour": timedelta(hours=1), "day": timedelta(1), "week": timedelta(7)}[period]
    except (OverflowError, ValueError):
        return None


def _check_times(array: pa.Array, name: str, source: Source, offset: int) -> None:
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise InvalidInput(
            f"{source.place(offset + row)}: column {name!r} holds no time: "
            "every row needs one to fall into a chunk"
        )
    check_range(array, name, source, offset)


def check_range(array: pa.Array, name: str, source: Source, offset: int) -> None:
    """Raise InvalidInput if a time lies outside the years 1 to 9999, as those in a wrong unit do."""
    if len(array) == 0 or not pa.types.is_timestamp(array.type) or array.type.unit == "ns":
        return
    plain = array.cast(pa.timestamp(array.type.unit))
    lowest, highest = (pa.scalar(limit, plain.type) for limit in (_FIRST, _LAST))
    outside = pc.or_(pc.less(plain, lowest), pc.greater(plain, highest))
    if outside.true_count:
        row = int(np.flatnonzero(outside.to_numpy(zero_copy_only=False))[0])
        raise InvalidInput(
            f"{source.place(offset + row)}: column {name!r} holds a time outside the years 1 to 9999: "
            "correct its unit"
        )


def untimely(source: Source, name: str) -> str:
    """Say why a column of text is no column of times, and in which row."""
    offset = 0
    zoned: int | None = None
    plain: int | None = None
    for batch in source.batches([name]):
        array = batch.column(0)
        array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        for row, text in enumerate(array.to_pylist()):
            if text is None:
                continue
            try:
                found = datetime.fromisoformat(text.strip())
            except ValueError:
                return (
                    f"row {offset + row + 1:,}: column {name!r} holds {text[:40]!r}, which is no time: "
                    "write times like 2026-01-31 12:00:00"
                )
            if found.tzinfo is None:
                plain = offset + row if plain is None else plain
            else:
                zoned = offset + row if zoned is None else zoned
            if plain is not None and zoned is not None:
                return (
                    f"column {name!r} has times with a zone (row {zoned + 1:,}) and without one "
                    f"(row {plain + 1:,}): write all in UTC"
                )
        offset += batch.num_rows
    return f"column {name!r} holds text, not times: convert it to a timestamp"
