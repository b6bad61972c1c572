import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics
from sqlmodel import func, select

from mlops_core.comparison import (
    compare_versions,
    from_document,
    latest_comparison,
    read_comparison,
    to_document,
)
from mlops_core.domain import AuditEvent, Comparison, Job
from mlops_core.domain.errors import ArtefactRefused, Cancelled, InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import JobState, ProblemType, Role, Verdict
from mlops_core.features import store_training_data
from mlops_core.registry import (
    CommitState,
    NewVersion,
    create_model,
    register_version,
    store_evaluation_data,
)
from tests import factories
from tests.mlops_core.comparison.conftest import START, department


def compare(place, challenger, champion=None, **more):
    return compare_versions(place.workspace, place.lead, place.model.name, challenger, champion, **more)


def stored(place):
    with place.workspace.store.read() as session:
        return session.exec(select(func.count()).select_from(Comparison)).one()


@pytest.fixture(scope="module")
def report(churn):
    return compare(churn, 2, 1)


def test_values_equal_scikit_learn_on_what_the_artefacts_predict(churn, report):
    truth, mine, theirs = churn.frame["answer"], churn.scores(2), churn.scores(1)
    found = {one.metric: one for one in report.metrics}
    for name, measure in (
        ("roc_auc", metrics.roc_auc_score),
        ("average_precision", metrics.average_precision_score),
        ("log_loss", metrics.log_loss),
        ("f1", lambda y, s: metrics.f1_score(y, s >= 0.5)),
    ):
        assert found[name].challenger == pytest.approx(measure(truth, mine))
        assert found[name].champion == pytest.approx(measure(truth, theirs))
    assert report.primary == report.metrics[0] == found["roc_auc"]
    assert report.rows == 3_000
    assert report.snapshot == f"{churn.snapshot.table_name}@{churn.snapshot.version}"


def test_a_version_that_knows_more_is_better(report):
    assert report.verdict == Verdict.BETTER
    assert report.sentence.startswith("churn-risk:2 is better than churn-risk:1: AUC 0.8")
    assert (report.features_added, report.features_dropped) == (["income"], [])
    assert report.challenger_bytes > 0


def test_segments_are_those_of_the_model_on_their_own_rows(churn, report):
    assert {one.segment for one in report.segments} == {"region=north", "region=south", "region=west"}
    north = next(one.difference for one in report.segments if one.segment == "region=north")
    rows = churn.frame["region"] == "north"
    assert north.rows == rows.sum()
    expected = metrics.roc_auc_score(churn.frame["answer"][rows], churn.scores(2)[rows])
    assert north.challenger == pytest.approx(expected)


def test_both_are_timed_on_the_same_requests(report):
    assert report.latency.requests == 200
    assert 0 < report.latency.challenger_p50 <= report.latency.challenger_p95
    assert 0 < report.latency.champion_p50 <= report.latency.champion_p95


def test_the_protected_attributes_of_the_card_are_compared(churn, report):
    assert {one.attribute for one in report.fairness} == {"region"}
    parity = report.fairness[0]
    rates = (churn.scores(2) >= 0.5) * 1.0
    by_region = [rates[churn.frame["region"] == one].mean() for one in ("north", "south", "west")]
    assert parity.challenger == pytest.approx(max(by_region) - min(by_region))
    assert any(note.startswith("column age: none of 72 groups has 100 rows") for note in report.notes)


def test_calibration_and_agreement_cover_every_row(report):
    for points in (report.challenger_calibration, report.champion_calibration):
        assert sum(one.rows for one in points) == 3_000
    assert np.sum(report.agreement.counts) == 3_000


def test_a_report_is_read_back_as_it_was(churn, report):
    found = latest_comparison(churn.workspace, "churn-risk", 2, 1)
    assert found == report
    document = json.loads(json.dumps(to_document(report), allow_nan=False))
    assert from_document(document) == report
    with churn.workspace.store.read() as session:
        row = session.exec(select(Comparison).order_by(Comparison.id)).first()
    assert read_comparison(churn.workspace, row.id) == report
    assert (row.metric, row.verdict, row.rows) == ("roc_auc", "better", 3_000)
    assert (row.difference, row.lower, row.upper) == (
        report.primary.difference,
        report.primary.lower,
        report.primary.upper,
    )


def test_the_other_way_round_it_is_worse(churn, report):
    found = compare(churn, 1, 2)
    assert found.verdict == Verdict.WORSE
    assert found.primary.difference == -report.primary.difference
    assert found.features_dropped == ["income"]
    assert found.fairness == []
    with churn.workspace.store.read() as session:
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.action, event.subject, event.summary) == (
        "version.compared",
        "churn-risk:1",
        found.sentence,
    )


