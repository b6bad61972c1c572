"""The rows of feature tables: write a batch, read features side by side, take a snapshot."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from mlops_core.domain import Actor, Feature, Snapshot
from mlops_core.domain.errors import InvalidInput
from mlops_core.features.catalogue import AS_OF, find_feature_table, find_features
from mlops_core.registry.snapshots import store_rows, take_snapshot
from mlops_core.store import UnitOfWork
from mlops_core.warehouse import canonical, check_fits, quoted, warehouse_sql
from mlops_core.workspace import Workspace

__all__ = ["read_features", "store_training_data", "take_snapshot", "write_features"]


def write_features(workspace: Workspace, actor: Actor, table_name: str, rows: pa.Table) -> int:
    """Append rows to a feature table and return the table version that holds them.

    Parameters
    ----------
    rows
        The entity's key column, `as_of` (the time at which the values were known) and every feature.

    Raises
    ------
    SchemaMismatch
        A column is of another type than the table or the declaration says; nothing was stored.
    InvalidInput
        The batch lacks the key, the time or a declared feature, or a row has no key or no time.
    NotFound
    """
    with workspace.store.read() as session:
        table, entity, features = find_feature_table(session, table_name)
    wanted = {entity.key_column, AS_OF, *(feature.name for feature in features)}
    if wanted != set(rows.column_names):
        missing = ", ".join(sorted(wanted - set(rows.column_names))) or "nothing"
        extra = ", ".join(sorted(set(rows.column_names) - wanted)) or "nothing"
        raise InvalidInput(
            f"the batch for feature table '{table.name}' lacks {missing} and has {extra} too much: "
            "nothing was stored"
        )
    _check_declared(table.name, entity.key_column, features, rows)
    version = workspace.warehouse.append(_location(table.name), rows, actor=actor.name)

    def work(unit: UnitOfWork) -> None:
        unit.record(
            "features.written",
            "feature table",
            table.name,
            f"{rows.num_rows:,} rows were written to feature table {table.name}",
            rows=rows.num_rows,
            version=version,
        )

    workspace.store.write(actor, work)
    return version


def read_features(workspace: Workspace, names: Sequence[str], *, start: datetime, end: datetime) -> pa.Table:
    """Return features of one entity side by side, one row per key and `as_of` in [start, end].

    The rows are those of the first feature's table, sorted by time and key; a feature of another table
    that has no row for that key and time is null.

    Raises
    ------
    NotFound
        A feature does not exist, or its table has no rows yet.
    InvalidInput
        No feature was named, or they describe different entities.
    """
    if not names:
        raise InvalidInput("name at least one feature to read")
    with workspace.store.read() as session:
        found = find_features(session, names)
        key = find_feature_table(session, found[0][1].name)[1].key_column
    if len({table.entity_id for _, table in found}) > 1:
        raise InvalidInput(f"the features {', '.join(names)} describe different entities: read them apart")
    tables = list(dict.fromkeys(table.name for _, table in found))
    files = {f"files_{i}": workspace.warehouse.files(_location(table)) for i, table in enumerate(tables)}
    with warehouse_sql() as connection:
        query = _join_sql(key, tables, [(feature.name, table.name) for feature, table in found])
        result: pa.Table = connection.execute(query, {**files, "start": start, "end": end}).to_arrow_table()
    return result


def store_training_data(workspace: Workspace, actor: Actor, name: str, rows: pa.Table) -> Snapshot:
    """Store the exact rows that a model is trained on; return their snapshot, for the same rows the same."""
    return store_rows(workspace, actor, f"training/{name}", rows)


def _check_declared(table: str, key: str, features: Sequence[Feature], rows: pa.Table) -> None:
    for column in (key, AS_OF):
        if rows[column].null_count:
            raise InvalidInput(
                f"the batch for feature table '{table}' has rows without {column}: nothing was stored"
            )
    declared = {feature.name: pa.type_for_alias(feature.dtype) for feature in features}
    declared |= {key: rows.schema.field(key).type, AS_OF: pa.timestamp("us", tz="UTC")}
    expected = canonical(pa.schema(declared).empty_table(), table)
    check_fits(canonical(rows, table).schema, expected.schema, table)


def _location(table: str) -> str:
    return f"features/{table}"


def _join_sql(key: str, tables: Sequence[str], columns: Sequence[tuple[str, str]]) -> str:
    alias = {table: f"t{i}" for i, table in enumerate(tables)}
    chosen = ",\n    ".join(f"{alias[table]}.{quoted(column)}" for column, table in columns)
    joins = "\n".join(
        f"LEFT JOIN read_parquet($files_{i}) AS t{i} USING ({quoted(key)}, {AS_OF})"
        for i in range(1, len(tables))
    )
    return f"""
SELECT
    t0.{quoted(key)},
    t0.{AS_OF},
    {chosen}
FROM read_parquet($files_0) AS t0
{joins}
WHERE t0.{AS_OF} BETWEEN $start AND $end
ORDER BY t0.{AS_OF}, t0.{quoted(key)}
"""  # noqa: S608 - the names are our own constants, or quoted
