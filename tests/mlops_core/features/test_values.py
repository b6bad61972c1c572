from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlmodel import func, select

from mlops_core.domain import AuditEvent, Snapshot
from mlops_core.domain.errors import InvalidInput, NotFound, SchemaMismatch
from mlops_core.domain.states import FeatureKind
from mlops_core.features import (
    NewFeature,
    create_entity,
    create_feature_table,
    read_features,
    store_training_data,
    take_snapshot,
    write_features,
)

START = datetime(2025, 1, 6, tzinfo=UTC)
WEEKS = [START + timedelta(weeks=n) for n in range(5)]
TABLES = {
    "money": {"spend": "float64", "baskets": "int64"},
    "people": {"size": "int64"},
    "habits": {"shop": "string"},
}


@pytest.fixture(autouse=True)
def declared(workspace, scientist):
    for entity in ("household", "shop"):
        create_entity(
            workspace, scientist, name=entity, key_column=f"{entity}_id", description=entity.title()
        )
    tables = TABLES | {"shops": {"area": "float64"}}
    for name, columns in tables.items():
        create_feature_table(
            workspace,
            scientist,
            name=name,
            entity="shop" if name == "shops" else "household",
            description=name,
            owner=scientist,
            features=[
                NewFeature(column, dtype, FeatureKind.PRIMARY, column, (f"crm.{column}",))
                for column, dtype in columns.items()
            ],
        )


def values_of(dtype, size, random):
    match dtype:
        case "float64":
            return random.normal(size=size)
        case "int64":
            return random.integers(0, 50, size)
        case _:
            return random.choice(["north", "south"], size)


def frame_of(name, seed, share=0.7):
    """Rows for a random part of 40 households in each of 5 weeks, in random order."""
    random = np.random.default_rng(seed)
    whole = pd.MultiIndex.from_product([range(40), WEEKS], names=["household_id", "as_of"]).to_frame(
        index=False
    )
    rows = whole.sample(frac=share, random_state=seed).reset_index(drop=True)
    return rows.assign(
        **{column: values_of(dtype, len(rows), random) for column, dtype in TABLES[name].items()}
    )


def arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture
def frames(workspace, scientist):
    frames = {name: frame_of(name, seed) for seed, name in enumerate(TABLES)}
    for name, frame in frames.items():
        for part in np.array_split(np.arange(len(frame)), 3):  # each table lies in several files
            write_features(workspace, scientist, name, arrow(frame.iloc[part]))
    return frames


@pytest.mark.parametrize(
    "names",
    [["spend"], ["spend", "size"], ["shop", "spend", "size", "baskets"], ["size", "shop"]],
    ids="+".join,
)
def test_features_are_joined_by_key_and_time_as_pandas_merges_them(workspace, frames, names):
    start, end = WEEKS[1], WEEKS[3]
    found = read_features(workspace, names, start=start, end=end).to_pandas()
    table_of = {column: name for name, columns in TABLES.items() for column in columns}
    keys = ["household_id", "as_of"]
    expected = frames[table_of[names[0]]]
    expected = expected[expected["as_of"].between(start, end)][keys]
    for name in names:
        expected = expected.merge(frames[table_of[name]][[*keys, name]], on=keys, how="left")
    expected = expected.sort_values(["as_of", "household_id"]).reset_index(drop=True)
    assert list(found.columns) == [*keys, *names]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True)
    assert str(found["as_of"].dtype).endswith("UTC]")


def test_a_time_outside_the_span_is_left_out_and_its_ends_are_not(workspace, frames):
    found = read_features(workspace, ["spend"], start=WEEKS[2], end=WEEKS[2]).to_pandas()
    assert found["as_of"].unique().tolist() == [pd.Timestamp(WEEKS[2])]


def test_features_of_different_entities_are_not_joined(workspace, scientist, frames):
    with pytest.raises(InvalidInput, match="describe different entities"):
        read_features(workspace, ["spend", "area"], start=START, end=START)


def test_reading_no_feature_or_one_that_does_not_exist_is_refused(workspace, frames):
    with pytest.raises(InvalidInput, match="name at least one feature"):
        read_features(workspace, [], start=START, end=START)
    with pytest.raises(NotFound, match="no features named height"):
        read_features(workspace, ["spend", "height"], start=START, end=START)


