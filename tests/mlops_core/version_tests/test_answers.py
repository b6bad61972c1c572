"""What an artefact answers to changed rows: planted answers, and what the tests say of them."""

import numpy as np
import pyarrow as pa
import pytest

from mlops_core.domain.errors import OutOfMemory, OutOfTime, ScoringError
from mlops_core.scoring import Predictions
from mlops_core.version_tests import NotJudged
from tests.mlops_core.version_tests.given import outcome_of

ROWS = 40
COLUMNS = {
    "amount": np.linspace(-3.0, 5.0, ROWS),
    "count": np.arange(ROWS),
    "word": pa.array(["a", "b"] * (ROWS // 2)),
    "flag": pa.array([True, False] * (ROWS // 2)),
}
TRUTH = np.tile([0, 1], ROWS // 2)


def answering(rows):
    return Predictions(np.full(rows.num_rows, 0.5))


def of(test, answer, problem="binary", **given):
    truth = TRUTH.astype(float) if problem == "regression" else TRUTH
    return outcome_of(test, problem, truth, columns=COLUMNS, answer=answer, **given)


def is_empty(rows, name):
    return rows[name].null_count == rows.num_rows


def test_each_column_is_emptied_in_turn_and_keeps_its_type():
    asked = []

    def answer(rows):
        asked.append({name for name in rows.column_names if is_empty(rows, name)})
        assert [str(field.type) for field in rows.schema] == ["double", "int64", "string", "bool"]
        return answering(rows)

    found = of("missing_values", answer)
    assert asked == [set(), {"amount"}, {"count"}, {"word"}, {"flag"}]
    assert (found.status, found.figure) == ("passed", 0)
    assert found.sentence == "It answers rows with missing values, in every one of 4 ways."


def test_unknown_words_and_numbers_out_of_reach_are_tried():
    seen = []

    def answer(rows):
        seen.append({name: rows[name][0].as_py() for name in ("amount", "count", "word")})
        return answering(rows)

    found = of("unseen_values", answer, factor=100)
    assert [one["amount"] for one in seen[1:3]] == [500.0, -500.0]
    assert [one["count"] for one in seen[3:5]] == [3_900, -3_900]
    assert seen[5]["word"] not in ("a", "b")
    assert (len(seen), found.status) == (6, "passed")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 1.1])
def test_an_answer_that_is_no_probability_fails(bad):
    def answer(rows):
        return Predictions(np.full(rows.num_rows, bad if is_empty(rows, "word") else 0.5))

    found = of("missing_values", answer)
    assert (found.status, found.figure) == ("failed", 1)
    assert found.sentence == "With word missing, 40 of 40 answers are unusable."
    assert found.evidence["rows"][0][2] == "wrong"


def refusing(rows):
    if is_empty(rows, "amount"):
        raise ScoringError("churn:1 failed to answer: ValueError: Input X contains NaN.")
    return answering(rows)


def test_a_refusal_is_as_good_as_an_answer_unless_the_suite_says_otherwise():
    assert of("missing_values", refusing).status == "passed"
    strict = of("missing_values", refusing, may_refuse=False)
    assert strict.status == "failed"
    assert "ValueError: Input X contains NaN" in strict.sentence


def test_gaps_that_occur_in_the_data_must_be_answered():
    columns = COLUMNS | {"amount": pa.array([None, *([1.0] * (ROWS - 1))])}
    found = outcome_of("missing_values", "binary", TRUTH, columns=columns, answer=refusing)
    assert found.status == "failed"


@pytest.mark.parametrize(
    "error",
    [OutOfTime("it hangs"), OutOfMemory("it swells"), ScoringError("churn:1 crashed when it was to answer")],
)
def test_breaking_down_is_no_refusal(error):
    def answer(rows):
        if is_empty(rows, "word"):
            raise error
        return answering(rows)

    found = of("missing_values", answer)
    assert found.status == "failed"
    assert "broke down" in found.sentence


def test_an_artefact_that_refuses_everything_does_so_with_a_sentence():
    def answer(rows):
        if any(is_empty(rows, name) for name in rows.column_names):
            raise ScoringError("no")
        return answering(rows)

    assert (
        of("missing_values", answer).sentence == "It refuses missing values in every column, with an error."
    )


def by_position(rows):
    if pa.types.is_string(rows.schema.field(0).type):
        raise ScoringError("could not convert string to float")
    return Predictions(np.asarray(rows.column(0).to_numpy(), dtype=float))


def by_name(rows):
    return Predictions(rows["amount"].to_numpy() + 1e-9 * rows["count"].to_numpy())


def test_going_by_position_fails_and_going_by_name_passes():
    found = of("column_order", by_position, problem="regression")
    assert found.status == "failed"
    assert "by position, not by name" in found.sentence
    assert of("column_order", by_name, problem="regression").status == "passed"


def test_numbers_are_swapped_among_themselves_also_where_words_would_be_refused():
    def answer(rows):
        if not pa.types.is_string(rows.schema.field(2).type):
            raise ScoringError("could not convert string to float")
        return by_position(rows)

    assert of("column_order", answer, problem="regression").status == "failed"


def test_refusing_another_order_passes():
    def answer(rows):
        if rows.column_names != list(COLUMNS):
            raise ScoringError("feature names should match those that were passed during fit")
        return by_position(rows)

    found = of("column_order", answer, problem="regression")
    assert found.status == "passed"
    assert "refuses" in found.sentence
    assert "feature names" in found.evidence["trace"][0]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda rows: Predictions(rows["amount"].to_numpy()), "passed"),
        (lambda rows: Predictions(np.cumsum(rows["amount"].to_numpy())), "failed"),
        (lambda rows: Predictions(rows["amount"].to_numpy() - rows["amount"].to_numpy().mean()), "failed"),
        (lambda rows: Predictions(np.sort(rows["amount"].to_numpy())), "failed"),
        (lambda rows: Predictions(np.full(rows.num_rows, np.nan)), "passed"),
        (lambda rows: Predictions(np.arange(rows.num_rows).astype(str).astype(object)), "failed"),
    ],
)
def test_an_answer_that_depends_on_the_other_rows_fails(answer, status):
    assert of("row_order", answer, problem="regression").status == status


