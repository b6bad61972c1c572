import math
import signal
from dataclasses import replace

import pytest
from sqlmodel import select

from mlops_core.domain import AuditEvent, Job, ModelVersion, TestRun
from mlops_core.domain.errors import Cancelled, NotFound, NotPermitted
from mlops_core.domain.states import JobState, ProblemType, Role
from mlops_core.version_tests import (
    Outcome,
    close_interrupted_test_runs,
    latest_run,
    results_of,
    run_tests,
    set_test,
    suite_of,
)
from mlops_core.version_tests.builtin import catalogue
from mlops_core.version_tests.outcome import NotJudged
from mlops_core.version_tests.run import BUILT_IN
from tests.factories import NOW, person, running, workspace_in
from tests.mlops_core.version_tests.candidates import NAMES, add_models, add_version, honest, not_passed

BINARY = ProblemType.BINARY
NAME = NAMES[BINARY]


@pytest.fixture(scope="module")
def number(department):
    return add_version(department, BINARY, honest(BINARY))


@pytest.fixture
def engineer(department):
    return person(department, Role.ML_ENGINEER)


def new_job(workspace, actor):
    return workspace.store.bookkeep(
        actor,
        lambda unit: unit.add(
            Job(
                name="test_version",
                subject="churn-risk:1",
                actor_id=unit.actor.id,
                state=JobState.RUNNING,
                queued_at=unit.now,
            )
        ),
    ).id


class Stop:
    """Progress that cancels before a test with this place is carried out."""

    def __init__(self, place):
        self.place = place

    def __call__(self, done, total, doing):
        if done >= self.place and done < total:
            raise Cancelled("a person asked for it")


def test_every_test_is_carried_out_in_the_order_of_the_suite_and_told(department, engineer, number):
    told = []
    run = run_tests(department, engineer, NAME, number, progress=lambda *report: told.append(report))
    results = results_of(department, run.id)
    suite = suite_of(department, NAME)
    assert (run.state, run.message, run.finished_at) == ("succeeded", "", NOW)
    assert not_passed(results) == {}
    assert [one.test for one in results] == [test.name for test in suite]
    assert all(one.sentence.endswith(".") and one.seconds >= 0 for one in results)
    assert told[0] == (0, len(suite), suite[0].title)
    assert told[-1] == (len(suite), len(suite), "")
    assert {total for _, total, _ in told} == {len(suite)}
    with department.store.read() as session:
        version = session.get(ModelVersion, run.model_version_id)
        assert latest_run(session, version).id == run.id
        events = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(2)).all()
    assert [event.action for event in reversed(events)] == ["version.tests_started", "version.tests_finished"]
    assert events[0].summary.startswith(f"The tests of churn-risk version {number} ended: 13 passed")
    assert (events[0].details["passed"], events[0].details["error"]) == (13, 0)


def test_a_test_that_raises_is_an_error_and_the_next_is_carried_out(
    department, engineer, number, monkeypatch
):
    def raises(context):
        raise ZeroDivisionError("planted")

    broken = dict(BUILT_IN) | {
        "baseline": replace(BUILT_IN["baseline"], function=raises),
        "latency": replace(BUILT_IN["latency"], function=lambda context: True),
        "artefact": replace(
            BUILT_IN["artefact"], function=lambda context: Outcome.judged(True, "Fine.", figure=math.nan)
        ),
    }
    monkeypatch.setattr("mlops_core.version_tests.run.BUILT_IN", broken)
    run = run_tests(department, engineer, NAME, number)
    results = {one.test: one for one in results_of(department, run.id)}
    assert run.state == "succeeded"
    assert not_passed(results.values()) == {
        "baseline": "The test raised ZeroDivisionError: planted.",
        "latency": "The test returned bool, not an Outcome.",
    }
    assert results["baseline"].status == results["latency"].status == "error"
    assert results["baseline"].evidence["trace"][-1] == "ZeroDivisionError: planted"
    assert results["artefact"].figure is None
    assert len(results) == len(BUILT_IN)


def test_cancelling_keeps_what_was_found(department, engineer, number):
    with pytest.raises(Cancelled):
        run_tests(department, engineer, NAME, number, progress=Stop(3))
    with department.store.read() as session:
        run = session.exec(select(TestRun).order_by(TestRun.id.desc())).first()
    assert (run.state, run.message, run.finished_at) == ("cancelled", "a person asked for it", NOW)
    assert [one.test for one in results_of(department, run.id)] == list(BUILT_IN)[:3]


def test_a_run_that_broke_off_goes_on_under_the_same_job_and_is_not_run_again_when_it_ended(
    department, engineer, number
):
    class Lost(Exception):
        pass

    def lose(done, total, doing):
        if done == 4:
            raise Lost

    job = new_job(department, engineer)
    with pytest.raises(Lost):
        run_tests(department, engineer, NAME, number, progress=lose, job_id=job)
    with department.store.read() as session:
        begun = session.exec(select(TestRun).where(TestRun.job_id == job)).one()
    assert begun.state == "failed"
    before = [(one.id, one.test) for one in results_of(department, begun.id)]
    told = []
    run = run_tests(
        department, engineer, NAME, number, progress=lambda *report: told.append(report), job_id=job
    )
    after = [(one.id, one.test) for one in results_of(department, run.id)]
    assert (run.id, run.state) == (begun.id, "succeeded")
    assert after[:4] == before
    assert [test for _, test in after] == list(BUILT_IN)
    assert told[0][0] == 4
    again = run_tests(department, engineer, NAME, number, progress=Stop(0), job_id=job)
    assert (again.id, again.state) == (run.id, "succeeded")