def test_a_comparison_done_again_says_the_same_but_for_response_times(churn, report):
    again = compare(churn, 2, 1)
    assert replace(again, latency=None) == replace(report, latency=None)
    assert latest_comparison(churn.workspace, "churn-risk", 2) == again


def test_a_comparison_tells_how_far_it_is_and_stops_with_nothing_stored(churn):
    before, told = stored(churn), []

    def progress(done, total, doing):
        told.append((done, total, doing))
        if doing.startswith("Drawing"):
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        compare(churn, 3, 1, progress=progress)
    assert stored(churn) == before
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert "Scoring 3,000 rows with churn-risk:3" in [doing for _, _, doing in told]


def test_a_job_that_is_begun_again_keeps_its_report(churn):
    def work(unit):
        unit.record("job.queued", "job", "1", "A comparison was asked for")
        return unit.add(
            Job(
                name="compare_versions",
                subject="churn-risk:3",
                actor_id=unit.actor.id,
                state=JobState.RUNNING,
                queued_at=unit.now,
            )
        ).id

    job_id = churn.workspace.store.write(churn.lead, work)
    first = compare(churn, 3, 1, job_id=job_id)
    before = stored(churn)
    assert compare(churn, 3, 1, job_id=job_id) == first
    assert stored(churn) == before


def test_regressions_are_compared_by_their_errors(spend):
    found = compare(spend, 2, 1)
    truth = spend.frame["amount"]
    assert found.primary.metric == "rmse"
    assert found.primary.challenger == pytest.approx(metrics.root_mean_squared_error(truth, spend.scores(2)))
    assert found.verdict == Verdict.BETTER
    assert found.primary.upper < 0
    assert found.margin == pytest.approx(0.01 * found.primary.champion)
    assert len(found.agreement.labels) == 5


@pytest.mark.parametrize(
    ("challenger", "champion", "kind", "message"),
    [
        (2, 2, InvalidInput, "churn-risk:2 cannot be compared with itself"),
        (9, 1, NotFound, "has no version 9"),
        (2, 9, NotFound, "has no version 9"),
        (2, None, NotFound, "has no champion that version 2 could be compared with: promote a version first"),
    ],
)
def test_versions_that_cannot_be_paired_are_refused(churn, challenger, champion, kind, message):
    with pytest.raises(kind, match=message):
        compare(churn, challenger, champion)


def test_only_who_makes_models_may_compare(churn):
    director = factories.person(churn.workspace, Role.DIRECTOR)
    with pytest.raises(NotPermitted, match="may not compare versions"):
        compare_versions(churn.workspace, director, "churn-risk", 2, 1)


def test_a_comparison_that_is_not_there_is_none_or_not_found(churn):
    assert latest_comparison(churn.workspace, "churn-risk", 1, 3) is None
    with pytest.raises(NotFound, match="there is no comparison 4711"):
        read_comparison(churn.workspace, 4711)


@pytest.mark.parametrize("settings", [{"margin": -0.1}, {"resamples": 10}])
def test_settings_out_of_range_are_refused(churn, settings):
    with pytest.raises(InvalidInput, match="cannot be used"):
        compare(churn, 2, 1, **settings)


def other_rows(place, frame):
    """A snapshot of other rows than the evaluation snapshot, without its checks."""
    rows = pa.Table.from_pandas(frame.rename(columns={place.truth: "outcome"}), preserve_index=False)
    return store_training_data(place.workspace, place.lead, "other-rows", rows)


def test_ten_rows_are_no_evidence_in_words(churn):
    found = compare(churn, 2, 1, snapshot=other_rows(churn, churn.frame.head(10)))
    assert found.verdict == Verdict.NO_EVIDENCE
    assert found.primary.lower is None
    assert found.primary.challenger is not None
    assert "10 rows in all (30 are needed)" in found.sentence
    assert found.segments == []
    assert latest_comparison(churn.workspace, "churn-risk", 2, 1) == found


def test_rows_of_one_outcome_are_no_evidence_in_words(churn):
    sure = churn.frame[churn.frame["answer"] == 1.0]
    found = compare(churn, 2, 1, snapshot=other_rows(churn, sure))
    assert found.verdict == Verdict.NO_EVIDENCE
    assert found.primary.challenger is None
    assert found.sentence.endswith("AUC, undefined, as every outcome is the same.")
    losses = next(one for one in found.metrics if one.metric == "log_loss")
    assert losses.lower is not None


def test_columns_that_the_snapshot_lacks_are_named_with_the_version(churn):
    with pytest.raises(InvalidInput, match="lacks columns of churn-risk:1: age"):
        compare(churn, 3, 1, snapshot=other_rows(churn, churn.frame.drop(columns=["age"])))


