"""Column kinds that every table of the metadata store shares."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Integer, LargeBinary, Sequence
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

__all__ = ["UtcDateTime", "count", "document", "identity", "payload", "utc_time"]


class UtcDateTime(TypeDecorator[datetime]):
    """A timestamp with time zone that goes in aware and comes out in UTC.

    Raises
    ------
    ValueError
        When a naive datetime is bound: a time without a zone is a fault of the caller.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, convert the others to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: pass an aware datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the stored instant as a UTC datetime, whatever zone the driver used."""
        return None if value is None else value.astimezone(UTC)


def identity(table: str) -> Any:
    """Return an immutable integer primary key, numbered by the sequence `<table>_id_seq`."""
    return Field(default=None, sa_column=Column("id", Integer, Sequence(f"{table}_id_seq"), primary_key=True))


def count() -> Any:
    """Return a column for a number of rows or bytes, wider than 32 bits."""
    return Field(sa_column=Column(BigInteger, nullable=False))


def utc_time(*, optional: bool = False) -> Any:
    """Return an aware UTC timestamp column."""
    column: Column[datetime] = Column(UtcDateTime(), nullable=optional)
    return Field(default=None, sa_column=column) if optional else Field(sa_column=column)


def document(default: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """Return a JSON column; `default` makes the empty value."""
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


def payload() -> Any:
    """Return a column of bytes, encoded and decoded by the package that owns the format."""
    return Field(sa_column=Column(LargeBinary, nullable=False))
