"""Look at a DuckDB file without changing it: who holds it, and what is in it."""

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mlops_core.domain.errors import StoreError, StoreForeign, StoreHeld

__all__ = ["FileContents", "explain_refusal", "inspect_file"]

_HOLDER = re.compile(r"PID (\d+)")
_LOCKED = "Could not set lock"
_DAMAGED = ("not a valid DuckDB", "version number", "Corrupt", "corrupted", "Could not read enough bytes")


@dataclass(frozen=True, slots=True)
class FileContents:
    """What a DuckDB file holds: its tables and the schema version, when it has one."""

    tables: frozenset[str]
    schema_version: str | None


def inspect_file(path: Path) -> FileContents:
    """Read the table names and the schema version of a DuckDB file, leaving it as it was.

    Raises
    ------
    StoreHeld
        Another process has the file open; the error carries its process id.
    StoreForeign
        The file is damaged, or is no DuckDB database.
    StoreError
        The file cannot be read.
    """
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = frozenset(
                name
                for (name,) in connection.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
                ).fetchall()
            )
            version = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
                version = row[0] if row else None
    except duckdb.ConnectionException:
        # This very process has it open for writing; whoever opened it has inspected it before.
        return FileContents(frozenset(), None)
    except (duckdb.IOException, PermissionError) as error:
        raise explain_refusal(path, str(error)) from error
    except duckdb.Error as error:
        raise StoreForeign(
            f"{path} cannot be read as a DuckDB database and was left untouched ({_first_line(error)}): "
            "restore it from a backup, or choose another workspace with --workspace"
        ) from error
    return FileContents(tables, version)


def explain_refusal(path: Path, message: str) -> StoreError:
    """Return the error that says why DuckDB would not open a file."""
    if _LOCKED in message:
        found = _HOLDER.search(message)
        process_id = int(found.group(1)) if found else None
        who = f"process {process_id}" if process_id else "another process"
        return StoreHeld(
            f"the workspace file {path} is held by {who}: stop it (it is probably `bigboard serve`), "
            "or talk to it through its API",
            process_id,
        )
    reason = message.splitlines()[0]
    if any(sign in message for sign in _DAMAGED):
        return StoreForeign(
            f"{path} is damaged or not a DuckDB database of this release, and was left untouched ({reason}): "
            "restore it from a backup, or choose another workspace with --workspace"
        )
    return StoreError(f"{path} cannot be opened: {reason}")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
