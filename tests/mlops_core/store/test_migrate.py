import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from mlops_core.domain import metadata
from mlops_core.domain.errors import NoWorkspace
from mlops_core.store.migrate import current_version, head_version, take_down, upgrade


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
