from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text
from sqlmodel import Session, select

from mlops_core.domain import Measurement, Monitor, Threshold, metadata
from mlops_core.domain.errors import NoWorkspace
from mlops_core.store.migrate import alembic_config, current_version, head_version, take_down, upgrade


@pytest.fixture
def engine(database_url, tmp_path):
    (tmp_path / "store").mkdir()
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def left_over(engine: Engine) -> dict[str, list[str]]:
    """Every table and sequence that the database holds."""
    sequences = {
        "duckdb": "SELECT sequence_name FROM duckdb_sequences()",
        "postgresql": "SELECT sequencename FROM pg_sequences",
    }
    with engine.connect() as connection:
        found = connection.execute(text(sequences[engine.dialect.name])).scalars()
        return {"tables": inspect(connection).get_table_names(), "sequences": list(found)}


def test_migrating_from_nothing_gives_exactly_the_tables_of_the_domain(engine):
    upgrade(engine, "here", create=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert current_version(connection) == head_version()


def test_migrating_twice_changes_nothing(engine):
    upgrade(engine, "here", create=True)
    upgrade(engine, "here", create=True)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, revision FROM store_revision")).all() == [(1, 0)]


def test_taking_the_store_down_leaves_nothing(engine):
    upgrade(engine, "here", create=True)
    take_down(engine)
    assert left_over(engine) == {"tables": [], "sequences": []}


def test_a_store_that_was_taken_down_can_be_made_again(engine):
    upgrade(engine, "here", create=True)
    take_down(engine)
    upgrade(engine, "here", create=True)
    assert set(left_over(engine)["tables"]) == {*metadata.tables, "alembic_version"}


def test_an_empty_database_stays_empty_unless_a_store_is_wanted(engine):
    with pytest.raises(NoWorkspace, match="is empty"):
        upgrade(engine, "here", create=False)
    assert left_over(engine) == {"tables": [], "sequences": []}


def test_a_migration_that_fails_leaves_no_half_of_a_schema(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE SEQUENCE threshold_id_seq"))  # in the way of the last statement
    with pytest.raises(Exception, match="threshold_id_seq"):
        upgrade(engine, "here", create=True)
    assert left_over(engine) == {"tables": [], "sequences": ["threshold_id_seq"]}


FILLED_AT_0001 = (
    "INSERT INTO actor VALUES (1, 'ada', 'Ada', 'lead', 'a@b.c', '2017-01-01 00:00:00+00')",
    "INSERT INTO model VALUES (1, 'churn', '', 1, 'binary', 'roc_auc', 100, 168, '[]', "
    "'2017-01-01 00:00:00+00')",
    "INSERT INTO snapshot VALUES (1, 'features', 0, 10, '[]', 'd', '2017-01-01 00:00:00+00')",
    "INSERT INTO model_version VALUES (1, 1, 1, 'production', 1, 1, '', '', 0, '', false, 'E', '{}', '[]', "
    "'2017-01-01 00:00:00+00')",
    "INSERT INTO monitor VALUES (1, 1, 'drift', 'psi', 7, '2017-01-01 00:00:00+00')",
    "INSERT INTO threshold VALUES (1, 1, 'warning', 0.1, true, 'rule', '2017-01-01 00:00:00+00')",
    "INSERT INTO measurement VALUES (1, 1, 'psi', 'age', '2017-01-02 00:00:00+00', "
    "'2017-01-09 00:00:00+00', 0.02, 40, 'in_range', '2017-01-10 00:00:00+00')",
)


def migrate_to(engine: Engine, version: str) -> None:
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def test_a_store_of_the_first_schema_keeps_its_rows_and_gains_the_columns(engine):
    migrate_to(engine, "0001")
    with engine.begin() as connection:
        for statement in FILLED_AT_0001:
            connection.execute(text(statement))
    engine.dispose()  # closes the DuckDB file, as between two runs of a server: it is another one when opened
    upgrade(engine, "here", create=False)
    with Session(engine) as session:
        measured, limit = session.exec(select(Measurement)).one(), session.exec(select(Threshold)).one()
        assert (measured.value, measured.rows, measured.level) == (0.02, 40, "in_range")
        monitor = session.exec(select(Monitor)).one()
        assert (monitor.id, monitor.kind, monitor.column, monitor.segment) == (1, "drift", "", "")
        assert measured.monitor_id == limit.monitor_id == monitor.id
        assert measured.lower is measured.upper is measured.outcomes_share is None
        assert (limit.value, limit.reason, limit.kind, limit.parameters) == (0.1, "rule", None, None)
        limit.kind, limit.parameters = "learned", {"k": 3.0}
        session.add(limit)
        session.commit()
        assert measured.window_start.astimezone(UTC) == datetime(2017, 1, 2, tzinfo=UTC)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    with Session(engine) as session:
        assert session.exec(select(Threshold.parameters)).one() == {"k": 3.0}
    take_down(engine)
    assert left_over(engine) == {"tables": [], "sequences": []}