def test_a_test_that_is_switched_off_is_skipped_and_says_who_did_it(department, engineer, number):
    set_test(department, engineer, NAME, "latency", enabled=False)
    try:
        run = run_tests(department, engineer, NAME, number)
    finally:
        set_test(department, engineer, NAME, "latency", parameters={"requests": 20})
    latency = {one.test: one for one in results_of(department, run.id)}["latency"]
    assert latency.status == "skipped"
    assert latency.sentence == f"Switched off for this model by {engineer.full_name} on 10 Mar 2025."


def test_runs_that_nobody_goes_on_with_are_marked_interrupted(department, engineer, number):
    with department.store.read() as session:
        version = session.exec(select(ModelVersion).where(ModelVersion.number == number)).first()
    live, over = new_job(department, engineer), new_job(department, engineer)

    def plant(unit):
        unit.session.get_one(Job, over).state = JobState.INTERRUPTED
        return [
            unit.add(
                TestRun(
                    model_version_id=version.id,
                    job_id=job,
                    actor_id=unit.actor.id,
                    state=JobState.RUNNING,
                    started_at=unit.now,
                )
            ).id
            for job in (None, live, over)
        ]

    runs = department.store.bookkeep(engineer, plant)
    assert close_interrupted_test_runs(department, engineer) == 2
    with department.store.read() as session:
        states = [session.get(TestRun, run).state for run in runs]
    assert states == ["interrupted", "running", "interrupted"]


def test_an_executive_may_not_test_a_version(department, number):
    with pytest.raises(NotPermitted, match="may not test a version"):
        run_tests(department, person(department, Role.EXECUTIVE), NAME, number)


def test_a_version_that_does_not_exist_is_not_tested(department, engineer):
    with pytest.raises(NotFound, match="has no version 99"):
        run_tests(department, engineer, NAME, 99)


def test_what_json_cannot_hold_does_not_break_a_run():
    import numpy as np

    from mlops_core.version_tests.outcome import plain

    given = {"a": np.float32(0.5), 3: [math.inf, NOW, {"x"}], "array": np.array([[1, 2]]), "odd": object}
    found = plain(given)
    assert found["a"] == 0.5
    assert found["3"] == [None, NOW.isoformat(), ["x"]]
    assert found["array"] == [[1, 2]]
    assert isinstance(found["odd"], str)


def test_a_reason_not_to_judge_is_a_skip(department, engineer, number, monkeypatch):
    def unsure(context):
        raise NotJudged("There is nothing to say.")

    changed = {"baseline": replace(BUILT_IN["baseline"], function=unsure)}
    monkeypatch.setattr("mlops_core.version_tests.run.BUILT_IN", dict(BUILT_IN) | changed)
    run = run_tests(department, engineer, NAME, number)
    found = {one.test: one for one in results_of(department, run.id)}["baseline"]
    assert (found.status, found.sentence) == ("skipped", "There is nothing to say.")
    assert catalogue.BUILT_IN is BUILT_IN


KILLED = """
import sys, time
from pathlib import Path
from mlops_core.clock import FixedClock
from mlops_core.settings import Settings
from mlops_core.version_tests import run_tests
from mlops_core.workspace import open_workspace, actor_named
folder, number, job = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
workspace = open_workspace(Settings(workspace=folder))

def halt(done, total, doing):
    if done == 6:
        print("ready", flush=True)
        time.sleep(600)

run_tests(workspace, actor_named(workspace, "system"), "churn-risk", number, progress=halt, job_id=job)
"""


def test_a_process_that_is_killed_in_the_middle_loses_nothing_and_repeats_nothing(tmp_path):
    folder = tmp_path / "workspace"
    workspace = workspace_in(folder)
    add_models(workspace)
    number = add_version(workspace, BINARY, honest(BINARY))
    job = new_job(workspace, person(workspace, Role.LEAD))
    workspace.close()
    with running(KILLED, folder, number, job) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    workspace = workspace_in(folder)
    try:
        with workspace.store.read() as session:
            begun = session.exec(select(TestRun)).one()
        before = [(one.id, one.test, one.at) for one in results_of(workspace, begun.id)]
        assert (begun.state, len(before)) == ("running", 6)
        run = run_tests(workspace, person(workspace, Role.LEAD), NAME, number, job_id=job)
        after = [(one.id, one.test, one.at) for one in results_of(workspace, run.id)]
        assert (run.id, run.state) == (begun.id, "succeeded")
        assert after[:6] == before
        assert [test for _, test, _ in after] == list(BUILT_IN)
    finally:
        workspace.close()
