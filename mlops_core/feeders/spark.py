"""Count on Spark: every task builds the slices of its own rows, and slices of the same key are added up.

``mapInArrow`` runs `build_slices` in each task: on some row groups of Parquet files, which the task reads as
this machine would, or on the rows of a query, which Spark hands it as Arrow batches. What leaves a task is
one encoded slice for each period and segment, never a row.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mlops_core import __version__
from mlops_core.domain.errors import EngineError, InvalidInput
from mlops_core.feeders.sources import ParquetFiles, Source, SqlQuery, columns_of, parts_of, wanted_of
from mlops_core.feeders.spark_session import spark_session
from mlops_core.feeders.spark_tasks import PARTS, count_files, count_rows, merge_group, parts_to_slices
from mlops_core.slices import Slice, SliceKey, SlicePlan, build_slices, decode_grids, encode_grids

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["count_on_spark"]

_ROWS_A_TASK: Final = 2_000_000


def count_on_spark(source: Source, plan: SlicePlan, master: str) -> dict[SliceKey, Slice]:
    """Count every row of a source on Spark; see `mlops_core.feeders.count_slices`."""
    if isinstance(source, ParquetFiles):
        # The builder itself says what it cannot count, before Spark starts.
        build_slices([pa.RecordBatch.from_pylist([], schema=wanted_of(source, plan))], plan)
    # The tasks get the grids as new, not with the tables by which this process finds cells: a tenth as large.
    sent = replace(plan, grids=decode_grids(encode_grids(plan.grids)))
    with spark_session(master) as session:
        from pyspark.errors import PySparkException

        try:
            if isinstance(source, ParquetFiles):
                parts = _counted_files(session, source, sent)
            else:
                parts = _counted_query(session, source, sent)
            merged = parts.groupBy("start", "segment", "error").applyInArrow(merge_group, PARTS)
            return parts_to_slices(merged.toArrow(), plan)
        except PySparkException as error:
            raise _explained(error, source) from error


def _counted_files(session: "SparkSession", source: ParquetFiles, plan: SlicePlan) -> "DataFrame":
    schema, where = wanted_of(source, plan), dict(source.where)
    parts = list(parts_of(source, _ROWS_A_TASK))

    def task(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chosen = [parts[number] for batch in numbers for number in batch.column(0).to_pylist()]
        return count_files(chosen, schema, where, plan, __version__)

    # One number a partition: Spark plans and retries the tasks, the task reads what its number stands for.
    return session.range(0, len(parts), 1, max(1, len(parts))).mapInArrow(task, PARTS)


def _counted_query(session: "SparkSession", source: SqlQuery, plan: SlicePlan) -> "DataFrame":
    rows = session.sql(source.text, args=dict(source.parameters))
    present = [name for name in columns_of(plan) if name in rows.columns]

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return count_rows(batches, plan, __version__)

    return rows.select(*("`" + name.replace("`", "``") + "`" for name in present)).mapInArrow(task, PARTS)


def _explained(error: Exception, source: Source) -> Exception:
    text = str(error)
    if re.search(r"No module named '(mlops_core|sqlmodel|pyarrow|numpy)", text):
        return EngineError(
            f"Spark's executors have no Bigboard {__version__}: install it there (docs/scaling.md says how)"
        )
    first = (text.strip().splitlines() or [type(error).__name__])[0]
    if isinstance(source, SqlQuery) and type(error).__name__ in ("ParseException", "AnalysisException"):
        return InvalidInput(f"Spark cannot answer the query: {first}")
    return EngineError(f"Spark failed: {first}")
