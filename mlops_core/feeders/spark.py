"""Count on Spark: every task builds the slices of its own rows, and slices of the same key are added up.

Spark reads the files or answers the query; ``mapInArrow`` hands the rows of a partition to `build_slices` as
Arrow batches. What leaves a task is one encoded slice for each period and segment, never a row.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mlops_core import __version__
from mlops_core.domain.errors import EngineError, InvalidInput
from mlops_core.feeders.sources import ParquetFiles, Source, SqlQuery, columns_of, schema_of
from mlops_core.feeders.spark_session import spark_session
from mlops_core.feeders.spark_tasks import PARTS, count_partition, merge_group, parts_to_slices
from mlops_core.slices import Slice, SliceKey, SlicePlan, build_slices, decode_grids, encode_grids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType

__all__ = ["count_on_spark"]

_PATTERN: Final = re.compile(r"([{}\[\]*?\\])")


def count_on_spark(source: Source, plan: SlicePlan, master: str) -> dict[SliceKey, Slice]:
    """Count every row of a source on Spark; see `mlops_core.feeders.count_slices`."""
    schema = None
    if isinstance(source, ParquetFiles):
        found = schema_of(source)
        schema = pa.schema([found.field(name) for name in columns_of(plan) if name in found.names])
        # The builder itself says what it cannot count, before Spark starts.
        build_slices([pa.RecordBatch.from_pylist([], schema=schema)], plan)
        asked = [*schema, *(found.field(name) for name in source.where if name not in schema.names)]
        fields = [(field.name, field.type) for field in asked if not pa.types.is_null(field.type)]
        _check_readable(source, fields)
    # The tasks get the grids as new, not with the tables by which this process finds cells: a tenth as large.
    sent = replace(plan, grids=decode_grids(encode_grids(plan.grids)))
    with spark_session(master) as session:
        from pyspark.errors import PySparkException

        def task(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
            return count_partition(batches, sent, schema, __version__)

        try:
            if isinstance(source, ParquetFiles):
                rows = _rows_of_files(session, source, fields).select(*_columns(fields, plan))
            else:
                rows = _rows_of_query(session, source, plan)
            parts = rows.mapInArrow(task, PARTS)
            merged = parts.groupBy("start", "segment", "error").applyInArrow(merge_group, PARTS)
            return parts_to_slices(merged.toArrow(), plan)
        except PySparkException as error:
            raise _explained(error, source) from error


def _columns(fields: list[tuple[str, pa.DataType]], plan: SlicePlan) -> list[str]:
    present = {name for name, _ in fields}
    return [_quoted(name) for name in columns_of(plan) if name in present]


def _rows_of_files(
    session: "SparkSession", source: ParquetFiles, fields: list[tuple[str, pa.DataType]]
) -> "DataFrame":
    from pyspark.sql import functions
    from pyspark.sql.types import StructField, StructType

    schema = StructType([StructField(name, _spark_type(kind)) for name, kind in fields])
    reader = session.read.schema(schema).option("recursiveFileLookup", "true")  # a folder's name is no column
    rows = reader.parquet(*(_address(file) for file in source.files))
    for name, value in source.where.items():
        rows = rows.filter(functions.col(_quoted(name)) == functions.lit(value))
    return rows


def _rows_of_query(session: "SparkSession", source: SqlQuery, plan: SlicePlan) -> "DataFrame":
    rows = session.sql(source.text, args=dict(source.parameters))
    return rows.select(*(_quoted(name) for name in columns_of(plan) if name in rows.columns))


def _address(file: str) -> str:
    """Return a path as Spark takes it: never relative, never a pattern."""
    if "://" in file:
        return _PATTERN.sub(r"\\\1", file)
    return "file://" + _PATTERN.sub(r"\\\1", str(Path(file).absolute()))


def _check_readable(source: ParquetFiles, fields: list[tuple[str, pa.DataType]]) -> None:
    """Refuse what Spark would pass over in silence, or not understand."""
    for file in source.files:
        if file.rsplit("/", 1)[-1].startswith(("_", ".")):
            raise InvalidInput(
                f"{file} begins with an underscore or a dot, and Spark passes over such files: rename it, or "
                "set BIGBOARD_ENGINE=local"
            )
    for name, kind in fields:
        if pa.types.is_float16(kind) or pa.types.is_decimal256(kind):
            raise InvalidInput(
                f"column {name!r} holds {kind}, which Spark cannot read: store it as double, or set "
                "BIGBOARD_ENGINE=local"
            )


def _spark_type(kind: pa.DataType) -> "DataType":
    """Return the type under which Spark reads a Parquet column; `count_partition` restores the rest."""
    from pyspark.sql import types

    is_ = pa.types
    if is_.is_dictionary(kind):
        kind = kind.value_type
    if is_.is_uint64(kind):
        return types.DecimalType(20, 0)
    if is_.is_decimal(kind):
        return types.DecimalType(kind.precision, kind.scale)
    if is_.is_date(kind):
        return types.DateType()
    if is_.is_timestamp(kind):
        if kind.unit == "ns":
            return types.LongType()
        return types.TimestampType() if kind.tz else types.TimestampNTZType()
    if is_.is_boolean(kind):
        return types.BooleanType()
    if is_.is_floating(kind):
        return types.FloatType() if kind.bit_width == 32 else types.DoubleType()
    if is_.is_integer(kind):
        bits = kind.bit_width * (2 if is_.is_unsigned_integer(kind) else 1)
        return {8: types.ByteType, 16: types.ShortType, 32: types.IntegerType, 64: types.LongType}[bits]()
    return types.StringType()


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


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
