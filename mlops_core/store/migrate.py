"""Bring a store to this release's schema, or refuse it untouched."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, Table, func, inspect, select
from sqlalchemy.schema import DropTable

from mlops_core.domain.errors import NoWorkspace, StoreForeign, StoreTooNew

__all__ = ["OUR_TABLE", "check_schema_version", "current_version", "head_version", "take_down", "upgrade"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_ALEMBIC = "alembic_version"
OUR_TABLE = "store_revision"
"""A table that every store of ours has; a database without it belongs to something else."""

_ONE_AT_A_TIME = 0x626967626F617264  # "bigboard": the PostgreSQL lock under which a process migrates


class DuckDBImpl(DefaultImpl):
    """Alembic's rules for DuckDB: the defaults, and DDL inside the transaction."""

    __dialect__ = "duckdb"
    transactional_ddl = True


def alembic_config() -> Config:
    """Return the configuration that points at the migrations inside the package."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def head_version() -> str:
    """Return the schema version that this release reads and writes."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise RuntimeError(f"{_MIGRATIONS} holds no migration: install Bigboard again")
    return head


def current_version(connection: Connection) -> str | None:
    """Return the schema version of an open store, None when it has never been migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def check_schema_version(version: str | None, tables: frozenset[str], where: str) -> None:
    """Refuse a database that is not ours or is newer than this release.

    Raises
    ------
    StoreForeign
        It has tables, but not ours.
    StoreTooNew
        Its schema version is unknown to this release.
    """
    if version is None and not tables - {_ALEMBIC}:
        return
    if version is None or OUR_TABLE not in tables:
        raise StoreForeign(
            f"{where} holds tables of something else ({', '.join(sorted(tables)[:3])}, …) and was left "
            "untouched: choose another database"
        )
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if version not in known:
        raise StoreTooNew(
            f"{where} was written by a newer release of Bigboard (schema {version}; this one knows up to "
            f"{head_version()}) and was left untouched: upgrade Bigboard"
        )


def upgrade(engine: Engine, where: str, *, create: bool) -> None:
    """Run the migrations that the store lacks, each in a transaction of its own.

    An upgrade that is interrupted goes on from there the next time.

    Raises
    ------
    NoWorkspace
        The database is empty and `create` is False; it stays empty.
    StoreForeign, StoreTooNew
        As in `check_schema_version`.
    """
    while not _upgraded(engine, where, create=create):
        pass


def _upgraded(engine: Engine, where: str, *, create: bool) -> bool:
    """Return whether nothing is left to migrate, after at most one step."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        version = current_version(connection)
        check_schema_version(version, frozenset(inspect(connection).get_table_names()), where)
        if version == head_version():
            return True
        if version is None and not create:
            raise NoWorkspace(
                f"{where} is empty: `bigboard demo` builds a workspace with real purchases in it"
            )
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "+1")
    return False


def take_down(engine: Engine) -> None:
    """Undo every migration, each in a transaction of its own: the store holds nothing any more."""
    while _taken_down(engine):
        pass


def _taken_down(engine: Engine) -> bool:
    """Undo one migration; return whether there may be another."""
    with engine.begin() as connection:
        if current_version(connection) is None:
            if _ALEMBIC in inspect(connection).get_table_names():
                connection.execute(DropTable(Table(_ALEMBIC, MetaData())))
            return False
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    return True
