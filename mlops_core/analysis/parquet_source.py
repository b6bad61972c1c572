"""Parquet files as one source of rows."""

import contextlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from mlops_core.analysis.source import (
    ROWS_AT_ONCE,
    Source,
    check_names,
    fit_batch,
    plain_type,
)
from mlops_core.domain.errors import InvalidInput, SchemaMismatch

__all__ = ["ParquetSource", "reading", "unified"]


class ParquetSource(Source):
    """The rows of one or more Parquet files, one file after the other.

    A column that some of the files lack is null there; a number may be wider in one than in another.

    Parameters
    ----------
    files
        Paths, at least one.
    name
        What messages call them.

    Raises
    ------
    InvalidInput
        If a file cannot be read, or is not Parquet.
    SchemaMismatch
        If a column has one type in this file and another in that.
    """

    def __init__(self, files: Sequence[str], name: str) -> None:
        # Imported here because a server that analyses no file starts without it.
        import pyarrow.parquet as pq

        self.name = name
        self._files = list(files)
        self._metadata: list[Any] = []
        schemas: list[pa.Schema] = []
        for file in self._files:
            with reading(file, "Parquet"):
                metadata = pq.read_metadata(file, memory_map=True)
                found = metadata.schema.to_arrow_schema()
            check_names(found.names, file)
            self._metadata.append(metadata)
            schemas.append(found)
        self.schema, self._owners = unified(schemas, self._files)
        self._ends = list(accumulate(metadata.num_rows for metadata in self._metadata))

    @property
    def rows(self) -> int:
        """How many rows there are, as the files say."""
        return int(self._ends[-1])

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the rows; one row group after the other, its columns decoded by all processors."""
        import pyarrow.parquet as pq

        self.check_columns(columns)
        schema = pa.schema([self.schema.field(name) for name in columns])
        texts = [field.name for field in schema if field.type == pa.string()]
        for file, metadata in zip(self._files, self._metadata, strict=True):
            present = set(metadata.schema.to_arrow_schema().names)
            wanted = [name for name in columns if name in present]
            with (
                reading(file, "Parquet"),
                pq.ParquetFile(
                    file,
                    metadata=metadata,
                    read_dictionary=[name for name in texts if name in present],
                ) as parquet,
            ):
                for group in range(metadata.num_row_groups):
                    if not wanted:
                        yield from _without_columns(metadata.row_group(group).num_rows, schema)
                        continue
                    for batch in parquet.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=wanted):
                        yield fit_batch(batch, schema, file)

    def place(self, row: int) -> str:
        """Say which file holds a row, and where."""
        number = min(bisect_right(self._ends, row), len(self._files) - 1)
        before = self._ends[number - 1] if number else 0
        return f"{self._files[number]}, row {row - before + 1:,}"

    def owner(self, column: str) -> str:
        """Name the first file that has the column."""
        return self._owners.get(column, self.name)


@contextlib.contextmanager
def reading(file: str, form: str) -> Iterator[None]:
    """Name the file in what goes wrong while it is read, and say what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidInput(f"{file} does not exist: check the path") from error
    except PermissionError as error:
        raise InvalidInput(f"{file} may not be read: ask for permission (chmod +r)") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} holds a name that is not UTF-8: write the file anew") from error
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"{file} cannot be read as {form}: {_advice(str(error))}") from error


def unified(schemas: Sequence[pa.Schema], files: Sequence[str]) -> tuple[pa.Schema, dict[str, str]]:
    """Return the columns of all files together, and which file each was first met in.

    Raises
    ------
    SchemaMismatch
        If a column has one type in this file and another in that.
    """
    kinds: dict[str, pa.DataType] = {}
    owners: dict[str, str] = {}
    for schema, file in zip(schemas, files, strict=True):
        for field in schema:
            kind = plain_type(field.type)
            known = kinds.get(field.name)
            kinds[field.name] = kind if known is None else _wider(known, kind, field.name, file, owners)
            owners.setdefault(field.name, file)
    return pa.schema(list(kinds.items())), owners


def _wider(
    known: pa.DataType, kind: pa.DataType, name: str, file: str, owners: dict[str, str]
) -> pa.DataType:
    if known == kind:
        return kind
    try:
        both = [pa.schema([(name, known)]), pa.schema([(name, kind)])]
        return pa.unify_schemas(both, promote_options="permissive").field(0).type
    except pa.ArrowException as error:
        raise SchemaMismatch(
            f"column {name!r} holds {kind} in {file}, but {known} in {owners[name]}: "
            "write both with one type, or leave one file out"
        ) from error


def _without_columns(rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a group in which a file holds none of the columns."""
    for start in range(0, rows, ROWS_AT_ONCE):
        length = min(ROWS_AT_ONCE, rows - start)
        if len(schema):
            yield pa.RecordBatch.from_arrays(
                [pa.nulls(length, field.type) for field in schema], names=schema.names
            )
        else:
            yield pa.RecordBatch.from_struct_array(pa.array([{}] * length, pa.struct([])))


def _advice(message: str) -> str:
    first = message.strip().splitlines()[0].rstrip(". ") if message.strip() else "no reason given"
    if "magic bytes" in first:
        return "it ends too early or is another format; write it again, or name it .csv if it is text"
    return f"{first}; the file may be damaged, write it again"
