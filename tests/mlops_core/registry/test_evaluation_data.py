from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlmodel import select

from mlops_core.domain import AuditEvent
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import ProblemType, Role
from mlops_core.registry import read_snapshot, register_version, store_evaluation_data, take_snapshot
from mlops_core.registry.evaluation_data import check_evaluation
from tests.factories import COLUMNS, new_model, person, population
from tests.mlops_core.registry.test_new_version import handed_over

START = datetime(2024, 12, 18, tzinfo=UTC)
FRAME = population(200, start=START, days=10).assign(outcome=lambda frame: frame["answer"])


def table(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture
def store(workspace, scientist):
    return lambda rows, name="churn-risk": store_evaluation_data(workspace, scientist, name, rows)


def test_the_rows_come_back_as_they_were_and_in_their_order(workspace, store):
    new_model(workspace)
    shuffled = FRAME.sample(frac=1.0, random_state=1)
    snapshot = store(table(shuffled))
    found = read_snapshot(workspace, snapshot)
    assert found["customer"].to_pylist() == shuffled["customer"].tolist()
    assert found["outcome"].to_pylist() == shuffled["answer"].astype(int).tolist()
    assert (snapshot.table_name, snapshot.rows) == ("evaluation/churn-risk", 200)


def test_the_same_rows_are_the_same_snapshot_and_others_are_another(workspace, store):
    new_model(workspace)
    holes = FRAME.assign(income=FRAME["income"].where(FRAME["age"] > 30))
    holed = table(holes).set_column(0, "tenure_nan", pa.array(np.where(FRAME["age"] > 30, 1.0, np.nan)))
    first = store(holed)
    assert store(holed).id == first.id  # NaN and null among them
    assert store(holed.take(list(range(199, -1, -1)))).id != first.id
    assert store(holed).id == first.id
    assert store(table(holes.drop(columns="amount"))).id != first.id  # other columns of the same table
    assert workspace.warehouse.version("evaluation/churn-risk") == 2


@pytest.mark.parametrize(
    ("problem", "outcome", "stored"),
    [
        (ProblemType.BINARY, [True, False], [1, 0]),
        (ProblemType.BINARY, [1, 0], [1, 0]),
        (ProblemType.BINARY, [1.0, 0.0], [1, 0]),
        (ProblemType.MULTICLASS, ["a", "b"], ["a", "b"]),
        (ProblemType.MULTICLASS, [3, 5], ["3", "5"]),
        (ProblemType.REGRESSION, [3, 5], [3.0, 5.0]),
    ],
)
def test_an_outcome_is_stored_in_the_type_of_its_problem(workspace, lead, store, problem, outcome, stored):
    make_model(workspace, lead, problem)
    snapshot = store(pa.table({"x": [1.0, 2.0], "outcome": outcome}), "any")
    found = read_snapshot(workspace, snapshot, ["outcome"])["outcome"].to_pylist()
    assert found == stored
    assert [type(value) for value in found] == [type(value) for value in stored]


@pytest.mark.parametrize(
    ("problem", "outcome", "words"),
    [
        (ProblemType.BINARY, [1, 2], "an outcome of a binary model is 0 or 1, not 2"),
        (ProblemType.BINARY, [0.0, 0.5], "not 0.5"),
        (ProblemType.BINARY, ["yes", "no"], "is a number, not string"),
        (ProblemType.BINARY, [1, None], "1 rows have no outcome"),
        (ProblemType.MULTICLASS, ["a", None], "1 rows have no outcome"),
        (ProblemType.REGRESSION, [1.0, float("nan")], "not a finite number"),
        (ProblemType.REGRESSION, [1.0, float("inf")], "not a finite number"),
        (ProblemType.REGRESSION, pa.array([], pa.float64()), "have no rows"),
    ],
)
def test_an_outcome_that_does_not_fit_the_problem_is_refused(workspace, lead, store, problem, outcome, words):
    make_model(workspace, lead, problem)
    rows = pa.table({"outcome": outcome})
    with pytest.raises(InvalidInput, match=words):
        store(rows, "any")
    assert not workspace.warehouse.exists("evaluation/any")


def make_model(workspace, lead, problem):
    from mlops_core.registry import create_model

    return create_model(
        workspace,
        lead,
        name="any",
        description="",
        owner=lead,
        problem_type=problem,
        primary_metric=None,
        latency_objective_ms=50.0,
        cadence_hours=24.0,
    )


@pytest.mark.parametrize("column", ["region", "outcome"])
def test_rows_without_a_segment_or_an_outcome_are_refused(workspace, store, column):
    new_model(workspace)
    with pytest.raises(InvalidInput, match=f"lacks {column}"):
        store(table(FRAME.drop(columns=column)))


def test_a_model_that_does_not_exist_gets_no_evaluation_data(store):
    with pytest.raises(NotFound, match="no model 'none'"):
        store(table(FRAME), "none")


def test_who_only_looks_on_may_not_store_evaluation_data(workspace):
    new_model(workspace)
    with pytest.raises(NotPermitted):
        store_evaluation_data(workspace, person(workspace, Role.EXECUTIVE), "churn-risk", table(FRAME))


@pytest.mark.parametrize("column", [*COLUMNS, "region", "outcome"])
def test_a_version_is_not_registered_with_an_evaluation_snapshot_that_lacks_a_column(
    workspace, scientist, column
):
    new_model(workspace)
    new = handed_over(workspace, scientist)
    workspace.warehouse.append("other", table(FRAME.drop(columns=column)), actor="me")
    snapshot = take_snapshot(workspace, scientist, "other")
    with pytest.raises(InvalidInput, match=f"evaluation snapshot other@0 .* lacks {column}"):
        register_version(workspace, scientist, "churn-risk", replace(new, evaluation=snapshot))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (FRAME.iloc[:10], ["has 10 rows alone"]),
        (FRAME[FRAME["answer"] == 1.0].iloc[:60], ["every outcome of .* is 1"]),
        (FRAME[FRAME["answer"] == 0.0].iloc[:3], ["has 3 rows alone", "every outcome of .* is 0"]),
        (FRAME, []),
    ],
)
def test_few_rows_or_one_class_are_accepted_with_a_warning_in_the_audit_log(
    workspace, scientist, store, rows, words
):
    new_model(workspace)
    new = replace(handed_over(workspace, scientist), evaluation=store(table(rows)))
    register_version(workspace, scientist, "churn-risk", new)
    with workspace.store.read() as session:
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    warnings = event.details.get("warnings", [])
    assert len(warnings) == len(words)
    for warning, expected in zip(warnings, words, strict=True):
        assert pd.Series([warning]).str.contains(expected, regex=True).all()


def test_a_protected_attribute_that_the_rows_lack_is_named(workspace, store):
    model = new_model(workspace)
    snapshot = store(table(FRAME))
    assert check_evaluation(workspace, model, snapshot, COLUMNS, ["region"]) == []
    (warning,) = check_evaluation(workspace, model, snapshot, COLUMNS, ["region", "sex"])
    assert "lacks the protected attributes sex" in warning
