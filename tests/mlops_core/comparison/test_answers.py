import numpy as np
import pyarrow as pa
import pytest

from mlops_core.comparison.answers import pair_answers
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.scoring import Predictions

OUTCOMES = pa.table({"outcome": [0, 1, 1, 0], "key": [10, 11, 12, 13]})


def paired(problem, table, mine, theirs, score=None):
    first = Predictions(np.asarray(mine), score=score)
    second = Predictions(np.asarray(theirs))
    return pair_answers(problem, table, ("churn:2", first), ("churn:1", second))


def test_a_score_of_a_half_and_more_is_a_predicted_one():
    found = paired(ProblemType.BINARY, OUTCOMES, [0.4999, 0.5, 0.9, 0.1], [0.2, 0.3, 0.4, 0.6])
    assert found.rows.challenger.labels.tolist() == [0, 1, 1, 0]
    assert found.rows.champion.labels.tolist() == [0, 0, 0, 1]
    assert found.rows.outcomes.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert found.notes == ()


def test_zeros_and_ones_are_labels_with_the_score_that_came_along():
    found = paired(
        ProblemType.BINARY, OUTCOMES, [0, 1, 1, 0], [0, 1, 0, 0], score=np.array([0.1, 0.4, 0.9, 0.2])
    )
    assert found.rows.challenger.labels.tolist() == [0, 1, 1, 0]
    assert found.rows.challenger.numbers.tolist() == [0.1, 0.4, 0.9, 0.2]
    assert found.rows.champion.numbers is None
    assert found.notes == ("churn:1 answers with labels alone: metrics of probabilities left out",)


def test_classes_meet_by_their_text():
    table = pa.table({"outcome": ["1", "2", "10", "2"]})
    found = paired(ProblemType.MULTICLASS, table, [1, 2, 2, 2], np.array(["1", "3", "10", "2"]))
    assert found.classes == ("1", "10", "2", "3")
    assert [found.classes[int(one)] for one in found.rows.outcomes] == ["1", "2", "10", "2"]
    assert [found.classes[one] for one in found.rows.challenger.labels] == ["1", "2", "2", "2"]
    assert [found.classes[one] for one in found.rows.champion.labels] == ["1", "3", "10", "2"]


def test_rows_without_an_outcome_or_an_answer_of_the_champion_are_left_out():
    table = pa.table({"outcome": [1.5, None, 2.5, 3.5], "key": [10, 11, 12, 13]})
    found = paired(ProblemType.REGRESSION, table, [1.0, np.nan, 2.0, 3.0], [1.0, 1.0, np.inf, 4.0])
    assert found.table["key"].to_pylist() == [10, 13]
    assert found.rows.champion.numbers.tolist() == [1.0, 4.0]
    assert found.notes == (
        "1 row without an outcome left out",
        "1 row for which churn:1 has no answer left out",
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "message"),
    [
        ([0.1, np.nan, np.nan, 0.2], [0.1] * 4, r"churn:2 has no answer .* for 2 of 4 rows, first for row 2"),
        ([0.1] * 4, [np.nan] * 4, "churn:1 answers none of the rows"),
        ([0.1, 0.2, 1.2, 0.3], [0.1] * 4, "churn:2 predicts 1.2, no probability"),
        ([0.1] * 4, [0.1, 0.2, -3.0, 0.3], "churn:1 predicts -3, no probability"),
        ([0.1] * 3, [0.1] * 4, "churn:2 has 3 predictions for 4 rows"),
        (np.array(["a", "b", "c", "d"]), [0.1] * 4, "the predictions of churn:2 holds string"),
    ],
)
def test_answers_that_cannot_be_measured_are_refused(mine, theirs, message):
    with pytest.raises(InvalidInput, match=message):
        paired(ProblemType.BINARY, OUTCOMES, mine, theirs)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"label": [1, 0]}), "no column 'outcome'"),
        (pa.table({"outcome": [0, 2]}), "holds values beside 0 and 1"),
        (pa.table({"outcome": pa.array([None, None], pa.int64())}), "no row has an outcome"),
    ],
)
def test_a_snapshot_without_usable_outcomes_is_refused(table, message):
    with pytest.raises(InvalidInput, match=message):
        paired(ProblemType.BINARY, table, [0.1, 0.2], [0.1, 0.2])
