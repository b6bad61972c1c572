"""Arrow columns as the numpy arrays that counting needs, or a SchemaMismatch that names the column."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Final, Literal, TypeVar, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput, SchemaMismatch

__all__ = [
    "MISSING",
    "PERIODS",
    "Categories",
    "Numbers",
    "Period",
    "categories_of",
    "cells_of",
    "check_period",
    "column_of",
    "is_categorical",
    "is_numeric",
    "numbers_of",
    "period_start",
    "periods_of",
    "text_array",
]

_Number = TypeVar("_Number", np.float64, np.int64)

Period = Literal["hour", "day", "week", "month"]
"""How long a slice is, in UTC; weeks begin on Monday."""

MISSING: Final = "(missing)"
"""The label of rows that hold no value."""

PERIODS: Final[tuple[str, ...]] = get_args(Period)
"""The periods that there are."""

_SECONDS: Final[dict[str, int]] = {"hour": 3_600, "day": 86_400, "week": 86_400, "month": 86_400}
_THURSDAY: Final = 3  # 1970-01-01 came so many days after a Monday
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND: Final[dict[str, int]] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column.

    Attributes
    ----------
    values
        float64, shape ``(n,)``; 0.0 where the row is null.
    valid
        False where the row is null, or None when no row is.
    """

    values: NDArray[np.float64]
    valid: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Categories:
    """A categorical column.

    Attributes
    ----------
    codes
        int64, shape ``(n,)``: the place in `texts`, or ``len(texts)`` where the row is null.
    texts
        Arrow array of strings without nulls; a text may occur twice.
    """

    codes: NDArray[np.int64]
    texts: pa.Array


def is_numeric(kind: pa.DataType) -> bool:
    """Return whether a column of this Arrow type can be counted on a numeric grid."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return bool(number or types.is_null(kind))


def is_categorical(kind: pa.DataType) -> bool:
    """Return whether a column of this Arrow type can be counted by value.

    Integers can (a shop number is a category), floating-point numbers and times cannot.
    """
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(text or types.is_boolean(kind) or types.is_integer(kind) or types.is_null(kind))


def column_of(batch: pa.RecordBatch | pa.Table, name: str) -> pa.Array | pa.ChunkedArray:
    """Return the column of that name.

    Raises
    ------
    SchemaMismatch
        If the batch has no such column, or several.
    """
    places = batch.schema.get_all_field_indices(name)
    if len(places) == 1:
        return batch.column(places[0])
    if places:
        raise SchemaMismatch(f"column {name!r} occurs {len(places)} times: give each column its own name")
    present = ", ".join(batch.schema.names) or "no column at all"
    raise SchemaMismatch(f"column {name!r} is missing: the batch has {present}; add it or plan without it")


def numbers_of(array: pa.Array, name: str) -> Numbers:
    """Return a numeric Arrow array as float64; integers above 2**53 are rounded.

    Raises
    ------
    SchemaMismatch
        If the column does not hold numbers.
    """
    if not is_numeric(array.type):
        raise SchemaMismatch(f"column {name!r} holds {array.type}, not numbers: cast it or count it by value")
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type != pa.float64():
        array = array.cast(pa.float64(), safe=False)
    values, valid = _values_of(array, np.float64), _valid_of(array)
    return Numbers(values if valid is None else np.where(valid, values, 0.0), valid)


def categories_of(array: pa.Array, name: str) -> Categories:
    """Return a column of strings, booleans or integers, plain or dictionary-encoded, as codes and texts.

    Raises
    ------
    SchemaMismatch
        If the values of the column cannot be categories.
    """
    if not is_categorical(array.type):
        raise SchemaMismatch(
            f"column {name!r} holds {array.type}, not categories: cast it to string, or use a numeric grid"
        )
    if pa.types.is_null(array.type):
        return Categories(np.zeros(len(array), dtype=np.int64), text_array(()))
    if pa.types.is_dictionary(array.type) and array.dictionary.null_count:
        array = array.dictionary_decode()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    texts = array.dictionary if array.dictionary.type == pa.string() else array.dictionary.cast(pa.string())
    return Categories(_filled(array.indices.cast(pa.int64()), len(texts)), texts)


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Return an Arrow array of texts; made by hand, because ``pyarrow.array`` imports all of pandas.

    Raises
    ------
    UnicodeEncodeError
        If a text holds half of a surrogate pair.
    """
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def check_period(period: str) -> None:
    """Raise InvalidInput if there is no such period."""
    if period not in PERIODS:
        raise InvalidInput(f"period {period!r} is unknown: choose {', '.join(PERIODS)}")


