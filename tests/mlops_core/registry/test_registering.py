"""What is in hand after training becomes a version: against scikit-learn on the same rows."""

from datetime import UTC, datetime

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.linear_model import LinearRegression, LogisticRegression
from skops import io as skops_io
from sqlmodel import func, select

from mlops_core.domain import AuditEvent, Metric, ModelVersion, ReferenceProfile, Snapshot
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import ProblemType
from mlops_core.registry import Card, card_of, evaluation_of, training_of
from mlops_core.registry.reference_sample import read_reference_sample
from mlops_core.scoring.registering import TrainedModel, register_files
from tests.factories import COLUMNS, NOW, new_model, population

FRAME = population(900, start=datetime(2024, 12, 18, tzinfo=UTC), days=10)
TRAIN, HELD_OUT = FRAME.iloc[:600], FRAME.iloc[600:]
ESTIMATOR = LogisticRegression().fit(TRAIN[list(COLUMNS)], TRAIN["answer"])
SCORES = ESTIMATOR.predict_proba(HELD_OUT[list(COLUMNS)])[:, 1]


@pytest.fixture
def artefact(tmp_path):
    file = tmp_path / "model.skops"
    skops_io.dump(ESTIMATOR, file)
    return file


@pytest.fixture
def register(workspace, scientist):
    def go(artefact, model="churn-risk", **changes):
        given = {"training": TRAIN, "evaluation": HELD_OUT, "outcome": "answer"} | changes
        return register_files(workspace, scientist, model, TrainedModel(artefact=artefact, **given))

    return go


def count(workspace, table):
    with workspace.store.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_an_artefact_and_two_frames_are_enough(workspace, artefact, register):
    new_model(workspace)
    card = Card("Whom to call")
    registered = register(artefact, card=card)
    version = registered.version
    assert (registered.is_new, version.number, version.columns) == (True, 1, list(COLUMNS))
    truth = HELD_OUT["answer"]
    assert registered.metrics["roc_auc"][0] == pytest.approx(metrics.roc_auc_score(truth, SCORES), abs=1e-3)
    assert registered.metrics["log_loss"][0] == pytest.approx(metrics.log_loss(truth, SCORES), abs=1e-3)
    accuracy = metrics.accuracy_score(truth, SCORES >= 0.5)
    assert registered.metrics["accuracy"] == (pytest.approx(accuracy), 300)
    sample = read_reference_sample(workspace, version)
    assert np.allclose(sample["prediction"].to_numpy(), SCORES)
    assert sample["predicted_at"].to_pylist() == [at.to_pydatetime() for at in HELD_OUT["predicted_at"]]
    with workspace.store.read() as session:
        evaluation, (training,) = evaluation_of(session, version), training_of(session, version)
        assert (evaluation.table_name, evaluation.rows) == ("evaluation/churn-risk", 300)
        assert (training.table_name, training.rows) == ("training/churn-risk", 600)
        assert card_of(session, version) == card
        recorded = {metric.snapshot_id for metric in session.exec(select(Metric))}
    assert recorded == {evaluation.id}


def test_the_estimator_itself_and_files_give_the_same_version_as_its_artefact(
    workspace, artefact, register, tmp_path
):
    new_model(workspace)
    first = register(artefact)
    TRAIN.to_parquet(tmp_path / "train.parquet")
    again = register(ESTIMATOR, training=tmp_path / "train.parquet")
    assert (again.version.id, again.is_new) == (first.version.id, False)
    assert count(workspace, Snapshot) == 2


def test_a_regression_is_measured_as_scikit_learn_measures_it(workspace, register):
    new_model(workspace, "basket-value", ProblemType.REGRESSION)
    estimator = LinearRegression().fit(TRAIN[list(COLUMNS)], TRAIN["amount"])
    found = register(estimator, "basket-value", outcome="amount").metrics
    predicted, truth = estimator.predict(HELD_OUT[list(COLUMNS)]), HELD_OUT["amount"]
    assert found["rmse"][0] == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert found["mae"][0] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert found["r_squared"][0] == pytest.approx(metrics.r2_score(truth, predicted))


