"""Drift of rows as they lie in files or memory: no workspace, one answer."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

import pyarrow as pa

from mlops_core.analysis.chunks import CHUNK, MOST_CHUNKS, Chunking, whole
from mlops_core.analysis.distributions import distribution_of
from mlops_core.analysis.pairing import Skipped, pair_columns
from mlops_core.analysis.reference_grids import MOST_EXACT, SAMPLED, GridMaker
from mlops_core.analysis.report import ChunkDrift, ColumnDrift, DriftReport
from mlops_core.analysis.source import Source
from mlops_core.analysis.sources import Data, open_source
from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.arrow_columns import Period
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import MOST_CATEGORIES, Grid, Grids, NumericGrid
from mlops_core.slices.grouping import SliceKey
from mlops_core.slices.kernel import SlicePlan, build_slices
from mlops_core.statistics import DRIFT_STATISTICS, QUALITY_STATISTICS, status_of, undefined_reason
from mlops_core.statistics.registry import ColumnKind

__all__ = ["Progress", "drift"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many steps are done and how many there are; a step is a row of a group of columns."""

_MEMORY: Final = 256 << 20
_CHUNKS_OF_TIME: Final = 400
_BYTES_PER_CELL_ROW: Final = 8 * 1_030


def drift(
    reference: Data,
    current: Data,
    *,
    timestamp: str | None = None,
    every: Period | None = None,
    chunk_rows: int | None = None,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    progress: Progress | None = None,
) -> DriftReport:
    """Compare current rows with reference rows, column by column.

    Each chunk of the current rows is compared with the whole reference, by every drift statistic that fits
    the kind of the column. The order of the reference never matters, that of the current rows only with
    `chunk_rows`. Files are read in groups of columns that fit into about 500 MB, whatever their size.

    Parameters
    ----------
    reference, current
        Whatever `open_source` opens: paths, globs, Delta tables, DataFrames, Arrow tables.
    timestamp, every
        Cut the current rows by this column into ``"day"``, ``"week"`` (from Monday) or ``"month"``, in UTC;
        times without a zone are UTC.
    chunk_rows
        Cut them after so many rows instead.
    columns
        Compare these alone; an error if one cannot be. All that can be compared when None.
    categorical
        Integer columns to count by value.
    progress
        Called now and then with how much is done.

    Raises
    ------
    InvalidInput
        If something cannot be read or compared; the message names file, column and row where it can.

    Examples
    --------
    >>> table = pa.table({"price": [1.0, 2.0, 3.0, 4.0], "shop": ["a", "a", "b", "b"]})
    >>> drift(table, table).worst
    'in_range'
    """
    chunking = Chunking(timestamp, every, chunk_rows)
    first = open_source(reference, "the reference")
    second = open_source(current, "the current rows")
    if not first.rows:
        raise InvalidInput(f"{first.name} has no rows: there is nothing to compare with")
    chunking.check(second)
    pairing = pair_columns(first, second, timestamp, columns, categorical)
    asked = {*(columns or ()), *categorical}
    groups = _groups(pairing.kinds, first, second, chunking)
    counter = _Counter(progress, (first.rows + second.rows) * len(groups))
    found: dict[str, ColumnDrift] = {}
    skipped = list(pairing.skipped)
    for group in groups:
        grids, counted, identifiers = _count_reference(first, group, counter)
        for name in sorted(identifiers):
            reason = f"holds more than {MOST_CATEGORIES:,} distinct values in {first.name}: an identifier"
            if name in asked:
                raise InvalidInput(f"column {name!r} {reason}: leave it out")
            skipped.append(Skipped(name, reason))
        if grids:
            chunks = _count_current(second, grids, chunking, counter)
            for name, grid in grids.items():
                found[name] = _compare(name, grid, counted[name], chunks, chunking, group[name])
    if not found:
        raise InvalidInput(f"{first.name} has no column that can be compared: all are identifiers")
    return DriftReport(
        reference=first.name,
        current=second.name,
        reference_rows=first.rows,
        current_rows=second.rows,
        columns=tuple(found[name] for name in pairing.kinds if name in found),
        skipped=tuple(skipped),
        chunked_by=every or ("rows" if chunk_rows else None),
    )


_Chunks: TypeAlias = list[tuple[SliceKey, int, dict[str, Counts]]]


