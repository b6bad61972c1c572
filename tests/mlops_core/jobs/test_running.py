import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlmodel import select

from mlops_core.domain import Job, TestRun
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import JobState
from mlops_core.jobs import cancel_job, enqueue, find_job, recover_jobs, run_job
from mlops_core.jobs.claims import claim_job, finish, put_back, refresh
from tests.factories import NOW, champion, system
from tests.mlops_core.jobs.slow_work import register, wait_for


def asked(workspace, engineer, steps=3, mark=""):
    return enqueue(workspace, engineer, "steps", f"work{mark}", {"steps": steps, "mark": mark}).id


def alter(workspace, job_id, **changes):
    """Change a job as its dead process would have left it."""

    def work(unit):
        job = unit.session.get_one(Job, job_id)
        for name, value in changes.items():
            setattr(job, name, value)

    workspace.store.bookkeep(system(workspace), work)


def test_a_job_runs_on_behalf_of_who_asked_and_tells_what_came_of_it(anywhere, engineer):
    given = []

    def work(workspace, actor, job, progress):
        given.append((workspace, actor.name, job.arguments))
        progress(1, 2, "half")
        return "all is well"

    register(work)
    heard = []
    job = run_job(anywhere, asked(anywhere, engineer), progress=lambda *step: heard.append(step))
    assert given == [(anywhere, "a-ml_engineer", {"steps": 3, "mark": ""})]
    assert heard == [(1, 2, "half")]
    assert (job.state, job.message) == (JobState.SUCCEEDED, "all is well")
    assert (job.attempts, job.worker, job.started_at, job.finished_at) == (1, "", NOW, NOW)


def test_an_error_of_ours_fails_the_job_with_its_own_words(workspace, engineer, caplog):
    def work(*_):
        raise InvalidInput("the snapshot has ten rows: give more")

    register(work)
    job = run_job(workspace, asked(workspace, engineer))
    assert (job.state, job.message) == (JobState.FAILED, "the snapshot has ten rows: give more")
    assert caplog.records == []


def test_an_unexpected_error_fails_the_job_and_is_logged_with_its_trace(workspace, engineer, caplog):
    def work(*_):
        raise ZeroDivisionError("division by zero\nand more")

    register(work)
    with caplog.at_level(logging.ERROR):
        job = run_job(workspace, asked(workspace, engineer))
    assert job.state == JobState.FAILED
    assert "ZeroDivisionError: division by zero" in job.message
    assert "log" in job.message
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_a_kind_that_this_release_does_not_know_fails_with_a_reason(workspace, engineer, gate):
    job_id = asked(workspace, engineer)
    alter(workspace, job_id, name="of the future")
    job = run_job(workspace, job_id)
    assert job.state == JobState.FAILED
    assert "no kind of job 'of the future'" in job.message


def test_progress_is_written_down_and_never_goes_back(workspace, engineer):
    told = [
        (0, 0, "a"),
        (1, 4, "b"),
        (3, 4, "c"),
        (2, 4, "d"),
        (60, 100, "e"),
        (80, 100, "f"),
        (100, 100, "g"),
    ]
    seen = []

    def work(workspace, actor, job, progress):
        for step in told:
            progress(*step)
            wait_for(lambda doing=step[2]: find_job(workspace, job.id).doing == doing)
            now = find_job(workspace, job.id)
            seen.append((now.done, now.total))
        return "done"

    register(work)
    job = run_job(workspace, asked(workspace, engineer))
    assert seen == [(0, 0), (1, 4), (3, 4), (3, 4), (3, 4), (80, 100), (100, 100)]
    shares = [done / total for done, total in seen if total]
    assert all(before <= after for before, after in pairwise(shares))
    assert (job.done, job.total, job.doing) == (100, 100, "")


def test_progress_is_written_at_most_twice_a_second(workspace, engineer):
    counted = []

    def work(workspace, actor, job, progress):
        before, began = workspace.store.revision(), time.monotonic()
        for step in range(1_000):
            progress(step, 1_000, "quick")
            time.sleep(0.001)
        counted.append((workspace.store.revision() - before, time.monotonic() - began))
        return ""

    register(work)
    run_job(workspace, asked(workspace, engineer))
    ((writes, seconds),) = counted
    assert 1 <= writes <= 2 * seconds + 1


def test_a_running_job_is_cancelled_at_its_next_report(anywhere, engineer, gate):
    job_id = asked(anywhere, engineer)
    running = threading.Thread(target=run_job, args=(anywhere, job_id))
    running.start()
    assert gate.begun.wait(20)
    asked_to_stop = cancel_job(anywhere, engineer, job_id)
    assert (asked_to_stop.state, asked_to_stop.cancel_requested) == (JobState.RUNNING, True)
    running.join(20)
    assert not running.is_alive()
    job = find_job(anywhere, job_id)
    assert (job.state, job.attempts) == (JobState.CANCELLED, 1)
    assert [type(error).__name__ for error in gate.ended] == ["Cancelled"]


def test_a_job_that_is_being_cancelled_does_not_stand_for_a_new_wish(workspace, engineer, gate):
    first = asked(workspace, engineer)
    assert claim_job(workspace, "elsewhere") is not None
    cancel_job(workspace, engineer, first)
    assert asked(workspace, engineer) != first


