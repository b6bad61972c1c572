"""Agreement, calibration, fairness and the sentence: what stands beside the metrics."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix

from mlops_core.analysis.paired_metrics import Answers, PairedRows
from mlops_core.comparison.agreement import agreement_of
from mlops_core.comparison.calibration import calibration_points
from mlops_core.comparison.fairness import fairness_differences
from mlops_core.comparison.report import Difference, SegmentDifference
from mlops_core.comparison.segments import SegmentRows
from mlops_core.comparison.verdict import Judgement
from mlops_core.comparison.wording import difference_text, value_text, verdict_sentence
from mlops_core.domain.states import Verdict

RANDOM = np.random.default_rng(3)
N = 2_000
SEX = RANDOM.integers(0, 3, N)
GROUPS = [SegmentRows(f"sex={one}", np.flatnonzero(one == SEX)) for one in range(3)]


def labels_of(classes, agree):
    truth = RANDOM.integers(0, classes, N)
    said = [np.where(RANDOM.random(N) < agree, truth, RANDOM.integers(0, classes, N)) for _ in range(2)]
    problem = "binary" if classes == 2 else "multiclass"
    return PairedRows(problem, truth.astype(float), *(Answers(one, None) for one in said), classes)


@pytest.mark.parametrize("classes", [2, 4])
def test_agreement_counts_what_both_say_the_champion_by_row(classes):
    rows = labels_of(classes, 0.6)
    names = [str(one) for one in range(classes)]
    found = agreement_of(rows, names)
    expected = confusion_matrix(rows.champion.labels, rows.challenger.labels)
    assert found.counts == expected.tolist()
    assert found.labels == names
    assert found.share == pytest.approx(np.mean(rows.champion.labels == rows.challenger.labels))
    assert found.correlation is None


def test_of_very_many_classes_those_predicted_most_are_shown():
    rows = labels_of(60, 0.5)
    found = agreement_of(rows, [f"c{one}" for one in range(60)])
    assert len(found.labels) == 20
    assert found.labels[-1] == "other classes"
    assert np.sum(found.counts) == N
    assert found.share == pytest.approx(np.mean(rows.champion.labels == rows.challenger.labels))
    first = int(found.labels[0][1:])
    both = (rows.champion.labels == first) & (rows.challenger.labels == first)
    assert found.counts[0][0] == both.sum()


def numbers_rows(first, second):
    return PairedRows("regression", np.zeros(len(first)), Answers(None, first), Answers(None, second), 0)


def test_predicted_numbers_agree_by_fifths_of_the_champions():
    second = RANDOM.normal(100, 20, N)
    first = second + RANDOM.normal(0, 5, N)
    found = agreement_of(numbers_rows(first, second), ())
    assert len(found.labels) == 5
    assert [sum(row) for row in found.counts] == [400] * 5
    assert found.correlation == pytest.approx(np.corrcoef(first, second)[0, 1])
    edges = np.quantile(second, [0.2, 0.4, 0.6, 0.8])
    assert found.share == pytest.approx(np.mean(np.digitize(first, edges) == np.digitize(second, edges)))


def test_a_constant_champion_has_one_range_and_no_correlation():
    found = agreement_of(numbers_rows(RANDOM.normal(0, 1, 50), np.full(50, 7.0)), ())
    assert found.correlation is None
    assert np.sum(found.counts) == 50


def test_calibration_groups_equal_those_of_scikit_learn():
    score = RANDOM.random(N)
    truth = (RANDOM.random(N) < score**2).astype(float)
    observed, predicted = calibration_curve(truth, score, n_bins=10, strategy="quantile")
    found = calibration_points(score, truth)
    assert [one.rows for one in found] == [200] * 10
    assert [one.predicted for one in found] == pytest.approx(predicted.tolist(), abs=1e-3)
    assert [one.observed for one in found] == pytest.approx(observed.tolist(), abs=6e-3)


def test_equal_scores_stay_in_one_group():
    found = calibration_points(np.array([0.2] * 90 + [0.8] * 10), np.array([0.0] * 80 + [1.0] * 20))
    assert [(one.predicted, one.rows) for one in found] == [
        (pytest.approx(0.2), 90),
        (pytest.approx(0.8), 10),
    ]
    assert found[0].observed == pytest.approx(10 / 90)


def spread_by_hand(rows, said):
    """Demographic parity and equalized odds differences of a binary model, group by group."""
    rates = [said[one == SEX].mean() for one in range(3)]
    apart = [max(rates) - min(rates)]
    for outcome in (0, 1):
        here = [said[(one == SEX) & (rows.outcomes == outcome)].mean() for one in range(3)]
        apart.append(max(here) - min(here))
    return apart[0], max(apart[1:])


def test_fairness_equals_the_rates_of_each_group():
    rows = labels_of(2, 0.7)
    parity, odds = fairness_differences(rows, "sex", GROUPS, resamples=500)
    for version in ("challenger", "champion"):
        expected = spread_by_hand(rows, getattr(rows, version).labels)
        assert (getattr(parity, version), getattr(odds, version)) == pytest.approx(expected)
    assert parity.difference == pytest.approx(parity.challenger - parity.champion)
    assert parity.lower <= parity.difference <= parity.upper


def test_a_version_that_prefers_a_group_is_told_from_one_that_does_not():
    rows = labels_of(2, 0.7)
    said = rows.challenger.labels.copy()
    said[(SEX == 1) & (RANDOM.random(N) < 0.5)] = 1
    unfair = PairedRows("binary", rows.outcomes, Answers(said, None), rows.champion, 2)
    for found in fairness_differences(unfair, "sex", GROUPS, resamples=500):
        assert found.lower > 0.05
    assert fairness_differences(unfair, "sex", GROUPS[:1]) == []


def test_predicted_numbers_are_judged_by_the_ratio_of_group_means():
    second = RANDOM.normal(100, 10, N)
    first = second * np.where(SEX == 2, 0.8, 1.0)
    rows = numbers_rows(first, second)
    (found,) = fairness_differences(rows, "sex", GROUPS)
    means = [[numbers[one == SEX].mean() for one in range(3)] for numbers in (first, second)]
    assert found.measure == "mean prediction ratio"
    assert found.challenger == pytest.approx(min(means[0]) / max(means[0]))
    assert found.champion == pytest.approx(min(means[1]) / max(means[1]))
    assert found.upper < 0
    (below,) = fairness_differences(numbers_rows(first - 200, second), "sex", GROUPS)
    assert (below.challenger, below.difference, below.lower) == (None, None, None)


def measured(difference, lower, upper, **changes):
    fields = {"metric": "roc_auc", "challenger": 0.82, "champion": 0.8, "higher_is_better": True} | changes
    return Difference(
        difference=difference, lower=lower, upper=upper, p_value=0.01, method="DeLong", rows=1_000, **fields
    )


def sentence(primary, judgement, **changes):
    settings = {"segments": 4, "margin": 0.01, "reason": ""} | changes
    return verdict_sentence("churn:5", "churn:4", primary, judgement, **settings)


def test_sentences_say_verdict_figures_and_reason():
    figures = "AUC 0.8200 against 0.8000 on 1,000 rows, a difference of +0.0200 (+0.0100 to +0.0300)"
    good = measured(0.02, 0.01, 0.03)
    assert sentence(good, Judgement(Verdict.BETTER)) == (
        f"churn:5 is better than churn:4: {figures}, and none of 4 segments is worse by more than 0.01."
    )
    assert (
        sentence(good, Judgement(Verdict.BETTER), segments=0) == f"churn:5 is better than churn:4: {figures}."
    )
    assert sentence(good, Judgement(Verdict.NO_EVIDENCE)) == (
        f"There is no evidence that churn:5 is better or worse than churn:4: {figures}."
    )
    part = SegmentDifference("region=north", measured(-0.05, -0.08, -0.02), 0.001, True)
    found = sentence(good, Judgement(Verdict.WORSE_IN_SEGMENT, part))
    assert found.startswith("churn:5 is worse than churn:4 where region is north, by more than 0.01: AUC")
    assert found.endswith(f"On all rows: {figures}.")
    few = sentence(measured(None, None, None), Judgement(Verdict.NO_EVIDENCE), reason="10 rows in all")
    assert few == "There is no evidence that churn:5 is better or worse than churn:4: AUC, 10 rows in all."
    same = sentence(measured(0.0, 0.0, 0.0), Judgement(Verdict.NO_EVIDENCE))
    assert same.endswith("both answer the same on 1,000 rows.")


def test_figures_keep_the_digits_that_count():
    assert [value_text(one) for one in (0.5, 1.0, 0.00012345, 1e12)] == [
        "0.5000",
        "1.000",
        "0.0001234",
        "1e+12",
    ]
    assert [difference_text(one) for one in (-0.5, 1e-7, 25_000.0)] == ["-0.500", "+1e-07", "+25,000"]
