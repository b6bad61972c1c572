from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from mlops_core.domain import AuditEvent, OutcomeSlice
from mlops_core.domain.errors import InvalidInput, NotFound, SchemaMismatch
from mlops_core.domain.states import ProblemType
from mlops_core.features import store_training_data
from mlops_core.monitoring import Logged, log_outcomes, log_predictions, monitor_model
from mlops_core.registry import CommitState, NewVersion, create_model, register_version
from mlops_core.slices import decode_outcomes
from mlops_core.warehouse import Warehouse
from mlops_core.warehouse.keys import KeyIndex
from tests.factories import NOW, champion, new_model, population, system

START = datetime(2025, 3, 3, tzinfo=UTC)


@pytest.fixture
def churn(workspace):
    return champion(workspace)


@pytest.fixture
def rows():
    return population(20, start=START, days=1)


def changed(table, **columns):
    frame = table.to_pandas().assign(**columns)
    return pa.Table.from_pandas(frame, preserve_index=False)


def log(workspace, rows, number=1):
    return log_predictions(workspace, system(workspace), "churn-risk", number, rows)


def tell(workspace, rows, name="churn-risk"):
    return log_outcomes(workspace, system(workspace), name, rows)


def test_predictions_are_kept_with_the_version_that_made_them(workspace, churn, rows):
    batch = churn.predictions(rows)
    assert log(workspace, batch).version == 0
    kept = workspace.warehouse.read("predictions/churn-risk")
    assert kept.drop_columns(["model_version"]).equals(
        batch.cast(kept.drop_columns(["model_version"]).schema)
    )
    assert set(kept["model_version"].to_pylist()) == {1}


def test_outcomes_are_kept_as_numbers(workspace, churn, rows):
    outcomes = churn.outcomes(rows, known_at=NOW)
    tell(workspace, outcomes.set_column(1, "outcome", outcomes["outcome"].cast(pa.bool_())))
    kept = workspace.warehouse.read("outcomes/churn-risk")
    assert kept["outcome"].to_pylist() == rows["answer"].tolist()


def test_logging_is_audited_with_the_version_that_holds_the_rows(workspace, churn, rows):
    log(workspace, churn.predictions(rows))
    version = log(workspace, churn.predictions(rows, prefix="q")).version
    with workspace.store.read() as session:
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.action, event.details) == ("predictions.logged", {"rows": 20, "version": version})


@pytest.mark.parametrize(
    "column", ["prediction_id", "predicted_at", "prediction", "latency_ms", "income", "region"]
)
def test_predictions_that_lack_a_column_are_refused(workspace, churn, rows, column):
    with pytest.raises(InvalidInput, match=f"predictions of churn-risk lack {column}"):
        log(workspace, churn.predictions(rows).drop_columns([column]))
    assert not workspace.warehouse.exists("predictions/churn-risk")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prediction": 1.5}, "between 0 and 1, got 1.5"),
        ({"prediction": "yes"}, "'prediction' .* holds .*, not numbers"),
        ({"latency_ms": "fast"}, "'latency_ms' .* not numbers"),
        ({"income": "rich"}, "'income' .* not numbers"),
        ({"region": 0.5}, "'region' .* not text"),
        ({"predicted_at": "today"}, "'predicted_at' .* not times"),
        ({"predicted_at": pd.Timestamp("2025-03-03")}, "without a time zone"),
        ({"predicted_at": pd.NaT}, "rows without predicted_at"),
        ({"prediction_id": None}, "rows without prediction_id"),
        ({"prediction_id": 0.5}, "'prediction_id' .* not text"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_first_batch_that_no_run_could_count_is_refused(workspace, churn, rows, wrong, message):
    with pytest.raises(InvalidInput, match=message):
        log(workspace, changed(churn.predictions(rows), **wrong))
    assert not workspace.warehouse.exists("predictions/churn-risk")


@pytest.mark.parametrize("year", [1, 1969, 2126, 9999])
def test_a_time_that_cannot_be_is_refused_with_its_row(workspace, churn, rows, year):
    batch = churn.predictions(rows)
    moments = batch["predicted_at"].to_pylist()
    moments[3] = datetime(year, 11, 20, tzinfo=UTC)
    place = batch.column_names.index("predicted_at")
    wrong = batch.set_column(place, "predicted_at", pa.array(moments, pa.timestamp("us", "UTC")))
    with pytest.raises(InvalidInput, match=r"'predicted_at' .* in row 4, before 1970 or in the future"):
        log(workspace, wrong)
    assert not workspace.warehouse.exists("predictions/churn-risk")


def test_a_later_batch_of_other_types_or_columns_is_refused(workspace, churn, rows):
    log(workspace, churn.predictions(rows))
    batch = churn.predictions(rows, prefix="q")
    with pytest.raises(SchemaMismatch, match="lacks column 'customer'"):
        log(workspace, batch.drop_columns(["customer"]))
    with pytest.raises(SchemaMismatch, match="no column 'typo'"):
        log(workspace, changed(batch, typo=1))
    with pytest.raises(SchemaMismatch, match="column 'age' of table 'predictions/churn-risk' holds int64"):
        log(workspace, changed(batch, age=1.5))
    assert workspace.warehouse.version("predictions/churn-risk") == 0


@pytest.mark.parametrize("column", ["prediction_id", "outcome", "known_at"])
def test_outcomes_that_lack_a_column_are_refused(workspace, churn, rows, column):
    with pytest.raises(InvalidInput, match=f"outcomes of churn-risk lack {column}"):
        tell(workspace, churn.outcomes(rows, known_at=NOW).drop_columns([column]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"outcome": 2.0}, "must be 0 or 1, got 2"),
        ({"outcome": "yes"}, "must be numbers"),
        ({"known_at": pd.NaT}, "rows without known_at"),
        ({"known_at": "today"}, "'known_at' .* not times"),
        ({"prediction_id": None}, "rows without prediction_id"),
    ],
)
def test_outcomes_that_cannot_be_are_refused(workspace, churn, rows, wrong, message):
    with pytest.raises(InvalidInput, match=message):
        tell(workspace, changed(churn.outcomes(rows, known_at=NOW), **wrong))
    assert not workspace.warehouse.exists("outcomes/churn-risk")


