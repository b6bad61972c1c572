import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_core.analysis.paired_metrics import Answers, PairedRows
from mlops_core.comparison import differences
from mlops_core.comparison.differences import compare_metrics
from mlops_core.comparison.report import Difference, SegmentDifference
from mlops_core.comparison.segments import SegmentRows
from mlops_core.comparison.verdict import holm, judge, margin_of
from mlops_core.domain.states import Verdict


def difference(lower, upper, *, higher_is_better=True):
    middle = None if lower is None else (lower + upper) / 2
    return Difference(
        "roc_auc" if higher_is_better else "log_loss",
        0.8,
        0.8,
        middle,
        lower,
        upper,
        0.5,
        higher_is_better,
        "DeLong",
        1_000,
    )


def segment(name, lower, upper, *, is_worse):
    return SegmentDifference(name, difference(lower, upper), 0.01 if is_worse else 0.9, is_worse)


FINE = segment("region=north", -0.001, 0.02, is_worse=False)
BAD = segment("region=south", -0.05, -0.02, is_worse=True)
WORST = segment("region=west", -0.2, -0.1, is_worse=True)


@pytest.mark.parametrize(
    ("primary", "segments", "verdict"),
    [
        (difference(0.01, 0.03), [FINE], Verdict.BETTER),
        (difference(0.01, 0.03), [], Verdict.BETTER),
        (difference(0.0, 0.03), [FINE], Verdict.NO_EVIDENCE),
        (difference(-0.01, 0.03), [FINE], Verdict.NO_EVIDENCE),
        (difference(None, None), [FINE], Verdict.NO_EVIDENCE),
        (difference(-0.03, -0.01), [FINE], Verdict.WORSE),
        (difference(-0.03, -0.01), [BAD], Verdict.WORSE),
        (difference(0.01, 0.03), [FINE, BAD], Verdict.WORSE_IN_SEGMENT),
        (difference(-0.01, 0.03), [BAD], Verdict.WORSE_IN_SEGMENT),
        (difference(-0.03, -0.01, higher_is_better=False), [], Verdict.BETTER),
        (difference(0.01, 0.03, higher_is_better=False), [], Verdict.WORSE),
    ],
)
def test_the_first_line_of_the_rule_that_holds_decides(primary, segments, verdict):
    assert judge(primary, segments).verdict == verdict


def test_the_segment_where_it_is_worst_is_named():
    found = judge(difference(0.01, 0.03), [FINE, BAD, WORST])
    assert found.segment == WORST
    assert judge(difference(0.01, 0.03), [FINE]).segment is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_procedure_of_bonferroni(p_values):
    places = range(len(p_values))
    sets = [one for size in places for one in itertools.combinations(places, size + 1)]
    expected = [
        max(min(1.0, len(one) * min(p_values[other] for other in one)) for one in sets if place in one)
        for place in places
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_a_margin_is_in_the_unit_of_a_share_and_a_share_of_anything_else():
    assert margin_of("roc_auc", 0.8) == 0.01
    assert margin_of("f1_macro", 0.5, 0.02) == 0.02
    assert margin_of("rmse", 250.0) == 2.5
    assert margin_of("log_loss", 0.4, 0.05) == pytest.approx(0.02)
    assert margin_of("mae", None) == 0.0


def equal_versions(random, n):
    """Two versions of which neither is better: what they say differs by noise of one distribution."""
    signal = random.normal(size=n)
    truth = (random.random(n) < 1 / (1 + np.exp(-signal))).astype(float)
    scores = [1 / (1 + np.exp(-signal - 0.7 * random.normal(size=n))) for _ in range(2)]
    answers = [Answers((score >= 0.5).astype(np.int64), score) for score in scores]
    return PairedRows("binary", truth, *answers, 2)


@pytest.mark.parametrize("primary", ["roc_auc", "brier", "accuracy"])
def test_of_equal_versions_one_in_forty_is_called_better(primary, monkeypatch):
    monkeypatch.setattr(differences, "metrics_of", lambda rows: [primary])
    random = np.random.default_rng(17)
    times, better, worse = 400, 0, 0
    for number in range(times):
        rows = equal_versions(random, 400)
        found = compare_metrics(rows, primary, resamples=300, seed=number).metrics[0]
        verdict = judge(found, []).verdict
        better += verdict == Verdict.BETTER
        worse += verdict == Verdict.WORSE
    most = stats.binom.ppf(0.999, times, 0.03)  # 2.5 %, and half a per cent for percentiles of 400 rows
    assert better <= most
    assert worse <= most
    assert better + worse >= stats.binom.ppf(0.001, times, 0.04)


@pytest.mark.parametrize("primary", ["roc_auc", "brier"])
def test_of_equal_versions_one_in_twenty_is_called_worse_in_some_segment_without_a_margin(
    primary, monkeypatch
):
    monkeypatch.setattr(differences, "metrics_of", lambda rows: [primary])
    random = np.random.default_rng(23)
    segments = [SegmentRows(f"g={place}", np.arange(place, 1_200, 6)) for place in range(6)]
    times, named = 200, 0
    for number in range(times):
        rows = equal_versions(random, 1_200)
        found = compare_metrics(rows, primary, segments, margin=0.0, resamples=100, seed=number)
        named += any(one.is_worse for one in found.segments)
    assert named <= stats.binom.ppf(0.999, times, 0.06)
    assert named >= stats.binom.ppf(0.001, times, 0.03)
