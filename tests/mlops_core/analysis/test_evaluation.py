import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import metrics

from mlops_core.analysis.evaluation import evaluate
from mlops_core.domain.errors import InvalidInput

RNG = np.random.default_rng(17)
N = 4000
SCORE = RNG.beta(1, 3, N)
TARGET = (RNG.random(N) < SCORE).astype(int)
DAYS = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(RNG.integers(0, 28, N), unit="D")
FRAME = pd.DataFrame(
    {
        "at": DAYS,
        "y": np.where(RNG.random(N) < 0.1, np.nan, TARGET),
        "score": SCORE,
        "label": (SCORE > 0.4).astype(int),
        "region": RNG.choice(["n", "s", "e"], N),
        "value": RNG.normal(10, 3, N),
        "kind": RNG.choice(["a", "b", "c"], N),
    }
)
FRAME["guess"] = np.where(RNG.random(N) < 0.5, FRAME["kind"], "a")
FRAME["forecast"] = FRAME["value"] + RNG.normal(0, 1, N)


def assert_binary_metrics_are_those_of_scikit_learn(found, rows):
    known = rows[rows["y"].notna()]
    assert found.rows == len(known)
    assert found.rows_without_outcome == len(rows) - len(known)
    assert found.outcomes_share == pytest.approx(len(known) / len(rows))
    y, p, label = known["y"], known["score"], known["label"]
    expected = {
        "accuracy": metrics.accuracy_score(y, label),
        "f1": metrics.f1_score(y, label),
        "recall": metrics.recall_score(y, label),
        "log_loss": metrics.log_loss(y, p),
        "brier": metrics.brier_score_loss(y, p),
    }
    for name, value in expected.items():
        assert found.metrics[name] == pytest.approx(value)
    assert found.metrics["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, p), abs=0.002)
    assert found.metrics["average_precision"] == pytest.approx(
        metrics.average_precision_score(y, p), abs=0.004
    )


def test_each_week_and_each_segment_has_the_metrics_of_scikit_learn():
    found = evaluate(
        FRAME,
        target="y",
        prediction="label",
        score="score",
        segments=["region"],
        timestamp="at",
        every="week",
    )
    assert found.problem == "binary"
    weeks = FRAME["at"].dt.tz_localize(None).dt.to_period("W-SUN").dt.start_time
    assert [chunk.start.replace(tzinfo=None) for chunk in found.chunks] == sorted(weeks.unique())
    for chunk in found.chunks:
        rows = FRAME[weeks == chunk.start.replace(tzinfo=None)]
        assert_binary_metrics_are_those_of_scikit_learn(chunk.measured, rows)
        assert set(chunk.segments["region"]) == {"n", "s", "e"}
        for value, measured in chunk.segments["region"].items():
            assert_binary_metrics_are_those_of_scikit_learn(measured, rows[rows["region"] == value])


def test_without_time_there_is_one_chunk():
    found = evaluate(FRAME, target="y", prediction="label", score="score")
    (chunk,) = found.chunks
    assert (chunk.start, chunk.end) == (None, None)
    assert_binary_metrics_are_those_of_scikit_learn(chunk.measured, FRAME)
    for name, (lower, upper) in chunk.measured.intervals.items():
        assert lower <= chunk.measured.metrics[name] <= upper


def test_a_regression_and_several_classes_are_guessed_and_measured():
    numbers = evaluate(FRAME, target="value", prediction="forecast")
    assert numbers.problem == "regression"
    assert "hold numbers" in numbers.guessed
    expected = metrics.r2_score(FRAME["value"], FRAME["forecast"])
    assert numbers.chunks[0].measured.metrics["r_squared"] == pytest.approx(expected)
    classes = evaluate(FRAME, target="kind", prediction="guess")
    assert classes.problem == "multiclass"
    expected = metrics.f1_score(FRAME["kind"], FRAME["guess"], average="macro")
    assert classes.chunks[0].measured.metrics["f1_macro"] == pytest.approx(expected)


def test_a_prediction_that_is_no_label_counts_as_a_score():
    found = evaluate(FRAME, target="y", prediction="score")
    assert found.problem == "binary"
    known = FRAME[FRAME["y"].notna()]
    expected = metrics.brier_score_loss(known["y"], known["score"])
    assert found.chunks[0].measured.metrics["brier"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "options"),
    [(("no", "yes"), {}), ((False, True), {}), (("good", "bad"), {"positive": "bad"}), ((0.0, 1.0), {})],
)
def test_binary_labels_of_any_kind_give_the_same(labels, options):
    frame = pd.DataFrame(
        {"y": np.array(labels, dtype=object)[TARGET], "p": np.array(labels, dtype=object)[(SCORE > 0.4) * 1]}
    )
    found = evaluate(frame.infer_objects(), target="y", prediction="p", **options).chunks[0].measured
    assert found.metrics["f1"] == pytest.approx(metrics.f1_score(TARGET, SCORE > 0.4))
    assert found.reasons["roc_auc"] == "no score"


