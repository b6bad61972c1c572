"""Delta tables under one root: append, overwrite, read as of a version, list files."""

import hashlib
import json
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import random
from typing import Literal, TypeAlias
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from mlops_core.domain.errors import InvalidInput, NotFound, WarehouseError
from mlops_core.warehouse.keys import KeyIndex
from mlops_core.warehouse.schema import canonical, check_can_begin, check_fits, with_optional

__all__ = ["Appended", "TableState", "Warehouse"]

_Mode: TypeAlias = Literal["append", "overwrite"]

_ATTEMPTS = 20
_REMEMBERED = 4096
_KEYS = 50_000_000  # how many keys are indexed at most, of all tables together: 12 bytes each
_PAUSE = 0.01
_UNUSABLE = frozenset("[]^|\\*?%")  # Delta's library aborts on some, DuckDB takes others for a pattern
# Delta drops the log of versions that are older than 30 days, and with it every snapshot of them.
_FOR_GOOD = {"delta.enableExpiredLogCleanup": "false"}


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


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append by key has added.

    Attributes
    ----------
    version
        The table version that holds every row of the batch.
    rows
        How many rows were new.
    """

    version: int
    rows: int


class Warehouse:
    """The large, append-only data of a workspace, as Delta tables named like `predictions/churn-risk`.

    Raises
    ------
    InvalidInput
        The path of the folder holds a character that Delta Lake or DuckDB cannot deal with.
    """

    def __init__(self, root: Path) -> None:
        strange = sorted(_UNUSABLE & set(str(root.absolute())))
        if strange:
            raise InvalidInput(
                f"no tables can be kept in {root.absolute()}, because its path holds {' '.join(strange)}: "
                "choose another folder"
            )
        self.root = root
        self._creating = threading.Lock()
        self._opened = threading.local()  # each thread's own tables: to bring one up to date is cheap
        self._files_at: dict[tuple[str, int], list[str]] = {}  # a version's files never change
        self._indexing = threading.Lock()
        self._indexes: dict[tuple[str, ...], KeyIndex] = {}

    def exists(self, table: str) -> bool:
        """Return whether the table has been written."""
        return DeltaTable.is_deltatable(self._uri(table))

    def append(
        self, table: str, rows: pa.Table, *, actor: str, optional: Collection[str] = frozenset()
    ) -> int:
        """Append a batch, making the table if need be, and return the version that holds it.

        Parameters
        ----------
        optional
            Columns that the batch may lack, and that the table gains when it does not have them yet; in the
            rows that lack them they are null.

        Raises
        ------
        SchemaMismatch
            The batch does not fit; all of it was refused.
        WarehouseError
            The folder cannot be written.
        """
        return self._write(table, rows, "append", actor, optional)

    def append_new(
        self,
        table: str,
        rows: pa.Table,
        *,
        key: Sequence[str],
        actor: str,
        optional: Collection[str] = frozenset(),
    ) -> Appended:
        """Append the rows of a batch whose key the table does not hold yet, whoever else writes to it.

        The commit succeeds only on the version that was looked at; when another writer was faster, the rows
        are compared with what that one has added. The first question about a table reads the key columns
        of all of it (an index in memory); later ones read what is new.

        Parameters
        ----------
        key
            The columns that make a row the same row; no two rows of the batch may have the same.

        Raises
        ------
        SchemaMismatch, WarehouseError
            As in `append`.
        """
        rows = canonical(rows, table)
        index = self._index(table, key)
        hashes = index.hashes(rows)
        once = CommitProperties(custom_metadata={"actor": actor}, max_commit_retries=0)
        with index.lock, self._writing(table):
            for attempt in range(_ATTEMPTS):
                time.sleep(random() * _PAUSE * attempt)  # noqa: S311 - to part colliding writers
                opened = self._opened_if_any(table)
                is_new = np.ones(rows.num_rows, dtype=bool)
                if opened is not None:
                    index.follow(_paths(opened))
                    is_new = ~index.known(rows, hashes)
                    if not is_new.any():
                        return Appended(opened.version(), 0)
                try:
                    fresh = rows if is_new.all() else rows.filter(pa.array(is_new))
                    version = self._commit(table, opened, fresh, "append", once, optional)
                except DeltaError as error:
                    if not _is_collision(error):
                        raise
                else:
                    written = self._opened.__dict__.get(table) or self._open(table)
                    index.add(_paths(written), hashes[is_new])
                    return Appended(version, fresh.num_rows)
        raise WarehouseError(f"writers of table '{table}' collided {_ATTEMPTS} times in a row: try again")

    def overwrite(self, table: str, rows: pa.Table, *, actor: str, any_schema: bool = False) -> int:
        """Replace the rows of a table; older versions stay readable.

        Parameters
        ----------
        any_schema
            Take rows with other columns than the table has, which its next versions then have.

        Raises
        ------
        SchemaMismatch, WarehouseError
            As in `append`.
        """
        if any_schema and self.exists(table):
            return self._replace(table, canonical(rows, table), actor)
        return self._write(table, rows, "overwrite", actor)

    def read(
        self, table: str, *, version: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the rows of a table, now or as of a version."""
        opened = self._open(table, version)
        with _reading(table):
            result: pa.Table = opened.to_pyarrow_table(columns=list(columns) if columns is not None else None)
        return result

    def files(self, table: str, *, version: int | None = None) -> list[str]:
        """Return the Parquet files of a table, for DuckDB's `read_parquet`."""
        if version is None:
            return _paths(self._open(table))
        if (table, version) not in self._files_at:
            self._remember(table, version, _paths(self._open(table, version)))
        return list(self._files_at[table, version])

    def files_since(self, table: str, version: int) -> tuple[int, list[str]]:
        """Return the current version, and the files that the table has gained since `version`.

        `version` -1 means from the beginning. Files that have gone since are not listed.
        """
        current = self._open(table)
        if current.version() == version:
            return version, []
        now = _paths(current)
        self._remember(table, current.version(), now)
        before = set(self.files(table, version=version)) if version >= 0 else set()
        return current.version(), [file for file in now if file not in before]

    def version(self, table: str) -> int:
        """Return the number of the newest version of a table, from 0."""
        return self._open(table).version()

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a table as it stands."""
        return pa.schema(self._open(table).schema().to_arrow())

    def state(self, table: str, *, version: int | None = None) -> TableState:
        """Return what identifies a table's bytes as of a version."""
        opened = self._open(table, version)
        schema = pa.schema(opened.schema().to_arrow())
        with _reading(table):
            files = sorted(_sha256(Path(path)) for path in _paths(opened))
        text = json.dumps([[field.name, str(field.type)] for field in schema] + files)
        return TableState(
            table=table,
            version=opened.version(),
            rows=opened.count(),
            schema=schema,
            digest=hashlib.sha256(text.encode()).hexdigest(),
        )

    def _write(
        self, table: str, rows: pa.Table, mode: _Mode, actor: str, optional: Collection[str] = frozenset()
    ) -> int:
        rows = canonical(rows, table)
        properties = CommitProperties(custom_metadata={"actor": actor})
        with self._writing(table):
            for _ in range(_ATTEMPTS):
                try:
                    with self._creating:
                        opened = self._opened_if_any(table)
                        if opened is None:
                            return self._commit(table, None, rows, mode, properties, optional)
                    return self._commit(table, opened, rows, mode, properties, optional)
                except DeltaError as error:
                    if not _is_collision(error):
                        raise
                    collision = error
        raise WarehouseError(
            f"writers of table '{table}' collided {_ATTEMPTS} times in a row: try again"
        ) from collision

    def _replace(self, table: str, rows: pa.Table, actor: str) -> int:
        check_can_begin(rows.schema, table)
        with self._writing(table):
            for _ in range(_ATTEMPTS):
                opened = self._open(table)
                self._opened.__dict__.pop(table, None)
                try:
                    write_deltalake(
                        opened,
                        rows,
                        mode="overwrite",
                        schema_mode="overwrite",
                        commit_properties=CommitProperties(custom_metadata={"actor": actor}),
                    )
                except DeltaError as error:
                    if not _is_collision(error):
                        raise
                else:
                    return opened.version()
        raise WarehouseError(f"writers of table '{table}' collided {_ATTEMPTS} times in a row: try again")

    @contextmanager
    def _writing(self, table: str) -> Iterator[None]:
        try:
            yield
        except (DeltaError, OSError) as error:
            raise WarehouseError(
                f"table '{table}' under {self.root} cannot be written ({_reason(error)}): check free space "
                "and permissions, then run again"
            ) from error

    def _index(self, table: str, key: Sequence[str]) -> KeyIndex:
        """Return the index of a table, asked last; the ones asked longest ago go when memory runs short."""
        with self._indexing:
            index = self._indexes.pop((table, *key), None)
            if index is None:
                index = KeyIndex(key)
            while self._indexes and sum(map(len, self._indexes.values())) + len(index) > _KEYS:
                self._indexes.pop(next(iter(self._indexes)))
            self._indexes[table, *key] = index
        return index

    def _opened_if_any(self, table: str) -> DeltaTable | None:
        return self._open(table) if self.exists(table) else None

    def _commit(
        self,
        table: str,
        opened: DeltaTable | None,
        rows: pa.Table,
        mode: _Mode,
        properties: CommitProperties,
        optional: Collection[str],
    ) -> int:
        """Write a batch on top of a table as it was opened, or as the first of a new table."""
        if opened is None:
            check_can_begin(rows.schema, table)
            write_deltalake(self._uri(table), rows, configuration=_FOR_GOOD, commit_properties=properties)
            return self.version(table)
        before = pa.schema(opened.schema().to_arrow())
        rows, schema = with_optional(rows, before, optional)
        check_fits(rows.schema, schema, table)
        check_can_begin(schema, table)
        rows = rows.select(schema.names).cast(schema)
        self._opened.__dict__.pop(table, None)  # what a failed write leaves behind is not to be used again
        write_deltalake(
            opened,
            rows,
            mode=mode,
            schema_mode="merge" if len(schema) > len(before) else None,
            commit_properties=properties,
        )
        self._opened.__dict__[table] = opened
        return opened.version()

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            with _reading(table):
                if version is not None:
                    return DeltaTable(self._uri(table), version=version)
                return self._newest(table)
        except TableNotFoundError as error:
            raise NotFound(f"the warehouse has no table '{table}'") from error

    def _newest(self, table: str) -> DeltaTable:
        """Return the table as it stands now: opening it reads its whole log, refreshing it what is new."""
        opened: dict[str, DeltaTable] = self._opened.__dict__
        known = opened.pop(table, None)
        if known is None or not self.exists(table):
            known = DeltaTable(self._uri(table))
        else:
            known.update_incremental()
        opened[table] = known
        return known

    def _remember(self, table: str, version: int, files: list[str]) -> None:
        while len(self._files_at) >= _REMEMBERED:
            self._files_at.pop(next(iter(self._files_at)), None)
        self._files_at[table, version] = files

    def _uri(self, table: str) -> str:
        return (self.root.absolute() / table).as_uri()


@contextmanager
def _reading(table: str) -> Iterator[None]:
    try:
        yield
    except TableNotFoundError:
        raise
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise WarehouseError(
            f"table '{table}' cannot be read ({_reason(error)}): restore it from a backup"
        ) from error


def _paths(opened: DeltaTable) -> list[str]:
    """Return the local paths of a table's data files, which Delta gives as parts of a URI."""
    return [unquote(uri.removeprefix("file://")) for uri in opened.file_uris()]


def _is_collision(error: DeltaError) -> bool:
    """Return whether somebody else made or changed the table meanwhile."""
    return isinstance(error, CommitFailedError) or "already exists" in str(error)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
