import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics

from mlops_core.analysis.paired_metrics import Answers, PairedRows
from mlops_core.comparison.differences import compare_metrics
from mlops_core.comparison.evidence import FEWEST_DIFFERENT
from mlops_core.comparison.segments import SegmentRows, segments_of
from mlops_core.domain.errors import Cancelled


def rows_of(n=3_000, *, seed=1, noise=(0.4, 0.8), rate=1.0):
    random = np.random.default_rng(seed)
    signal = random.normal(size=n)
    truth = (random.random(n) < 1 / (1 + np.exp(rate - signal))).astype(float)
    scores = [1 / (1 + np.exp(rate - signal - one * random.normal(size=n))) for one in noise]
    return PairedRows("binary", truth, *(binary(score) for score in scores), 2)


def binary(score):
    return Answers((score >= 0.5).astype(np.int64), score)


def test_the_primary_metric_comes_first_with_the_interval_of_delong():
    rows = rows_of()
    found = compare_metrics(rows, "roc_auc", resamples=200)
    first = found.metrics[0]
    assert (first.metric, first.method, first.rows) == ("roc_auc", "DeLong", 3_000)
    assert first.challenger == pytest.approx(metrics.roc_auc_score(rows.outcomes, rows.challenger.numbers))
    assert first.difference == pytest.approx(first.challenger - first.champion)
    assert first.is_better
    assert first.p_value == pytest.approx(
        2 * stats.norm.sf(first.difference / ((first.upper - first.lower) / 2 / stats.norm.ppf(0.975)))
    )
    assert {one.method for one in found.metrics[1:]} == {"paired bootstrap"}
    assert found.notes == []


def test_a_lower_loss_speaks_for_the_challenger():
    rows = rows_of()
    found = compare_metrics(rows, "log_loss", resamples=200).metrics[0]
    assert found.difference < 0
    assert found.upper < 0
    assert found.is_better
    assert not found.is_worse


