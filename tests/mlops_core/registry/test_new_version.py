"""What is handed over with a version beside its estimator."""

import hashlib
import math
import platform
import threading
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as skops_io
from sqlmodel import func, select

from mlops_core.domain import AuditEvent, Feature, FeatureUse, Metric, ModelVersion
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import FeatureKind, Role
from mlops_core.features import NewFeature, create_entity, create_feature_table, store_training_data
from mlops_core.registry import (
    Card,
    CommitState,
    NewVersion,
    card_of,
    evaluation_of,
    load_estimator,
    predictions_of,
    register_version,
    store_evaluation_data,
    training_of,
)
from mlops_core.registry.artefacts import artefact_path
from tests.factories import COLUMNS, new_model, person, population, workspace_in

START = datetime(2024, 12, 18, tzinfo=UTC)
FRAME = population(400, start=START, days=10)
ESTIMATOR = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(
    FRAME[list(COLUMNS)], FRAME["answer"]
)
SCORES = ESTIMATOR.predict_proba(FRAME[list(COLUMNS)])[:, 1]


def table(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def handed_over(workspace, scientist):
    """A version with its evaluation snapshot."""
    return NewVersion(
        estimator=ESTIMATOR,
        columns=COLUMNS,
        snapshot=store_training_data(workspace, scientist, "churn-risk", table(FRAME)),
        metrics={"roc_auc": (0.8, 400)},
        reference=table(FRAME[["predicted_at", *COLUMNS, "region"]].assign(prediction=SCORES)),
        commit=CommitState("abc", dirty=True),
        importance={"income": 1.0},
        evaluation=store_evaluation_data(
            workspace, scientist, "churn-risk", table(FRAME.assign(outcome=FRAME["answer"]))
        ),
    )


@pytest.fixture
def new(workspace, scientist):
    new_model(workspace)
    return handed_over(workspace, scientist)


@pytest.fixture
def register(workspace, scientist):
    return lambda new: register_version(workspace, scientist, "churn-risk", new)


def count(workspace, what):
    with workspace.store.read() as session:
        return session.exec(select(func.count()).select_from(what)).one()


def last_event(workspace):
    with workspace.store.read() as session:
        return session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()


def files_in(workspace):
    return [path for path in workspace.artefact_root.rglob("*") if path.is_file()]


def test_a_version_keeps_its_snapshots_card_environment_and_the_data_of_its_metrics(
    workspace, scientist, new, register
):
    older = store_training_data(workspace, scientist, "older", table(FRAME.iloc[:50]))
    card = Card("Whom to call", "Not for children", ("region",), "Region stands for income")
    version = register(replace(new, more_snapshots=[older, new.snapshot], card=card))
    assert version.environment["python"] == platform.python_version()
    assert version.environment["scikit-learn"] == installed("scikit-learn")
    with workspace.store.read() as session:
        assert evaluation_of(session, version) == new.evaluation
        assert training_of(session, version) == [new.snapshot, older]
        assert card_of(session, version) == card
        (metric,) = session.exec(select(Metric)).all()
    assert (metric.value, metric.snapshot_id) == (0.8, new.evaluation.id)


def test_what_the_training_run_says_of_its_environment_and_parameters_holds(new, register):
    version = register(
        replace(
            new,
            environment={"python": "3.9", "xgboost": "2.0"},
            hyper_parameters={"layers": [64, 32], "rate": math.inf, "kind": Path("relu")},
        )
    )
    assert version.environment == {"python": "3.9", "xgboost": "2.0"}
    assert version.hyper_parameters == {"layers": [64, 32], "rate": "inf", "kind": "relu"}


def test_a_model_that_runs_elsewhere_does_not_get_the_environment_of_this_process(new, register):
    version = register(replace(new, estimator=None))
    assert (version.estimator, version.environment) == ("runs elsewhere", None)


def test_features_are_recorded_with_the_version_of_their_definition(workspace, scientist, new, register):
    create_entity(workspace, scientist, name="customer", key_column="customer", description="A customer")
    create_feature_table(
        workspace,
        scientist,
        name="people",
        entity="customer",
        description="People",
        owner=scientist,
        features=[NewFeature("income", "float64", FeatureKind.PRIMARY, "Income", ("crm.income",))],
    )

    def redefine(unit):
        unit.session.exec(select(Feature)).one().definition_version = 3

    workspace.store.bookkeep(scientist, redefine)
    register(new)
    with workspace.store.read() as session:
        assert session.exec(select(FeatureUse.definition_version)).all() == [3]


# ── artefacts as files ───────────────────────────────────────────────────────────────────────────


def test_a_skops_file_is_the_same_version_as_its_estimator_and_says_what_it_holds(
    workspace, new, register, tmp_path
):
    first = register(new)
    file = tmp_path / "model.skops"
    skops_io.dump(ESTIMATOR, file)
    assert register(replace(new, estimator=None, artefact=file)).id == first.id
    other = LogisticRegression(C=0.25, max_iter=77).fit(FRAME[list(COLUMNS)], FRAME["answer"])
    skops_io.dump(other, file)
    version = register(replace(new, estimator=None, artefact=file))
    assert (version.number, version.artefact_format, version.estimator) == (2, "skops", "LogisticRegression")
    assert version.hyper_parameters == {
        name: value for name, value in other.get_params().items() if name != "verbose"
    } | {"verbose": 0}
    assert (load_estimator(workspace, version.artefact_digest).coef_ == other.coef_).all()


def test_a_file_of_another_format_is_stored_as_it_is_and_never_loaded(workspace, new, register, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    import pickle

    file = tmp_path / "Model.PKL"
    file.write_bytes(pickle.dumps(Bomb()))
    predictions = pa.table({"prediction": SCORES, "other": SCORES})
    version = register(replace(new, estimator=None, artefact=file, predictions=predictions))
    assert not (tmp_path / "exploded").exists()
    assert (version.artefact_format, version.estimator) == ("pkl", "pkl file")
    assert version.artefact_digest == hashlib.sha256(file.read_bytes()).hexdigest()
    stored = artefact_path(workspace, version.artefact_digest, "pkl")
    assert stored.read_bytes() == file.read_bytes()
    assert version.artefact_bytes == file.stat().st_size
    assert predictions_of(workspace, version).to_pydict() == {"prediction": SCORES.tolist()}


def refused(workspace, register, new, words):
    before = count(workspace, ModelVersion), sorted(files_in(workspace))
    with pytest.raises(InvalidInput, match=words):
        register(new)
    assert (count(workspace, ModelVersion), sorted(files_in(workspace))) == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_skops_file_is_refused(workspace, new, register, tmp_path, share):
    file = tmp_path / "model.skops"
    whole = skops_io.dumps(ESTIMATOR)
    file.write_bytes(whole[: int(share * len(whole))])
    words = "is empty" if share == 0 else "no skops archive, or a truncated one"
    refused(workspace, register, replace(new, estimator=None, artefact=file), words)


def test_a_skops_file_with_a_damaged_array_is_refused(workspace, new, register, tmp_path):
    file = tmp_path / "model.skops"
    whole = bytearray(skops_io.dumps(ESTIMATOR))
    place = whole.index(b"\x93NUMPY") + 130
    whole[place : place + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(whole)
    refused(workspace, register, replace(new, estimator=None, artefact=file), "truncated one")


def test_a_pickle_that_calls_itself_skops_is_refused(workspace, new, register, tmp_path):
    import pickle

    file = tmp_path / "model.skops"
    file.write_bytes(pickle.dumps(ESTIMATOR))
    refused(workspace, register, replace(new, estimator=None, artefact=file), "no skops archive")


def test_a_file_that_is_not_there_is_refused(workspace, new, register, tmp_path):
    refused(workspace, register, replace(new, estimator=None, artefact=tmp_path / "none.onnx"), "cannot be")
    refused(workspace, register, replace(new, estimator=None, artefact=tmp_path), "is no file")


def test_an_estimator_and_a_file_together_are_refused(workspace, new, register, tmp_path):
    refused(workspace, register, replace(new, artefact=tmp_path / "x"), "hand over one of them")


def test_an_artefact_that_another_release_of_scikit_learn_wrote_is_taken_with_a_warning(
    workspace, new, register, tmp_path
):
    import zipfile

    file = tmp_path / "model.skops"
    skops_io.dump(ESTIMATOR, tmp_path / "now.skops")
    with zipfile.ZipFile(tmp_path / "now.skops") as now, zipfile.ZipFile(file, "w") as then:
        for name in now.namelist():
            content = now.read(name)
            if name == "schema.json":
                content = content.replace(installed("scikit-learn").encode(), b"0.99.1")
            then.writestr(name, content)
    version = register(replace(new, estimator=None, artefact=file))
    assert version.environment["scikit-learn"] == "0.99.1"
    (warning,) = last_event(workspace).details["warnings"]
    assert "written with scikit-learn 0.99.1" in warning


# ── what cannot be registered ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_no_number_is_refused(workspace, new, register, value):
    refused(workspace, register, replace(new, metrics={"roc_auc": (value, 9)}), "metric 'roc_auc' is")


def test_an_input_column_that_is_named_twice_is_refused(workspace, new, register):
    refused(workspace, register, replace(new, columns=["age", "income", "age"]), "'age' twice")


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        ({"prediction": SCORES[:-1]}, "are 399 rows, evaluation snapshot .* has 400"),
        ({"score": SCORES}, "lack the column 'prediction'"),
        ({"prediction": SCORES + 1}, "not from 0 to 1"),
        ({"prediction": [math.nan, *SCORES[1:]]}, "holds nan, no number"),
        ({"prediction": [None, *SCORES[1:]]}, "1 of column 'prediction' are missing"),
        ({"prediction": ["yes"] * 400}, "not numbers"),
        ({"prediction": SCORES, "score": SCORES - 1}, "column 'score' goes from"),
    ],
)
def test_predictions_that_cannot_be_those_of_the_model_are_refused(
    workspace, new, register, predictions, words
):
    refused(workspace, register, replace(new, predictions=pa.table(predictions)), words)


def test_predictions_without_their_rows_are_refused(workspace, new, register):
    alone = replace(new, evaluation=None, predictions=pa.table({"prediction": SCORES}))
    refused(workspace, register, alone, "hand over the evaluation snapshot")


def vacuum(workspace, name):
    """Take away what only older versions of a table need, as its owner may."""
    path = workspace.warehouse.root / name
    DeltaTable(path).vacuum(0, enforce_retention_duration=False, dry_run=False)


def test_a_snapshot_that_was_vacuumed_is_refused(workspace, scientist, new, register):
    store_training_data(workspace, scientist, "churn-risk", table(FRAME.iloc[:60]))
    vacuum(workspace, "training/churn-risk")
    refused(workspace, register, new, r"training/churn-risk@0 can no longer be read.*vacuum")
    kept = store_training_data(workspace, scientist, "churn-risk", table(FRAME.iloc[:60]))
    assert register(replace(new, snapshot=kept)).number == 1


def test_an_evaluation_snapshot_that_was_vacuumed_is_refused(workspace, scientist, new, register):
    other = table(FRAME.assign(outcome=FRAME["answer"]).iloc[:60])
    store_evaluation_data(workspace, scientist, "churn-risk", other)
    vacuum(workspace, "evaluation/churn-risk")
    refused(workspace, register, new, r"evaluation/churn-risk@0 can no longer be read.*vacuum")


# ── registered again ─────────────────────────────────────────────────────────────────────────────


def test_two_threads_that_register_the_same_get_the_same_version(database_url, tmp_path):
    workspace = workspace_in(tmp_path / "workspace", database_url)
    scientist = person(workspace, Role.DATA_SCIENTIST)
    new_model(workspace)
    new = handed_over(workspace, scientist)
    ready, found = threading.Barrier(4), []

    def go():
        ready.wait()
        found.append(register_version(workspace, scientist, "churn-risk", new).number)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1, 1]
    assert count(workspace, ModelVersion) == 1
    workspace.close()


def test_a_version_that_is_registered_again_gains_the_evaluation_snapshot_and_card_that_it_lacked(
    workspace, new, register
):
    first = register(replace(new, evaluation=None))
    card = Card("Whom to call")
    again = register(replace(new, card=card, metrics={"roc_auc": (0.1, 9)}))
    assert again.id == first.id
    register(replace(new, card=card))
    with workspace.store.read() as session:
        assert evaluation_of(session, first) == new.evaluation
        assert card_of(session, first) == card
        assert session.exec(select(Metric.value)).all() == [0.8]


def test_of_models_that_run_elsewhere_other_predictions_are_another_version(workspace, new, register):
    elsewhere = replace(new, estimator=None, predictions=pa.table({"prediction": SCORES}))
    numbers = [
        register(elsewhere).number,
        register(replace(elsewhere, predictions=pa.table({"prediction": SCORES / 2}))).number,
        register(elsewhere).number,
    ]
    assert numbers == [1, 2, 1]
