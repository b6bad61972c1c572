from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices import (
    BinaryOutcomes,
    OutcomePlan,
    RegressionOutcomes,
    SliceKey,
    build_outcome_slices,
    merge_outcomes,
)

START = datetime(2025, 6, 1, tzinfo=UTC)
BINARY = OutcomePlan("at", "day", "binary", "score", "label", ("region",), score_cells=20)
REGRESSION = OutcomePlan("at", "day", "regression", "score", "label", ("region",))
SCORES = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0, float("nan")]), st.floats(0, 1))
ROWS = st.lists(
    st.tuples(st.integers(0, 2), SCORES, st.sampled_from([None, 0, 1]), st.sampled_from([None, "n", "s"])),
    max_size=50,
)


def batch_of(rows, scores="float64", labels="int64"):
    days, score, label, region = zip(*rows, strict=True) if rows else ([], [], [], [])
    return pa.record_batch(
        {
            "at": pa.array([START + timedelta(days=day) for day in days], pa.timestamp("us", tz="UTC")),
            "score": pa.array(score, scores),
            "label": pa.array(label, labels),
            "region": pa.array(region, pa.string()),
        }
    )


def rows_by_key(rows):
    groups = {}
    for row in rows:
        if row[1] is not None and row[1] == row[1] and row[2] is not None:
            start = START + timedelta(days=row[0])
            for segment in ("", f"region={row[3] or '(missing)'}"):
                groups.setdefault(SliceKey(start, segment), []).append(row)
    return groups


def assert_binary_sums_are_those_of(sums, rows):
    scores, labels = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    assert sums.rows == len(rows)
    for label, histogram in ((1, sums.positives), (0, sums.negatives)):
        expected, _ = np.histogram(scores[labels == label], bins=20, range=(0, 1))
        assert histogram.tolist() == expected.tolist()
    confusion = metrics.confusion_matrix(labels, scores >= 0.5, labels=[0, 1])
    found = [[sums.true_negatives, sums.false_positives], [sums.false_negatives, sums.true_positives]]
    assert found == confusion.tolist()
    assert sums.brier_sum / sums.rows == pytest.approx(metrics.mean_squared_error(labels, scores))
    assert sums.log_loss_sum / sums.rows == pytest.approx(
        metrics.log_loss(labels, scores, labels=[0, 1]), abs=1e-12
    )


@given(ROWS)
def test_binary_outcomes_equal_those_of_scikit_learn(rows):
    slices = build_outcome_slices([batch_of(rows)], BINARY)
    groups = rows_by_key(rows)
    assert set(slices) == set(groups)
    for key, sums in slices.items():
        assert_binary_sums_are_those_of(sums, groups[key])


@given(ROWS, st.data())
def test_any_partition_merged_in_any_order_equals_the_whole(rows, data):
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    parts = [shuffled[:cut], shuffled[cut:]]
    groups = rows_by_key(rows)
    for plan in (BINARY, REGRESSION):
        whole = build_outcome_slices([batch_of(rows)], plan)
        built = [build_outcome_slices([batch_of(part)], plan) for part in data.draw(st.permutations(parts))]
        assert {key for slices in built for key in slices} == set(whole)
        for key, expected in whole.items():
            merged = merge_outcomes(slices[key] for slices in built if key in slices)
            assert merged.rows == expected.rows == len(groups[key])
            if isinstance(merged, BinaryOutcomes):
                assert_binary_sums_are_those_of(merged, groups[key])
            else:
                assert merged.squared_error_sum == pytest.approx(expected.squared_error_sum)


def test_regression_sums_equal_a_computation_on_the_rows():
    rng = np.random.default_rng(5)
    outcome, prediction = rng.normal(10, 3, 900), rng.normal(10, 3, 900)
    rows = list(zip([0] * 900, prediction.tolist(), outcome.tolist(), [None] * 900, strict=True))
    plan = OutcomePlan("at", "hour", "regression", "score", "label")
    (sums,) = build_outcome_slices([batch_of(rows, labels="float64")], plan).values()
    error = prediction - outcome
    assert isinstance(sums, RegressionOutcomes)
    assert sums.rows == 900
    assert sums.error_sum == pytest.approx(error.sum())
    assert sums.absolute_error_sum == pytest.approx(900 * metrics.mean_absolute_error(outcome, prediction))
    assert sums.squared_error_sum == pytest.approx(900 * metrics.mean_squared_error(outcome, prediction))
    assert sums.outcome_sum == pytest.approx(outcome.sum())
    assert sums.outcome_squared_sum == pytest.approx(np.square(outcome).sum())
    expected = 900 * metrics.mean_absolute_percentage_error(outcome, prediction)
    assert sums.absolute_percentage_error_sum == pytest.approx(expected)


