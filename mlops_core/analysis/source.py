"""What every source of rows can do, whatever holds them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa

from mlops_core.domain.errors import InvalidInput, SchemaMismatch

__all__ = ["ROWS_AT_ONCE", "Source", "check_names", "fit_batch", "plain_type"]

ROWS_AT_ONCE: Final = 131_072
"""How many rows a batch holds at most."""


class Source(ABC):
    """Rows that can be read again and again, in batches.

    Attributes
    ----------
    name
        What messages call it: a path, a pattern, or "the DataFrame".
    schema
        The columns; text is `string`, however a file encodes it.
    """

    name: str
    schema: pa.Schema

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many rows there are; a large CSV file is read through once to find out."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the rows in file order, at most `ROWS_AT_ONCE` at a time.

        Text may be dictionary-encoded.

        Raises
        ------
        SchemaMismatch
            If there is no such column.
        InvalidInput
            If a file is damaged.
        """

    def place(self, row: int) -> str:
        """Say where a row is, counted from 0: the file, and the row in it, counted from 1."""
        return f"{self.name}, row {row + 1:,}"

    def owner(self, column: str) -> str:
        """Name the file that says what type the column has."""
        return self.name

    def sample(self, columns: Sequence[str], rows: int = 100_000) -> pa.Table:
        """Return about so many rows, spread evenly over the file; all when there are no more.

        The rows depend on their order: what must not is made from all rows.
        """
        total = self.rows
        step = max(1, -(-total // max(1, rows)))
        taken: list[pa.RecordBatch] = []
        offset = 0
        for batch in self.batches(columns):
            first = -offset % step
            places = pa.array(range(first, batch.num_rows, step), pa.int64())
            taken.append(batch if step == 1 else batch.take(places))
            offset += batch.num_rows
        if not taken:
            return pa.schema([self.schema.field(name) for name in columns]).empty_table()
        return pa.Table.from_batches(taken).unify_dictionaries()

    def check_columns(self, columns: Sequence[str]) -> None:
        """Raise SchemaMismatch if a column is not there."""
        for name in columns:
            if name not in self.schema.names:
                raise SchemaMismatch(
                    f"{self.name} has no column {name!r}: it has {', '.join(self.schema.names[:40])}"
                )


def check_names(names: Sequence[str], where: str) -> None:
    """Raise InvalidInput if a file has two columns of one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"{where} has two columns named {name!r}: give each column its own name")
        seen.add(name)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values; every kind of text is `string`."""
    if pa.types.is_dictionary(kind) and is_text(kind.value_type):
        return pa.string()
    return pa.string() if is_text(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """Return whether this is one of Arrow's types of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def fit_batch(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    """Give a batch the columns of a schema, in its order; numbers are widened, what is missing is null."""
    names = set(batch.schema.names)
    arrays: list[pa.Array] = []
    for field in schema:
        if field.name not in names:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        array = batch.column(batch.schema.get_field_index(field.name))
        if plain_type(array.type) != plain_type(field.type):
            try:
                array = array.cast(field.type, safe=False)
            except pa.ArrowException as error:
                raise InvalidInput(f"{where}: column {field.name!r}: {error}") from error
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=schema.names)
