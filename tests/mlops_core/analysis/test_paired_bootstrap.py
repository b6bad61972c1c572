import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from mlops_core.analysis.paired_bootstrap import Part, Resampled, paired_bootstrap
from mlops_core.analysis.paired_metrics import (
    Answers,
    PairedRows,
    family_of,
    labels_of,
    means_of,
    metrics_of,
    ranks_of,
    values_of,
)
from mlops_core.domain.errors import Cancelled, InvalidInput
from mlops_core.statistics import PERFORMANCE_STATISTICS


def lift_one_by_one(truth, score):
    """Positives among the top tenth, as if the tied rows at its limit were cut at random, over 10 %."""
    wanted, captured = 0.1 * len(truth), 0.0
    for level in sorted(set(score.tolist()), reverse=True):
        tied = score == level
        taken = min(wanted, tied.sum())
        captured += truth[tied].mean() * taken
        wanted -= taken
    return captured / (0.1 * truth.sum())


# A class that a version names and that never came true is what some of these rows are made to hold.
UNTRUE_CLASSES = pytest.mark.filterwarnings("ignore:y_pred contains classes")

BINARY = {
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "log_loss": lambda y, s: metrics.log_loss(y, s, labels=[0, 1]),
    "brier": metrics.brier_score_loss,
    "lift_at_10": lift_one_by_one,
    "accuracy": lambda y, s: metrics.accuracy_score(y, s >= 0.5),
    "precision": lambda y, s: metrics.precision_score(y, s >= 0.5),
    "recall": lambda y, s: metrics.recall_score(y, s >= 0.5),
    "specificity": lambda y, s: metrics.recall_score(y, s >= 0.5, pos_label=0),
    "f1": lambda y, s: metrics.f1_score(y, s >= 0.5),
}
MULTICLASS = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    **{
        f"{part}_{average}": lambda y, p, score=score, average=average: score(
            y, p, average=average, zero_division=0
        )
        for part, score in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
            ("f1", metrics.f1_score),
        )
        for average in ("macro", "weighted")
    },
}
REGRESSION = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "mape": metrics.mean_absolute_percentage_error,
    "r_squared": metrics.r2_score,
}


def binary_rows(n=500, seed=1, digits=(2, 9)):
    random = np.random.default_rng(seed)
    signal = random.normal(size=n)
    truth = (random.random(n) < 1 / (1 + np.exp(1 - 1.5 * signal))).astype(float)
    scores = [
        np.round(1 / (1 + np.exp(1 - signal - noise * random.normal(size=n))), digit)
        for noise, digit in zip((0.5, 1.0), digits, strict=True)
    ]
    answers = [Answers((score >= 0.5).astype(np.int64), score) for score in scores]
    return PairedRows("binary", truth, *answers, 2)


def multiclass_rows(n=400, seed=2, classes=5):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes - 1, n)  # the last class is predicted alone, and one never is
    said = [np.where(random.random(n) < right, truth, random.integers(1, classes, n)) for right in (0.7, 0.5)]
    return PairedRows("multiclass", truth.astype(float), *(Answers(one, None) for one in said), classes)


def regression_rows(n=400, seed=3):
    random = np.random.default_rng(seed)
    truth = random.lognormal(3, 1, n)
    numbers = [truth * random.lognormal(0, spread, n) for spread in (0.3, 0.4)]
    return PairedRows("regression", truth, *(Answers(None, one) for one in numbers), 0)


ALL = {
    "binary": (binary_rows, BINARY),
    "multiclass": (multiclass_rows, MULTICLASS),
    "regression": (regression_rows, REGRESSION),
}


def given_answers(rows):
    """What each version says, as scikit-learn is given it."""
    return [one.labels if one.numbers is None else one.numbers for one in (rows.challenger, rows.champion)]


@UNTRUE_CLASSES
@pytest.mark.parametrize("problem", ALL)
def test_every_metric_of_the_registry_equals_scikit_learn_on_the_raw_rows(problem):
    make, expected = ALL[problem]
    rows = make()
    names = metrics_of(rows)
    assert set(names) == {
        name for name, found in PERFORMANCE_STATISTICS.items() if problem in found.problem_types
    }
    values = values_of(rows, names)
    for name in names:
        for value, said in zip(values[name], given_answers(rows), strict=True):
            assert value == pytest.approx(expected[name](rows.outcomes, said), rel=1e-9), name


@UNTRUE_CLASSES
@pytest.mark.parametrize("problem", ALL)
@settings(max_examples=8)
@given(st.integers(0, 2**31))
def test_a_row_that_counts_three_times_counts_like_three_rows(problem, seed):
    make, expected = ALL[problem]
    rows = make(n=60, seed=seed)
    weights = np.random.default_rng(seed).integers(0, 4, (2, 60)).astype(np.int32)
    families = {"rank": ranks_of, "mean": means_of, "label": labels_of}
    for family, prepare in families.items():
        names = [name for name in metrics_of(rows) if family_of(name) == family]
        if not names:
            continue
        values = prepare(rows, names)(weights)
        for place, one in enumerate(weights):
            truth = np.repeat(rows.outcomes, one)
            for version, said in enumerate(given_answers(rows)):
                repeated = np.repeat(said, one)
                for number, name in enumerate(names):
                    if np.isnan(values[place, number, version]):
                        continue  # of a class that the draw has lost; scikit-learn says 0 there
                    wanted = expected[name](truth, repeated)
                    assert values[place, number, version] == pytest.approx(wanted, rel=1e-9, abs=1e-12), name


def test_labels_alone_leave_the_metrics_of_scores_out():
    rows = binary_rows()
    bare = PairedRows("binary", rows.outcomes, rows.challenger, Answers(rows.champion.labels, None), 2)
    assert set(metrics_of(bare)) == {"accuracy", "precision", "recall", "specificity", "f1"}


