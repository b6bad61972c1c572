import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import StatementError
from sqlmodel import select

from mlops_core.clock import FixedClock
from mlops_core.domain import Actor, AuditEvent, JobRun, Setting
from mlops_core.domain.errors import (
    Conflict,
    NoWorkspace,
    StoreError,
    StoreForeign,
    StoreHeld,
    StoreTooNew,
)
from mlops_core.store import open_store, ping, reset_store, store_schema_version
from tests.factories import HOLDER, NOW, run_as_ordinary_user, running, workspace_in

THREADS, TURNS = 8, 100


@pytest.fixture
def store(database_url):
    store = open_store(database_url, clock=FixedClock(NOW), create=True)
    yield store
    store.close()


@pytest.fixture
def actor(store):
    someone = Actor(id=1, name="someone", full_name="Some One", role="admin", created_at=NOW)

    def work(unit):
        unit.session.add(Actor(**someone.model_dump()))
        unit.session.add(Setting(name="counter", value={"n": 0}))

    store.bookkeep(someone, work)
    return someone


def count_up(unit):
    """Read, modify, write: what loses updates when two writers overlap."""
    row = unit.session.get(Setting, "counter")
    row.value = {"n": row.value["n"] + 1}
    unit.record("setting.changed", "setting", "counter", "It was counted up")


def counter(store):
    with store.read() as session:
        return session.get(Setting, "counter").value["n"]


def events(store):
    with store.read() as session:
        return list(session.exec(select(AuditEvent)))


# ── units of work ────────────────────────────────────────────────────────────────────────────────


def test_no_update_of_eight_threads_is_lost_and_none_sees_a_conflict(store, actor):
    def work(_):
        for _ in range(TURNS):
            store.write(actor, count_up)

    before = store.revision()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert counter(store) == THREADS * TURNS
    assert len(events(store)) == THREADS * TURNS
    assert store.revision() == before + THREADS * TURNS


def test_no_update_of_two_processes_on_one_postgresql_is_lost(postgres_database):
    stores = [open_store(postgres_database, clock=FixedClock(NOW), create=True) for _ in range(2)]
    actor = Actor(id=1, name="someone", full_name="Some One", role="admin", created_at=NOW)

    def begin(unit):
        unit.session.add(Actor(**actor.model_dump()))
        unit.session.add(Setting(name="counter", value={"n": 0}))

    stores[0].bookkeep(actor, begin)

    def work(number):
        for _ in range(TURNS):
            stores[number % 2].write(actor, count_up)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert [counter(store) for store in stores] == [THREADS * TURNS] * 2
    assert len(events(stores[0])) == THREADS * TURNS
    for store in stores:
        store.close()


def test_writers_that_lock_rows_in_opposite_order_do_not_deadlock(store, actor):
    def begin(unit):
        unit.session.add_all(Setting(name=name, value={"n": 0}) for name in "ab")

    store.bookkeep(actor, begin)

    def work(number):
        def both(unit):
            for name in "ab" if number % 2 else "ba":
                row = unit.session.get(Setting, name)
                row.value = {"n": row.value["n"] + 1}
                unit.session.flush()

        for _ in range(20):
            store.bookkeep(actor, both)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with store.read() as session:
        assert [session.get(Setting, name).value["n"] for name in "ab"] == [80, 80]


def test_an_action_that_fails_leaves_neither_rows_nor_audit_event_nor_revision(store, actor):
    before = store.revision()

    def work(unit):
        count_up(unit)
        unit.add(JobRun(job="x", state="running", started_at=unit.now))
        raise Conflict("no")

    with pytest.raises(Conflict):
        store.write(actor, work)
    assert (counter(store), events(store), store.revision()) == (0, [], before)
    with store.read() as session:
        assert session.exec(select(JobRun)).all() == []


def test_an_action_that_leaves_no_audit_event_is_refused_and_undone(store, actor):
    before = store.revision()

    def silent_change(unit):
        unit.session.get(Setting, "counter").value = {"n": 99}

    with pytest.raises(RuntimeError, match="silent_change changed the store without an audit event"):
        store.write(actor, silent_change)
    assert (counter(store), store.revision()) == (0, before)


def test_the_audit_event_says_who_did_what_to_what_and_when(store, actor):
    store.write(actor, count_up)
    (event,) = events(store)
    assert (event.actor_id, event.action, event.subject_kind, event.subject) == (
        1,
        "setting.changed",
        "setting",
        "counter",
    )
    assert event.at == NOW


def test_the_revision_grows_by_one_with_each_unit_of_work(store, actor):
    revisions = [store.bookkeep(actor, lambda unit: unit.revision) for _ in range(3)]
    assert revisions == [revisions[0], revisions[0] + 1, revisions[0] + 2]
    assert store.revision() == revisions[-1]