def test_an_outcome_of_a_regression_must_be_finite(workspace, rows):
    value = champion(workspace, "basket-value", ProblemType.REGRESSION)
    outcomes = value.outcomes(rows, known_at=NOW)
    wrong = outcomes.set_column(1, "outcome", pa.array([float("inf")] * 20))
    with pytest.raises(InvalidInput, match="must be finite, got inf"):
        tell(workspace, wrong, "basket-value")
    tell(workspace, outcomes, "basket-value")


def test_a_clustering_has_no_outcomes(workspace, churn, rows):
    create_model(
        workspace,
        system(workspace),
        name="segments",
        description="Segments",
        owner=system(workspace),
        problem_type=ProblemType.CLUSTERING,
        primary_metric=None,
        latency_objective_ms=10,
        cadence_hours=24,
    )
    with pytest.raises(InvalidInput, match="is a clustering"):
        tell(workspace, churn.outcomes(rows, known_at=NOW), "segments")


def test_rows_of_a_model_or_version_that_does_not_exist_are_refused(workspace, churn, rows):
    with pytest.raises(NotFound, match="no version 7"):
        log(workspace, churn.predictions(rows), 7)
    with pytest.raises(NotFound, match="no model 'none'"):
        tell(workspace, churn.outcomes(rows, known_at=NOW + timedelta(days=1)), "none")


def test_a_model_without_a_version_logs_nothing(workspace, churn, rows):
    new_model(workspace, "basket-value")
    with pytest.raises(NotFound, match="'basket-value' has no version 1"):
        log_predictions(workspace, system(workspace), "basket-value", 1, churn.predictions(rows))


# ── once, however often it is sent ───────────────────────────────────────────────────────────────


def counts(logged):
    return logged.received, logged.stored, logged.duplicates


def ids_in(workspace, log="predictions"):
    return sorted(workspace.warehouse.read(f"{log}/churn-risk")["prediction_id"].to_pylist())


def test_a_batch_that_comes_again_adds_only_what_is_new(workspace, churn, rows):
    batch = churn.predictions(rows)
    assert counts(log(workspace, batch.slice(0, 12))) == (12, 12, 0)
    assert counts(log(workspace, batch)) == (20, 8, 12)
    assert log(workspace, batch) == Logged(20, 0, 20, version=1)
    assert ids_in(workspace) == sorted(batch["prediction_id"].to_pylist())


