"""Data quality of a table: repeated ids, how many rows came, which columns changed their type."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import pyarrow as pa

from mlops_core.domain.errors import InvalidInput

__all__ = [
    "RowCountCheck",
    "TypeChange",
    "check_row_count",
    "duplicate_share",
    "row_count_ratio",
    "type_changes",
]


class TypeChange(NamedTuple):
    """A column that is not what it was; `before` is None for a new column, `after` for a missing one."""

    column: str
    before: str | None
    after: str | None
    note: str


@dataclass(frozen=True, slots=True)
class RowCountCheck:
    """How many rows came, and how many were to be expected.

    Attributes
    ----------
    rows, expected
        Of the window; the mean of the reference periods.
    ratio
        Rows over expected; nan when none were expected.
    lower, upper
        What a further period holds with the given confidence, both ends included.
    dispersion
        Variance over mean of the reference periods, at least 1; 1 is Poisson.
    """

    rows: int
    expected: float
    ratio: float
    lower: float
    upper: float
    dispersion: float

    @property
    def is_unusual(self) -> bool:
        """Whether the rows lie outside the interval."""
        return not self.lower <= self.rows <= self.upper


def duplicate_share(n_rows: int, n_distinct: int) -> float:
    """Return the share of rows whose id an earlier row holds: ``1 - distinct / rows``; nan without rows.

    Raises
    ------
    InvalidInput
        If there are more ids than rows.

    Examples
    --------
    >>> duplicate_share(4, 3)
    0.25
    """
    if not 0 <= n_distinct <= n_rows:
        raise InvalidInput(f"{n_rows:,} rows cannot hold {n_distinct:,} distinct ids: count both again")
    return (n_rows - n_distinct) / n_rows if n_rows else math.nan


def row_count_ratio(rows: int, reference_rows: Sequence[int]) -> float:
    """Return the rows of a window over the mean of the reference periods; nan when they held none.

    Parameters
    ----------
    rows
        Of the window.
    reference_rows
        Of periods that are as long as the window.

    Raises
    ------
    InvalidInput
        If there is no period, or a negative count.
    """
    _check_rows(rows, reference_rows)
    expected = sum(reference_rows) / len(reference_rows)
    return rows / expected if expected else math.nan


def check_row_count(rows: int, reference_rows: Sequence[int], confidence: float = 0.95) -> RowCountCheck:
    """Compare the rows of a window with those of k reference periods, in both directions.

    The interval is a prediction interval for one more period.

    - Variance at most the mean m (Poisson), or one period only: the quantiles of the negative binomial
      distribution that Poisson counts with sum S and Jeffreys' prior predict, of size ``S + 1/2`` and
      probability ``k / (k + 1)`` (Bernardo and Smith, Bayesian Theory, 1994, appendix A).
    - More (over-dispersed): ``m ± t * sqrt(f * m * (1 + 1/k))``, f the variance over the mean and t the
      quantile of Student's distribution with k - 1 degrees of freedom (quasi-Poisson: Menssen and
      Schaarschmidt, Prediction intervals for overdispersed Poisson data, 2022), at least as wide as above.

    Raises
    ------
    InvalidInput
        If there is no period, a negative count, or `confidence` is not between 0 and 1.
    """
    _check_rows(rows, reference_rows)
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"confidence {confidence} does not exist: ask for one between 0 and 1")
    from scipy import special  # where it is used: a server starts without it

    periods, total = len(reference_rows), sum(reference_rows)
    mean, tail = total / periods, (1.0 - confidence) / 2
    size, chance = total + 0.5, periods / (periods + 1)
    lower, upper = (float(_count_quantile(share, size, chance)) for share in (tail, 1.0 - tail))
    dispersion = 1.0
    if periods > 1 and mean > 0:
        variance = sum((count - mean) ** 2 for count in reference_rows) / (periods - 1)
        dispersion = max(1.0, variance / mean)
    if dispersion > 1.0:
        reach = float(special.stdtrit(periods - 1, 1.0 - tail))
        reach *= math.sqrt(dispersion * mean * (1 + 1 / periods))
        lower, upper = max(0.0, min(lower, mean - reach)), max(upper, mean + reach)
    return RowCountCheck(rows, mean, row_count_ratio(rows, reference_rows), lower, upper, dispersion)


def type_changes(reference_schema: pa.Schema, current_schema: pa.Schema) -> list[TypeChange]:
    """Return the columns whose type changed, then the missing ones, then the new ones.

    Each in the order of its schema. Text is text, dictionary-encoded or not, and is no change.
    `note` begins with "compatible" where every old value can still be what it was.

    Examples
    --------
    >>> type_changes(pa.schema({"n": pa.int64()}), pa.schema({"n": pa.float64()}))
    [TypeChange(column='n', before='int64', after='double', note='compatible: integer became float')]
    """
    before = dict(zip(reference_schema.names, reference_schema.types, strict=True))
    after = dict(zip(current_schema.names, current_schema.types, strict=True))
    changed, missing = [], []
    for name, kind in before.items():
        if name not in after:
            missing.append(TypeChange(name, str(kind), None, "missing column"))
        elif _plain(kind) != _plain(after[name]):
            note = _note(_plain(kind), _plain(after[name]))
            changed.append(TypeChange(name, str(kind), str(after[name]), note))
    new = [
        TypeChange(name, None, str(kind), "new column") for name, kind in after.items() if name not in before
    ]
    return changed + missing + new


_FAMILIES: Final = (
    ("boolean", pa.types.is_boolean),
    ("integer", pa.types.is_integer),
    ("float", pa.types.is_floating),
    ("decimal", pa.types.is_decimal),
    ("text", pa.types.is_string),
    ("timestamp", pa.types.is_timestamp),
    ("date", pa.types.is_date),
    ("null", pa.types.is_null),
)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values, whether in a dictionary, large buffers or views."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def _note(before: pa.DataType, after: pa.DataType) -> str:
    first, second = _family(before), _family(after)
    if first == "null":
        return f"compatible: an empty column became {second}"
    if first == second == "timestamp":
        if (before.tz is None) != (after.tz is None):
            return "a timestamp with a time zone and one without cannot be compared"
        return "compatible: timestamp of another unit or time zone"
    if first == second:
        return f"compatible: {first} of another width"
    if (first, second) == ("integer", "float"):
        return "compatible: integer became float"
    return f"{first} became {second}"


def _family(kind: pa.DataType) -> str:
    return next((name for name, holds in _FAMILIES if holds(kind)), str(kind))


def _count_quantile(share: float, size: float, chance: float) -> int:
    """Return the least count up to which a negative binomial distribution holds at least this share."""
    from scipy import special

    low, high = -1, 1
    while special.betainc(size, high + 1.0, chance) < share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if special.betainc(size, middle + 1.0, chance) >= share else (middle, high)
    return high


def _check_rows(rows: int, reference_rows: Sequence[int]) -> None:
    if not reference_rows:
        raise InvalidInput("no reference period to expect rows from: give the rows of at least one")
    if min(rows, *reference_rows) < 0:
        raise InvalidInput("a count of rows is negative: count them again")