def test_readers_go_on_while_a_writer_is_at_work(store, actor):
    reading, done = threading.Event(), threading.Event()

    def work(unit):
        count_up(unit)
        unit.session.flush()
        reading.set()
        assert done.wait(10)

    writer = threading.Thread(target=store.write, args=(actor, work))
    writer.start()
    assert reading.wait(10)
    assert counter(store) == 0
    done.set()
    writer.join()
    assert counter(store) == 1


# ── times ────────────────────────────────────────────────────────────────────────────────────────


def test_times_come_back_aware_and_in_utc_whatever_zone_they_went_in_with(store, actor):
    india = timezone(timedelta(hours=5, minutes=30))
    local = datetime(2025, 3, 10, 2, 15, 30, 123456, tzinfo=india)
    run = store.bookkeep(
        actor, lambda unit: unit.add(JobRun(job="x", state="running", started_at=local, finished_at=None)).id
    )
    with store.read() as session:
        row = session.get(JobRun, run)
    assert row.started_at == local
    assert row.started_at.isoformat() == "2025-03-09T20:45:30.123456+00:00"
    assert row.started_at.utcoffset() == timedelta(0)
    assert row.finished_at is None


def test_times_are_in_utc_on_a_machine_that_is_elsewhere(database_url):
    program = """
import sys
from datetime import UTC, datetime
from mlops_core.clock import FixedClock
from mlops_core.domain import Actor
from mlops_core.store import open_store
noon = datetime(2025, 3, 10, 12, tzinfo=UTC)
store = open_store(sys.argv[1], clock=FixedClock(noon), create=True)
actor = Actor(id=1, name="someone", full_name="Some One", role="admin", created_at=noon)
store.bookkeep(actor, lambda unit: unit.add(Actor(**actor.model_dump())))
with store.read() as session:
    print(session.get_one(Actor, 1).created_at.isoformat())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, database_url],
        env=os.environ | {"TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2025-03-10T12:00:00+00:00"


def test_a_time_without_a_zone_is_refused(store, actor):
    naive = datetime(2025, 3, 10)  # noqa: DTZ001 - that it has no zone is tested
    with pytest.raises((ValueError, StatementError), match="has no time zone"):
        store.bookkeep(actor, lambda unit: unit.add(JobRun(job="x", state="running", started_at=naive)))


# ── opening ──────────────────────────────────────────────────────────────────────────────────────


def url_of(path):
    return f"duckdb:///{path}"


def contents_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused_untouched(path, error, match):
    before = contents_of(path.parent)
    for create in (False, True):
        with pytest.raises(error, match=match) as caught:
            open_store(url_of(path), create=create)
        assert type(caught.value) is error
        assert str(path) in str(caught.value)
    assert contents_of(path.parent) == before


def test_a_missing_workspace_is_reported_and_nothing_is_created(tmp_path):
    with pytest.raises(NoWorkspace, match="bigboard demo"):
        open_store(url_of(tmp_path / "none" / "bigboard.duckdb"))
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_newer_release_is_refused_untouched(tmp_path):
    path = tmp_path / "bigboard.duckdb"
    open_store(url_of(path), create=True).close()
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert_refused_untouched(path, StoreTooNew, "newer release.*9999.*upgrade Bigboard")


@pytest.mark.parametrize(
    "content", [b"", b"x", b"to whom it may concern\n" * 1000], ids=["empty", "x", "text"]
)
def test_a_file_that_is_no_database_is_refused_untouched(tmp_path, content):
    path = tmp_path / "bigboard.duckdb"
    path.write_bytes(content)
    assert_refused_untouched(path, StoreForeign, "left untouched")


@pytest.mark.parametrize("place", ["magic", "header", "both headers", "data"])
def test_a_corrupt_store_is_refused_untouched(tmp_path, place):
    path = tmp_path / "bigboard.duckdb"
    open_store(url_of(path), create=True).close()
    offsets = {
        "magic": [8],
        "header": [4_100],
        "both headers": [4_100, 9_000],  # DuckDB goes by the newer one
        "data": range(50_000, path.stat().st_size, 262_144),  # each block: some are free and never read
    }
    with path.open("r+b") as file:
        for offset in offsets[place]:
            file.seek(offset)
            file.write(b"\xa5" * 4_096)
    assert_refused_untouched(path, StoreForeign, "restore it from a backup")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5])
def test_a_store_that_was_cut_off_is_refused_untouched(tmp_path, share):
    path = tmp_path / "bigboard.duckdb"
    open_store(url_of(path), create=True).close()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert_refused_untouched(path, StoreForeign, "restore it from a backup")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    path = tmp_path / "bigboard.duckdb"
    path.mkdir()
    assert_refused_untouched(path, StoreError, "directory")


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE sales (amount DOUBLE)"],
        # Other programs use Alembic too.
        ["CREATE TABLE runs (x INT)", "CREATE TABLE alembic_version (version_num VARCHAR)"],
        [
            "CREATE TABLE runs (x INT)",
            "CREATE TABLE alembic_version AS SELECT '0584bdc529eb' AS version_num",
        ],
    ],
    ids=["plain", "alembic", "migrated"],
)
def test_the_duckdb_database_of_something_else_is_refused_untouched(tmp_path, statements):
    path = tmp_path / "bigboard.duckdb"
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    assert_refused_untouched(path, StoreForeign, "tables of something else")


def test_a_postgresql_database_of_something_else_is_refused_untouched(postgres_database):
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sales AS SELECT 1 AS amount"))
    with pytest.raises(StoreForeign, match="sales"):
        open_store(postgres_database, create=True)
    with engine.connect() as connection:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(text(tables)).scalars().all() == ["sales"]
    engine.dispose()


def test_a_postgresql_store_of_a_newer_release_is_refused(postgres_database):
    open_store(postgres_database, create=True).close()
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreTooNew, match="9999"):
        open_store(postgres_database)
    assert store_schema_version(postgres_database) == "9999"
    engine.dispose()


def test_an_empty_postgresql_database_is_no_workspace(postgres_database):
    with pytest.raises(NoWorkspace):
        open_store(postgres_database)
    assert store_schema_version(postgres_database) is None


def test_processes_that_open_an_empty_postgresql_database_at_once_make_one_store(postgres_database):
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(postgres_database, create=True), range(4)))
    assert [store.revision() for store in stores] == [0] * 4
    for store in stores:
        store.close()


def test_a_postgresql_server_that_does_not_answer_is_reported_without_the_password():
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/none"
    for ask in (open_store, store_schema_version):
        with pytest.raises(StoreError, match=r"127\.0\.0\.1") as caught:
            ask(url)
        assert "secret" not in str(caught.value)


def test_a_store_that_another_process_holds_is_refused_with_its_process_id(tmp_path):
    workspace_in(tmp_path).close()
    with running(HOLDER, tmp_path) as holder:
        with pytest.raises(StoreHeld, match=f"process {holder.pid}") as caught:
            open_store(url_of(tmp_path / "bigboard.duckdb"))
        assert caught.value.process_id == holder.pid


def test_a_store_that_another_program_only_reads_is_held_too(tmp_path):
    workspace_in(tmp_path).close()
    reader = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("ready", flush=True)
sys.stdin.read()
"""
    path = tmp_path / "bigboard.duckdb"
    with running(reader, path) as holder, pytest.raises(StoreHeld, match=f"process {holder.pid}"):
        open_store(url_of(path))


