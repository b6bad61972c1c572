"""Snapshots: a warehouse table as of a version, recorded, read again, and told when its rows are gone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from sqlmodel import col, select

from mlops_core.domain import Actor, Snapshot
from mlops_core.domain.errors import BigboardError, InvalidInput, WarehouseError
from mlops_core.store import UnitOfWork
from mlops_core.warehouse import canonical, describe
from mlops_core.workspace import Workspace

__all__ = ["check_snapshot", "name_of", "read_snapshot", "store_rows", "take_snapshot"]

_COMPARED: Final = 5


def name_of(snapshot: Snapshot) -> str:
    """Return what people call a snapshot: its table and version."""
    return f"{snapshot.table_name}@{snapshot.version}"


def take_snapshot(workspace: Workspace, actor: Actor, table: str, *, version: int | None = None) -> Snapshot:
    """Record a warehouse table as of a version, by default the newest; taken twice it is one snapshot.

    Raises
    ------
    NotFound
        There is no such table.
    """
    state = workspace.warehouse.state(table, version=version)

    def work(unit: UnitOfWork) -> Snapshot:
        known = unit.session.exec(
            select(Snapshot).where(Snapshot.table_name == table, Snapshot.version == state.version)
        ).first()
        snapshot = known or unit.add(
            Snapshot(
                table_name=table,
                version=state.version,
                rows=state.rows,
                columns=describe(state.schema),
                digest=state.digest,
                created_at=unit.now,
            )
        )
        unit.record(
            "snapshot.taken",
            "snapshot",
            name_of(snapshot),
            f"Snapshot of {table} as of version {state.version} ({state.rows:,} rows)",
            digest=state.digest,
        )
        return snapshot

    return workspace.store.write(actor, work)


def store_rows(workspace: Workspace, actor: Actor, table: str, rows: pa.Table) -> Snapshot:
    """Make rows the newest version of a warehouse table, whatever columns it had before; return the snapshot.

    Rows that one of the last snapshots of the table holds already are not written again: the same data are
    the same snapshot.

    Raises
    ------
    InvalidInput
        A column has a type that cannot be stored.
    WarehouseError
        The folder cannot be written.
    """
    rows = canonical(rows, table)
    with workspace.store.read() as session:
        earlier = session.exec(
            select(Snapshot)
            .where(Snapshot.table_name == table, Snapshot.rows == rows.num_rows)
            .order_by(col(Snapshot.id).desc())
            .limit(_COMPARED)
        ).all()
    for snapshot in earlier:
        if snapshot.columns == describe(rows.schema) and _holds(workspace, snapshot, rows):
            return snapshot
    version = workspace.warehouse.overwrite(table, rows, actor=actor.name, any_schema=True)
    return take_snapshot(workspace, actor, table, version=version)


def check_snapshot(workspace: Workspace, snapshot: Snapshot) -> None:
    """Check that the rows of a snapshot are still there.

    Raises
    ------
    NotFound
        Its table is not in the warehouse.
    InvalidInput
        The files of its version were removed, as a vacuum of the table does.
    """
    try:
        files = workspace.warehouse.files(snapshot.table_name, version=snapshot.version)
    except WarehouseError as error:
        raise InvalidInput(f"{_gone(snapshot)}: {error}") from error
    if not all(Path(file).exists() for file in files):
        raise InvalidInput(
            f"{_gone(snapshot)}: its files were removed by a vacuum of the table. Take a snapshot of a "
            "version that is still there, or store the rows again"
        )


def read_snapshot(workspace: Workspace, snapshot: Snapshot, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a snapshot, in the same order each time.

    Raises
    ------
    NotFound, InvalidInput
        As in `check_snapshot`.
    WarehouseError
        Its files are damaged.
    """
    check_snapshot(workspace, snapshot)
    return workspace.warehouse.read(snapshot.table_name, version=snapshot.version, columns=columns)


def _gone(snapshot: Snapshot) -> str:
    return f"snapshot {name_of(snapshot)} can no longer be read"


def _holds(workspace: Workspace, snapshot: Snapshot, rows: pa.Table) -> bool:
    """Return whether a snapshot has exactly these rows, in this order; NaN equals NaN."""
    try:
        stored = canonical(read_snapshot(workspace, snapshot, rows.column_names), snapshot.table_name)
    except BigboardError:
        return False
    return stored.schema.equals(rows.schema) and all(
        _equal(stored[name].combine_chunks(), rows[name].combine_chunks()) for name in rows.column_names
    )


def _equal(left: pa.Array, right: pa.Array) -> bool:
    if left.equals(right):
        return True
    if not pa.types.is_floating(left.type) or not left.is_null().equals(right.is_null()):
        return False
    return np.array_equal(
        left.drop_null().to_numpy(zero_copy_only=False),
        right.drop_null().to_numpy(zero_copy_only=False),
        equal_nan=True,
    )
