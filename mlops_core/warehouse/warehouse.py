"""Delta tables under one root: append, overwrite, read as of a version, list files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from mlops_core.domain.errors import InvalidInput, NotFound, WarehouseError
from mlops_core.warehouse.schema import canonical, check_fits

__all__ = ["TableState", "Warehouse"]


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as of a version: what a snapshot records.

    Attributes
    ----------
    digest
        SHA-256 over the schema and the sorted SHA-256 of the data files: equal for equal bytes.
    """

    table: str
    version: int
    rows: int
    schema: pa.Schema
    digest: str


class Warehouse:
    """The large, append-only data of a workspace, as Delta tables named like `predictions/churn-risk`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, table: str) -> bool:
        """Return whether the table has been written."""
        return DeltaTable.is_deltatable(self._uri(table))

    def append(self, table: str, rows: pa.Table, *, actor: str) -> int:
        """Append a batch, making the table if need be, and return the new table version.

        Raises
        ------
        SchemaMismatch
            The batch does not fit; all of it was refused.
        WarehouseError
            The folder cannot be written.
        """
        return self._write(table, rows, "append", actor)

    def overwrite(self, table: str, rows: pa.Table, *, actor: str) -> int:
        """Replace the rows of a table of the same schema; older versions stay readable."""
        return self._write(table, rows, "overwrite", actor)

    def read(self, table: str, *, version: int | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of a table, now or as of a version."""
        result: pa.Table = self._open(table, version).to_pyarrow_table(
            columns=list(columns) if columns is not None else None
        )
        return result

    def files(self, table: str, *, version: int | None = None) -> list[str]:
        """Return the Parquet files of a table, for DuckDB's `read_parquet`."""
        return self._open(table, version).file_uris()

    def files_since(self, table: str, version: int) -> tuple[int, list[str]]:
        """Return the current version, and the files that the table has gained since `version`.

        `version` -1 means from the beginning. Files that have gone since are not listed.
        """
        current = self._open(table)
        now = current.file_uris()
        if version < 0:
            return current.version(), now
        if current.version() == version:
            return version, []
        before = set(self._open(table, version).file_uris())
        return current.version(), [file for file in now if file not in before]

    def version(self, table: str) -> int:
        """Return the number of the newest version of a table, from 0."""
        return self._open(table).version()

    def state(self, table: str, *, version: int | None = None) -> TableState:
        """Return what identifies a table's bytes as of a version."""
        opened = self._open(table, version)
        schema = pa.schema(opened.schema().to_arrow())
        files = sorted(_sha256(Path(uri.removeprefix("file://"))) for uri in opened.file_uris())
        text = json.dumps([[field.name, str(field.type)] for field in schema] + files)
        return TableState(
            table=table,
            version=opened.version(),
            rows=opened.count(),
            schema=schema,
            digest=hashlib.sha256(text.encode()).hexdigest(),
        )

    def _write(self, table: str, rows: pa.Table, mode: str, actor: str) -> int:
        if not rows.num_columns:
            raise InvalidInput(f"the batch for table '{table}' has no columns")
        rows = canonical(rows)
        if self.exists(table):
            schema = pa.schema(self._open(table).schema().to_arrow())
            check_fits(rows.schema, schema, table)
            rows = rows.select(schema.names).cast(schema)
        try:
            write_deltalake(
                self._uri(table),
                rows,
                mode="append" if mode == "append" else "overwrite",
                commit_properties=CommitProperties(custom_metadata={"actor": actor}),
            )
        except (DeltaError, OSError) as error:
            raise WarehouseError(
                f"table '{table}' under {self.root} cannot be written ({_reason(error)}): check free space "
                "and permissions, then run again"
            ) from error
        return self.version(table)

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self._uri(table), version=version)
        except TableNotFoundError as error:
            raise NotFound(f"the warehouse has no table '{table}'") from error
        except DeltaError as error:
            raise WarehouseError(f"table '{table}' cannot be read: {_reason(error)}") from error

    def _uri(self, table: str) -> str:
        return str(self.root / table)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