def test_an_infinite_prediction_is_not_counted():
    batch = batch_of([(0, float("inf"), 1, None), (0, 2.0, 1, None)])
    slices = build_outcome_slices([batch], REGRESSION)
    assert slices[SliceKey(START)].rows == 1


@pytest.mark.parametrize(("kind", "precision"), [("float32", np.float32), ("float64", np.float64)])
def test_a_certain_and_wrong_score_is_clipped_as_scikit_learn_does(kind, precision):
    batch = batch_of([(0, 1.0, 0, None), (0, 0.0, 1, None)], scores=kind)
    sums = build_outcome_slices([batch], BINARY)[SliceKey(START)]
    expected = metrics.log_loss([0, 1], np.array([1.0, 0.0], dtype=precision))
    assert sums.log_loss_sum / 2 == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("labels", [pa.bool_(), pa.uint8(), pa.float32()])
def test_an_outcome_may_be_a_boolean_or_any_number(labels):
    batch = batch_of([(0, 0.7, 1, None), (0, 0.7, None, None), (0, 0.7, 0, None)], labels="int64")
    batch = batch.set_column(2, "label", batch.column("label").cast(labels))
    sums = build_outcome_slices([batch], BINARY)[SliceKey(START)]
    assert (sums.rows, sums.true_positives, sums.false_positives) == (2, 1, 1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 1.5, 1, None), r"row 1 of column 'score' holds 1.5, outside \[0, 1\]"),
        ((0, -0.1, None, None), r"row 1 of column 'score' holds -0.1, outside \[0, 1\]"),
        ((0, 0.5, 2, None), "column 'label' holds 2.0, neither 0 nor 1"),
    ],
)
def test_what_is_no_binary_problem_is_refused(row, message):
    with pytest.raises(SchemaMismatch, match=message):
        build_outcome_slices([batch_of([row])], BINARY)


def test_a_missing_or_textual_column_is_named():
    batch = batch_of([(0, 0.5, 1, None)])
    with pytest.raises(SchemaMismatch, match="column 'label' is missing"):
        build_outcome_slices([batch.remove_column(2)], BINARY)
    text = batch.set_column(2, "label", pa.array(["yes"]))
    with pytest.raises(SchemaMismatch, match="column 'label' holds string"):
        build_outcome_slices([text], BINARY)


@pytest.mark.parametrize("change", [{"problem_type": "ranking"}, {"period": "year"}, {"score_cells": 0}])
def test_a_plan_that_makes_no_sense_is_refused(change):
    settings = {"time_column": "at", "period": "day", "problem_type": "binary"}
    with pytest.raises(InvalidInput):
        OutcomePlan(prediction_column="p", outcome_column="y", **{**settings, **change})


def test_outcomes_that_do_not_fit_are_not_added():
    regression = RegressionOutcomes(1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    twenty = build_outcome_slices([batch_of([(0, 0.5, 1, None)])], BINARY)[SliceKey(START)]
    ten = BinaryOutcomes(0, np.zeros(10), np.zeros(10), 0.0, 0.0, 0, 0, 0, 0)
    for parts in ([], [regression, twenty], [twenty, ten]):
        with pytest.raises(InvalidInput, match="cannot be added"):
            merge_outcomes(parts)
    assert twenty.merge(twenty).rows == 2
    assert regression.merge(regression).rows == 2


def test_rows_in_a_message_count_over_all_batches():
    good, bad = batch_of([(0, 0.5, 1, None)] * 3), batch_of([(0, 0.5, 1, None), (0, 1.3, 1, None)])
    with pytest.raises(SchemaMismatch, match=r"row 5 of column 'score' holds 1.3, outside \[0, 1\]"):
        build_outcome_slices([good, bad], BINARY)


def test_a_predicted_label_beside_the_score_decides():
    batch = batch_of([(0, 0.9, 1, None), (0, 0.2, 1, None), (0, 0.6, 0, None), (0, None, 1, None)])
    batch = batch.append_column("label_out", pa.array([0, 1, 0, 1]))
    plan = OutcomePlan("at", "day", "binary", "label_out", "label", score_column="score")
    sums = build_outcome_slices([batch], plan)[SliceKey(START)]
    assert (sums.rows, sums.true_positives, sums.false_negatives, sums.true_negatives) == (3, 1, 1, 1)
    assert sums.scored == 3


def test_more_than_a_thousand_classes_are_refused():
    names = pa.array([str(number) for number in range(1001)])
    batch = pa.record_batch({"at": pa.array([START] * 1001), "p": names, "y": names})
    with pytest.raises(InvalidInput, match="1,001 classes are more than 1,000"):
        build_outcome_slices([batch], OutcomePlan("at", "day", "multiclass", "p", "y"))
