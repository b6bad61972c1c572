"""Rows that come with a version: read, with times in UTC, and the outcome under its own name."""

from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.analysis.sources import Data, open_source
from mlops_core.domain.errors import InvalidInput
from mlops_core.registry.columns import OUTCOME, PREDICTED_AT
from mlops_core.warehouse import canonical

__all__ = ["read_rows", "with_times"]

_USUAL_TIMES: Final = (PREDICTED_AT, "as_of", "timestamp")


def read_rows(data: Data, outcome: str, what: str) -> pa.Table:
    """Read all rows of a file, a DataFrame or an Arrow table, with the types that the warehouse stores.

    Times without a zone are taken for UTC. The column `outcome` is called by its standard name.

    Raises
    ------
    InvalidInput
        They cannot be read or stored, two columns would be called alike, or another column than the one that
        was named would be taken for the outcome.
    """
    source = open_source(data, what)
    names = source.schema.names
    if outcome != OUTCOME and outcome in names and OUTCOME in names:
        raise InvalidInput(
            f"{source.name} has the columns '{outcome}' and '{OUTCOME}': leave one of them out"
        )
    if outcome not in names and OUTCOME in names:
        raise InvalidInput(
            f"{source.name} has no column '{outcome}', which was named for the outcome, but one called "
            f"'{OUTCOME}': name that one, or rename it"
        )
    batches = [batch.select(names) for batch in source.batches(names)]
    rows = pa.Table.from_batches(batches) if batches else source.schema.empty_table()
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            rows = rows.set_column(place, field.name, pc.assume_timezone(rows[field.name], "UTC"))
    rows = rows.rename_columns([OUTCOME if name == outcome else name for name in names])
    return canonical(rows, source.name)


def with_times(rows: pa.Table, column: str | None, now: datetime) -> tuple[pa.Table, str]:
    """Return rows with the column `predicted_at`, and in words where it comes from.

    It is the column that is named, or one with a usual name; without any, every row is of this moment.

    Raises
    ------
    InvalidInput
        The column that is named is not there, holds no times, or has rows without one.
    """
    if column is not None and column not in rows.column_names:
        raise InvalidInput(
            f"there is no column '{column}' in the rows: they have {', '.join(rows.column_names)}"
        )
    candidates = (column,) if column is not None else _USUAL_TIMES
    for name in candidates:
        if name not in rows.column_names:
            continue
        times = _times(rows[name])
        if times is not None:
            if PREDICTED_AT in rows.column_names:
                rows = rows.drop_columns([PREDICTED_AT])
            return rows.append_column(PREDICTED_AT, times), f"at the times in column '{name}'"
        if column is not None:
            raise InvalidInput(f"column '{name}' does not hold a time in every row: it is {rows[name].type}")
    if PREDICTED_AT in rows.column_names:
        rows = rows.drop_columns([PREDICTED_AT])
    moment: Any = pa.scalar(now, pa.timestamp("us", tz="UTC"))
    return rows.append_column(PREDICTED_AT, pa.repeat(moment, rows.num_rows)), "all at this moment"


def _times(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    kind = column.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) or column.null_count:
        return None
    return column.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
