"""Estimates against simulated rows whose true probabilities are known, measured by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import NumericGrid
from mlops_core.statistics import PERFORMANCE_STATISTICS, calibrate, estimate, expected_outcomes, score_rows
from mlops_core.statistics.estimation import MOST_UNKNOWN, ScoredRows
from tests.mlops_core.statistics.counting import count, outcomes

SCIKIT_LEARN = {
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "accuracy": lambda y, p: metrics.accuracy_score(y, p >= 0.5),
    "f1": lambda y, p: metrics.f1_score(y, p >= 0.5),
    "precision": lambda y, p: metrics.precision_score(y, p >= 0.5),
    "recall": lambda y, p: metrics.recall_score(y, p >= 0.5),
    "specificity": lambda y, p: metrics.recall_score(y, p >= 0.5, pos_label=0),
    "log_loss": metrics.log_loss,
    "brier": metrics.brier_score_loss,
}


def expit(odds):
    return 1 / (1 + np.exp(-odds))


def scored(rows, seed, *, centre=-1.0, spread=1.5, distort=lambda odds: odds, truth=lambda odds: odds):
    """Scores and outcomes; `distort` makes scores of the true log-odds, `truth` changes the truth itself."""
    random = np.random.default_rng(seed)
    odds = random.normal(centre, spread, rows)
    labels = (random.random(rows) < expit(truth(odds))).astype(int)
    return expit(distort(odds)), labels


def overconfident(odds):
    return 2.5 * odds + 1.0


def stepwise(odds):
    """Scores of a shape that three numbers do not describe."""
    return np.where(odds < -1, odds - 2, np.where(odds < 0.5, -0.2 + 0.05 * odds, odds + 2))


def estimated(name, reference, scores, **options):
    grid = NumericGrid.from_values(reference[0])
    return estimate(name, score_rows(count(scores, grid), grid), calibrate(outcomes(*reference)), **options)


# ── what is estimated ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("distort", [lambda odds: odds, overconfident, stepwise])
@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_an_estimate_is_what_scikit_learn_measures_later(name, distort):
    reference = scored(20_000, 1, distort=distort)
    scores, labels = scored(40_000, 2, distort=distort)
    found = estimated(name, reference, scores)
    assert found.value == pytest.approx(SCIKIT_LEARN[name](labels, scores), abs=0.02)
    assert found.rows == 40_000


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "recall", "brier"])
def test_an_estimate_follows_another_population(name):
    reference = scored(20_000, 1, distort=overconfident)
    scores, labels = scored(40_000, 3, centre=0.5, spread=0.7, distort=overconfident)
    before = SCIKIT_LEARN[name](reference[1], reference[0])
    truth = SCIKIT_LEARN[name](labels, scores)
    error = abs(estimated(name, reference, scores).value - truth)
    assert error < 0.015
    assert error < abs(before - truth) / 5


def test_scores_taken_at_their_word_mislead_where_calibrated_ones_do_not():
    reference = scored(20_000, 1, distort=overconfident)
    scores, labels = scored(40_000, 2, distort=overconfident)
    truth = metrics.accuracy_score(labels, scores >= 0.5)
    taken_at_their_word = np.mean(np.maximum(scores, 1 - scores))
    assert abs(taken_at_their_word - truth) > 0.1
    assert estimated("accuracy", reference, scores).value == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "brier"])
def test_concept_drift_is_invisible_to_an_estimate(name):
    reference = scored(20_000, 1)
    scores, labels = scored(40_000, 2, truth=lambda odds: -0.5 * odds)  # the same scores, another truth
    found = estimated(name, reference, scores)
    before = SCIKIT_LEARN[name](reference[1], reference[0])
    assert found.value == pytest.approx(before, abs=0.02)
    assert abs(found.value - SCIKIT_LEARN[name](labels, scores)) > 0.1
    assert found.unknown < MOST_UNKNOWN


@pytest.mark.parametrize(
    ("reference_rows", "rows", "name", "centre", "distort"),
    [
        (400, 500, "accuracy", -1.0, overconfident),
        (2_000, 800, "roc_auc", -2.0, overconfident),
        (3_000, 2_000, "f1", 0.5, stepwise),
        (1_000, 5_000, "brier", -1.0, lambda odds: odds),
    ],
)
def test_ninety_five_in_a_hundred_intervals_hold_what_is_measured(
    reference_rows, rows, name, centre, distort
):
    inside = 0
    for seed in range(60):
        reference = scored(reference_rows, 1_000 + seed, distort=distort)
        scores, labels = scored(rows, 5_000 + seed, centre=centre, distort=distort)
        lower, upper = estimated(name, reference, scores).interval
        inside += lower <= SCIKIT_LEARN[name](labels, scores) <= upper
    assert 52 <= inside <= 60  # 95 in a hundred are 57, their standard error 1.7


def test_few_outcomes_do_not_make_scores_rank_better_than_they_do():
    window = ScoredRows(np.linspace(0.02, 0.7, 300), np.ones(300, np.int64), np.zeros(300))
    truth = window.scores @ np.cumsum(1 - window.scores) / window.scores.sum() / (1 - window.scores).sum()
    errors = {"isotonic": [], None: []}
    for seed in range(60):
        random = np.random.default_rng(seed)
        scores = random.uniform(0.02, 0.7, 300)
        sums = outcomes(scores, (random.random(300) < scores).astype(int))
        for shape, found in errors.items():
            positives = calibrate(sums, shape=shape).probability(window.scores)
            area = PERFORMANCE_STATISTICS["roc_auc"].compute(expected_outcomes(window, positives))
            found.append(area - truth)
    assert abs(np.mean(errors[None])) < 0.01
    assert np.mean(errors["isotonic"]) > 2 * abs(np.mean(errors[None]))


@pytest.mark.parametrize("name", sorted(SCIKIT_LEARN))
def test_where_outcomes_are_certain_the_expected_counts_measure_what_scikit_learn_does(name):
    """Every function gets the outcomes of rows that lie far apart, as floating-point counts."""
    random = np.random.default_rng(5)
    scores = np.sort(random.permutation(400)[:300] / 400 + 0.001)
    labels = (random.random(300) < scores).astype(float)
    window = ScoredRows(scores, np.ones(300, np.int64), (scores >= 0.5).astype(float))
    found = PERFORMANCE_STATISTICS[name].compute(expected_outcomes(window, labels))
    assert found == pytest.approx(SCIKIT_LEARN[name](labels, scores), rel=1e-9)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 20), st.floats(0, 1)), min_size=1, max_size=8))
def test_expected_counts_add_up_to_the_rows(cells):
    kept = {score: (rows, share) for score, rows, share in cells if rows}
    if not kept:
        return
    scores = np.array(sorted(kept)) / 10
    rows = np.array([kept[score][0] for score in sorted(kept)])
    positives = rows * np.array([kept[score][1] for score in sorted(kept)])
    found = expected_outcomes(ScoredRows(scores, rows, (scores >= 0.5).astype(float)), positives)
    confusion = found.true_positives + found.false_positives + found.true_negatives + found.false_negatives
    assert found.rows == found.scored == rows.sum()
    assert confusion == pytest.approx(rows.sum())
    assert found.true_positives + found.false_negatives == pytest.approx(positives.sum())


# ── scores and labels ────────────────────────────────────────────────────────────────────────────


def test_rows_get_the_score_of_their_cell():
    reference, scores = scored(5_000, 1)[0], scored(3_000, 2, centre=2.0)[0]
    grid = NumericGrid.from_values(reference)
    found = score_rows(count(scores, grid), grid)
    assert found.total == 3_000
    assert found.rows @ found.scores / 3_000 == pytest.approx(scores.mean(), abs=0.002)
    assert found.rows @ found.decided == pytest.approx((scores >= 0.5).sum(), abs=5)


def test_labels_that_were_decided_elsewhere_go_to_the_highest_scores():
    scores = scored(3_000, 2)[0]
    grid = NumericGrid.from_values(scores)
    found = score_rows(count(scores, grid), grid, predicted_ones=int((scores >= 0.2).sum()))
    assert found.rows @ found.decided == pytest.approx((scores >= 0.2).sum())
    wrongly = found.decided != (found.scores >= 0.2)
    assert found.rows[wrongly].sum() <= 6  # those of the cell at the limit


def test_missing_scores_are_no_rows():
    grid = NumericGrid.from_values([0.1, 0.5, 0.9])
    assert score_rows(count([0.1, None, float("nan"), 0.9], grid), grid).total == 2


def test_numbers_that_are_no_probabilities_are_refused():
    grid = NumericGrid.from_values([0.0, 1.0, 2.0])
    with pytest.raises(InvalidInput, match="from 0 to 2 are no probabilities"):
        score_rows(count([0.0, 2.0], grid), grid)


def test_a_window_without_scores_is_refused():
    reference = scored(500, 1)
    with pytest.raises(InvalidInput, match="no row with a score"):
        estimated("roc_auc", reference, [])


def test_an_unknown_statistic_is_refused():
    with pytest.raises(InvalidInput, match="there is no statistic 'gini'"):
        estimated("gini", scored(500, 1), [0.5])


def test_scores_that_the_reference_never_had_are_reported():
    random = np.random.default_rng(1)
    scores = random.uniform(0.0, 0.4, 3_000)
    reference = (scores, (random.random(3_000) < scores).astype(int))
    window = np.concatenate((random.uniform(0.0, 0.4, 700), random.uniform(0.6, 0.9, 300)))
    assert estimated("accuracy", reference, window).unknown == pytest.approx(0.3, abs=0.01)
    assert estimated("accuracy", reference, window[:700]).unknown == 0.0


# ── calibration ──────────────────────────────────────────────────────────────────────────────────


def test_isotonic_probabilities_are_those_of_scikit_learn():
    scores, labels = scored(4_000, 1, distort=overconfident)
    scores = (np.floor(scores * 1000).clip(0, 999) + 0.5) / 1000
    sums = outcomes(scores, labels, score_cells=1000)
    judge = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    at = np.unique(scores)
    assert calibrate(sums, shape="isotonic").probability(at) == pytest.approx(judge.predict(at), abs=1e-9)


def test_beta_probabilities_are_the_true_ones_of_distorted_scores():
    scores, labels = scored(50_000, 1, distort=overconfident)
    odds = np.linspace(-3, 1.5, 40)
    found = calibrate(outcomes(scores, labels), shape="beta").probability(expit(overconfident(odds)))
    assert found == pytest.approx(expit(odds), abs=0.02)


def test_the_shape_that_predicts_better_is_kept():
    assert calibrate(outcomes(*scored(20_000, 1, distort=stepwise))).shape == "isotonic"
    assert [calibrate(outcomes(*scored(300, seed))).shape for seed in range(10)].count("beta") >= 7


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(120, 600), st.sampled_from(["beta", "isotonic"]))
def test_a_probability_never_falls_with_the_score(seed, rows, shape):
    random = np.random.default_rng(seed)
    scores, labels = random.random(rows), random.permutation(np.arange(rows) % 3 == 0).astype(int)
    calibration = calibrate(outcomes(scores, labels), shape=shape)
    for found in (calibration.probabilities, *calibration.replicates):
        assert (np.diff(found) >= -1e-9).all()
        assert found.min() >= 0.0
        assert found.max() <= 1.0


def test_perfect_and_useless_scores_are_calibrated_too():
    labels = np.tile([0, 1], 200)
    perfect = calibrate(outcomes(labels.astype(float), labels))
    assert perfect.probability(np.array([0.0, 1.0])) == pytest.approx([0, 1], abs=0.02)
    useless = calibrate(outcomes(np.full(400, 0.3), labels))
    assert useless.probability(np.array([0.3])) == pytest.approx([0.5], abs=0.02)


def test_the_same_counts_give_the_same_estimate():
    reference, scores = scored(500, 1), scored(500, 2)[0]
    assert estimated("f1", reference, scores) == estimated("f1", reference, scores)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.tile([0, 1], 49), "98 outcomes are too few to calibrate scores: 100 are needed"),
        (np.zeros(200, int), "all 200 outcomes are 0: .* a single class"),
        (np.arange(200) < 4, "only 4 of 200 outcomes are 1: 10 are needed"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_in_words(labels, words):
    with pytest.raises(InvalidInput, match=words):
        calibrate(outcomes(np.linspace(0, 1, len(labels)), np.asarray(labels).astype(int)))


def test_labels_without_scores_are_refused():
    sums = outcomes(np.tile([0, 1], 100), np.tile([0, 1], 100), labels_only=True)
    with pytest.raises(InvalidInput, match="no outcome with a score"):
        calibrate(sums)
