"""The slice builder: Arrow batches in, mergeable counts out, in one pass.

Whoever can hand out Arrow batches can feed it: Parquet row groups, DuckDB's ``to_arrow_reader``, Spark's
``mapInArrow``. All get the same counts.
"""

import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.arrow_columns import Period, check_period, column_of
from mlops_core.slices.cell_index import BLOCK, Scratch
from mlops_core.slices.counts import Slice
from mlops_core.slices.grid import Grid, Grids, NumericGrid
from mlops_core.slices.grouping import GroupRegistry, Runs, SliceKey
from mlops_core.slices.tallies import BlockRuns, CategoricalTally, NumericTally, Tally, grown

__all__ = ["SlicePlan", "build_slices", "check_plan"]


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """What to count, and by what.

    Attributes
    ----------
    time_column
        Decides the period of a row; a time without a zone is taken as UTC.
    period
        ``"hour"``, ``"day"``, ``"week"`` (from Monday on) or ``"month"``, in UTC.
    grids
        The columns to count, and their cells.
    segment_columns
        Each value of each of these columns gets slices of its own, beside those of all rows.
    """

    time_column: str
    period: Period
    grids: Grids
    segment_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_plan(self.period, self.segment_columns)


def check_plan(period: str, segment_columns: tuple[str, ...]) -> None:
    """Raise InvalidInput if a plan has an unknown period, or names a segment column twice."""
    check_period(period)
    if len(set(segment_columns)) != len(segment_columns):
        raise InvalidInput(f"segment columns {segment_columns!r} name a column twice: name each once")


def build_slices(
    batches: Iterable[pa.RecordBatch], plan: SlicePlan, threads: int | None = None
) -> dict[SliceKey, Slice]:
    """Count every row of the batches into the slices that it belongs to.

    Counts are exact however the rows are split into batches; sums differ by rounding. While a batch is
    counted, the next one is fetched. Memory: 8 bytes for each slice, column and cell, whatever the rows.

    Parameters
    ----------
    batches
        Record batches that hold the time column, the segment columns and the columns of the grids.
    plan
        What to count.
    threads
        How many columns to count at a time; all processors when None.

    Returns
    -------
    dict
        The slices that hold at least one row.

    Raises
    ------
    SchemaMismatch
        If a column is missing or of the wrong type, or a time is null.
    InvalidInput
        If a segment column has too many values, or a time is outside the years 1 to 9999.
    """
    registry = GroupRegistry(plan.time_column, plan.period, plan.segment_columns)
    tallies = {name: _tally(name, grid) for name, grid in plan.grids.items()}
    rows = np.zeros(0, dtype=np.int64)
    memory = threading.local()

    def count(tally: Tally, array: pa.Array, blocks: BlockRuns, n_groups: int) -> None:
        if not hasattr(memory, "scratch"):
            memory.scratch = Scratch()
        tally.add(array, blocks, n_groups, memory.scratch)

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        counting: list[Future[None]] = []
        for batch in batches:
            arrays = [(tally, column_of(batch, name)) for name, tally in tallies.items()]
            numbered = registry.number_rows(batch)
            rows = grown(rows, len(registry))
            for groups in numbered:
                np.add.at(rows, groups, 1)
            blocks = _blocks(numbered, batch.num_rows)
            for future in counting:
                future.result()
            counting = [pool.submit(count, tally, array, blocks, len(registry)) for tally, array in arrays]
        for future in counting:
            future.result()
    keys = registry.keys()
    counted = rows[: len(keys)].tolist()
    columns = {name: tally.counts(counted) for name, tally in tallies.items()}
    return {
        key: Slice(counted[number], {name: counts[number] for name, counts in columns.items()})
        for number, key in enumerate(keys)
    }


def _tally(name: str, grid: Grid) -> Tally:
    return NumericTally(name, grid) if isinstance(grid, NumericGrid) else CategoricalTally(name, grid)


def _blocks(numbered: list[NDArray[np.int64]], n_rows: int) -> BlockRuns:
    return [
        [Runs.of(groups[start : start + BLOCK]) for groups in numbered] for start in range(0, n_rows, BLOCK)
    ]
