"""Estimates of simulated models: made before outcomes arrive, and compared with them afterwards."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn import metrics
from sqlmodel import select

from mlops_core.domain import Model, ModelVersion, Monitor
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import Level, MonitorKind, ProblemType, Role, Stage
from mlops_core.features import store_training_data
from mlops_core.monitoring import log_outcomes, log_predictions, run_monitoring
from mlops_core.monitoring.estimating import estimate_errors, estimate_windows
from mlops_core.monitoring.log_queries import predictions_in
from mlops_core.monitoring.monitors import save_monitor
from mlops_core.monitoring.thresholds import ConstantThreshold
from mlops_core.monitoring.windows import Window
from mlops_core.registry import (
    CommitState,
    NewVersion,
    create_model,
    move_version,
    promote_version,
    register_version,
)
from tests.factories import person, system, workspace_in
from tests.mlops_core.monitoring.figures import measured

START = datetime(2025, 1, 6, tzinfo=UTC)  # a Monday
WEEK = timedelta(days=7)
METRICS = {
    ProblemType.BINARY: "roc_auc",
    ProblemType.MULTICLASS: "accuracy",
    ProblemType.REGRESSION: "rmse",
    ProblemType.CLUSTERING: None,
}


def week(n: int) -> Window:
    return Window(START + n * WEEK, START + (n + 1) * WEEK)


def expit(odds):
    return 1 / (1 + np.exp(-odds))


def spread(rows, start, days=7):
    return pd.to_datetime([start + timedelta(days=days) * (n / rows) for n in range(rows)], utc=True)


def people(rows, start, seed, *, centre=0.0, truth=lambda odds: odds, days=7):
    """Rows of a binary model whose scores are too sure: true log-odds x, scores of 2 x + 0.5."""
    random = np.random.default_rng(seed)
    x = random.normal(centre, 1.2, rows)
    return pd.DataFrame(
        {
            "x": x,
            "region": random.choice(["north", "south"], rows),
            "predicted_at": spread(rows, start, days),
            "prediction": expit(2 * x + 0.5),
            "outcome": (random.random(rows) < expit(truth(x))).astype(float),
        }
    )


def baskets(rows, start, seed, *, centre=0.0):
    """Rows of a regression whose errors grow with x, and are three times as large in one shop."""
    random = np.random.default_rng(seed)
    x = random.normal(centre, 1.0, rows)
    shop = random.choice(["town", "mall"], rows, p=[0.8, 0.2])
    noise = np.exp(0.4 * x) * np.where(shop == "mall", 3.0, 1.0)
    return pd.DataFrame(
        {
            "x": x,
            "shop": shop,
            "region": random.choice(["north", "south"], rows),
            "predicted_at": spread(rows, start),
            "prediction": 20 + 5 * x,
            "outcome": 20 + 5 * x + noise * random.normal(size=rows),
        }
    )


def classes(rows, start, seed, *, centre=0.7):
    """Rows of a model of three classes whose score is 0.15 above the chance of being right."""
    random = np.random.default_rng(seed)
    chance = np.clip(random.normal(centre, 0.12, rows), 0.4, 0.85)
    labels = np.array(["a", "b", "c"])
    guess = random.integers(0, 3, rows)
    truth = np.where(random.random(rows) < chance, guess, (guess + random.integers(1, 3, rows)) % 3)
    return pd.DataFrame(
        {
            "x": random.normal(size=rows),
            "region": random.choice(["north", "south"], rows),
            "predicted_at": spread(rows, start),
            "prediction": labels[guess],
            "score": chance + 0.15,
            "outcome": labels[truth],
        }
    )


@dataclass
class Watched:
    """A champion that runs elsewhere, and what it predicts."""

    workspace: object
    model: Model
    version: ModelVersion

    @property
    def name(self) -> str:
        return self.model.name

    def log(self, frame: pd.DataFrame, prefix: str) -> None:
        rows = frame.drop(columns="outcome").assign(prediction_id=ids(frame, prefix))
        rows["customer"] = np.arange(len(rows))
        table = pa.Table.from_pandas(rows, preserve_index=False)
        log_predictions(self.workspace, system(self.workspace), self.name, self.version.number, table)

    def tell(self, frame: pd.DataFrame, prefix: str) -> None:
        table = pa.table(
            {
                "prediction_id": ids(frame, prefix),
                "outcome": pa.array(frame["outcome"].tolist()),
                "known_at": pa.array([START + 20 * WEEK] * len(frame), pa.timestamp("us", tz="UTC")),
            }
        )
        log_outcomes(self.workspace, system(self.workspace), self.name, table)

    def run(self) -> None:
        assert run_monitoring(self.workspace, system(self.workspace)).failures == {}

    def estimate(self, statistic, *windows, segment=""):
        return estimate_windows(self.workspace, self.version, statistic, windows, segment)

    def kinds(self):
        with self.workspace.store.read() as session:
            query = select(Monitor.kind).where(Monitor.model_version_id == self.version.id)
            return session.exec(query).all()

    def stored(self, kind):
        found = measured(self.workspace, self.version)
        return {key[3]: row for key, row in found.items() if key[0] == kind}


def ids(frame, prefix):
    return [f"{prefix}-{n}" for n in range(len(frame))]


def watched(workspace, name, problem, reference, columns=("x",), *, outcomes=True) -> Watched:
    lead = person(workspace, Role.LEAD)
    model = create_model(
        workspace,
        lead,
        name=name,
        description=name,
        owner=lead,
        problem_type=problem,
        primary_metric=METRICS[problem],
        latency_objective_ms=50.0,
        cadence_hours=168.0,
        segment_columns=["region"],
    )
    rows = pa.Table.from_pandas(
        reference if outcomes else reference.drop(columns="outcome"), preserve_index=False
    )
    version = register_version(
        workspace,
        lead,
        name,
        NewVersion(
            estimator=None,
            columns=list(columns),
            snapshot=store_training_data(workspace, lead, name, rows),
            metrics={METRICS[problem]: (0.8, len(reference))} if METRICS[problem] else {},
            reference=rows,
            commit=CommitState("", dirty=False),
        ),
    )
    for stage in (Stage.CANDIDATE, Stage.APPROVED):
        move_version(workspace, lead, name, version.number, stage)
    return Watched(workspace, model, promote_version(workspace, lead, name, version.number))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One workspace for all models, half a year later than the first prediction."""
    opened = workspace_in(tmp_path_factory.mktemp("estimates"), at=START + 26 * WEEK)
    yield opened
    opened.close()


# ── two classes ──────────────────────────────────────────────────────────────────────────────────


@dataclass
class Drifting:
    """Four weeks as in the reference, of ever other people, and three in which the truth changes."""

    watched: Watched
    frames: list[pd.DataFrame]
    before_outcomes: dict
    errors_before: object


@pytest.fixture(scope="module")
def drifting(shared):
    model = watched(shared, "drifting", ProblemType.BINARY, people(20_000, START - 8 * WEEK, 1, days=50))
    frames = [people(2000, START + n * WEEK, 20 + n, centre=0.25 * n) for n in range(4)]
    frames += [people(2000, START + n * WEEK, 10 + n, truth=lambda odds: 0.2 * odds) for n in (4, 5, 6)]
    for n, frame in enumerate(frames):
        model.log(frame, f"w{n}")
    model.run()
    before, errors = model.stored("estimate"), estimate_errors(shared, "drifting")
    for n, frame in enumerate(frames):
        model.tell(frame, f"w{n}")
    model.run()
    return Drifting(model, frames, before, errors)


def test_estimates_are_stored_before_any_outcome_arrives(drifting):
    assert set(drifting.before_outcomes) == {week(n).start for n in range(7)}
    assert {row.statistic for row in drifting.before_outcomes.values()} == {"roc_auc"}
    assert {row.rows for row in drifting.before_outcomes.values()} == {2000}
    assert {row.level for row in drifting.before_outcomes.values()} == {Level.UNJUDGED}


@pytest.mark.parametrize("n", range(4))
def test_a_stored_estimate_is_what_scikit_learn_measures_once_outcomes_are_known(drifting, n):
    row, frame = drifting.before_outcomes[week(n).start], drifting.frames[n]
    truth = metrics.roc_auc_score(frame["outcome"], frame["prediction"])
    assert row.lower <= truth <= row.upper
    assert row.value == pytest.approx(truth, abs=0.03)


def test_outcomes_do_not_move_an_estimate(drifting):
    before, after = drifting.before_outcomes, drifting.watched.stored("estimate")
    assert {start: row.value for start, row in before.items()} == {
        start: row.value for start, row in after.items()
    }


def test_nothing_can_be_compared_before_outcomes_arrive(drifting):
    found = drifting.errors_before
    assert (found.windows, found.mean_absolute_error, found.is_trusted) == (0, None, None)
    assert found.sentence == "No estimate can be compared yet: no window has 90 % of its outcomes."


def test_errors_are_those_of_the_estimates_against_scikit_learn(drifting):
    found = estimate_errors(drifting.watched.workspace, "drifting")
    truths = [metrics.roc_auc_score(frame["outcome"], frame["prediction"]) for frame in drifting.frames]
    values = [drifting.before_outcomes[week(n).start].value for n in range(7)]
    errors = np.subtract(values, truths)
    assert [pair.window for pair in found.pairs] == [week(n) for n in range(7)]
    assert found.mean_absolute_error == pytest.approx(np.abs(errors).mean(), abs=2e-3)
    assert found.bias == pytest.approx(errors.mean(), abs=2e-3)


def test_concept_drift_fools_the_estimate_and_the_outcomes_say_so(drifting):
    found = estimate_errors(drifting.watched.workspace, "drifting")
    assert [pair.is_inside for pair in found.pairs] == [True] * 4 + [False] * 3
    assert all(pair.error > 0.1 for pair in found.pairs[4:])  # estimated as good as ever
    assert found.inside == 4
    assert found.is_trusted is False
    assert "Estimates of the last 7 weeks were off by" in found.sentence
    assert "4 of 7 inside their interval. They were 0." in found.sentence
    assert "too high on average, more than chance: outcomes do not follow as they did" in found.sentence
    assert "concept drift, which an estimate cannot see" in found.sentence


@pytest.mark.parametrize("statistic", ["accuracy", "f1", "brier", "average_precision"])
@pytest.mark.parametrize("segment", ["", "region=south"])
def test_any_statistic_and_segment_can_be_estimated(drifting, statistic, segment):
    frame = drifting.frames[2]
    if segment:
        frame = frame[frame["region"] == "south"]
    (found,) = drifting.watched.estimate(statistic, week(2), segment=segment)
    truth = {
        "accuracy": lambda y, p: metrics.accuracy_score(y, p >= 0.5),
        "f1": lambda y, p: metrics.f1_score(y, p >= 0.5),
        "brier": metrics.brier_score_loss,
        "average_precision": metrics.average_precision_score,
    }[statistic](frame["outcome"], frame["prediction"])
    assert found.value == pytest.approx(truth, abs=0.05)
    assert found.rows == len(frame)
    in_segment = r"\d{1,2},\d{3} outcomes of region=south in the reference"
    assert re.fullmatch(in_segment if segment else "20,000 outcomes of the reference", found.basis)


def test_a_window_without_predictions_has_a_reason(drifting):
    (found,) = drifting.watched.estimate("roc_auc", week(20))
    assert (found.value, found.rows, found.reason) == (None, 0, "no prediction in the window")


def test_a_statistic_of_another_problem_has_a_reason(drifting):
    (found,) = drifting.watched.estimate("rmse", week(1))
    assert found.value is None
    assert found.reason.startswith("rmse is not defined for a binary model")


def test_an_unknown_statistic_is_refused(drifting):
    with pytest.raises(InvalidInput, match="there is no statistic 'gini'"):
        drifting.watched.estimate("gini", week(1))


def test_a_saved_monitor_judges_the_estimate(drifting):
    workspace = drifting.watched.workspace
    monitor = save_monitor(
        workspace,
        person(workspace, Role.LEAD),
        "drifting",
        kind=MonitorKind.ESTIMATE,
        statistic="accuracy",
        thresholds=[ConstantThreshold(Level.WARNING, 0.99, above=False)],
    )
    rows = {
        key[3]: row
        for key, row in measured(workspace, drifting.watched.version).items()
        if key[1] == "accuracy"
    }
    assert len(rows) == 7
    assert {row.monitor_id for row in rows.values()} == {monitor.id}
    assert {row.level for row in rows.values()} == {Level.WARNING}


def test_scores_unlike_those_of_the_reference_bring_a_warning(shared):
    reference = people(3000, START - 8 * WEEK, 1, centre=-2.5, days=50)
    reference = reference[reference["prediction"] < 0.3]
    model = watched(shared, "elsewhere", ProblemType.BINARY, reference)
    model.log(people(800, START, 2, centre=2.0), "a")
    model.log(people(800, START + WEEK, 3, centre=-3.5), "b")
    model.run()
    strange, usual = model.estimate("accuracy", week(0), week(1))
    assert "of the rows are unlike any that it was learned from: do not rely on it" in strange.warning
    assert usual.warning == ""