def test_a_declared_feature_without_rows_is_reported(workspace):
    with pytest.raises(NotFound, match="no table 'features/money'"):
        read_features(workspace, ["spend"], start=START, end=START)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="spend"), "lacks spend"),
        (lambda frame: frame.drop(columns="household_id"), "lacks household_id"),
        (lambda frame: frame.assign(extra=1), "extra too much"),
        (lambda frame: frame.assign(spend="much"), "column 'spend' of table 'money' holds double"),
        (lambda frame: frame.assign(baskets=1.5), "column 'baskets' of table 'money' holds int64"),
        (lambda frame: frame.assign(as_of="today"), "column 'as_of' of table 'money' holds timestamp"),
        (lambda frame: frame.assign(as_of=frame["as_of"].dt.tz_localize(None)), "without a time zone"),
        (lambda frame: frame.assign(as_of=pd.NaT), "rows without as_of"),
        (lambda frame: frame.assign(household_id=None), "rows without household_id"),
    ],
    ids=["missing", "no-key", "extra", "text", "float", "no-time", "naive", "null-time", "null-key"],
)
def test_a_first_batch_that_does_not_fit_the_declaration_is_refused_whole(
    workspace, scientist, change, message
):
    with pytest.raises(InvalidInput, match=message):
        write_features(workspace, scientist, "money", arrow(change(frame_of("money", 1))))
    assert not workspace.warehouse.exists("features/money")
    with workspace.store.read() as session:
        written = select(func.count()).where(AuditEvent.action == "features.written")
        assert session.exec(written).one() == 0


def test_a_later_batch_with_another_type_of_key_is_refused(workspace, scientist, frames):
    wrong = frame_of("people", 5).astype({"household_id": str})
    with pytest.raises(SchemaMismatch, match="column 'household_id'"):
        write_features(workspace, scientist, "people", arrow(wrong))


def test_rows_of_a_table_that_was_not_declared_are_refused(workspace, scientist):
    with pytest.raises(NotFound, match="no feature table 'none'"):
        write_features(workspace, scientist, "none", arrow(frame_of("money", 1)))


def test_writing_rows_is_audited_with_the_version_that_holds_them(workspace, scientist):
    frame = frame_of("money", 1)
    version = write_features(workspace, scientist, "money", arrow(frame))
    with workspace.store.read() as session:
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.action, event.subject, event.actor_id) == ("features.written", "money", scientist.id)
    assert event.details == {"rows": len(frame), "version": version}


# ── snapshots ────────────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_names_the_exact_rows_whatever_is_written_later(workspace, scientist):
    first, second = arrow(frame_of("money", 1)), arrow(frame_of("money", 2))
    snapshot = store_training_data(workspace, scientist, "churn-risk", first)
    store_training_data(workspace, scientist, "churn-risk", second)
    kept = workspace.warehouse.read(snapshot.table_name, version=snapshot.version)
    assert kept.equals(first.cast(kept.schema))
    assert snapshot.rows == first.num_rows
    assert snapshot.columns["spend"] == "double"
    assert snapshot.digest == workspace.warehouse.state(snapshot.table_name, version=snapshot.version).digest


def test_a_snapshot_that_is_taken_twice_is_one(workspace, scientist):
    write_features(workspace, scientist, "money", arrow(frame_of("money", 1)))
    first = take_snapshot(workspace, scientist, "features/money")
    again = take_snapshot(workspace, scientist, "features/money")
    write_features(workspace, scientist, "money", arrow(frame_of("money", 2)))
    later = take_snapshot(workspace, scientist, "features/money")
    old = take_snapshot(workspace, scientist, "features/money", version=first.version)
    assert first.id == again.id == old.id != later.id
    with workspace.store.read() as session:
        assert session.exec(select(func.count()).select_from(Snapshot)).one() == 2


def test_a_snapshot_of_a_table_that_does_not_exist_is_refused(workspace, scientist):
    with pytest.raises(NotFound, match="no table 'none'"):
        take_snapshot(workspace, scientist, "none")