def test_what_was_committed_survives_the_death_of_the_process(tmp_path):
    workspace_in(tmp_path).close()
    program = HOLDER.replace(
        'print("ready"',
        "from mlops_core.workspace import actor_named, put_setting\n"
        'put_setting(workspace, actor_named(workspace, "system"), "kept", {"n": 1}, "why")\n'
        'print("ready"',
    )
    with running(program, tmp_path) as holder:
        holder.kill()
        holder.wait()
    store = open_store(url_of(tmp_path / "bigboard.duckdb"))
    with store.read() as session:
        assert session.get(Setting, "kept").value == {"n": 1}
    store.close()


def test_a_closed_store_can_be_opened_by_another_process(tmp_path):
    workspace_in(tmp_path).close()
    with running(HOLDER, tmp_path) as holder:
        assert holder.poll() is None


OPENER = """
import sys
from mlops_core.domain.errors import StoreError
from mlops_core.store import open_store
try:
    open_store(sys.argv[1], create=True)
except StoreError as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("existing", [True, False], ids=["a-store", "no-store"])
def test_a_folder_that_cannot_be_written_gives_a_clear_error(tmp_path, existing):
    folder = tmp_path / "read-only"
    folder.mkdir()
    path = folder / "bigboard.duckdb"
    if existing:
        open_store(url_of(path), create=True).close()
        path.chmod(0o444)
    folder.chmod(0o555)
    done = run_as_ordinary_user([sys.executable, "-c", OPENER, url_of(path)])
    assert done.stdout.startswith(f"StoreError: {path} cannot be opened: "), done
    assert "ermission denied" in done.stdout


def test_a_folder_that_cannot_be_made_gives_a_clear_error(tmp_path):
    tmp_path.chmod(0o555)
    done = run_as_ordinary_user([sys.executable, "-c", OPENER, url_of(tmp_path / "new" / "bigboard.duckdb")])
    assert "cannot be made: Permission denied" in done.stdout, done


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────


def test_a_reset_store_is_gone(store, actor, database_url):
    store.close()
    reset_store(database_url)
    assert store_schema_version(database_url) is None
    with pytest.raises(NoWorkspace):
        open_store(database_url)


def test_a_store_answers_until_its_database_is_gone(postgres_url):
    from tests.postgres_server import create_database, drop_database

    store = open_store(create_database(postgres_url, "vanishing"), create=True)
    ping(store)
    drop_database(postgres_url, "vanishing")
    with pytest.raises(StoreError, match="does not answer"):
        ping(store)
    store.close()


def test_a_fixed_clock_dates_every_unit(store, actor):
    store.clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
    assert store.bookkeep(actor, lambda unit: unit.now) == datetime(2030, 1, 1, tzinfo=UTC)