def test_only_one_of_many_gets_a_job(anywhere, engineer, gate):
    ids = [asked(anywhere, engineer, mark=str(n)) for n in range(10)]
    taken, at_once = [], threading.Barrier(8)

    def take(name):
        at_once.wait()
        while (claimed := claim_job(anywhere, name)) is not None:
            taken.append(claimed[0].job_id)

    threads = [threading.Thread(target=take, args=(f"worker {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ids


def test_who_was_thought_dead_and_wakes_up_changes_nothing(anywhere, engineer, gate):
    asked(anywhere, engineer)
    claim, job = claim_job(anywhere, "slow")
    alter(anywhere, job.id, state=JobState.QUEUED, worker="")
    other, _ = claim_job(anywhere, "quick")
    assert refresh(anywhere, claim, 1, 3, "still here") is None
    assert not finish(anywhere, claim, JobState.FAILED, "no")
    assert not put_back(anywhere, claim)
    assert find_job(anywhere, job.id).worker == "quick"
    assert finish(anywhere, other, JobState.SUCCEEDED, "yes")
    assert find_job(anywhere, job.id).message == "yes"


def test_work_whose_job_was_taken_over_stops_and_leaves_it_alone(workspace, engineer, gate):
    job_id = asked(workspace, engineer)
    running = threading.Thread(target=run_job, args=(workspace, job_id), daemon=True)
    running.start()
    assert gate.begun.wait(20)
    alter(workspace, job_id, worker="another", attempts=2)
    wait_for(lambda: gate.ended)
    assert not isinstance(gate.ended[0], Exception)  # what a test of a version catches, it does not catch
    job = find_job(workspace, job_id)
    assert (job.state, job.worker) == (JobState.RUNNING, "another")
    alter(workspace, job_id, state=JobState.SUCCEEDED)
    running.join(20)
    assert not running.is_alive()


# ── what a killed process leaves ─────────────────────────────────────────────────────────────────


def test_a_job_of_a_dead_process_is_queued_again_when_a_server_starts(anywhere, engineer, gate):
    job_id = asked(anywhere, engineer)
    claim_job(anywhere, "dead")
    alter(anywhere, job_id, done=2, total=3, alive_at=datetime.now(UTC) - timedelta(minutes=1))
    assert recover_jobs(anywhere, starting=True) == 1
    assert recover_jobs(anywhere, starting=True) == 0
    job = find_job(anywhere, job_id)
    assert (job.state, job.worker, job.attempts, job.done) == (JobState.QUEUED, "", 1, 2)
    gate.may_go_on.set()
    assert run_job(anywhere, job_id).state == JobState.SUCCEEDED
    assert find_job(anywhere, job_id).attempts == 2


def test_the_third_death_is_the_last(anywhere, engineer, gate):
    job_id = asked(anywhere, engineer)
    for attempt in (1, 2, 3):
        claim, job = claim_job(anywhere, "dead")
        assert claim.attempt == attempt
        alter(anywhere, job.id, alive_at=None)
        recover_jobs(anywhere, starting=True)
    job = find_job(anywhere, job_id)
    assert job.state == JobState.INTERRUPTED
    assert "begun 3 times" in job.message
    assert claim_job(anywhere, "next") is None


def test_a_dead_job_that_was_to_be_cancelled_is(anywhere, engineer, gate):
    job_id = asked(anywhere, engineer)
    claim_job(anywhere, "dead")
    cancel_job(anywhere, engineer, job_id)
    alter(anywhere, job_id, alive_at=None)
    recover_jobs(anywhere, starting=True)
    assert find_job(anywhere, job_id).state == JobState.CANCELLED


def test_a_living_job_is_left_alone_by_the_servers_beside_it(anywhere, engineer, gate):
    job_id = asked(anywhere, engineer)
    claim_job(anywhere, "alive")
    assert recover_jobs(anywhere) == 0
    assert find_job(anywhere, job_id).state == JobState.RUNNING
    starting = recover_jobs(anywhere, starting=True)
    assert starting == (1 if anywhere.store.dialect == "duckdb" else 0)


def test_a_job_that_is_put_back_has_not_used_up_an_attempt(anywhere, engineer, gate):
    job_id = asked(anywhere, engineer)
    for _ in range(5):
        claim, _job = claim_job(anywhere, "stopped")
        assert put_back(anywhere, claim)
    job = find_job(anywhere, job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)


@pytest.mark.parametrize("cancelled", [True, False])
def test_the_test_run_of_a_job_that_is_given_up_is_over_too(workspace, engineer, gate, cancelled):
    version = champion(workspace).version
    job_id = asked(workspace, engineer)
    claim_job(workspace, "dead")

    def begin(unit):
        return unit.add(
            TestRun(
                model_version_id=version.id,
                job_id=job_id,
                actor_id=engineer.id,
                state=JobState.RUNNING,
                started_at=unit.now,
            )
        )

    workspace.store.bookkeep(engineer, begin)
    alter(workspace, job_id, attempts=3, cancel_requested=cancelled)
    recover_jobs(workspace, starting=True)
    with workspace.store.read() as session:
        run = session.exec(select(TestRun)).one()
    assert run.state == (JobState.CANCELLED if cancelled else JobState.INTERRUPTED)
    assert run.finished_at == NOW
