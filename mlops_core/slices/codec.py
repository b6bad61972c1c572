"""Slices, outcomes and grids as bytes: an Arrow IPC stream in one zstd frame (see `arrow_stream`).

A slice is a record batch with a row for each column. Only cells that hold rows are stored, as the distance
from the last such cell and the count, in the narrowest integers that fit. Any Arrow library can read it.
"""

import math
import struct
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts, Slice
from mlops_core.slices.grid import CategoricalGrid, Grid, Grids, NumericGrid
from mlops_core.slices.outcome_counts import (
    BinaryOutcomes,
    MulticlassOutcomes,
    Outcomes,
    RegressionOutcomes,
)

__all__ = [
    "COLUMN_SCALARS",
    "OUTER_SUMS",
    "arrow_stream",
    "decode_grids",
    "decode_outcomes",
    "decode_slice",
    "encode_grids",
    "encode_outcomes",
    "encode_slice",
    "reading",
]

_FORMAT: Final = 3
_FRAME: Final = b"BIGBOARD"  # since format 3; before, each buffer of the stream was compressed by itself
_HEAD: Final = struct.Struct("<8sQI")
_MOST_BYTES: Final = 2**30  # of a stream; more can only be damage, and would take all memory
OUTER_SUMS: Final = ("total_below", "total_above")  # since format 2
COLUMN_SCALARS: Final = {
    **dict.fromkeys(("rows", "nulls", "nans", "negative_infinite", "positive_infinite"), pa.int64()),
    **dict.fromkeys(("total", "total_squares", "minimum", "maximum", *OUTER_SUMS), pa.float64()),
    "unseen_other": pa.int64(),
}
_REGRESSION_SCALARS: Final = tuple(entry.name for entry in fields(RegressionOutcomes))
_HISTOGRAMS: Final = ("positives", "negatives")
_BINARY_SCALARS: Final = tuple(
    entry.name for entry in fields(BinaryOutcomes) if entry.name not in _HISTOGRAMS
)


def encode_slice(part: Slice, *, all_unseen: bool = False) -> bytes:
    """Return a slice as bytes.

    Of unseen values it names the `MOST_UNSEEN` most frequent (see `capped`), or with `all_unseen` every one:
    for parts that are still to be added up.
    """
    columns = [
        counts if all_unseen or isinstance(counts, NumericCounts) else counts.capped()
        for counts in part.columns.values()
    ]
    unseen = [{} if isinstance(counts, NumericCounts) else counts.unseen for counts in columns]
    cells = [counts.cells if isinstance(counts, NumericCounts) else counts.known for counts in columns]
    filled = [np.flatnonzero(array) for array in cells]
    batch = {
        "name": pa.array(part.columns, pa.string()),
        "numeric": pa.array([isinstance(counts, NumericCounts) for counts in columns], pa.bool_()),
        **{
            field: pa.array([getattr(counts, field, None) for counts in columns], kind)
            for field, kind in COLUMN_SCALARS.items()
        },
        "n_cells": pa.array([len(array) for array in cells], pa.int64()),
        "cell_steps": _lists([_steps(places) for places in filled]),
        "cell_counts": _lists([array[places] for array, places in zip(cells, filled, strict=True)]),
        "unseen": pa.array([list(counts) for counts in unseen], pa.list_(pa.string())),
        "unseen_counts": _lists([np.array(list(counts.values()), dtype=np.int64) for counts in unseen]),
    }
    return _to_bytes("slice", batch, {"rows": str(part.rows)})