def test_a_snapshot_without_outcomes_is_refused(churn):
    with pytest.raises(InvalidInput, match="no column 'outcome'"):
        compare(churn, 2, 1, snapshot=other_rows(churn, churn.frame.drop(columns=["answer"])))


def test_a_version_without_an_evaluation_snapshot_is_refused(churn):
    number = churn.add(["age", "tenure"], evaluation=None, seed=5)
    with pytest.raises(InvalidInput, match=f"churn-risk:{number} has no evaluation snapshot: register"):
        compare(churn, number, 1)
    found = compare(churn, number, 1, snapshot=churn.snapshot)
    assert found.rows == 3_000


def test_a_version_that_runs_elsewhere_is_compared_by_the_predictions_that_came_with_it(churn):
    scores = churn.scores(2)
    given = churn.add(["income", "age"], seed=7, elsewhere=True, predictions=scores)
    found = compare(churn, given, 1)
    assert found.primary.challenger == pytest.approx(metrics.roc_auc_score(churn.frame["answer"], scores))
    assert found.latency is None
    assert f"response times are not compared: churn-risk:{given} cannot be asked" in found.notes
    silent = churn.add(["income", "age"], seed=8, elsewhere=True)
    with pytest.raises(ArtefactRefused, match=f"churn-risk:{silent} runs elsewhere|{silent} cannot be asked"):
        compare(churn, silent, 1)


def test_a_challenger_that_is_better_but_for_one_region_is_worse_there(churn):
    frame, random = churn.frame, np.random.default_rng(1)
    knows = 0.5 + (frame["answer"] - 0.5) * np.where(frame["region"] == "west", -0.4, 0.4)
    scores = np.clip(knows + random.normal(0, 0.15, len(frame)), 0.001, 0.999).to_numpy()
    number = churn.add(["age"], seed=9, elsewhere=True, predictions=scores)
    found = compare(churn, number, 1)
    assert found.primary.is_better
    assert found.verdict == Verdict.WORSE_IN_SEGMENT
    assert found.worse_segment == "region=west" == found.segments[0].segment
    assert [one.is_worse for one in found.segments] == [True, False, False]
    assert f"churn-risk:{number} is worse than churn-risk:1 where region is west" in found.sentence


def test_the_champion_is_who_is_in_production(tmp_path):
    place = department(tmp_path, rows=400)
    first = place.add(["age"])
    factories.promote(place.workspace, factories.Trained(place.model, place.versions[first], None))
    second = place.add(["income", "age"])
    found = compare(place, second)
    assert (found.challenger, found.champion) == (second, first)
    place.workspace.close()


def test_labels_of_several_classes_are_compared_with_their_confidence(tmp_path):
    workspace = factories.workspace_in(tmp_path)
    lead = factories.person(workspace, Role.LEAD)
    model = create_model(
        workspace,
        lead,
        name="next-shop",
        description="Where somebody shops next",
        owner=lead,
        problem_type=ProblemType.MULTICLASS,
        primary_metric="f1_macro",
        latency_objective_ms=50.0,
        cadence_hours=24.0,
        segment_columns=("region",),
    )
    frame = factories.population(900, start=START, days=14)
    random = np.random.default_rng(4)
    truth = random.choice(["east", "mall", "web"], 900)
    rows = pa.Table.from_pandas(frame[["age", "region", "predicted_at"]].assign(outcome=truth))
    snapshot = store_evaluation_data(workspace, lead, model.name, rows)
    said = []
    for right in (0.5, 0.8):
        labels = np.where(random.random(900) < right, truth, random.choice(["east", "mall", "web"], 900))
        said.append(labels)
        given = pa.table({"prediction": labels, "score": np.full(900, right)})
        new = NewVersion(
            estimator=None,
            columns=["age"],
            snapshot=snapshot,
            metrics={},
            reference=rows.append_column("prediction", pa.array(labels)),
            commit=CommitState("0" * 40, dirty=False),
            importance={"age": 1.0},
            evaluation=snapshot,
            predictions=given,
        )
        register_version(workspace, lead, model.name, new)
    found = compare_versions(workspace, lead, model.name, 2, 1)
    assert found.verdict == Verdict.BETTER
    assert found.primary.challenger == pytest.approx(metrics.f1_score(truth, said[1], average="macro"))
    assert found.agreement.labels == ["east", "mall", "web"]
    assert found.agreement.counts == metrics.confusion_matrix(said[0], said[1]).tolist()
    (point,) = found.challenger_calibration
    assert (point.predicted, point.observed) == pytest.approx((0.8, np.mean(said[1] == truth)))
    assert {one.segment for one in found.segments} == {"region=north", "region=south", "region=west"}
    workspace.close()
