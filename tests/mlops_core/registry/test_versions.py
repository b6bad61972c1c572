import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from sqlmodel import func, select

from mlops_core.domain import (
    AuditEvent,
    FeatureUse,
    Metric,
    ModelVersion,
    ReferenceProfile,
    Snapshot,
    StoredSlice,
)
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import FeatureKind, Origin, Role
from mlops_core.features import NewFeature, create_entity, create_feature_table, store_training_data
from mlops_core.registry import CommitState, NewVersion, commit_state, load_estimator, register_version
from mlops_core.registry.catalogue import list_versions
from mlops_core.slices import decode_grids, decode_slice
from tests.factories import COLUMNS, new_model, new_version, person, population

START = datetime(2024, 12, 18, tzinfo=UTC)


@pytest.fixture
def new(workspace, scientist):
    """What a training run would hand over."""
    from sklearn.linear_model import LogisticRegression

    new_model(workspace)
    frame = population(400, start=START, days=10)
    estimator = LogisticRegression(C=0.5).fit(frame[list(COLUMNS)], frame["answer"])
    reference = frame[["predicted_at", *COLUMNS, "region"]].assign(
        prediction=estimator.predict_proba(frame[list(COLUMNS)])[:, 1]
    )
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    return NewVersion(
        estimator=estimator,
        columns=COLUMNS,
        snapshot=store_training_data(workspace, scientist, "churn-risk", rows),
        metrics={"roc_auc": (0.8, 100), "log_loss": (0.5, 100)},
        reference=pa.Table.from_pandas(reference, preserve_index=False),
        commit=CommitState("abc", dirty=True),
    )


def count(workspace, table):
    with workspace.store.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_a_version_keeps_everything_that_it_was_made_from(workspace, scientist, new):
    version = register_version(workspace, scientist, "churn-risk", new)
    assert (version.number, version.stage, version.author_id) == (1, "development", scientist.id)
    assert (version.git_commit, version.git_dirty) == ("abc", True)
    assert (version.estimator, version.hyper_parameters["C"]) == ("LogisticRegression", 0.5)
    assert version.columns == list(COLUMNS)
    with workspace.store.read() as session:
        metrics = session.exec(select(Metric).order_by(Metric.id)).all()
        snapshot = session.get(Snapshot, version.snapshot_id)
    assert [(m.name, m.value, m.rows, m.data) for m in metrics] == [
        ("roc_auc", 0.8, 100, "held-out"),
        ("log_loss", 0.5, 100, "held-out"),
    ]
    state = workspace.warehouse.state("training/churn-risk")
    assert (snapshot.version, snapshot.rows, snapshot.digest) == (state.version, 400, state.digest)
    loaded = load_estimator(workspace, version.artefact_digest)
    assert (loaded.coef_ == new.estimator.coef_).all()


def test_the_same_artefact_and_snapshot_give_the_same_version(workspace, scientist, new):
    first = register_version(workspace, scientist, "churn-risk", new)
    again = register_version(workspace, scientist, "churn-risk", new)
    assert (again.id, again.number) == (first.id, 1)
    assert count(workspace, ModelVersion) == 1
    with workspace.store.read() as session:
        last = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last.action == "version.registered_again"


def test_the_same_artefact_on_another_snapshot_is_another_version(workspace, scientist, new):
    register_version(workspace, scientist, "churn-risk", new)
    rows = pa.Table.from_pandas(population(400, start=START, days=10, seed=9), preserve_index=False)
    other = replace(new, snapshot=store_training_data(workspace, scientist, "churn-risk", rows))
    assert register_version(workspace, scientist, "churn-risk", other).number == 2


def test_versions_are_numbered_within_their_model(workspace):
    churn, value = new_model(workspace), new_model(workspace, "basket-value")
    numbers = [
        new_version(workspace, model, seed=seed, rows=60).version.number
        for model, seed in ((churn, 1), (value, 2), (churn, 3))
    ]
    assert numbers == [1, 1, 2]


def test_the_reference_is_counted_day_by_day_and_segment_by_segment(workspace, scientist, new):
    version = register_version(workspace, scientist, "churn-risk", new)
    frame = new.reference.to_pandas()
    with workspace.store.read() as session:
        slices = session.exec(
            select(StoredSlice).where(
                StoredSlice.model_version_id == version.id, StoredSlice.origin == Origin.REFERENCE
            )
        ).all()
        profile = session.exec(select(ReferenceProfile)).one()
    by_day = {row.start: row.rows for row in slices if row.segment == ""}
    assert by_day == frame.groupby(frame["predicted_at"].dt.floor("D")).size().to_dict()
    by_segment = {row.segment: 0 for row in slices if row.segment}
    for row in slices:
        by_segment[row.segment] = by_segment.get(row.segment, 0) + row.rows
    assert by_segment.pop("") == len(frame)
    assert by_segment == {f"region={name}": rows for name, rows in frame["region"].value_counts().items()}
    assert profile.start == frame["predicted_at"].min()
    assert profile.end == frame["predicted_at"].max() + timedelta(microseconds=1)
    assert profile.rows == len(frame)
    assert set(decode_grids(profile.grids)) == {*COLUMNS, "region", "prediction", "latency_ms"}
    total = sum(decode_slice(row.payload).columns["income"].rows for row in slices if row.segment == "")
    assert total == len(frame)