def test_the_largest_difference_is_a_share_of_the_spread_of_the_answers():
    def answer(rows):
        values = rows["amount"].to_numpy().copy()
        values[0] += 0.8  # the first of whatever comes
        return Predictions(values)

    found = of("row_order", answer, problem="regression")
    first = answer(pa.table(COLUMNS)).prediction
    assert found.figure == pytest.approx(0.8 / np.ptp(first))


def test_the_95th_percentile_of_the_requests_is_held_to_the_objective():
    times = np.random.default_rng(1).gamma(2.0, 12.0, 100)
    asked = []

    def answer(rows, request_rows, requests):
        asked.append((rows.num_rows, request_rows, requests))
        return times

    found = of("latency", answer, request_rows=5)
    assert asked[0] == (ROWS, 5, 100)
    assert found.figure == pytest.approx(np.percentile(times, 95))
    assert (found.limit, found.status) == (50.0, "failed" if np.percentile(times, 95) > 50 else "passed")
    assert of("latency", answer, objective_ms=float(times.max())).status == "passed"
    assert of("latency", answer, objective_ms=float(np.median(times))).status == "failed"


def test_one_column_has_no_order():
    with pytest.raises(NotJudged, match="one input column alone"):
        outcome_of("column_order", "binary", TRUTH, answer=answering)


def test_a_round_on_a_busy_machine_is_repeated_and_the_fastest_counts():
    rounds = iter([np.full(100, 90.0), np.full(100, 20.0)])
    found = of("latency", lambda rows, request_rows, requests: next(rounds))
    assert (found.status, found.figure) == ("passed", 20.0)
    slow = iter([np.full(100, 90.0), np.full(100, 80.0), np.full(100, 85.0)])
    found = of("latency", lambda rows, request_rows, requests: next(slow))
    assert (found.status, found.figure) == ("failed", 80.0)