class _Counter:
    """Counts rows that go by, for a progress bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch
            self._done += batch.num_rows
            if self._progress is not None:
                self._progress(self._done, self._total)


def _groups(
    kinds: dict[str, ColumnKind], reference: Source, current: Source, chunking: Chunking
) -> list[dict[str, ColumnKind]]:
    """Part the columns so that the values and the counts of a part fit into memory."""
    values = 24 * (reference.rows if reference.rows <= MOST_EXACT else SAMPLED)
    chunks = -(-current.rows // chunking.rows) if chunking.rows else 1
    tallies = _BYTES_PER_CELL_ROW * (_CHUNKS_OF_TIME if chunking.timestamp else max(1, chunks))
    size = max(1, _MEMORY // max(values, tallies, 1))
    names = list(kinds)
    return [
        {name: kinds[name] for name in names[start : start + size]} for start in range(0, len(names), size)
    ]


def _count_reference(
    source: Source, kinds: dict[str, ColumnKind], counter: _Counter
) -> tuple[dict[str, Grid], dict[str, Counts], set[str]]:
    """Read a part of the reference once, or twice where it is too long to be kept."""
    maker = GridMaker(source, kinds)
    watched = maker.watch(counter.watch(source.batches(maker.columns)))
    kept: list[pa.RecordBatch] = []
    if source.rows <= MOST_EXACT:
        kept.extend(watched)
    else:
        for _ in watched:
            pass
    grids = maker.grids()
    if not grids:
        return {}, {}, maker.identifiers
    plan = SlicePlan(CHUNK, "day", grids)
    slices = build_slices(whole(kept or source.batches(list(grids))), plan)
    (only,) = slices.values()
    return grids, dict(only.columns), maker.identifiers


def _count_current(source: Source, grids: Grids, chunking: Chunking, counter: _Counter) -> _Chunks:
    names = list(grids)
    if chunking.timestamp is not None and chunking.timestamp not in grids:
        names.append(chunking.timestamp)
    plan = SlicePlan(chunking.time_column, chunking.period, grids)
    slices = build_slices(chunking.tagged(counter.watch(source.batches(names)), source), plan)
    if len(slices) > MOST_CHUNKS:
        raise InvalidInput(
            f"{source.name} spans {len(slices):,} chunks, more than {MOST_CHUNKS:,}: choose a longer period"
        )
    if not slices:
        empty = {name: _empty(grid) for name, grid in grids.items()}
        return [(SliceKey(datetime(1970, 1, 1, tzinfo=UTC)), 0, empty)]
    return [(key, slices[key].rows, dict(slices[key].columns)) for key in sorted(slices)]


def _empty(grid: Grid) -> Counts:
    if isinstance(grid, NumericGrid):
        return NumericCounts.empty(grid.n_cells)
    return CategoricalCounts.empty(grid.n_cells)


def _compare(
    name: str, grid: Grid, reference: Counts, chunks: _Chunks, chunking: Chunking, kind: ColumnKind
) -> ColumnDrift:
    parts: list[ChunkDrift] = []
    for key, rows, counted in chunks:
        current = counted[name]
        statistics = {
            statistic.name: statistic.compute(reference, current, grid)
            for statistic in DRIFT_STATISTICS.values()
            if kind in statistic.kinds
        }
        quality = {
            statistic.name: statistic.compute(reference, current, grid)
            for statistic in QUALITY_STATISTICS.values()
            if kind in statistic.kinds
        }
        reasons = {
            statistic: undefined_reason(statistic, reference, current, grid) or "too large to compute with"
            for statistic, value in statistics.items()
            if not math.isfinite(value)
        }
        start, end = chunking.bounds(key.start, rows) if rows else (None, None)
        parts.append(
            ChunkDrift(start, end, rows, current.missing, statistics, quality, reasons, status_of(statistics))
        )
    total = _total([counted[name] for _, _, counted in chunks])
    return ColumnDrift(name, kind, tuple(parts), distribution_of(reference, total, grid))


def _total(parts: list[Counts]) -> Counts:
    numeric = [part for part in parts if isinstance(part, NumericCounts)]
    if numeric:
        return NumericCounts.sum_of(numeric)
    return CategoricalCounts.sum_of([part for part in parts if isinstance(part, CategoricalCounts)])
