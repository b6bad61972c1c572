"""What can be counted, and how this machine reads it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices import SlicePlan
from mlops_core.warehouse import warehouse_sql

__all__ = [
    "FilePart",
    "ParquetFiles",
    "Scalar",
    "Source",
    "SqlQuery",
    "batches_of",
    "columns_of",
    "parts_of",
    "read_part",
    "wanted_of",
]

Scalar: TypeAlias = str | int | bool
"""What a row may be chosen by."""

_ROWS_AT_ONCE: Final = 131_072


@dataclass(frozen=True, slots=True)
class ParquetFiles:
    """The rows of some Parquet files, such as those of a Delta table's version.

    Attributes
    ----------
    files
        At least one path. Where a file lacks a column that another one has, its rows are null.
    where
        Only rows that hold these values in these columns.
    """

    files: Sequence[str]
    where: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """The rows of a query, for what only SQL reaches.

    Attributes
    ----------
    text
        In the dialect of the engine that counts: DuckDB's on this machine, Spark's on Spark.
    parameters
        Values by name: ``$name`` in DuckDB, ``:name`` in Spark.
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


Source: TypeAlias = ParquetFiles | SqlQuery


def columns_of(plan: SlicePlan) -> list[str]:
    """Return the columns that a plan needs, each once."""
    return list(dict.fromkeys([plan.time_column, *plan.segment_columns, *plan.grids]))


def schema_of(source: ParquetFiles) -> pa.Schema:
    """Return the columns of all files together; text is `string`, however a file encodes it.

    Raises
    ------
    InvalidInput
        If there is no file, or one is missing or damaged.
    SchemaMismatch
        If a column has one type in this file and another in that.
    """
    import pyarrow.parquet as pq

    if not source.files:
        raise InvalidInput("there is no file to count: name at least one")
    schema = pa.schema([])
    for file in source.files:
        with _named(file):
            found = pq.read_schema(file)
        try:
            schema = pa.unify_schemas(
                [schema, pa.schema([(field.name, _plain(field.type)) for field in found])]
            )
        except pa.ArrowException as error:
            raise SchemaMismatch(f"{file} does not fit the files before it: {error}") from error
    return schema


@dataclass(frozen=True, slots=True)
class FilePart:
    """Some row groups of a file, by their places."""

    file: str
    groups: tuple[int, ...]


def batches_of(source: Source, plan: SlicePlan) -> Iterator[pa.RecordBatch]:
    """Read the rows on this machine: files by pyarrow, a query by DuckDB.

    Raises
    ------
    InvalidInput
        If files are missing or damaged, do not fit each other, or the query fails.
    """
    if isinstance(source, SqlQuery):
        yield from _answer(source)
        return
    schema = wanted_of(source, plan)
    for part in parts_of(source):
        yield from read_part(part, schema, source.where)


def wanted_of(source: ParquetFiles, plan: SlicePlan) -> pa.Schema:
    """Return the columns that counting some files needs, as far as they are there; see `schema_of`."""
    schema = schema_of(source)
    wanted = dict.fromkeys([*columns_of(plan), *source.where])
    return pa.schema([schema.field(name) for name in wanted if name in schema.names])


def parts_of(source: ParquetFiles, most_rows: float = math.inf) -> Iterator[FilePart]:
    """Cut files into parts of neighbouring row groups that may hold rows to count.

    Parameters
    ----------
    source
        The files.
    most_rows
        A part has no more rows, unless a single row group does.
    """
    import pyarrow.parquet as pq

    for file in source.files:
        with _named(file):
            metadata = pq.read_metadata(file)
        groups: list[int] = []
        rows = 0
        for group in range(metadata.num_row_groups):
            found = metadata.row_group(group)
            if not all(_may_hold(found, *pair) for pair in source.where.items()):
                continue
            if groups and rows + found.num_rows > most_rows:
                yield FilePart(file, tuple(groups))
                groups, rows = [], 0
            groups.append(group)
            rows += found.num_rows
        if groups:
            yield FilePart(file, tuple(groups))


def read_part(part: FilePart, schema: pa.Schema, where: Mapping[str, Scalar]) -> Iterator[pa.RecordBatch]:
    """Read one row group after the other: half the time and a fifth of the memory of reading ahead.

    Raises
    ------
    InvalidInput
        If the file is missing or damaged.
    """
    # Imported here because it brings pandas along, which would make every server start later.
    import pyarrow.parquet as pq

    with _named(part.file):
        metadata = pq.read_metadata(part.file)
        present = set(metadata.schema.to_arrow_schema().names)
        texts = [field.name for field in schema if field.name in present and pa.types.is_string(field.type)]
    with _named(part.file), pq.ParquetFile(part.file, metadata=metadata, read_dictionary=texts) as parquet:
        for group in part.groups:
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=schema.names):
                whole = _completed(batch, schema)
                for name, value in where.items():
                    holds = pc.equal(whole[name], value)
                    if holds.true_count < len(holds):
                        whole = whole.filter(holds)
                yield whole


def _may_hold(group: Any, name: str, value: Scalar) -> bool:
    """Return whether a row group may hold a value in a column, by its statistics."""
    for place in range(group.num_columns):
        column = group.column(place)
        if column.path_in_schema == name:
            known = column.statistics
            return known is None or not known.has_min_max or bool(known.min <= value <= known.max)
    return False


def _completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give a batch the columns that its file lacks, or has without a type."""
    names = set(batch.schema.names)
    arrays = [
        batch.column(field.name)
        if field.name in names and not pa.types.is_null(batch.schema.field(field.name).type)
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)


def _answer(source: SqlQuery) -> Iterator[pa.RecordBatch]:
    import duckdb

    with warehouse_sql() as connection:
        try:
            yield from connection.execute(source.text, dict(source.parameters)).to_arrow_reader(_ROWS_AT_ONCE)
        except duckdb.Error as error:
            raise InvalidInput(f"DuckDB cannot answer the query: {error}") from error


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Name the file in what goes wrong with it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"{file} cannot be read as Parquet: {error}") from error


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind
