import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from mlops_core.version_tests import NotJudged
from tests.mlops_core.version_tests.given import outcome_of


def scored(rows=600, strength=1.0, seed=3):
    random = np.random.default_rng(seed)
    signal = random.normal(0, strength, rows)
    truth = (random.random(rows) < 1 / (1 + np.exp(-signal + 1))).astype(np.int64)
    return truth, 1 / (1 + np.exp(-signal + 1))


def test_the_area_above_a_half_and_its_bound_are_those_of_a_bootstrap():
    truth, score = scored()
    found = outcome_of("baseline", "binary", truth, score, metric="roc_auc")
    improvement = found.evidence["facts"]["improvement"]
    assert improvement == pytest.approx(metrics.roc_auc_score(truth, score) - 0.5, abs=1e-12)
    random = np.random.default_rng(0)
    drawn = [random.integers(0, len(truth), len(truth)) for _ in range(800)]
    areas = [metrics.roc_auc_score(truth[rows], score[rows]) - 0.5 for rows in drawn]
    assert found.figure == pytest.approx(np.quantile(areas, 0.05), abs=0.01)
    assert (found.status, found.limit) == ("passed", 0.0)


def test_log_loss_is_compared_with_the_training_shares_of_a_dummy():
    truth, score = scored()
    trained_on = np.repeat([0, 1], [900, 100])
    found = outcome_of(
        "baseline", "binary", truth, score, metric="log_loss", training=pa.table({"outcome": trained_on})
    )
    dummy = DummyClassifier(strategy="prior").fit(trained_on.reshape(-1, 1), trained_on)
    constant = metrics.log_loss(truth, dummy.predict_proba(truth.reshape(-1, 1)))
    assert found.evidence["facts"]["improvement"] == pytest.approx(
        constant - metrics.log_loss(truth, score), abs=1e-12
    )


def test_the_brier_score_is_compared_as_a_squared_error():
    truth, score = scored()
    found = outcome_of("baseline", "binary", truth, score, metric="brier")
    constant = metrics.brier_score_loss(truth, np.full(len(truth), truth.mean()))
    assert found.evidence["facts"]["improvement"] == pytest.approx(
        constant - metrics.brier_score_loss(truth, score), abs=1e-12
    )


@pytest.mark.parametrize(("metric", "strategy"), [("rmse", "mean"), ("mae", "median"), ("r_squared", "mean")])
def test_a_regression_is_compared_with_the_mean_or_the_median_of_training(metric, strategy):
    random = np.random.default_rng(5)
    truth = random.gamma(2.0, 50.0, 400)
    predicted = truth + random.normal(0, 20, 400)
    trained_on = random.gamma(2.0, 60.0, 400)
    found = outcome_of(
        "baseline", "regression", truth, predicted, metric=metric, training=pa.table({"outcome": trained_on})
    )
    constant = (
        DummyRegressor(strategy=strategy).fit(np.zeros((400, 1)), trained_on).predict(np.zeros((400, 1)))
    )
    error = metrics.mean_absolute_error if metric == "mae" else metrics.mean_squared_error
    assert found.evidence["facts"]["improvement"] == pytest.approx(
        error(truth, constant) - error(truth, predicted), rel=1e-12
    )


def labelled(rows=500, seed=2):
    random = np.random.default_rng(seed)
    truth = random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    predicted = np.where(random.random(rows) < 0.7, truth, random.choice(["a", "b", "c"], rows))
    return truth, predicted


def test_labels_are_compared_with_the_most_frequent_one():
    truth, predicted = labelled()
    found = outcome_of("baseline", "multiclass", truth, predicted, metric="accuracy")
    assert found.evidence["facts"]["improvement"] == pytest.approx(
        metrics.accuracy_score(truth, predicted) - (truth == "a").mean(), abs=1e-12
    )
    assert found.evidence["facts"]["constant answer"] == "always a"


def test_balanced_metrics_are_compared_with_the_balanced_accuracy_of_one_label():
    truth, predicted = labelled()
    found = outcome_of("baseline", "multiclass", truth, predicted, metric="balanced_accuracy")
    assert found.evidence["facts"]["improvement"] == pytest.approx(
        metrics.balanced_accuracy_score(truth, predicted) - 1 / 3, abs=1e-12
    )


def test_log_loss_of_several_classes_knows_which_probability_is_whose():
    random = np.random.default_rng(4)
    truth, _ = labelled()
    classes = ("c", "a", "b")
    probabilities = random.dirichlet([1, 1, 1], len(truth))
    predicted = np.array(classes)[probabilities.argmax(axis=1)]
    found = outcome_of(
        "baseline",
        "multiclass",
        truth,
        predicted,
        metric="log_loss",
        probabilities=probabilities,
        classes=classes,
    )
    shares = [np.mean(truth == name) for name in ("a", "b", "c")]
    constant = metrics.log_loss(truth, np.tile(shares, (len(truth), 1)))
    own = metrics.log_loss(truth, probabilities[:, [1, 2, 0]], labels=["a", "b", "c"])
    assert found.evidence["facts"]["improvement"] == pytest.approx(constant - own, abs=1e-9)
    assert found.status == "failed"


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy"])
def test_the_constant_answer_itself_does_not_pass(metric):
    truth, _ = scored()
    found = outcome_of("baseline", "binary", truth, np.full(len(truth), truth.mean()), metric=metric)
    assert found.status == "failed"
    assert found.figure == pytest.approx(0.0, abs=1e-12)


def test_noise_passes_about_one_time_in_twenty():
    passed = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        truth = random.integers(0, 2, 200)
        passed += (
            outcome_of("baseline", "binary", truth, random.random(200), metric="roc_auc").status == "passed"
        )
    assert 3 <= passed <= 30  # 15 expected; outside with a chance below 1 in 2,000


def test_one_outcome_for_all_is_not_judged():
    with pytest.raises(NotJudged, match="Every outcome is the same"):
        outcome_of("baseline", "binary", np.ones(50, dtype=int), np.full(50, 0.5), metric="roc_auc")