def decode_slice(payload: bytes, columns: Collection[str] | None = None) -> Slice:
    """Return the slice that was encoded.

    Parameters
    ----------
    payload
        What `encode_slice` returned.
    columns
        Which columns to decode; all when None. Names that the slice lacks are passed over.

    Raises
    ------
    InvalidInput
        If the payload is no slice, is damaged, or was written by a newer release.
    """
    with reading("slice", payload) as (batch, metadata):
        names = batch.column("name").to_pylist()
        if columns is not None:
            wanted = [place for place, name in enumerate(names) if name in columns]
            batch = batch.take(pa.array(wanted, pa.int64()))
            names = [names[place] for place in wanted]
        written = batch.schema.names
        scalars = {field: batch.column(field).to_pylist() for field in COLUMN_SCALARS if field in written}
        numeric, n_cells = batch.column("numeric").to_pylist(), batch.column("n_cells").to_pylist()
        steps, counts = _arrays(batch.column("cell_steps")), _arrays(batch.column("cell_counts"))
        unseen, unseen_counts = batch.column("unseen").to_pylist(), _arrays(batch.column("unseen_counts"))
        unknown = dict.fromkeys(OUTER_SUMS, math.nan)
        found: dict[str, Counts] = {}
        for place, name in enumerate(names):
            cells = np.zeros(n_cells[place], dtype=np.int64)
            cells[np.cumsum(steps[place], dtype=np.int64)] = counts[place]
            values = {field: column[place] for field, column in scalars.items() if column[place] is not None}
            if numeric[place]:
                found[name] = NumericCounts(cells=cells, **{**unknown, **values})
            else:
                named = dict(zip(unseen[place], unseen_counts[place].tolist(), strict=True))
                found[name] = CategoricalCounts(known=cells, unseen=named, **values)
        return Slice(int(metadata["rows"]), found)


def encode_outcomes(outcomes: Outcomes) -> bytes:
    """Return the outcomes of a slice as bytes."""
    if isinstance(outcomes, MulticlassOutcomes):
        filled = np.flatnonzero(outcomes.confusion)
        batch = {
            "classes": pa.array([list(outcomes.classes)], pa.list_(pa.string())),
            "cell_steps": _lists([_steps(filled)]),
            "cell_counts": _lists([outcomes.confusion.reshape(-1)[filled]]),
        }
        return _to_bytes("outcomes", batch, {"problem_type": "multiclass"})
    binary = isinstance(outcomes, BinaryOutcomes)
    scalars = _BINARY_SCALARS if binary else _REGRESSION_SCALARS
    batch = {field: pa.array([getattr(outcomes, field)]) for field in scalars}
    if isinstance(outcomes, BinaryOutcomes):
        batch["score_cells"] = pa.array([len(outcomes.positives)], pa.int64())
        for name in _HISTOGRAMS:
            cells = getattr(outcomes, name)
            filled = np.flatnonzero(cells)
            batch |= {f"{name}_steps": _lists([_steps(filled)]), name: _lists([cells[filled]])}
    return _to_bytes("outcomes", batch, {"problem_type": "binary" if binary else "regression"})


def decode_outcomes(payload: bytes) -> Outcomes:
    """Return the outcomes that were encoded.

    Raises
    ------
    InvalidInput
        If the payload holds no outcomes, is damaged, or was written by a newer release.
    """
    with reading("outcomes", payload) as (batch, metadata):
        written = batch.schema.names
        if metadata["problem_type"] == "multiclass":
            classes = tuple(batch.column("classes")[0].as_py())
            cells = _spread(batch, "cell_steps", "cell_counts", len(classes) ** 2)
            return MulticlassOutcomes(classes, cells.reshape(len(classes), len(classes)))
        names = _REGRESSION_SCALARS if metadata["problem_type"] == "regression" else _BINARY_SCALARS
        scalars = {name: batch.column(name)[0].as_py() for name in names if name in written}
        if metadata["problem_type"] == "regression":
            return RegressionOutcomes(**scalars)
        if "score_cells" not in written:  # an earlier release stored every cell
            positives, negatives = (_arrays(batch.column(name))[0].astype(np.int64) for name in _HISTOGRAMS)
            return BinaryOutcomes(positives=positives, negatives=negatives, **scalars)
        n_cells = batch.column("score_cells")[0].as_py()
        positives, negatives = (_spread(batch, f"{name}_steps", name, n_cells) for name in _HISTOGRAMS)
        return BinaryOutcomes(positives=positives, negatives=negatives, **scalars)


def encode_grids(grids: Grids) -> bytes:
    """Return grids as bytes."""
    edges = [grid.edges if isinstance(grid, NumericGrid) else None for grid in grids.values()]
    categories = [grid.categories if isinstance(grid, CategoricalGrid) else None for grid in grids.values()]
    batch = {
        "name": pa.array(grids, pa.string()),
        "edges": pa.array(edges, pa.list_(pa.float64())),
        "categories": pa.array(categories, pa.list_(pa.string())),
    }
    return _to_bytes("grids", batch, {})