@pytest.mark.parametrize("primary", ["roc_auc", "log_loss", "accuracy", "f1"])
def test_versions_that_say_the_same_differ_by_nothing(primary):
    rows = rows_of()
    same = PairedRows("binary", rows.outcomes, rows.champion, rows.champion, 2)
    everywhere = [
        SegmentRows("region=north", np.arange(500)),
        SegmentRows("region=south", np.arange(500, 3_000)),
    ]
    found = compare_metrics(same, primary, everywhere, resamples=100)
    for one in [*found.metrics, *(segment.difference for segment in found.segments)]:
        assert (one.difference, one.lower, one.upper, one.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert not any(one.is_worse for one in found.segments)
    assert found.notes == []


def test_rounding_is_no_difference():
    rows = rows_of()
    mine = binary(rows.champion.numbers * (1 - 1e-15))
    found = compare_metrics(
        PairedRows("binary", rows.outcomes, mine, rows.champion, 2), "log_loss", resamples=100
    )
    assert not found.metrics[0].is_better
    assert not found.metrics[0].is_worse


def test_a_few_rows_that_all_speak_for_one_side_are_no_evidence():
    rows = rows_of()
    labels = rows.champion.labels.copy()
    wrong = np.flatnonzero(labels != rows.outcomes)
    for mended, is_enough in ((FEWEST_DIFFERENT - 1, False), (FEWEST_DIFFERENT, True)):
        mine = labels.copy()
        mine[wrong[:mended]] = rows.outcomes[wrong[:mended]].astype(np.int64)
        pair = PairedRows("binary", rows.outcomes, Answers(mine, None), Answers(labels, None), 2)
        found = compare_metrics(pair, "accuracy", resamples=500)
        assert found.metrics[0].difference == pytest.approx(mended / 3_000)
        assert found.metrics[0].is_better == is_enough
    assert found.reason == ""
    nine = compare_metrics(
        PairedRows(
            "binary", rows.outcomes, Answers(np.r_[1 - labels[:2], labels[2:]], None), pair.champion, 2
        ),
        "accuracy",
    )
    assert nine.reason == "2 rows on which their answers differ (10 are needed)"


@pytest.mark.parametrize(
    ("rows", "primary", "reason"),
    [
        (rows_of(10), "brier", "10 rows in all (30 are needed)"),
        (rows_of(60, rate=2.5, seed=3), "roc_auc", "of outcome 1 (10 are needed)"),
        (rows_of(60, rate=40.0), "roc_auc", "undefined, as every outcome is the same"),
    ],
)
def test_too_few_rows_are_told_in_words(rows, primary, reason):
    found = compare_metrics(rows, primary, resamples=100)
    assert found.reason.endswith(reason)
    assert found.metrics[0].lower is None
    assert f"{primary}: {found.reason}" in found.notes[0]


def test_a_metric_that_labels_do_not_allow_has_no_values():
    rows = rows_of()
    bare = PairedRows("binary", rows.outcomes, Answers(rows.challenger.labels, None), rows.champion, 2)
    found = compare_metrics(bare, "roc_auc", resamples=100)
    assert found.metrics[0].metric == "roc_auc"
    assert found.metrics[0].challenger is None
    assert found.reason == "answers are labels alone"
    assert "accuracy" in {one.metric for one in found.metrics}


@pytest.mark.parametrize("primary", ["roc_auc", "average_precision", "log_loss", "accuracy", "f1"])
def test_a_segment_that_is_worse_is_found_among_those_that_are_not(primary):
    rows = rows_of(8_000, noise=(0.3, 0.6))
    places = np.arange(8_000) % 8
    spoilt = rows.challenger.numbers.copy()
    bad = np.flatnonzero(places == 5)
    spoilt[bad] = np.random.default_rng(4).permutation(spoilt[bad])
    pair = PairedRows("binary", rows.outcomes, binary(spoilt), rows.champion, 2)
    segments = [SegmentRows(f"place={one}", np.flatnonzero(places == one)) for one in range(8)]
    found = compare_metrics(pair, primary, segments, resamples=300)
    assert [one.segment for one in found.segments if one.is_worse] == ["place=5"]
    assert found.segments[0].segment == "place=5"
    chosen = found.segments[0].difference
    assert chosen.rows == 1_000
    if primary == "roc_auc":
        assert chosen.challenger == pytest.approx(metrics.roc_auc_score(rows.outcomes[bad], spoilt[bad]))
    if primary == "accuracy":
        assert chosen.challenger == pytest.approx(
            metrics.accuracy_score(rows.outcomes[bad], spoilt[bad] >= 0.5)
        )


def test_being_worse_within_the_margin_is_not_named():
    rows = rows_of(40_000, noise=(0.7, 0.6))
    segments = [SegmentRows("all=all", np.arange(40_000))]
    strict = compare_metrics(rows, "roc_auc", segments, margin=0.0, resamples=100)
    lenient = compare_metrics(rows, "roc_auc", segments, margin=0.01, resamples=100)
    assert strict.segments[0].difference.is_worse
    assert strict.segments[0].is_worse
    assert not lenient.segments[0].is_worse


def test_intervals_of_segments_are_wider_than_one_alone_would_be():
    rows = rows_of()
    part = SegmentRows("g=1", np.arange(1_000))
    alone = compare_metrics(rows, "brier", [part]).segments[0].difference
    ten = compare_metrics(
        rows, "brier", [part, *(SegmentRows(f"h={one}", np.arange(one, 3_000, 9)) for one in range(9))]
    )
    among = next(one.difference for one in ten.segments if one.segment == "g=1")
    assert (among.upper - among.lower) / (alone.upper - alone.lower) == pytest.approx(
        stats.norm.ppf(1 - 0.025 / 10) / stats.norm.ppf(0.975), rel=1e-6
    )


def test_segments_that_cannot_be_compared_are_noted():
    rows = rows_of(400)
    found = compare_metrics(
        rows,
        "roc_auc",
        [
            SegmentRows("sure=yes", np.flatnonzero(rows.outcomes == 1.0)),
            SegmentRows("few=yes", np.arange(20)),
            SegmentRows("fine=yes", np.arange(400)),
        ],
        resamples=100,
    )
    assert [one.segment for one in found.segments] == ["fine=yes"]
    assert found.notes == [
        "segments not compared: sure=yes: no row of outcome 0 (10 are needed); few=yes: 20 rows in all "
        "(30 are needed)"
    ]


def test_the_same_seed_gives_the_same_figures():
    rows = rows_of(800)
    segments = [SegmentRows("g=1", np.arange(400))]
    first, again = (compare_metrics(rows, "f1", segments, resamples=150, seed=9) for _ in range(2))
    assert first == again
    assert compare_metrics(rows, "f1", segments, resamples=150, seed=10) != first


def test_draws_can_be_stopped():
    def heard(done, total):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        compare_metrics(rows_of(200), "roc_auc", heard=heard)


def test_segments_are_the_values_of_a_column_with_enough_rows():
    table = pa.table(
        {
            "region": pa.array(["n"] * 150 + ["s"] * 120 + [None] * 110 + ["e"] * 20).dictionary_encode(),
            "size": pa.array([1] * 200 + [2] * 200),
            "when": pa.array([0] * 400, pa.timestamp("us")),
        }
    )
    found, notes = segments_of(table, ["region", "size", "when", "gone"])
    assert {one.name: len(one.rows) for one in found} == {
        "region=n": 150,
        "region=s": 120,
        "region=(missing)": 110,
        "size=1": 200,
        "size=2": 200,
    }
    np.testing.assert_array_equal(
        next(one.rows for one in found if one.name == "region=s"), np.arange(150, 270)
    )
    assert "segments with fewer than 100 rows left out: region=e (20)" in notes
    assert any("column when holds timestamp" in note for note in notes)
    assert any("no column gone" in note for note in notes)


def test_of_very_many_segments_the_largest_are_compared():
    table = pa.table({"shop": pa.array(np.repeat(np.arange(12), 110 + np.arange(12)))})
    found, notes = segments_of(table, ["shop"], most=3)
    assert [one.name for one in found] == ["shop=10", "shop=11", "shop=9"]
    assert notes == ["column shop has 12 segments: the 3 largest are compared"]


def test_numbers_too_large_to_compute_with_are_undefined_in_words():
    random = np.random.default_rng(2)
    truth = random.normal(0, 1, 200)
    huge = Answers(None, np.where(np.arange(200) == 7, 1e300, truth))
    rows = PairedRows("regression", truth, huge, Answers(None, truth + random.normal(0, 1, 200)), 0)
    found = compare_metrics(rows, "rmse", [SegmentRows("g=1", np.arange(150))], resamples=100)
    assert found.reason == "undefined, as numbers are too large"
    assert found.metrics[0].challenger is None
    assert found.segments == []


def regression(outcomes, noise=(0.1, 0.2)):
    random = np.random.default_rng(3)
    answers = [Answers(None, outcomes + one * random.normal(size=len(outcomes))) for one in noise]
    return PairedRows("regression", outcomes, *answers, 0)


@pytest.mark.parametrize("nearly", [0.0, 1e-17, -1e-12])
def test_mape_is_left_out_where_an_outcome_is_zero(nearly):
    outcomes = np.random.default_rng(2).uniform(1.0, 2.0, 200)
    outcomes[7] = nearly
    found = compare_metrics(regression(outcomes), "mae", resamples=100)
    assert "mape" not in {one.metric for one in found.metrics}
    assert found.notes == ["MAPE is not defined where an outcome is 0: left out"]


def test_mape_as_the_primary_metric_says_that_an_outcome_is_zero():
    outcomes = np.random.default_rng(2).uniform(1.0, 2.0, 200)
    outcomes[7] = 0.0
    found = compare_metrics(
        regression(outcomes), "mape", [SegmentRows("all=1", np.arange(200))], resamples=100
    )
    first = found.metrics[0]
    assert (first.challenger, first.difference, first.lower) == (None, None, None)
    assert found.reason == "undefined, as an outcome is 0"
    assert found.segments == []


def test_mape_of_small_outcomes_is_measured():
    outcomes = np.random.default_rng(2).uniform(0.001, 2.0, 200)
    rows = regression(outcomes)
    found = {one.metric: one for one in compare_metrics(rows, "mae", resamples=100).metrics}["mape"]
    assert found.challenger == pytest.approx(
        metrics.mean_absolute_percentage_error(outcomes, rows.challenger.numbers)
    )
