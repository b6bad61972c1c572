"""What a version keeps of its reference: outcomes, a sample, the importance of its columns."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Origin, ProblemType, Role
from mlops_core.features import store_training_data
from mlops_core.monitoring.reading import read_outcomes
from mlops_core.registry import CommitState, NewVersion, find_model, find_version, register_version
from mlops_core.registry.importance import importance_of
from mlops_core.registry.reference_sample import MOST_ROWS, read_reference_sample, sample_rows
from mlops_core.registry.surrogate import surrogate_importance
from mlops_core.statistics import PERFORMANCE_STATISTICS
from tests.factories import COLUMNS, new_model, person, population, workspace_in

START = datetime(2024, 12, 1, tzinfo=UTC)
WIDE = (*COLUMNS, "tenure")  # on which nothing depends


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    opened = workspace_in(tmp_path_factory.mktemp("reference"))
    yield opened
    opened.close()


def rows_of(problem: ProblemType, rows: int = 4_000) -> tuple[pd.DataFrame, object]:
    """A reference whose first half trained the model, and the estimator."""
    frame = population(rows, start=START, days=20)
    binary = problem == ProblemType.BINARY
    outcome = frame["answer" if binary else "amount"]
    half = rows // 2
    estimator = (LogisticRegression() if binary else LinearRegression()).fit(
        frame[list(WIDE)][:half], outcome[:half]
    )
    scored = (
        estimator.predict_proba(frame[list(WIDE)])[:, 1] if binary else estimator.predict(frame[list(WIDE)])
    )
    known = outcome.where(np.arange(rows) >= half)
    return frame[["predicted_at", "region", *WIDE]].assign(prediction=scored, outcome=known), estimator


def registered(workspace, name, problem=ProblemType.BINARY, *, frame=None, estimator=None, **changes):
    new_model(workspace, name, problem)
    if frame is None:
        frame, estimator = rows_of(problem)
    scientist = person(workspace, Role.DATA_SCIENTIST)
    reference = pa.Table.from_pandas(frame, preserve_index=False)
    new = NewVersion(
        estimator=estimator,
        columns=WIDE,
        snapshot=store_training_data(workspace, scientist, name, reference),
        metrics={},
        reference=reference,
        commit=CommitState("0" * 40, dirty=False),
    )
    return register_version(workspace, scientist, name, replace(new, **changes))


def test_the_outcomes_of_the_reference_are_those_that_did_not_train(workspace):
    frame, estimator = rows_of(ProblemType.BINARY)
    version = registered(workspace, "kept", frame=frame, estimator=estimator)

    known = frame[frame["outcome"].notna()]
    found = read_outcomes(workspace, version, None, origin=Origin.REFERENCE)
    assert found.rows == len(known) == 2_000
    auc = roc_auc_score(known["outcome"], known["prediction"])
    assert PERFORMANCE_STATISTICS["roc_auc"].compute(found) == pytest.approx(auc, abs=1e-3)
    for region, part in known.groupby("region"):
        in_segment = read_outcomes(
            workspace, version, None, origin=Origin.REFERENCE, segment=f"region={region}"
        )
        assert in_segment.rows == len(part)
        assert in_segment.true_positives == int(((part["prediction"] >= 0.5) & (part["outcome"] == 1)).sum())
    assert read_outcomes(workspace, version, None) is None


def test_the_outcomes_of_a_regression_are_those_of_scikit_learn(workspace):
    frame, estimator = rows_of(ProblemType.REGRESSION)
    version = registered(workspace, "amounts", ProblemType.REGRESSION, frame=frame, estimator=estimator)

    known = frame[frame["outcome"].notna()]
    found = read_outcomes(workspace, version, None, origin=Origin.REFERENCE)
    exact = root_mean_squared_error(known["outcome"], known["prediction"])
    assert PERFORMANCE_STATISTICS["rmse"].compute(found) == pytest.approx(exact, rel=1e-9)


def test_a_reference_without_outcomes_keeps_none(workspace):
    frame, estimator = rows_of(ProblemType.BINARY, 400)
    version = registered(workspace, "unknown", frame=frame.drop(columns="outcome"), estimator=estimator)
    assert read_outcomes(workspace, version, None, origin=Origin.REFERENCE) is None
    assert importance_of(workspace, version).method == "permutation: change of the predictions"


def test_the_sample_of_a_small_reference_is_all_of_it(workspace):
    frame, estimator = rows_of(ProblemType.BINARY, 400)
    version = registered(workspace, "small", frame=frame, estimator=estimator)
    found = read_reference_sample(workspace, version)
    assert found.equals(pa.Table.from_pandas(frame, preserve_index=False).cast(found.schema))


def test_a_large_sample_is_spread_over_the_time_of_the_reference():
    times = pd.Series(pd.date_range("2024-01-01", periods=3 * MOST_ROWS, freq="min", tz="UTC"))
    shuffled = times.sample(frac=1, random_state=1)
    rows = pa.table({"predicted_at": pa.array(shuffled.to_numpy(), pa.timestamp("us", tz="UTC"))})

    found = sample_rows(rows)["predicted_at"].to_pandas()

    assert len(found) == MOST_ROWS
    assert found.is_unique
    assert found.diff()[1:].unique().tolist() == [pd.Timedelta(minutes=3)]


def test_importance_is_the_loss_of_the_metric_when_a_column_is_shuffled(workspace):
    frame, estimator = rows_of(ProblemType.BINARY)
    version = registered(workspace, "important", frame=frame, estimator=estimator)

    found = importance_of(workspace, version)

    known = frame[frame["outcome"].notna()]
    random = np.random.default_rng(3)
    whole = roc_auc_score(known["outcome"], estimator.predict_proba(known[list(WIDE)])[:, 1])
    for column in WIDE:
        losses = []
        for _ in range(20):
            shuffled = known[list(WIDE)].assign(**{column: random.permutation(known[column])})
            losses.append(whole - roc_auc_score(known["outcome"], estimator.predict_proba(shuffled)[:, 1]))
        assert found.values[column] == pytest.approx(np.mean(losses), abs=0.04), column
    assert found.values["tenure"] < 0.01 < found.values["age"] < found.values["income"]
    assert found.method == "permutation: loss of roc_auc"
    assert found.rows == 1_000


def test_declared_importance_is_kept_as_it_is(workspace):
    version = registered(workspace, "declared", importance={"income": 3.0, "age": 0.0})
    found = importance_of(workspace, version)
    assert (found.values, found.method, found.rows) == ({"income": 3.0, "age": 0.0}, "declared", 0)


@pytest.mark.parametrize("declared", [{"incme": 1.0}, {"age": -1.0}, {"age": float("nan")}])
def test_importance_that_makes_no_sense_is_refused_before_anything_is_stored(workspace, declared):
    name = f"refused-{len(str(declared))}"
    with pytest.raises(InvalidInput, match="importance"):
        registered(workspace, name, importance=declared)
    with workspace.store.read() as session, pytest.raises(NotFound):
        find_version(session, find_model(session, name), 1)


def test_an_estimator_that_cannot_tell_is_registered_without_importance(workspace):
    frame, _ = rows_of(ProblemType.BINARY, 400)
    version = registered(workspace, "stubborn", frame=frame, estimator=LogisticRegression())  # not fitted
    assert importance_of(workspace, version) is None


def test_a_model_that_runs_elsewhere_gets_the_importance_of_a_surrogate(workspace):
    frame, _ = rows_of(ProblemType.BINARY)
    version = registered(workspace, "elsewhere", frame=frame, estimator=None)

    found = importance_of(workspace, version)

    assert found.method.startswith("surrogate that explains 9")
    assert found.values["tenure"] < 0.01 < found.values["age"] < found.values["income"]


def test_a_surrogate_of_labels_and_words_names_the_word(workspace):
    random = np.random.default_rng(1)
    region = random.choice(["north", "south"], 2_000)
    rows = pa.table(
        {
            "region": pa.array(region),
            "noise": pa.array(random.normal(size=2_000)),
            "prediction": pa.array(np.where(region == "north", "buys", "leaves")),
            "predicted_at": pa.array([START] * 2_000, pa.timestamp("us", tz="UTC")),
        }
    )
    found = surrogate_importance(["region", "noise"], rows)
    assert found.values["region"] > 0.3
    assert found.values["noise"] < 0.02


def test_predictions_that_no_column_explains_have_no_importance():
    random = np.random.default_rng(2)
    rows = pa.table(
        {
            "noise": pa.array(random.normal(size=2_000)),
            "prediction": pa.array(random.random(2_000)),
            "predicted_at": pa.array([START] * 2_000, pa.timestamp("us", tz="UTC")),
        }
    )
    assert surrogate_importance(["noise"], rows) is None
    assert surrogate_importance(["noise"], rows.slice(0, 50)) is None
    assert surrogate_importance([], rows) is None