def periods_of(array: pa.Array, name: str, period: Period) -> NDArray[np.int64]:
    """Return the number of the hour, day, week or month that each time falls into.

    Counted in UTC, from the one that holds 1970-01-01; `period_start` turns a number back into a time.

    Raises
    ------
    SchemaMismatch
        If the column holds no times, or a row holds none.
    InvalidInput
        If there is no such period.
    """
    check_period(period)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms" if pa.types.is_date64(array.type) else "s"))
    if not pa.types.is_timestamp(array.type):
        raise SchemaMismatch(f"column {name!r} holds {array.type}, not times: cast it to a timestamp")
    if array.null_count:
        raise SchemaMismatch(
            f"column {name!r} is null in {array.null_count} rows: every row needs a time to fall into a slice"
        )
    length = _SECONDS[period] * _PER_SECOND[array.type.unit]
    numbers = _values_of(array, np.int64) // length
    if period == "week":
        numbers += _THURSDAY
        numbers //= 7
    elif period == "month":
        numbers = _months_of(numbers)
    return numbers


def period_start(number: int, period: Period) -> datetime:
    """Return when the period of that number begins, aware, in UTC.

    Raises
    ------
    OverflowError
        If that is outside the years 1 to 9999.

    Examples
    --------
    >>> period_start(1, "week"), period_start(-1, "month")
    (datetime.datetime(1970, 1, 5, 0, 0, tzinfo=datetime.timezone.utc),
     datetime.datetime(1969, 12, 1, 0, 0, tzinfo=datetime.timezone.utc))
    """
    match period:
        case "hour":
            return _EPOCH + timedelta(hours=number)
        case "day":
            return _EPOCH + timedelta(days=number)
        case "week":
            return _EPOCH + timedelta(days=7 * number - _THURSDAY)
        case "month":
            year, month = divmod(number, 12)
            if not MINYEAR <= 1970 + year <= MAXYEAR:
                raise OverflowError("date value out of range")
            return datetime(1970 + year, 1 + month, 1, tzinfo=UTC)


def _months_of(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the month of each day; the calendar is asked once for each day that lies between."""
    if len(days) == 0:
        return days
    first, last = int(days.min()), int(days.max())
    if last - first > len(days) + 4_096:
        return days.astype("M8[D]").astype("M8[M]").view(np.int64)
    table = np.arange(first, last + 1).astype("M8[D]").astype("M8[M]").view(np.int64)
    return table.take(days - first)


def cells_of(categories: Categories, known: pa.Array) -> NDArray[np.int64]:
    """Return for each code its place in `known`; then ``len(known)`` for missing, one more for unseen.

    Returns
    -------
    numpy.ndarray
        A lookup table, shape ``(len(texts) + 1,)``.
    """
    found = pc.index_in(categories.texts, value_set=known).cast(pa.int64())
    return np.append(_filled(found, len(known) + 1), len(known))


# Arrow's own conversions of nullable columns, scalars and lists import all of pandas; buffers do not.


def _values_of(array: pa.Array, kind: type[_Number]) -> NDArray[_Number]:
    """Return the values of a fixed-width array without a copy; what lies where a row is null is undefined."""
    if len(array) == 0:
        return np.zeros(0, dtype=kind)
    width = np.dtype(kind).itemsize
    return np.frombuffer(array.buffers()[1], kind, count=len(array), offset=array.offset * width)


def _valid_of(array: pa.Array) -> NDArray[np.bool_] | None:
    """Return which rows are not null, or None when all are."""
    if array.null_count == 0:
        return None
    bits = np.frombuffer(array.buffers()[0], np.uint8)
    whole = np.unpackbits(bits, count=array.offset + len(array), bitorder="little")
    return whole[array.offset :].view(np.bool_)


def _filled(array: pa.Array, fill: int) -> NDArray[np.int64]:
    """Return an int64 array with `fill` where a row is null."""
    values, valid = _values_of(array, np.int64), _valid_of(array)
    return values if valid is None else np.where(valid, values, fill)