def test_without_outcomes_in_the_reference_the_first_weeks_of_production_are_learned_from(shared):
    model = watched(
        shared, "no-outcomes", ProblemType.BINARY, people(2000, START - 8 * WEEK, 1), outcomes=False
    )
    frames = [people(1200, START + n * WEEK, 30 + n) for n in range(3)]
    for n, frame in enumerate(frames):
        model.log(frame, f"w{n}")
    model.tell(frames[0], "w0")
    model.run()
    first, *later = model.estimate("roc_auc", *(week(n) for n in range(3)))
    assert first.value is None
    assert first.reason == (
        "the reference has no outcomes; and no outcome is known of predictions before the window"
    )
    for found, frame in zip(later, frames[1:], strict=True):
        truth = metrics.roc_auc_score(frame["outcome"], frame["prediction"])
        assert found.lower <= truth <= found.upper
        assert found.basis.startswith("1,200 outcomes of 2025-01-06 to")
        assert found.basis.endswith("in production, for the reference has none")


def test_outcomes_of_the_window_itself_are_never_learned_from(shared):
    model = watched(shared, "itself", ProblemType.BINARY, people(2000, START - 8 * WEEK, 1), outcomes=False)
    frames = [people(1200, START, 40), people(1200, START + WEEK, 41, truth=lambda odds: -odds)]
    for n, frame in enumerate(frames):
        model.log(frame, f"w{n}")
        model.tell(frame, f"w{n}")
    model.run()
    found = model.estimate("roc_auc", week(0), week(1))
    assert found[0].value is None
    assert found[1].value > 0.7 > metrics.roc_auc_score(frames[1]["outcome"], frames[1]["prediction"])


def test_a_reference_of_one_class_is_no_basis(shared):
    reference = people(500, START - 8 * WEEK, 1).assign(outcome=0.0)
    model = watched(shared, "one-class", ProblemType.BINARY, reference)
    model.log(people(300, START, 2), "a")
    model.run()
    (found,) = model.estimate("roc_auc", week(0))
    assert found.value is None
    assert "all 500 outcomes are 0: scores cannot be calibrated on a single class" in found.reason
    assert estimate_errors(shared, "one-class").sentence == "Nothing is estimated for this model."


def test_labels_decided_at_another_threshold_are_estimated_as_they_were_decided(shared):
    def labelled(frame):
        return frame.assign(score=frame["prediction"], prediction=(frame["prediction"] >= 0.2).astype(float))

    model = watched(
        shared, "labelled", ProblemType.BINARY, labelled(people(4000, START - 8 * WEEK, 1, days=50))
    )
    frame = labelled(people(3000, START, 2, centre=-0.3))
    model.log(frame, "a")
    model.run()
    for statistic, truth in (("recall", metrics.recall_score), ("precision", metrics.precision_score)):
        (found,) = model.estimate(statistic, week(0))
        assert found.value == pytest.approx(truth(frame["outcome"], frame["prediction"]), abs=0.03)


# ── several classes ──────────────────────────────────────────────────────────────────────────────


def test_accuracy_of_several_classes_follows_the_scores(shared):
    model = watched(shared, "classes", ProblemType.MULTICLASS, classes(4000, START - 8 * WEEK, 1))
    frame = classes(2000, START, 2, centre=0.55)
    model.log(frame, "a")
    model.run()
    truth = metrics.accuracy_score(frame["outcome"], frame["prediction"])
    (row,) = model.stored("estimate").values()
    assert row.lower <= truth <= row.upper
    assert row.value == pytest.approx(truth, abs=0.03)
    assert frame["score"].mean() - truth > 0.1  # the scores themselves are too sure
    (found,) = model.estimate("f1_macro", week(0))
    assert found.reason == "f1_macro of several classes cannot be estimated: ask for accuracy"


def test_several_classes_without_a_score_have_a_reason_and_no_monitor(shared):
    def bare(frame):
        return frame.drop(columns="score")

    model = watched(shared, "no-score", ProblemType.MULTICLASS, bare(classes(500, START - 8 * WEEK, 1)))
    model.log(bare(classes(300, START, 2)), "a")
    model.run()
    (found,) = model.estimate("accuracy", week(0))
    assert found.reason.startswith("there is no score: log the probability of the predicted class as 'score'")
    assert MonitorKind.ESTIMATE not in model.kinds()


def test_a_clustering_has_no_performance_to_estimate(shared):
    frame = classes(500, START - 8 * WEEK, 1).drop(columns=["score", "outcome"])
    model = watched(shared, "clusters", ProblemType.CLUSTERING, frame.assign(outcome="a"), outcomes=False)
    (found,) = model.estimate("accuracy", week(0))
    assert found.reason.startswith("accuracy is not defined for a clustering model")


