"""Rows of Arrow tables as a classifier takes them: numbers, category codes, stratified samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput

__all__ = ["MOST_BINS", "MOST_VALUES", "Column", "column_for_classifier", "strata_of", "stratified_sample"]

MOST_VALUES: Final = 200
"""Of a categorical column, this many of its most frequent values are told apart; the others are one."""

MOST_BINS: Final = 64
"""Of a numeric column, so many ranges are told apart."""

_LARGEST: Final = 1e300  # infinity as a number: the middle between it and its negative is one too
_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Column:
    """One column of both sides, those of the reference first.

    Attributes
    ----------
    values
        float64, shape ``(n,)``; nan where null. Of a categorical column, codes from 0: the most frequent
        value has 0, values that are rare share one.
    is_categorical
        Whether the values are codes.
    """

    name: str
    values: NDArray[np.float64]
    is_categorical: bool

    @property
    def bins(self) -> NDArray[np.float64]:
        """Return codes with the order of the numbers: one for each value, or 64 of as many rows each.

        Boosted trees would make such bins themselves, but for every fit anew: most of their time.
        """
        if self.is_categorical:
            return self.values
        missing = np.isnan(self.values)
        known = self.values[~missing]
        different = np.unique(known)
        if len(different) > MOST_BINS:
            shares = np.arange(1, MOST_BINS) / MOST_BINS
            different = np.unique(np.quantile(known, shares, method="inverted_cdf"))
        return np.where(missing, np.nan, np.searchsorted(different, self.values, side="left"))

    @property
    def is_constant(self) -> bool:
        """Return whether all rows are the same, nulls among them."""
        missing = np.isnan(self.values)
        if missing.any():
            return bool(missing.all())
        return bool((self.values == self.values[0]).all())


def column_for_classifier(name: str, reference: pa.ChunkedArray, window: pa.ChunkedArray) -> Column | str:
    """Return a column of both sides as numbers, or in words why it cannot be compared.

    Numbers, booleans and times are numeric; text, and what is a number on one side and text on the other,
    is categorical. Nothing about a value depends on the side that it lies on, apart from its type.
    """
    sides = [_decoded(side) for side in (reference, window)]
    kinds = [side.type for side in sides if not pa.types.is_null(side.type)]
    for kind in kinds:
        if not (_is_number(kind) or _is_time(kind) or _is_text(kind)):
            return f"it holds {kind}: only numbers, texts, booleans and times can be compared"
    if all(map(_is_number, kinds)):
        return Column(name, np.concatenate([_numbers(side) for side in sides]), is_categorical=False)
    if all(map(_is_time, kinds)):
        return Column(name, np.concatenate([_moments(side) for side in sides]), is_categorical=False)
    texts = pa.chunked_array([chunk for side in sides for chunk in _texts(side).chunks], pa.large_string())
    return Column(name, _codes(texts), is_categorical=True)


def strata_of(
    rows: pa.Table, time_column: str | None, segment_columns: Sequence[str]
) -> list[NDArray[np.int64]]:
    """Return what a sample of some rows is stratified by: their day, then each segment column.

    Each array is int64, shape ``(n,)``; nulls are a stratum of their own.

    Raises
    ------
    InvalidInput
        The time column does not hold times.
    """
    strata: list[NDArray[np.int64]] = []
    if time_column is not None:
        times = rows[time_column]
        if not (pa.types.is_timestamp(times.type) or pa.types.is_date(times.type)):
            raise InvalidInput(
                f"column {time_column!r} holds {times.type}, not times: name a timestamp column"
            )
        days = np.floor(_moments(times) / _SECONDS)
        strata.append(np.where(np.isnan(days), -(2**62), days).astype(np.int64))
    for name in segment_columns:
        codes = _codes(_texts(_decoded(rows[name])))
        strata.append(np.where(np.isnan(codes), -1, codes).astype(np.int64))
    return strata


def stratified_sample(
    rows: int, size: int, strata: Sequence[NDArray[np.int64]], random: np.random.Generator
) -> NDArray[np.int64]:
    """Return the places of some rows, in ascending order, each stratum with its share to within one row.

    A systematic sample: the rows are put in the order of their strata, at random inside each, and every
    `rows / size`-th is taken (Cochran 1977, Sampling Techniques, chapter 8).
    """
    if size >= rows:
        return np.arange(rows)
    order = np.lexsort((random.random(rows), *reversed(strata)))
    places = np.floor((np.arange(size) + random.random()) * rows / size).astype(np.int64)
    return np.sort(order[np.minimum(places, rows - 1)])


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return bool(number or types.is_boolean(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _numbers(values: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64(), safe=False).to_numpy()
    clipped: NDArray[np.float64] = np.clip(numbers, -_LARGEST, _LARGEST)
    return clipped


def _moments(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return times in seconds: since 1970, since midnight, or how long they last."""
    kind = values.type
    if pa.types.is_null(kind):
        return np.full(len(values), np.nan)
    if pa.types.is_date(kind):
        values = values.cast(pa.timestamp("s"))
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    whole = pa.int32() if pa.types.is_time32(values.type) else pa.int64()
    numbers: NDArray[np.float64] = values.cast(whole).cast(pa.float64(), safe=False).to_numpy() / per_second
    return numbers


def _texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(pa.large_string())


def _codes(texts: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return codes by frequency; of two values that are as frequent, the one that sorts first comes first."""
    counted = pc.value_counts(texts.combine_chunks().drop_null())
    values, counts = counted.field("values"), counted.field("counts")
    by = pc.sort_indices(
        pa.table({"count": counts, "value": values}),
        sort_keys=[("count", "descending"), ("value", "ascending")],
    )
    known = values.take(by[:MOST_VALUES])
    codes = pc.index_in(texts, value_set=known).cast(pa.float64()).to_numpy()
    rare = np.isnan(codes) & ~texts.is_null().to_numpy()
    return np.where(rare, float(len(known)), codes)