def decode_grids(payload: bytes) -> dict[str, Grid]:
    """Return the grids that were encoded.

    Raises
    ------
    InvalidInput
        If the payload holds no grids, is damaged, or was written by a newer release.
    """
    with reading("grids", payload) as (batch, _):
        grids: dict[str, Grid] = {}
        names, all_edges, all_categories = (batch.column(name) for name in ("name", "edges", "categories"))
        for name, edges, categories in zip(names, all_edges, all_categories, strict=True):
            if edges.is_valid:
                grids[name.as_py()] = NumericGrid(edges.values.to_numpy())
            else:
                grids[name.as_py()] = CategoricalGrid(tuple(categories.as_py()))
        return grids


def _to_bytes(content: str, columns: dict[str, pa.Array], extra: dict[str, str]) -> bytes:
    batch = pa.RecordBatch.from_pydict(columns)
    batch = batch.replace_schema_metadata({"bigboard": content, "format": str(_FORMAT), **extra})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(use_threads=False)) as writer:
        writer.write_batch(batch)
    stream = sink.getvalue()
    frame: bytes = pa.Codec("zstd").compress(stream, asbytes=True)
    return _HEAD.pack(_FRAME, stream.size, zlib.crc32(frame)) + frame


def arrow_stream(payload: bytes) -> pa.Buffer:
    """Return the Arrow IPC stream of an encoded slice, outcomes or grids.

    Since format 3 a payload is the word ``BIGBOARD``, the size of the stream (8 bytes), the CRC-32 of what
    comes then (4 bytes; both little-endian), and the stream in one zstd frame. Earlier payloads are the
    stream itself.

    Raises
    ------
    ArrowInvalid, OSError
        If the payload is damaged.
    """
    if not payload.startswith(_FRAME):
        return pa.py_buffer(payload)
    if len(payload) < _HEAD.size:
        raise pa.ArrowInvalid("it ends early")
    _, size, checksum = _HEAD.unpack_from(payload)
    frame = memoryview(payload)[_HEAD.size :]
    if zlib.crc32(frame) != checksum or size > _MOST_BYTES:
        raise pa.ArrowInvalid("its checksum is another")
    stream: pa.Buffer = pa.Codec("zstd").decompress(frame, decompressed_size=size)
    return stream


@contextmanager
def reading(content: str, payload: bytes) -> Iterator[tuple[pa.RecordBatch, dict[str, str]]]:
    """Hand out the batch and its metadata; whatever goes wrong with them is an InvalidInput."""
    try:
        with pa.ipc.open_stream(
            arrow_stream(payload), options=pa.ipc.IpcReadOptions(use_threads=False)
        ) as reader:
            metadata = {key.decode(): value.decode() for key, value in (reader.schema.metadata or {}).items()}
            found = metadata.get("bigboard", "something else")
            if found != content:
                raise InvalidInput(f"these bytes hold {found}, not {content}: rebuild it")
            if int(metadata["format"]) > _FORMAT:
                raise InvalidInput(f"{content} of format {metadata['format']} > {_FORMAT}: upgrade Bigboard")
            batch = reader.read_next_batch()
        batch.validate(full=True)
        yield batch, metadata
    except (pa.ArrowException, OSError, StopIteration, ValueError, LookupError, TypeError) as error:
        raise InvalidInput(f"these bytes are no whole {content}: rebuild it ({error})") from error


def _steps(places: NDArray[np.int64]) -> NDArray[np.int64]:
    steps = places.copy()
    steps[1:] -= places[:-1]
    return steps


def _spread(batch: pa.RecordBatch, steps: str, counts: str, n_cells: int) -> NDArray[np.int64]:
    cells = np.zeros(n_cells, dtype=np.int64)
    places = np.cumsum(_arrays(batch.column(steps))[0], dtype=np.int64)
    cells[places] = _arrays(batch.column(counts))[0]
    return cells


def _lists(arrays: Sequence[NDArray[np.int64]]) -> pa.ListArray:
    joined = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)
    offsets = np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int32)
    narrow = np.min_scalar_type(joined.max(initial=0))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(joined.astype(narrow)))


def _arrays(lists: pa.ListArray) -> list[NDArray[np.int64]]:
    values, offsets = lists.values.to_numpy(), lists.offsets.to_pylist()
    return [values[start:stop] for start, stop in pairwise(offsets)]