def test_a_metric_without_a_rule_is_refused():
    with pytest.raises(InvalidInput, match="'silhouette' cannot be compared row by row"):
        family_of("silhouette")


def test_what_is_undefined_is_nan():
    rows = binary_rows(n=40)
    ones = PairedRows("binary", np.ones(40), rows.challenger, rows.champion, 2)
    values = values_of(ones, metrics_of(ones))
    assert np.isnan(values["roc_auc"]).all()
    assert np.isnan(values["specificity"]).all()
    assert np.isfinite(values["log_loss"]).all()
    never = Answers(np.zeros(40, np.int64), rows.champion.numbers)
    assert np.isnan(
        values_of(PairedRows("binary", rows.outcomes, never, never, 2), ["precision"])["precision"][0]
    )
    same = regression_rows(n=40)
    constant = PairedRows("regression", np.full(40, 7.1), same.challenger, same.champion, 0)
    assert np.isnan(values_of(constant, ["r_squared"])["r_squared"]).all()


def plain_loop(rows, name, expected, resamples, seed):
    """Draw row numbers and ask scikit-learn, resample by resample."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        chosen = random.integers(0, len(rows), len(rows))
        mine, theirs = (expected[name](rows.outcomes[chosen], said[chosen]) for said in given_answers(rows))
        found.append(mine - theirs)
    return np.array(found)


@UNTRUE_CLASSES
@pytest.mark.parametrize(
    ("problem", "name"),
    [
        ("binary", "average_precision"),
        ("binary", "lift_at_10"),
        ("binary", "log_loss"),
        ("binary", "f1"),
        ("multiclass", "f1_macro"),
        ("regression", "r_squared"),
    ],
)
def test_the_draws_are_distributed_like_those_of_a_plain_loop(problem, name):
    make, expected = ALL[problem]
    rows = make(n=200)
    drawn = paired_bootstrap(rows, [Part([name])], resamples=2_000)[0][name].differences
    looped = plain_loop(rows, name, expected, 250, seed=8)
    assert np.mean(drawn) == pytest.approx(np.mean(looped), abs=4 * looped.std() / 250**0.5)
    assert stats.ks_2samp(drawn, looped).pvalue > 0.001


def test_the_error_of_a_mean_is_its_textbook_error():
    rows = binary_rows(n=3_000)
    losses = np.square(rows.challenger.numbers - rows.outcomes) - np.square(
        rows.champion.numbers - rows.outcomes
    )
    drawn = paired_bootstrap(rows, [Part(["brier"])])[0]["brier"]
    assert drawn.standard_error == pytest.approx(losses.std() / np.sqrt(3_000), rel=0.06)


def test_the_same_seed_gives_the_same_draws_and_another_one_others():
    rows = binary_rows()
    parts = [Part(metrics_of(rows)), Part(["log_loss", "f1"], np.arange(100))]
    first, again = (paired_bootstrap(rows, parts, resamples=50, seed=4) for _ in range(2))
    other = paired_bootstrap(rows, parts, resamples=50, seed=5)
    for part in (0, 1):
        for name, found in first[part].items():
            np.testing.assert_array_equal(found.differences, again[part][name].differences)
            assert not np.array_equal(found.differences, other[part][name].differences)


def test_parts_share_the_draws_of_rows():
    rows = binary_rows()
    whole, same = paired_bootstrap(
        rows, [Part(["log_loss", "roc_auc"]), Part(["log_loss", "roc_auc"], np.arange(500))], resamples=40
    )
    for name, found in whole.items():
        np.testing.assert_allclose(found.differences, same[name].differences, rtol=1e-12)


def test_a_long_bootstrap_tells_how_far_it_is_and_can_be_stopped():
    rows = regression_rows(n=60_000)
    told = []

    def heard(done, total):
        told.append((done, total))
        if done >= 40:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        paired_bootstrap(rows, [Part(["mae"])], heard=heard)
    assert told[0] == (0, 2_000)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1][0] < 60


def test_a_metric_that_many_draws_lack_has_no_interval():
    differences = np.ones(1_000)
    differences[:40] = np.nan
    assert Resampled(differences).is_usable
    differences[:60] = np.nan
    lost = Resampled(differences)
    assert np.isnan(lost.interval()).all()
    assert np.isnan(lost.p_value)
    assert np.isnan(lost.standard_error)


def test_no_p_value_is_smaller_than_the_draws_can_show():
    assert Resampled(np.ones(1_999)).p_value == pytest.approx(2 / 2_000)
    assert Resampled(np.zeros(100)).p_value == 1.0
    mixed = Resampled(np.append(np.full(10, -1.0), np.ones(989)))
    assert mixed.p_value == pytest.approx(2 * 11 / 1_000)


@pytest.mark.parametrize(
    ("problem", "name"), [("binary", "log_loss"), ("binary", "f1"), ("regression", "mae")]
)
def test_intervals_hold_the_true_difference_as_often_as_they_say(problem, name):
    make, _ = ALL[problem]
    everybody = make(n=50_000, seed=77)
    truth = np.subtract(*values_of(everybody, [name])[name])
    random = np.random.default_rng(31)
    times, held = 400, 0
    for number in range(times):
        rows = everybody.take(random.integers(0, 50_000, 300))
        lower, upper = paired_bootstrap(rows, [Part([name])], resamples=400, seed=number)[0][name].interval()
        held += lower <= truth <= upper
    # percentiles of 300 rows are a little narrow: a coverage between 93.5 and 95.5 % passes
    assert stats.binom.ppf(0.001, times, 0.935) <= held <= stats.binom.ppf(0.999, times, 0.955)
