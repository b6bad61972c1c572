"""What runs in Spark's Python workers, and what the driver makes of it.

A task returns errors of ours as rows, so that the driver raises them as they were raised and Spark does not
try again what cannot succeed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from mlops_core import __version__
from mlops_core.domain import errors
from mlops_core.domain.errors import BigboardError, EngineError, InvalidInput
from mlops_core.feeders.sources import FilePart, Scalar, read_part
from mlops_core.slices import (
    MOST_SEGMENTS,
    Slice,
    SliceKey,
    SlicePlan,
    build_slices,
    decode_slice,
    encode_slice,
    merge_slices,
)

__all__ = ["PARTS", "count_files", "count_rows", "merge_group", "parts_to_slices"]

PARTS: Final = "start long, segment string, payload binary, error string"
"""Microseconds since 1970, a segment and an encoded slice; or the name of an error and its message."""

_SCHEMA: Final = pa.schema(
    {"start": pa.int64(), "segment": pa.string(), "payload": pa.binary(), "error": pa.string()}
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def count_files(
    parts: Sequence[FilePart],
    schema: pa.Schema,
    where: Mapping[str, Scalar],
    plan: SlicePlan,
    release: str,
) -> Iterator[pa.RecordBatch]:
    """Read some parts of files, as `read_part` does, and count their rows."""
    if parts:
        rows = (batch for part in parts for batch in read_part(part, schema, where))
        yield from count_rows(rows, plan, release)


def count_rows(batches: Iterable[pa.RecordBatch], plan: SlicePlan, release: str) -> Iterator[pa.RecordBatch]:
    """Count the rows of one partition into slices, on one processor.

    Parameters
    ----------
    batches
        The rows.
    plan
        What to count.
    release
        The driver's release of Bigboard, which must be ours.
    """
    try:
        if release != __version__:
            raise EngineError(
                f"Spark's executors have Bigboard {__version__}, this machine has {release}: install the same"
            )
        slices = build_slices(batches, plan, threads=1)
    except BigboardError as error:
        yield _parts([(None, str(error), b"", type(error).__name__)])
        return
    yield _parts(
        [
            ((key.start - _EPOCH) // _MICROSECOND, key.segment, encode_slice(found, all_unseen=True), None)
            for key, found in slices.items()
        ]
    )


def merge_group(parts: pa.Table) -> pa.Table:
    """Add up the parts of one slice, or pass on the first of some errors."""
    first = parts.slice(0, 1)
    if len(parts) == 1 or first["error"][0].is_valid:
        return first
    merged = merge_slices(decode_slice(payload) for payload in parts["payload"].to_pylist())
    return first.set_column(2, "payload", pa.array([encode_slice(merged, all_unseen=True)], pa.binary()))


def parts_to_slices(parts: pa.Table, plan: SlicePlan) -> dict[SliceKey, Slice]:
    """Return the slices, each from its one part.

    Raises
    ------
    BigboardError
        What a task met; of several errors always the same.
    InvalidInput
        If a segment column has too many values over all partitions.
    """
    rows = parts.to_pylist()
    if failed := sorted((row["error"], row["segment"]) for row in rows if row["error"]):
        raise getattr(errors, failed[0][0])(failed[0][1])
    found = {
        SliceKey(_EPOCH + row["start"] * _MICROSECOND, row["segment"]): decode_slice(row["payload"])
        for row in rows
    }
    segments = {key.segment for key in found}
    for column in plan.segment_columns:
        if sum(segment.startswith(f"{column}=") for segment in segments) > MOST_SEGMENTS:
            raise InvalidInput(
                f"segment column {column!r} has more than {MOST_SEGMENTS:,} values: declare one with fewer"
            )
    return found


def _parts(rows: list[tuple[int | None, str, bytes, str | None]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ([] for _ in _SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)