def test_one_class_gives_null_and_the_reason():
    found = evaluate(pd.DataFrame({"y": [0, 0, 0], "s": [0.1, 0.2, 0.7]}), target="y", score="s")
    document = found.to_dict()["chunks"][0]
    assert document["metrics"]["roc_auc"] is None
    assert document["intervals"]["roc_auc"] == [None, None]
    assert document["reasons"]["roc_auc"] == "one class only"
    assert document["metrics"]["brier"] == pytest.approx((0.01 + 0.04 + 0.49) / 3)


def test_a_chunk_without_outcomes_says_so():
    frame = pd.DataFrame(
        {
            "at": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-02-01"]),
            "y": [1.0, 0.0, None],
            "s": [0.8, 0.1, 0.3],
        }
    )
    found = evaluate(frame, target="y", score="s", timestamp="at", every="month")
    first, second = (chunk.measured for chunk in found.chunks)
    assert (first.rows, first.outcomes_share, second.rows, second.outcomes_share) == (2, 1.0, 0, 0.0)
    assert second.reasons["brier"] == "no outcome yet"


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"y": [0, 1, 1], "s": [0.1, 0.2, 1.3]},
            {"score": "s"},
            r"row 3 of column 's' holds 1.3, outside \[0, 1\]",
        ),
        ({"y": [0, 1]}, {"score": "s"}, "has no column 's': it has y"),
        ({"y": [0, 1]}, {}, "name a prediction or a score column"),
        ({"y": [None, None], "s": [0.1, 0.2]}, {"score": "s"}, "column 'y' holds no value"),
        ({"y": [], "s": []}, {"score": "s"}, "no rows"),
        ({"y": ["a", "b"], "s": [0.1, 0.2]}, {"score": "s"}, "--positive LABEL"),
        ({"y": ["a", "b"], "s": [0.1, 0.2]}, {"score": "s", "positive": "c"}, "has no label 'c'"),
        ({"y": ["a", "b", "c"], "p": [1, 2, 3]}, {"prediction": "p"}, "give both the same labels"),
        ({"y": ["a", "b"], "p": ["a", "b"]}, {"prediction": "p", "problem": "regression"}, "not numbers"),
        ({"y": [1, 2, 3], "s": [0.1, 0.2, 0.3]}, {"score": "s"}, "a binary target has two labels"),
        (
            {"y": ["yes", "no"], "p": ["1", "0"]},
            {"prediction": "p", "problem": "binary"},
            "encode both alike",
        ),
        ({"y": [1, 0], "p": [1, 0]}, {"prediction": "p", "problem": "ranking"}, "'ranking' is unknown"),
        ({"y": [1, 0], "p": [1, 0]}, {"prediction": "y"}, "named twice"),
        (
            {"y": [1, 0], "p": [1, 0], "at": ["2026-01-01", "soon"]},
            {"prediction": "p", "timestamp": "at", "every": "day"},
            "row 2: column 'at' holds 'soon'",
        ),
        (
            {"y": [1, 0], "p": [1, 0], "at": pd.to_datetime(["2026-01-01", None])},
            {"prediction": "p", "timestamp": "at", "every": "day"},
            "column 'at' holds no time",
        ),
        ({"y": [1, 0], "p": [1, 0], "at": [1, 2]}, {"prediction": "p", "timestamp": "at"}, "go together"),
        (
            {"y": [str(n) for n in range(10_000)], "p": ["1"] * 10_000},
            {"prediction": "p"},
            "are more than 1,000: group the rare ones",
        ),
        (
            {"y": [1, 0] * 600, "p": [1, 0] * 600, "id": list(range(1200))},
            {"prediction": "p", "segments": ["id"]},
            "segment column 'id' has more than 1,000 values",
        ),
    ],
)
def test_bad_input_is_refused_with_a_clear_message(columns, options, message):
    with pytest.raises(InvalidInput, match=message):
        evaluate(pd.DataFrame(columns), target="y", **options)


def test_the_frame_has_a_row_for_each_metric_and_segment():
    found = evaluate(FRAME, target="y", score="score", segments=["region"])
    frame = found.to_frame()
    assert set(frame["value"].dropna()) == {"n", "s", "e"}
    assert len(frame) == 4 * len(found.chunks[0].measured.metrics)
    assert "roc_auc" in repr(found)


def test_an_arrow_table_gives_the_same_as_the_frame():
    table = pa.Table.from_pandas(FRAME)
    first = evaluate(table, target="y", score="score").to_dict()
    assert first == evaluate(FRAME, target="y", score="score").to_dict()


@pytest.mark.parametrize("column", [[1e300, -1e300], [0.5, 0.25]])
def test_two_numbers_that_are_no_labels_are_a_regression(column):
    found = evaluate(pd.DataFrame({"y": column, "p": column[::-1]}), target="y", prediction="p")
    assert found.problem == "regression"