def test_a_version_is_tied_to_the_features_that_it_was_trained_on(workspace, scientist, new):
    create_entity(workspace, scientist, name="customer", key_column="customer", description="A customer")
    create_feature_table(
        workspace,
        scientist,
        name="people",
        entity="customer",
        description="People",
        owner=scientist,
        features=[
            NewFeature("income", "float64", FeatureKind.PRIMARY, "Income", ("crm.income",)),
            NewFeature("height", "float64", FeatureKind.PRIMARY, "Height", ("crm.height",)),
        ],
    )
    register_version(workspace, scientist, "churn-risk", new)
    assert count(workspace, FeatureUse) == 1
    assert list_versions(workspace)[0].features == 1


@pytest.mark.parametrize("column", ["income", "region", "prediction", "predicted_at"])
def test_a_reference_that_lacks_a_column_is_refused(workspace, scientist, new, column):
    wrong = replace(new, reference=new.reference.drop_columns([column]))
    with pytest.raises(InvalidInput, match=f"the reference of model 'churn-risk' lacks {column}"):
        register_version(workspace, scientist, "churn-risk", wrong)
    assert count(workspace, ModelVersion) == 0
    assert not workspace.artefact_root.exists()


def test_an_empty_reference_is_refused(workspace, scientist, new):
    with pytest.raises(InvalidInput, match="has no rows"):
        register_version(
            workspace, scientist, "churn-risk", replace(new, reference=new.reference.slice(0, 0))
        )


def test_a_model_that_does_not_exist_gets_no_version(workspace, scientist, new):
    with pytest.raises(NotFound, match="no model 'none'"):
        register_version(workspace, scientist, "none", new)
    assert not workspace.artefact_root.exists()


@pytest.mark.parametrize("role", [Role.DIRECTOR, Role.EXECUTIVE])
def test_who_only_looks_on_may_not_register_a_version(workspace, new, role):
    with pytest.raises(NotPermitted, match="may not register a version"):
        register_version(workspace, person(workspace, role), "churn-risk", new)


def test_the_registry_lists_a_version_with_its_figures(workspace, scientist, new):
    register_version(workspace, scientist, "churn-risk", new)
    (line,) = list_versions(workspace)
    assert (line.model, line.number, line.stage, line.is_champion) == ("churn-risk", 1, "development", False)
    assert (line.primary_metric, line.primary, line.metric_rows) == ("roc_auc", 0.8, 100)
    assert line.snapshot == f"training/churn-risk@{new.snapshot.version}"
    assert (line.owner, line.author) == ("A Lead", "A Data_Scientist")


# ── source control ───────────────────────────────────────────────────────────────────────────────


def test_the_commit_of_a_repository_is_recorded_with_whether_files_differ_from_it(tmp_path):
    import subprocess

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init", "--quiet")
    assert commit_state(tmp_path) == CommitState("", dirty=False)
    (tmp_path / "train.py").write_text("one")
    git("add", "train.py")
    git("commit", "--quiet", "--message", "one")
    assert commit_state(tmp_path) == CommitState(git("rev-parse", "HEAD"), dirty=False)
    (tmp_path / "train.py").write_text("two")
    assert commit_state(tmp_path) == CommitState(git("rev-parse", "HEAD"), dirty=True)


def test_outside_a_repository_there_is_no_commit(tmp_path):
    assert commit_state(tmp_path / "none") == CommitState("", dirty=False)


def test_a_reference_whose_times_have_no_zone_is_refused(workspace, scientist, new):
    naive = new.reference.to_pandas().assign(
        predicted_at=lambda frame: frame["predicted_at"].dt.tz_localize(None)
    )
    wrong = replace(new, reference=pa.Table.from_pandas(pd.DataFrame(naive), preserve_index=False))
    with pytest.raises(InvalidInput, match="time zone"):
        register_version(workspace, scientist, "churn-risk", wrong)


def test_a_parameter_that_json_cannot_hold_is_stored_as_a_word(workspace, scientist, new):
    estimator = new.estimator.set_params(tol=float("nan"), C=float("inf"))

    version = register_version(workspace, scientist, "churn-risk", replace(new, estimator=estimator))

    assert (version.hyper_parameters["tol"], version.hyper_parameters["C"]) == ("nan", "inf")
    json.dumps(version.hyper_parameters, allow_nan=False)
