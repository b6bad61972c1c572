"""What a table may hold, and whether a batch fits it."""

from collections.abc import Collection

import pyarrow as pa

from mlops_core.domain.errors import InvalidInput, SchemaMismatch

__all__ = ["canonical", "check_can_begin", "check_fits", "describe", "with_optional"]


def canonical(table: pa.Table, name: str) -> pa.Table:
    """Return the batch for a table with the types that the warehouse stores.

    Dictionaries and large or view strings become strings, timestamps microseconds in UTC, unsigned
    integers the next wider signed ones.

    Raises
    ------
    InvalidInput
        When there is no column or one twice, a column has a type that cannot be stored, or a timestamp
        has no time zone.
    """
    names = table.column_names
    if not names:
        raise InvalidInput(f"the batch for table '{name}' has no columns")
    twice = sorted({column for column in names if names.count(column) > 1})
    if twice:
        raise InvalidInput(f"the batch for table '{name}' has column '{twice[0]}' twice: nothing was stored")
    fields = [_canonical_field(field) for field in table.schema]
    try:
        return table.cast(pa.schema(fields))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(f"the batch for table '{name}' cannot be stored: {error}") from error


def check_can_begin(batch: pa.Schema, name: str) -> None:
    """Check that the first batch of a table says what type each of its columns has.

    Raises
    ------
    InvalidInput
        When a column holds nothing but untyped nulls.
    """
    for field in batch:
        if pa.types.is_null(field.type):
            raise InvalidInput(
                f"column '{field.name}' of the first batch for table '{name}' is null throughout and has no "
                "type: cast it to the type that later batches will have"
            )


def check_fits(batch: pa.Schema, table: pa.Schema, name: str) -> None:
    """Check that a batch has exactly the columns of a table, with their types, in any order.

    Raises
    ------
    SchemaMismatch
        Naming the first column that is missing, unexpected or of another type.
    """
    for field in table:
        if field.name not in batch.names:
            raise SchemaMismatch(
                f"the batch for table '{name}' lacks column '{field.name}' ({field.type}): nothing was stored"
            )
        given = batch.field(field.name).type
        if given != field.type and not pa.types.is_null(given):
            raise SchemaMismatch(
                f"column '{field.name}' of table '{name}' holds {field.type}, the batch has {given}: "
                "nothing was stored"
            )
    for column in batch.names:
        if column not in table.names:
            raise SchemaMismatch(f"table '{name}' has no column '{column}': nothing was stored")


def with_optional(batch: pa.Table, table: pa.Schema, optional: Collection[str]) -> tuple[pa.Table, pa.Schema]:
    """Fill the optional columns that a batch lacks with nulls, and add those that the table lacks to it."""
    for field in table:
        if field.name in optional and field.name not in batch.column_names:
            batch = batch.append_column(field, pa.nulls(batch.num_rows, field.type))
    gained = [field for field in batch.schema if field.name in optional and field.name not in table.names]
    return batch, pa.schema([*table, *gained])


def describe(schema: pa.Schema) -> dict[str, str]:
    """Return the type of each column by name, as text."""
    return {field.name: str(field.type) for field in schema}


def _canonical_field(field: pa.Field) -> pa.Field:
    kind = field.type
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_large_string(kind) or types.is_string_view(kind):
        kind = pa.string()
    elif types.is_large_binary(kind) or types.is_binary_view(kind):
        kind = pa.binary()
    elif types.is_timestamp(kind):
        if kind.tz is None:
            raise InvalidInput(f"column '{field.name}' holds times without a time zone: give them in UTC")
        kind = pa.timestamp("us", tz="UTC")
    elif types.is_unsigned_integer(kind):
        kind = pa.int64() if kind.bit_width > 16 else pa.int32()
    elif types.is_date64(kind):
        kind = pa.date32()
    elif types.is_float16(kind) or types.is_time(kind) or types.is_duration(kind) or types.is_interval(kind):
        raise InvalidInput(
            f"column '{field.name}' holds {kind}, which Delta tables cannot: cast it to a number"
        )
    return pa.field(field.name, kind)