def test_the_first_prediction_of_an_id_stands(workspace, churn, rows):
    batch = churn.predictions(rows)
    log(workspace, batch)
    assert counts(log(workspace, changed(batch, prediction=0.5))) == (20, 0, 20)
    kept = workspace.warehouse.read("predictions/churn-risk")
    assert kept["prediction"].to_pylist() == batch["prediction"].to_pylist()


def test_equal_rows_of_one_batch_count_once_and_different_ones_are_refused(workspace, churn, rows):
    batch = churn.predictions(rows)
    with pytest.raises(InvalidInput, match=r"rows 5, 21 of the predictions .* same prediction_id .p-4. but"):
        log(workspace, pa.concat_tables([batch, changed(batch.slice(4, 1), income=1.0)]))
    assert not workspace.warehouse.exists("predictions/churn-risk")
    assert counts(log(workspace, pa.concat_tables([batch, batch.slice(4, 3)]))) == (23, 20, 3)
    assert len(ids_in(workspace)) == 20


def test_an_outcome_is_kept_once_and_a_correction_beside_it(workspace, churn, rows):
    outcomes = churn.outcomes(rows, known_at=NOW)
    assert counts(tell(workspace, outcomes)) == (20, 20, 0)
    assert counts(tell(workspace, outcomes)) == (20, 0, 20)
    corrected = churn.outcomes(rows.assign(answer=1 - rows["answer"]), known_at=NOW + timedelta(days=1))
    assert counts(tell(workspace, pa.concat_tables([outcomes, corrected]))) == (40, 20, 20)
    contrary = churn.outcomes(rows.assign(answer=1 - rows["answer"]), known_at=NOW)
    with pytest.raises(InvalidInput, match=r"rows 1, 21 .* same prediction_id and known_at"):
        tell(workspace, pa.concat_tables([outcomes, contrary]))


def test_whole_numbers_fit_a_column_of_floating_ones_and_the_reverse(workspace, churn, rows):
    log(workspace, churn.predictions(rows))
    batch = changed(churn.predictions(rows, prefix="q"), age=rows["age"].astype(float), income=40)
    assert log(workspace, batch).stored == 20


def test_another_process_finds_what_this_one_has_logged(workspace, churn, rows):
    log(workspace, churn.predictions(rows))
    elsewhere = Warehouse(workspace.warehouse.root)
    table = workspace.warehouse.read("predictions/churn-risk")
    assert elsewhere.append_new("predictions/churn-risk", table, key=["prediction_id"], actor="x").rows == 0


@pytest.mark.parametrize("begun", [False, True])
def test_writers_that_log_the_same_batches_at_once_store_each_row_once(workspace, begun):
    batches = [pa.table({"id": [f"{n}-{i}" for i in range(n, n + 5)]}) for n in range(8)]
    if begun:
        workspace.warehouse.append("t", batches[0], actor="first")
    warehouses = [
        Warehouse(workspace.warehouse.root) for _ in range(3)
    ] * 2  # like processes, and their threads

    def write(warehouse):
        return sum(warehouse.append_new("t", batch, key=["id"], actor="x").rows for batch in batches)

    with ThreadPoolExecutor(6) as pool:
        stored = sum(pool.map(write, warehouses))
    assert stored == 40 - 5 * begun
    assert sorted(workspace.warehouse.read("t")["id"].to_pylist()) == sorted(
        name for batch in batches for name in batch["id"].to_pylist()
    )


@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2)), max_size=6, unique=True),
        min_size=1,
        max_size=6,
    )
)
def test_a_table_holds_every_key_that_was_appended_exactly_once(tmp_path_factory, batches):
    warehouse = Warehouse(tmp_path_factory.mktemp("keys"))
    expected = set()
    for batch in batches:
        table = pa.table(
            {
                "id": pa.array([i for i, _ in batch], pa.string()),
                "n": pa.array([n for _, n in batch], pa.int64()),
            }
        )
        new = set(batch) - expected
        assert warehouse.append_new("t", table, key=["id", "n"], actor="x").rows == len(new)
        expected |= new
        kept = warehouse.read("t")
        found = list(zip(kept["id"].to_pylist(), kept["n"].to_pylist(), strict=True))
        assert sorted(found) == sorted(expected)


