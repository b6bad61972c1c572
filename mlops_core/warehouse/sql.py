"""DuckDB over the warehouse's Parquet files: one engine a process, one cursor a query."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import duckdb

__all__ = ["quoted", "warehouse_sql"]

_making = threading.Lock()


@contextmanager
def warehouse_sql() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a cursor of the process's own in-memory engine, in UTC; threads may each have theirs."""
    with _making:
        cursor = _engine().cursor()
    try:
        cursor.execute("SET TimeZone = 'UTC'")
        yield cursor
    finally:
        cursor.close()


def quoted(identifier: str) -> str:
    """Return a name as a quoted SQL identifier.

    >>> quoted("net spend")
    '"net spend"'
    """
    return '"' + identifier.replace('"', '""') + '"'


@lru_cache(maxsize=1)
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()
