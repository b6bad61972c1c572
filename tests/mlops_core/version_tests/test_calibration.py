import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from mlops_core.version_tests import NotJudged
from tests.mlops_core.version_tests.given import outcome_of


def scored(rows, seed, skew=1.0):
    random = np.random.default_rng(seed)
    score = random.beta(2, 3, rows)
    return (random.random(rows) < score**skew).astype(np.int64), score


def test_the_expected_calibration_error_is_the_mean_distance_of_scikit_learns_curve():
    truth, score = scored(2_000, 1, skew=1.3)
    found = outcome_of("calibration", "binary", truth, score)
    shares, means = calibration_curve(truth, score, n_bins=10, strategy="quantile")
    assert found.figure == pytest.approx(np.abs(shares - means).mean(), abs=1e-9)  # 200 rows in each
    assert found.evidence["points"]["y"] == pytest.approx(shares)
    assert found.evidence["points"]["x"] == pytest.approx(means)
    assert sum(found.evidence["points"]["rows"]) == 2_000


def test_groups_of_tied_scores_are_never_parted():
    random = np.random.default_rng(2)
    score = random.choice([0.1, 0.4, 0.8], 900, p=[0.7, 0.2, 0.1])
    truth = (random.random(900) < score).astype(np.int64)
    found = outcome_of("calibration", "binary", truth, score)
    assert found.evidence["points"]["x"] == pytest.approx([0.1, 0.4, 0.8])
    assert found.evidence["points"]["rows"].tolist() == [int((score == s).sum()) for s in (0.1, 0.4, 0.8)]
    by_hand = sum(abs(truth[score == s].mean() - s) * (score == s).sum() for s in (0.1, 0.4, 0.8)) / 900
    assert found.figure == pytest.approx(by_hand)


def test_what_chance_explains_is_what_calibrated_scores_show_one_time_in_twenty():
    errors, bounds = [], []
    for seed in range(400):
        truth, score = scored(300, seed)
        found = outcome_of("calibration", "binary", truth, score)
        errors.append(found.figure)
        bounds.append(found.evidence["facts"]["by chance alone (95 of 100)"])
    above = np.mean(np.array(errors) > np.array(bounds))
    assert 0.02 <= above <= 0.09


def test_few_rows_alone_do_not_fail_and_scores_that_are_too_sure_do():
    truth, score = scored(60, 5)
    few = outcome_of("calibration", "binary", truth, score)
    assert few.status == "passed"
    truth, score = scored(3_000, 6, skew=2.0)
    wrong = outcome_of("calibration", "binary", truth, score)
    assert wrong.status == "failed"
    assert wrong.figure > 0.05


def test_of_several_classes_the_confidence_in_the_predicted_one_counts():
    random = np.random.default_rng(7)
    probabilities = random.dirichlet([2, 1, 1], 3_000)
    classes = ("x", "y", "z")
    truth = np.array([random.choice(classes, p=row) for row in probabilities])
    predicted = np.array(classes)[probabilities.argmax(axis=1)]
    given = {"probabilities": probabilities, "classes": classes}
    fair = outcome_of("calibration", "multiclass", truth, predicted, **given)
    right = (predicted == truth).astype(int)
    shares, means = calibration_curve(right, probabilities.max(axis=1), n_bins=10, strategy="quantile")
    assert fair.figure == pytest.approx(np.abs(shares - means).mean(), abs=1e-9)
    assert fair.status == "passed"


def test_the_mean_error_of_a_regression_is_looked_at_in_tenths():
    random = np.random.default_rng(8)
    predicted = random.uniform(0, 100, 2_000)
    truth = predicted + random.normal(0, 10, 2_000)
    assert outcome_of("calibration", "regression", truth, predicted).status == "passed"
    bent = np.where(predicted > 90, truth - 20, truth)
    found = outcome_of("calibration", "regression", bent, predicted)
    tenths = np.array_split(np.argsort(predicted), 10)
    by_hand = [abs(np.mean(bent[rows] - predicted[rows])) / bent.std() for rows in tenths]
    assert found.status == "failed"
    assert found.figure == pytest.approx(max(by_hand), rel=1e-9)


@pytest.mark.parametrize(
    ("truth", "predicted", "reason"),
    [
        (np.zeros(40, dtype=int), np.full(40, 0.3), "Every outcome is the same"),
        (np.tile([0, 1], 20), np.tile([0, 1], 20), "labels without probabilities"),
    ],
)
def test_what_has_no_calibration_is_not_judged(truth, predicted, reason):
    with pytest.raises(NotJudged, match=reason):
        outcome_of("calibration", "binary", truth, predicted)
