from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mlops_core.domain import Snapshot
from mlops_core.domain.errors import ArtefactRefused, Cancelled, InvalidInput, OutOfTime
from mlops_core.domain.states import Role
from mlops_core.registry import CommitState, NewVersion, register_version
from mlops_core.registry.evaluation_data import store_evaluation_data
from mlops_core.scoring import Limits, can_be_asked, sandbox, score_snapshot, snapshots
from tests import factories
from tests.mlops_core.scoring.hostile import Hostile


def cases(rows=400, seed=11):
    frame = factories.population(rows, start=factories.NOW, days=7, seed=seed)
    return pa.Table.from_pandas(frame.assign(outcome=frame["answer"].astype(int)), preserve_index=False)


@pytest.fixture(scope="module")
def trained(workspace):
    return factories.new_version(workspace, factories.new_model(workspace))


@pytest.fixture(scope="module")
def scientist(workspace):
    return factories.person(workspace, Role.DATA_SCIENTIST)


@pytest.fixture(scope="module")
def snapshot(workspace, scientist, trained):
    return store_evaluation_data(workspace, scientist, trained.model.name, cases())


def elsewhere(workspace, scientist, trained, snapshot=None, predictions=None):
    """A version of which nothing but its predictions is known."""
    rows = cases(200, seed=12)
    reference = rows.select(["predicted_at", *trained.version.columns, *factories.SEGMENTS])
    reference = reference.append_column("prediction", pa.array(np.linspace(0, 1, 200)))
    with workspace.store.read() as session:
        training = session.get_one(Snapshot, trained.version.snapshot_id)
    new = NewVersion(
        estimator=None,
        columns=trained.version.columns,
        snapshot=training,
        metrics={},
        reference=reference,
        commit=CommitState("0" * 40, dirty=False),
        importance={},
    )
    new = replace(new, evaluation=snapshot, predictions=predictions)
    return register_version(workspace, scientist, trained.model.name, new)


def test_a_snapshot_is_scored_in_the_order_of_its_rows(workspace, trained, snapshot):
    scored = score_snapshot(workspace, trained.version, snapshot)
    assert scored.rows["customer"].to_pylist() == list(range(400))
    assert np.array_equal(scored.predictions.prediction, trained.scores(scored.rows.to_pandas()))


def test_a_snapshot_is_scored_once_however_many_ask(workspace, trained, snapshot, monkeypatch):
    first = score_snapshot(workspace, trained.version, snapshot)
    monkeypatch.setattr(snapshots, "open_model", None)
    assert score_snapshot(workspace, trained.version, snapshot) is first


def test_the_snapshots_scored_last_are_kept_and_no_more(monkeypatch):
    kept = snapshots._Kept()
    small = snapshots.ScoredSnapshot(pa.table({"x": [1.0]}), None)
    for number in range(6):
        kept.put(("store", 1, number, ""), small)
        kept.get(("store", 1, 0, ""))
    assert [number for number in range(6) if kept.get(("store", 1, number, ""))] == [0, 3, 4, 5]
    monkeypatch.setattr(snapshots, "_MOST_KEPT_BYTES", 20)
    kept.put(("store", 1, 7, ""), small)
    assert [number for number in range(8) if kept.get(("store", 1, number, ""))] == [5, 7]
    kept.put(("store", 1, 8, ""), snapshots.ScoredSnapshot(pa.table({"x": [1.0, 2.0]}), None))
    assert kept.get(("store", 1, 8, "")) is None


def test_a_snapshot_without_an_input_column_is_refused_by_name(workspace, scientist, trained):
    narrow = store_evaluation_data(workspace, scientist, trained.model.name, cases().drop_columns(["income"]))
    with pytest.raises(InvalidInput, match="lacks columns of churn-risk:1: income"):
        score_snapshot(workspace, trained.version, narrow)


def test_progress_is_told_and_may_stop_the_scoring(workspace, scientist, trained):
    snapshot, heard = store_evaluation_data(workspace, scientist, trained.model.name, cases(50)), []

    def listen(done, total, doing):
        heard.append((done, total))
        if done == 1 and len(heard) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        score_snapshot(workspace, trained.version, snapshot, progress=listen)
    score_snapshot(workspace, trained.version, snapshot, progress=listen)
    assert heard == [(0, 3), (1, 3), (0, 3), (1, 3), (2, 3), (3, 3)]


def test_scoring_that_was_stopped_is_not_kept(workspace, scientist, version_of, trained, monkeypatch):
    monkeypatch.setattr(sandbox, "_ALSO_TRUSTED", ("tests.",))
    snapshot = store_evaluation_data(workspace, scientist, trained.model.name, cases(60))
    version = version_of(Hostile("never_return_many_rows").fit(None))
    for _ in range(2):
        with pytest.raises(OutOfTime):
            score_snapshot(workspace, version, snapshot, limits=Limits(seconds=0.3))


def test_of_a_model_that_runs_elsewhere_the_predictions_handed_over_count(
    workspace, scientist, trained, snapshot
):
    handed = np.random.default_rng(2).random(400)
    version = elsewhere(workspace, scientist, trained, snapshot, pa.table({"prediction": handed}))
    assert not can_be_asked(version)
    scored = score_snapshot(workspace, version, snapshot)
    assert np.array_equal(scored.predictions.prediction, handed)
    assert scored.predictions.score is None
    assert scored.predictions.seconds == 0
    assert scored.rows.num_rows == 400


def test_predictions_for_one_snapshot_do_not_count_for_another(workspace, scientist, trained, snapshot):
    handed = np.random.default_rng(3).random(400)
    version = elsewhere(workspace, scientist, trained, snapshot, pa.table({"prediction": handed}))
    other = store_evaluation_data(workspace, scientist, trained.model.name, cases(400, seed=13))
    with pytest.raises(ArtefactRefused, match=rf"are for evaluation/churn-risk@{snapshot.version}, not"):
        score_snapshot(workspace, version, other)


def test_a_model_that_runs_elsewhere_and_came_without_predictions_is_refused(workspace, scientist, trained):
    model = factories.new_model(workspace, "bought")
    snapshot = store_evaluation_data(workspace, scientist, "bought", cases(70))
    version = elsewhere(workspace, scientist, replace(trained, model=model))
    with pytest.raises(ArtefactRefused, match="came without predictions"):
        score_snapshot(workspace, version, snapshot)


def test_altered_predictions_are_refused(workspace, scientist, trained, snapshot):
    handed = np.random.default_rng(4).random(400)
    version = elsewhere(workspace, scientist, trained, snapshot, pa.table({"prediction": handed}))
    digest = version.predictions_digest
    (workspace.artefact_root / digest[:2] / f"{digest}.parquet").write_bytes(b"no longer what it was")
    with pytest.raises(ArtefactRefused, match="altered"):
        score_snapshot(workspace, version, snapshot)
