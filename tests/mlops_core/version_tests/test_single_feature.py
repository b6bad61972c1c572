import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets

from mlops_core.version_tests import NotJudged
from tests.mlops_core.version_tests.given import outcome_of


def found_in(found):
    return {row[0]: row[1] for row in found.evidence["rows"]}


@pytest.mark.parametrize(
    ("load", "problem"),
    [
        (datasets.load_breast_cancer, "binary"),
        (datasets.load_iris, "multiclass"),
        (datasets.load_wine, "multiclass"),
        (datasets.load_diabetes, "regression"),
    ],
)
def test_strong_honest_features_of_real_data_pass(load, problem):
    values, truth = load(return_X_y=True)
    columns = {f"x{place}": values[:, place] for place in range(values.shape[1])}
    truth = truth.astype(str) if problem == "multiclass" else truth
    found = outcome_of("single_feature", problem, truth, columns=columns)
    assert found.status == "passed", found.sentence


def noise(rows=900, seed=1):
    return np.random.default_rng(seed).normal(size=rows)


def test_a_column_that_says_nothing_is_worth_nothing():
    truth = np.random.default_rng(2).integers(0, 2, 900)
    words = np.random.default_rng(3).choice(list("abcdefgh"), 900)
    found = found_in(outcome_of("single_feature", "binary", truth, columns={"x": noise(), "word": words}))
    assert found["x"] == pytest.approx(0.5, abs=0.08)
    assert found["word"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", ["number", "hump", "word", "gap", "time"])
def test_a_leak_is_found_whatever_it_looks_like(problem, kind):
    random = np.random.default_rng(4)
    label = random.integers(0, 2, 900)
    truth = {
        "binary": label,
        "multiclass": np.array(["no", "yes"])[label],
        "regression": label * 100.0,
    }[problem]
    leak = {
        "number": label * 10 + random.normal(0, 0.5, 900),
        "hump": np.where(label == 1, random.normal(0, 0.1, 900), random.choice([-9.0, 9.0], 900)),
        "word": np.where(label == 1, "closed by customer", "open"),
        "gap": pa.array([1.0 if one else None for one in label]),
        "time": pa.array(
            label * 86_400_000_000 + random.integers(0, 1_000, 900), pa.timestamp("us", tz="UTC")
        ),
    }[kind]
    found = outcome_of("single_feature", problem, truth, columns={"x": noise(), "leak": leak})
    assert found.status == "failed"
    assert found.sentence.startswith("leak alone predicts the outcome")
    assert list(found_in(found)) == ["leak", "x"]


def test_an_exempt_column_is_not_looked_at():
    truth = np.random.default_rng(5).integers(0, 2, 300)
    columns = {"x": noise(300), "leak": truth.astype(float)}
    found = outcome_of("single_feature", "binary", truth, columns=columns, exempt="leak, other")
    assert (found.status, list(found_in(found))) == ("passed", ["x"])


def test_a_column_of_nothing_but_gaps_is_worth_nothing():
    truth = np.random.default_rng(6).integers(0, 2, 300)
    columns = {"x": noise(300), "empty": pa.nulls(300, pa.float64()), "blank": pa.nulls(300, pa.string())}
    found = outcome_of("single_feature", "binary", truth, columns=columns)
    assert found.status == "passed"
    assert found_in(found)["empty"] == found_in(found)["blank"] == 0.5


def test_many_rows_are_sampled_always_alike():
    truth = np.random.default_rng(7).integers(0, 2, 3_000)
    columns = {"x": noise(3_000) + truth}
    first = outcome_of("single_feature", "binary", truth, columns=columns, rows=500)
    again = outcome_of("single_feature", "binary", truth, columns=columns, rows=500)
    assert first.figure == again.figure
    assert first.evidence["facts"]["rows"] == 500


def test_a_class_with_one_row_alone_does_not_break_it():
    truth = np.array(["a", "b"] * 60 + ["rare"])
    assert outcome_of("single_feature", "multiclass", truth, columns={"x": noise(121)}).status == "passed"


def test_too_few_rows_or_one_outcome_are_not_judged():
    with pytest.raises(NotJudged, match="50 rows"):
        outcome_of("single_feature", "binary", np.tile([0, 1], 10))
    with pytest.raises(NotJudged, match="more than one outcome"):
        outcome_of("single_feature", "binary", np.zeros(200, dtype=int))