def test_an_artefact_that_is_not_loaded_needs_its_predictions_and_columns(workspace, register, tmp_path):
    new_model(workspace)
    file = tmp_path / "model.joblib"
    joblib.dump(ESTIMATOR, file)
    with pytest.raises(InvalidInput, match="name them, in order"):
        register(file)
    with pytest.raises(InvalidInput, match="predictions must come with it"):
        register(file, columns=COLUMNS)
    with pytest.raises(InvalidInput, match="one row for each of the 300"):
        register(file, columns=COLUMNS, predictions=pd.DataFrame({"prediction": SCORES[:7]}))
    in_the_rows = register(file, columns=COLUMNS, evaluation=HELD_OUT.assign(prediction=SCORES))
    apart = register(file, columns=COLUMNS, predictions=pd.DataFrame({"prediction": SCORES}))
    assert apart.version.id == in_the_rows.version.id
    auc = metrics.roc_auc_score(HELD_OUT["answer"], SCORES)
    assert in_the_rows.metrics["roc_auc"][0] == pytest.approx(auc, abs=1e-3)


def test_a_metric_that_was_given_holds_and_a_disagreement_is_noted(workspace, artefact, register):
    new_model(workspace)
    registered = register(artefact, metrics={"roc_auc": 0.99, "profit": 12.5})
    assert registered.metrics["roc_auc"] == (0.99, 300)
    assert registered.metrics["profit"] == (12.5, 300)
    assert any("roc_auc was given as 0.99; measured" in note for note in registered.notes)


def test_a_reference_of_its_own_is_scored_too(workspace, artefact, register):
    new_model(workspace)
    window = population(200, start=datetime(2025, 2, 1, tzinfo=UTC), days=5, seed=3)
    version = register(artefact, reference=window.drop(columns="answer")).version
    sample = read_reference_sample(workspace, version)
    scores = ESTIMATOR.predict_proba(window[list(COLUMNS)])[:, 1]
    assert np.allclose(sample["prediction"].to_numpy(), scores)
    with workspace.store.read() as session:
        assert session.exec(select(ReferenceProfile.start)).one() == window["predicted_at"].min()


def test_rows_without_a_time_are_of_this_moment(workspace, artefact, register):
    new_model(workspace)
    version = register(artefact, evaluation=HELD_OUT.drop(columns="predicted_at")).version
    assert set(read_reference_sample(workspace, version)["predicted_at"].to_pylist()) == {NOW}


def test_a_table_of_the_warehouse_can_be_the_training_data(workspace, artefact, register):
    import pyarrow as pa

    new_model(workspace)
    workspace.warehouse.append("features/people", pa.Table.from_pandas(TRAIN[:50]), actor="me")
    workspace.warehouse.append("features/people", pa.Table.from_pandas(TRAIN[50:]), actor="me")
    version = register(artefact, training="features/people@0").version
    with workspace.store.read() as session:
        assert [(one.table_name, one.rows) for one in training_of(session, version)] == [
            ("features/people", 50)
        ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": "churned"}, "no column 'churned': name the column of outcomes"),
        ({"columns": ["income", "height"]}, "lack the input columns height"),
        ({"metrics": {"roc_auc": float("nan")}}, "metric 'roc_auc' is nan"),
        ({"card": Card()}, "card is empty"),
        ({"timestamp": "region"}, "does not hold a time"),
        ({"timestamp": "none"}, "no column 'none'"),
        ({"training": "none.parquet"}, "none.parquet does not exist"),
        ({"evaluation": HELD_OUT.drop(columns="region")}, "lacks region"),
        ({"evaluation": HELD_OUT.iloc[:0]}, "have no rows"),
    ],
)
def test_what_cannot_be_registered_leaves_no_rows_behind(workspace, artefact, register, changes, words):
    new_model(workspace)
    before = count(workspace, AuditEvent)
    with pytest.raises(InvalidInput, match=words):
        register(artefact, **changes)
    assert count(workspace, AuditEvent) == before
    assert (count(workspace, ModelVersion), count(workspace, Snapshot)) == (0, 0)
    assert not workspace.warehouse.exists("training/churn-risk")
    assert not workspace.warehouse.exists("evaluation/churn-risk")


def test_a_model_that_does_not_exist_gets_no_version(artefact, register):
    with pytest.raises(NotFound, match="no model 'none'"):
        register(artefact, "none")
