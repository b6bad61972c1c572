"""The metadata store: open it, read from it, and change it one unit of work at a time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, event, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, create_engine, select

from mlops_core.clock import Clock, SystemClock
from mlops_core.domain import Actor, StoreRevision
from mlops_core.domain.errors import NoWorkspace, StoreBusy, StoreError
from mlops_core.store.holder import explain_refusal, inspect_file
from mlops_core.store.migrate import check_schema_version, current_version, take_down, upgrade
from mlops_core.store.unit_of_work import UnitOfWork

__all__ = ["Store", "open_store", "ping", "reset_store", "store_schema_version"]

T = TypeVar("T")

_FILE = "duckdb:///"
_ATTEMPTS = 12
_FIRST_PAUSE = 0.002
_POSTGRES_RETRY = {"40001", "40P01"}


class Store:
    """A migrated metadata store.

    Reads run side by side. Writers take turns: a lock serialises those of this process, and the
    revision row, locked first in every unit of work, those of other processes (PostgreSQL).
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self._writing = threading.RLock()
        self._reading = threading.local()

    @property
    def dialect(self) -> str:
        """Return `duckdb` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session for reading; what it loads stays usable afterwards.

        Reads inside a read, of the same thread, share its session and so see the same state.
        """
        outer = getattr(self._reading, "session", None)
        if outer is not None:
            yield outer
            return
        with Session(self.engine, expire_on_commit=False) as session:
            self._reading.session = session
            try:
                yield session
            finally:
                self._reading.session = None

    def revision(self) -> int:
        """Return the count of changes so far; it grows with each unit of work."""
        with self.read() as session:
            return session.exec(select(StoreRevision.revision)).one()

    def write(self, actor: Actor, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` in one transaction with its audit events, again if writers collide.

        `work` may run more than once, so it touches nothing outside the store.

        Raises
        ------
        StoreBusy
            When it collided in every one of a bounded number of attempts.
        RuntimeError
            When `work` recorded no audit event: an action that leaves no trace is a fault.
        """
        return self._transact(actor, work, audited=True)

    def bookkeep(self, actor: Actor, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` like `write`, for derived rows that can be computed again and need no audit."""
        return self._transact(actor, work, audited=False)

    def _transact(self, actor: Actor, work: Callable[[UnitOfWork], T], *, audited: bool) -> T:
        pause = _FIRST_PAUSE
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause)
                pause = min(pause * 2, 0.25)
            try:
                with self._writing, Session(self.engine, expire_on_commit=False) as session:
                    unit = UnitOfWork(session, actor, self.clock, _next_revision(session))
                    result = work(unit)
                    if audited and not unit.recorded:
                        raise RuntimeError(f"{work.__qualname__} changed the store without an audit event")
                    session.commit()
                    return result
            except DBAPIError as error:
                if not _is_collision(error):
                    raise
        raise StoreBusy(f"writers of the store collided {_ATTEMPTS} times in a row: try again")

    def close(self) -> None:
        """Give the database back, so that another process may open it."""
        self.engine.dispose()


def open_store(url: str, *, clock: Clock | None = None, create: bool = False) -> Store:
    """Open a metadata store and bring it to this release's schema.

    Parameters
    ----------
    url
        SQLAlchemy URL: `duckdb:///FILE` or `postgresql+psycopg://…`.
    create
        Make an empty store where there is none.

    Raises
    ------
    NoWorkspace, StoreHeld, StoreForeign, StoreTooNew, StoreError
        See `mlops_core.domain.errors`; a store that is refused is left untouched.
    """
    path = Path(url.removeprefix(_FILE)) if url.startswith(_FILE) else None
    if path is not None:
        _check_file(path, create=create)
    engine = _engine(url)
    where = str(path) if path else engine.url.render_as_string(hide_password=True)
    try:
        upgrade(engine, where, create=create)
    except DBAPIError as error:
        engine.dispose()
        reason = str(error.orig)
        raise (
            explain_refusal(path, reason)
            if path
            else StoreError(f"{where} cannot be opened: {reason.splitlines()[0]}")
        ) from error
    except Exception:
        engine.dispose()
        raise
    return Store(engine, clock or SystemClock())


def _next_revision(session: Session) -> int:
    """Count the revision up; its row stays locked, so that writers of other processes wait here."""
    count_up = (
        update(StoreRevision)
        .values(revision=StoreRevision.revision + 1)
        .returning(col(StoreRevision.revision))
    )
    revision: int = session.execute(count_up).scalar_one()
    return revision


def _check_file(path: Path, *, create: bool) -> None:
    if path.exists():
        contents = inspect_file(path)
        check_schema_version(contents.schema_version, contents.tables, str(path))
        return
    if not create:
        raise NoWorkspace(
            f"there is no workspace at {path.parent}: `bigboard demo` builds one with real purchases in it, "
            "or name another with --workspace or BIGBOARD_WORKSPACE"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {path.parent} cannot be made: {error.strerror}") from error


def _engine(url: str) -> Engine:
    arguments: dict[str, Any] = {}
    if url.startswith("postgresql"):
        arguments = {"pool_pre_ping": True}
    engine = create_engine(url, **arguments)
    if engine.dialect.name == "duckdb":
        _set_utc(engine)
    return engine


def _set_utc(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def in_utc(connection: Any, _record: object) -> None:
        connection.execute("SET TimeZone = 'UTC'")


def _is_collision(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _POSTGRES_RETRY
    message = str(error.orig)
    return "Conflict on" in message or "write-write conflict" in message


def ping(store: Store) -> None:
    """Check that the database answers.

    Raises
    ------
    StoreError
        When it does not.
    """
    try:
        with store.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        raise StoreError(f"the metadata store does not answer: {error.orig}") from error


def reset_store(url: str) -> None:
    """Remove every row and table of a Bigboard store; the next `open_store` makes it anew."""
    engine = _engine(url)
    try:
        take_down(engine)
    finally:
        engine.dispose()


def store_schema_version(url: str) -> str | None:
    """Return the schema version of a database without changing it, None when it has none.

    Raises
    ------
    StoreError
        It does not answer.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return current_version(connection)
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"{where} does not answer: {str(error.orig).splitlines()[0]}") from error
    finally:
        engine.dispose()
