"""How many evaluation rows are training rows, in DuckDB, against a loop in Python."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_core.domain.states import ProblemType, Role
from mlops_core.features import create_entity
from mlops_core.version_tests import results_of, run_tests, set_test
from mlops_core.version_tests.builtin.catalogue import BUILT_IN
from mlops_core.version_tests.builtin.overlap import _same_sql
from mlops_core.warehouse import warehouse_sql
from tests.factories import person
from tests.mlops_core.version_tests.candidates import NAMES, START, add_version, cases, honest

BINARY = ProblemType.BINARY
VALUES = st.tuples(
    st.sampled_from([None, 0.0, 1.5, -2.0]),
    st.sampled_from([None, "a", "b", 'quo"te']),
    st.sampled_from([0, 1]),
)


@settings(max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=30), st.lists(VALUES, max_size=30))
def test_rows_are_the_same_when_every_value_is_missing_ones_included(tmp_path_factory, evaluation, training):
    import pyarrow.parquet as pq

    folder, names = tmp_path_factory.mktemp("rows"), ["net spend", 'odd"name', "outcome"]
    kinds = [pa.float64(), pa.string(), pa.int64()]
    files = {}
    for name, rows in (("evaluation", evaluation), ("training", training)):
        columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
        table = pa.table(
            {title: pa.array(column, kind) for title, column, kind in zip(names, columns, kinds, strict=True)}
        )
        pq.write_table(table, folder / f"{name}.parquet")
        files[name] = [str(folder / f"{name}.parquet")]
    with warehouse_sql() as connection:
        by_key = connection.execute(_same_sql(names, told_apart=True), files).fetchone()
        by_value = connection.execute(_same_sql(names, told_apart=False), files).fetchone()
    assert by_key == (sum(row in training for row in evaluation), len(evaluation))
    once = [row for row in evaluation if evaluation.count(row) == 1]
    assert by_value == (sum(training.count(row) == 1 for row in once), len(once))


@pytest.fixture(scope="module")
def overlap(department):
    """Run the one test on a version, the others switched off, and return its result."""
    lead, name = person(department, Role.LEAD), NAMES[BINARY]
    create_entity(department, lead, name="customer", key_column="customer", description="A customer")
    for test in BUILT_IN:
        set_test(department, lead, name, test, enabled=test == "training_rows")

    def overlap(train, evaluation):
        number = add_version(department, BINARY, honest(BINARY), train=train, evaluation=evaluation)
        run = run_tests(department, lead, name, number)
        return {one.test: one for one in results_of(department, run.id)}["training_rows"]

    return overlap


def keyed(seed, first):
    frame = cases(BINARY, rows=400, seed=seed)
    times = pd.date_range(START, periods=2, freq="7D")[np.arange(400) % 2]
    return frame.assign(customer=np.arange(first, first + 400) // 2, as_of=times)


def test_with_a_key_and_a_time_rows_are_told_apart_by_these_alone(overlap):
    result = overlap(keyed(1, 0), keyed(2, 320))
    assert (result.status, result.figure) == ("failed", pytest.approx(80 / 400))
    assert result.sentence == "20.0% of 400 evaluation rows are training rows (by customer and as_of)."


def test_another_time_of_the_same_entity_is_another_row(overlap):
    later = keyed(2, 0).assign(as_of=lambda frame: frame["as_of"] + pd.Timedelta(days=70))
    result = overlap(keyed(1, 0), later)
    assert (result.status, result.figure) == ("passed", 0.0)


def test_rows_that_cannot_be_told_apart_are_not_judged(overlap):
    alike = cases(BINARY, rows=400, seed=3).assign(income=50.0, age=40, tenure=1.0)
    result = overlap(alike, alike)
    assert result.status == "skipped"
    assert "told apart: give both tables the key of an entity and as_of" in result.sentence


def test_rows_that_many_share_are_no_sign_of_training(overlap):
    frame, idle = (
        cases(BINARY, rows=400, seed=5),
        {"income": 0.0, "age": 18, "tenure": 0.0, "region": "north"},
    )
    fresh = cases(BINARY, rows=400, seed=6)
    for rows in (frame, fresh):
        rows.loc[:80, list(idle)] = list(idle.values())
    assert overlap(frame, fresh).status == "passed"


def test_without_training_outcomes_all_inputs_decide(overlap):
    frame = cases(BINARY, rows=400, seed=4)
    result = overlap(frame.drop(columns="outcome").assign(answer=0), frame)
    assert (result.status, result.figure) == ("failed", 1.0)
    assert result.sentence.endswith("(by all inputs).")
