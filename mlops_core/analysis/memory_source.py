"""Rows that are in memory: pandas DataFrames, Arrow tables and record batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from mlops_core.analysis.source import ROWS_AT_ONCE, Source, check_names, is_text
from mlops_core.domain.errors import InvalidInput

__all__ = ["ArrowSource", "source_of_frame"]


class ArrowSource(Source):
    """The rows of an Arrow table.

    Parameters
    ----------
    table
        The rows; not copied, unless text has to become `string`.
    name
        What messages call it.
    """

    def __init__(self, table: pa.Table, name: str) -> None:
        check_names(table.schema.names, name)
        self.name = name
        self._table = table
        self.schema = table.schema.remove_metadata()
        for place, field in enumerate(self.schema):
            if is_text(field.type) or (pa.types.is_dictionary(field.type) and is_text(field.type.value_type)):
                self.schema = self.schema.set(place, pa.field(field.name, pa.string()))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._table.num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows as they lie in memory."""
        self.check_columns(columns)
        for batch in self._table.select(list(columns)).to_batches(ROWS_AT_ONCE):
            yield _encoded(batch)


def source_of_frame(frame: Any, name: str) -> ArrowSource:
    """Return the rows of a pandas DataFrame; its index is left out.

    Raises
    ------
    InvalidInput
        If a column holds values of several kinds.
    """
    names = [str(column) for column in frame.columns]
    check_names(names, name)
    arrays: list[Any] = []
    for place, column in enumerate(names):
        try:
            arrays.append(pa.Array.from_pandas(frame.iloc[:, place]))  # NaN is what pandas calls missing
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise InvalidInput(
                f"{name}: column {column!r} holds values of several kinds ({error}): convert it to one"
            ) from error
    return ArrowSource(pa.table(dict(zip(names, arrays, strict=True))), name)


def _encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Encode text as a dictionary."""
    for place, field in enumerate(batch.schema):
        if is_text(field.type):
            array = batch.column(place).dictionary_encode()
            batch = batch.set_column(place, pa.field(field.name, array.type), array)
    return batch
