"""Check the rows of a log before they are stored; a message names the row, counted from 1, and the column."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.clock import SystemClock
from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.arrow_columns import is_categorical, is_numeric

__all__ = [
    "as_labels",
    "check_columns",
    "check_kind",
    "check_moments",
    "check_values",
    "fitted",
    "untimely_row",
    "without_repeats",
]

_Test = Callable[[pa.ChunkedArray], pa.ChunkedArray]
_MOST_NAMED = 5
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_ZONES = timedelta(days=1)  # local times without a zone may be ahead of UTC


def check_columns(what: str, rows: pa.Table, needed: set[str], *, key: str, times: str) -> None:
    """Check that the needed columns are there, and in every row its identity and its time.

    Raises
    ------
    InvalidInput
    """
    missing = sorted(needed - set(rows.column_names))
    if missing:
        raise InvalidInput(f"the {what} lack {', '.join(missing)}: nothing was stored")
    for column in (key, times):
        if rows[column].null_count:
            row = pc.index(pc.is_null(rows[column]), True).as_py() + 1
            raise InvalidInput(f"the {what} have rows without {column}, row {row} first: nothing was stored")
    kind = rows.schema.field(times).type
    if not pa.types.is_timestamp(kind):
        raise InvalidInput(f"column '{times}' of the {what} holds {kind}, not times: nothing was stored")
    check_kind(what, rows.schema.field(key), is_number=False)


def check_kind(what: str, field: pa.Field, *, is_number: bool) -> None:
    """Check that a column holds numbers, or text.

    Raises
    ------
    InvalidInput
    """
    if not (is_numeric(field.type) if is_number else is_categorical(field.type)):
        raise InvalidInput(
            f"column '{field.name}' of the {what} holds {field.type}, not "
            f"{'numbers' if is_number else 'text'}: nothing was stored"
        )


def check_values(what: str, column: str, values: pa.ChunkedArray, wanted: str, is_right: _Test) -> None:
    """Check every value that is not null.

    Raises
    ------
    InvalidInput
        Naming the first that is not right.
    """
    wrong = pc.fill_null(pc.invert(is_right(values)), False)
    place = pc.index(wrong, True).as_py()
    if place >= 0:
        raise InvalidInput(
            f"the {what} must be {wanted}, got {values[place]} in column '{column}', row {place + 1}: "
            "nothing was stored"
        )


def untimely_row(times: pa.Array | pa.ChunkedArray, now: datetime) -> int | None:
    """Return the first row, from 0, of a time before 1970 or more than a day ahead; None if there is none.

    Where the workspace's clock stands in the past, the machine's own says what is ahead.
    """
    limits = (_FIRST, max(now, SystemClock().now()) + _ZONES)
    if times.type.tz is None:
        limits = (limits[0].replace(tzinfo=None), limits[1].replace(tzinfo=None))
    first, last = (pa.scalar(limit, pa.timestamp("us", times.type.tz)) for limit in limits)
    place = int(pc.index(pc.or_(pc.less(times, first), pc.greater(times, last)), pa.scalar(True)).as_py())
    return None if place < 0 else place


def check_moments(what: str, column: str, times: pa.ChunkedArray, now: datetime) -> None:
    """Check that no time lies before 1970 or in the future.

    Raises
    ------
    InvalidInput
        Naming the first that does.
    """
    place = untimely_row(times, now)
    if place is not None:
        raise InvalidInput(
            f"column '{column}' of the {what} holds {times[place]} in row {place + 1}, before 1970 or in the "
            "future: nothing was stored"
        )


def as_labels(what: str, rows: pa.Table, column: str) -> pa.Table:
    """Return the rows with a column of class labels as text.

    Raises
    ------
    InvalidInput
        The column holds neither text nor whole numbers nor booleans.
    """
    field = rows.schema.field(column)
    if not is_categorical(field.type):
        raise InvalidInput(
            f"column '{column}' of the {what} holds {field.type}, not class labels: give text or whole "
            "numbers; nothing was stored"
        )
    return rows.set_column(rows.column_names.index(column), column, pc.cast(rows[column], pa.string()))


def fitted(rows: pa.Table, schema: pa.Schema | None) -> pa.Table:
    """Return the rows with a table's kind of numbers, whole or floating, where that changes none."""
    for field in schema or ():
        if field.name not in rows.column_names:
            continue
        given = rows.schema.field(field.name).type
        if given != field.type and _is_plain_number(given) and _is_plain_number(field.type):
            try:
                values = pc.cast(rows[field.name], field.type)
            except pa.ArrowInvalid:
                continue
            rows = rows.set_column(rows.column_names.index(field.name), field.name, values)
    return rows


def without_repeats(what: str, rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return the rows with each key once; a row that is there twice, alike in every column, counts once.

    Raises
    ------
    InvalidInput
        Rows with the same key differ; the message names them.
    """
    columns = list(key)
    keys = rows.select(columns)
    groups = keys.group_by(columns).aggregate([])
    if groups.num_rows == rows.num_rows:
        return rows
    numbered = keys.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    places = numbered.group_by(columns, use_threads=False).aggregate([("row", "list")])["row_list"]
    first: list[int] = []
    for same in places.to_pylist():
        first.append(same[0])
        if len(same) > 1:
            alike = [repr(row) for row in rows.take(pa.array(same)).to_pylist()]
            if len(set(alike)) > 1:
                named = ", ".join(str(place + 1) for place in same[:_MOST_NAMED])
                raise InvalidInput(
                    f"rows {named} of the {what} have the same {' and '.join(columns)} "
                    f"({', '.join(str(keys[c][same[0]]) for c in columns)}) but differ: nothing was stored"
                )
    return rows.take(pa.array(sorted(first)))


def _is_plain_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