# ── regression ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def shopping(shared):
    reference = baskets(4000, START - 8 * WEEK, 1)
    model = watched(shared, "baskets", ProblemType.REGRESSION, reference, columns=("x", "shop"))
    frames = [baskets(1500, START + n * WEEK, 60 + n, centre=0.4 * n) for n in range(4)]
    for n, frame in enumerate(frames):
        model.log(frame, f"w{n}")
    model.run()
    return model, reference, frames


def test_the_error_of_a_regression_follows_harder_rows(shopping):
    model, reference, frames = shopping
    before = metrics.root_mean_squared_error(reference["outcome"], reference["prediction"])
    for n, frame in enumerate(frames):
        truth = metrics.root_mean_squared_error(frame["outcome"], frame["prediction"])
        row = model.stored("estimate")[week(n).start]
        assert row.value == pytest.approx(truth, rel=0.15)
        if n >= 2:
            assert abs(row.value - truth) < abs(before - truth) / 2


def test_the_error_of_a_segment_is_that_of_its_rows(shopping):
    model, _, frames = shopping
    south = frames[1][frames[1]["region"] == "south"]
    (found,) = model.estimate("mae", week(1), segment="region=south")
    assert found.rows == len(south)
    truth = metrics.mean_absolute_error(south["outcome"], south["prediction"])
    assert found.value == pytest.approx(truth, rel=0.15)
    assert found.basis == "4,000 outcomes of the reference"


def test_the_errors_of_a_regression_are_compared_too(shopping):
    model, _, frames = shopping
    for n, frame in enumerate(frames[:2]):
        model.tell(frame, f"w{n}")
    model.tell(frames[2].iloc[:750], "w2")  # half of the outcomes are too few
    model.run()
    found = estimate_errors(model.workspace, "baskets")
    assert [pair.window for pair in found.pairs] == [week(0), week(1)]
    assert found.is_trusted is None
    assert found.sentence.startswith("Estimates of the last 2 weeks were off by")


def test_what_is_no_mean_of_losses_has_a_reason(shopping):
    model, _, _ = shopping
    (found,) = model.estimate("r_squared", week(0))
    assert found.reason == "r_squared cannot be estimated without outcomes: ask for mae, rmse, mape"
    (empty,) = model.estimate("rmse", week(20))
    assert empty.reason.startswith("no prediction in the window")


def test_a_regression_without_outcomes_in_its_reference_has_a_reason_and_no_monitor(shared):
    model = watched(
        shared, "unknown", ProblemType.REGRESSION, baskets(400, START - 8 * WEEK, 1), outcomes=False
    )
    (found,) = model.estimate("rmse", week(0))
    assert found.reason.startswith("the reference has no outcomes: a loss cannot be learned from it")
    model.log(baskets(300, START, 2), "a")
    model.run()
    assert MonitorKind.ESTIMATE not in model.kinds()


# ── the rows of a window ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def log_file(tmp_path):
    times = [START + timedelta(hours=n) for n in range(400)]
    rows = pa.table(
        {
            "prediction_id": [f"p{n}" for n in range(400)],
            "model_version": [1 + n % 2 for n in range(400)],
            "predicted_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "x": np.arange(400.0),
            "region": [None if n % 10 == 0 else "north" if n % 3 else "south" for n in range(400)],
        }
    )
    parquet.write_table(rows, tmp_path / "log.parquet")
    return rows.to_pandas(), [str(tmp_path / "log.parquet")]


@pytest.mark.parametrize("segment", ["", "region=north", "region=(missing)", "region=west"])
def test_the_rows_of_a_window_are_those_of_its_version_time_and_segment(log_file, segment):
    frame, files = log_file
    found = predictions_in(files, 2, week(1), ["x", "region"], segment=segment, most=1_000)
    here = (frame["model_version"] == 2) & (frame["predicted_at"] >= week(1).start)
    here &= frame["predicted_at"] < week(1).end
    if segment:
        here &= frame["region"].fillna("(missing)") == segment.removeprefix("region=")
    assert sorted(found.rows["x"].to_pylist()) == frame.loc[here, "x"].tolist()
    assert found.total == here.sum()


def test_of_many_rows_a_sample_is_read_the_same_each_time(log_file):
    _, files = log_file
    first, again = (predictions_in(files, 1, week(0), ["x"], most=20) for _ in range(2))
    assert first.rows.num_rows == 20
    assert first.total == 84
    assert first.rows.equals(again.rows)


def test_a_log_without_files_has_no_rows():
    found = predictions_in([], 1, week(0), ["x"], most=20)
    assert (found.total, found.rows.num_rows) == (0, 0)