def test_keys_of_one_hash_are_told_apart(workspace, monkeypatch):
    monkeypatch.setattr(KeyIndex, "hashes", lambda self, rows: np.zeros(rows.num_rows, dtype=np.uint64))
    warehouse = Warehouse(workspace.warehouse.root)
    for names, new in (("ab", 2), ("bc", 1), ("abc", 0), ("da", 1)):
        rows = pa.table({"id": list(names)})
        assert warehouse.append_new("t", rows, key=["id"], actor="x").rows == new
    assert sorted(warehouse.read("t")["id"].to_pylist()) == list("abcd")


# ── labels and scores ────────────────────────────────────────────────────────────────────────────


def labelled(workspace, problem, prediction, **more):
    """A model that runs elsewhere, in production, whose reference holds these columns."""
    model = create_model(
        workspace,
        system(workspace),
        name="labels",
        description="Labels",
        owner=system(workspace),
        problem_type=problem,
        primary_metric=None,
        latency_objective_ms=10,
        cadence_hours=24,
    )
    reference = pa.table(
        {
            "predicted_at": pa.array([START] * 3, pa.timestamp("us", tz="UTC")),
            "x": [1.0, 2.0, 3.0],
            "prediction": prediction,
            **more,
        }
    )
    register_version(
        workspace,
        system(workspace),
        model.name,
        NewVersion(
            estimator=None,
            columns=["x"],
            snapshot=store_training_data(workspace, system(workspace), "labels", reference),
            metrics={},
            reference=reference,
            commit=CommitState("0" * 40, dirty=False),
        ),
    )


def scored(prediction, **more):
    return pa.table(
        {
            "prediction_id": [f"s{n}" for n in range(len(prediction))],
            "predicted_at": pa.array([START] * len(prediction), pa.timestamp("us", tz="UTC")),
            "x": [1.0] * len(prediction),
            "prediction": prediction,
            **more,
        }
    )


def told(outcome):
    return pa.table(
        {
            "prediction_id": [f"s{n}" for n in range(len(outcome))],
            "outcome": outcome,
            "known_at": pa.array([NOW] * len(outcome), pa.timestamp("us", tz="UTC")),
        }
    )


def outcomes_of(workspace):
    """What was counted of the outcomes of all rows."""
    monitor_model(workspace, system(workspace), "labels")
    with workspace.store.read() as session:
        (payload,) = session.exec(select(OutcomeSlice.payload).where(OutcomeSlice.segment == "")).all()
    return decode_outcomes(payload)


def test_classes_are_logged_as_text_and_counted(workspace):
    labelled(workspace, ProblemType.MULTICLASS, ["1", "2", "3"])
    actor = system(workspace)
    assert log_predictions(workspace, actor, "labels", 1, scored([1, 2, 2, 3])).stored == 4
    assert log_predictions(workspace, actor, "labels", 1, scored(["1", "2", "2", "3"])).duplicates == 4
    with pytest.raises(InvalidInput, match=r"'prediction' .* not class labels"):
        log_predictions(workspace, actor, "labels", 1, scored([0.5]))
    assert log_outcomes(workspace, actor, "labels", told([1, 2, 3, 3])).stored == 4
    assert log_outcomes(workspace, actor, "labels", told(["1", "2", "3", "3"])).stored == 0
    assert workspace.warehouse.read("outcomes/labels")["outcome"].to_pylist() == ["1", "2", "3", "3"]
    assert outcomes_of(workspace).rows == 4


def test_a_binary_label_comes_with_the_score_that_its_reference_has(workspace):
    labelled(workspace, ProblemType.BINARY, [0, 1, 1], score=[0.1, 0.7, 0.9])
    actor = system(workspace)
    with pytest.raises(InvalidInput, match="lack score"):
        log_predictions(workspace, actor, "labels", 1, scored([0, 1]))
    with pytest.raises(InvalidInput, match=r"0 or 1, got 0.5 in column 'prediction', row 1"):
        log_predictions(workspace, actor, "labels", 1, scored([0.5, 1.0], score=[0.1, 0.2]))
    with pytest.raises(InvalidInput, match=r"between 0 and 1, got 1.2 in column 'score', row 2"):
        log_predictions(workspace, actor, "labels", 1, scored([0, 1], score=[0.1, 1.2]))
    rows = scored([0, 1, 1], score=[0.8, 0.2, 0.9])
    assert log_predictions(workspace, actor, "labels", 1, rows).stored == 3
    log_outcomes(workspace, actor, "labels", told([0, 1, 0]))
    counted = outcomes_of(workspace)
    assert (counted.true_positives, counted.true_negatives, counted.false_positives) == (1, 1, 1)
