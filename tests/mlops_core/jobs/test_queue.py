import threading

import pytest
from sqlmodel import select

from mlops_core.domain import AuditEvent
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import JobState, Role
from mlops_core.jobs import cancel_job, enqueue, find_job, open_jobs, recent_jobs, run_job
from tests.factories import NOW, champion, new_model, new_version, person

ONE = {"model": "churn-risk", "number": 1}


@pytest.fixture
def churn(workspace):
    return champion(workspace)


def audited(workspace, action):
    with workspace.store.read() as session:
        return [
            (event.actor_id, event.subject, event.summary)
            for event in session.exec(select(AuditEvent).where(AuditEvent.action == action))
        ]


def test_a_job_is_queued_with_what_it_was_asked_for(workspace, engineer, churn):
    job = enqueue(workspace, engineer, "test_version", "churn-risk:1", ONE)
    assert (job.state, job.subject, job.arguments) == (JobState.QUEUED, "churn-risk:1", ONE)
    assert (job.actor_id, job.queued_at, job.started_at, job.attempts) == (engineer.id, NOW, None, 0)
    assert find_job(workspace, job.id) == job
    assert audited(workspace, "job.queued") == [
        (engineer.id, "churn-risk:1", "Tests of churn-risk:1 asked for")
    ]


def test_the_same_wish_while_it_waits_is_the_same_job(workspace, engineer, lead, churn):
    first = enqueue(workspace, engineer, "test_version", "churn-risk:1", ONE)
    again = enqueue(workspace, lead, "test_version", "churn-risk:1", dict(reversed(ONE.items())))
    other = enqueue(workspace, lead, "judge_version", "churn-risk:1", ONE)
    assert again.id == first.id
    assert other.id != first.id
    assert len(audited(workspace, "job.queued")) == 2
    cancel_job(workspace, lead, first.id)
    assert enqueue(workspace, lead, "test_version", "churn-risk:1", ONE).id not in (first.id, other.id)


def test_eight_threads_with_the_same_wish_make_one_job(anywhere, gate):
    engineer = person(anywhere, Role.ML_ENGINEER)
    found, at_once = [], threading.Barrier(8)

    def ask():
        at_once.wait()
        found.append(enqueue(anywhere, engineer, "steps", "one", {"steps": 2}).id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [job.id for job in recent_jobs(anywhere)] == found[:1]
    assert len(audited(anywhere, "job.queued")) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "error", "said"),
    [
        ("fly", ONE, InvalidInput, "choose test_version, compare_versions, judge_version"),
        ("test_version", {"model": "churn-risk"}, InvalidInput, "number: Field required"),
        ("test_version", ONE | {"number": 0}, InvalidInput, "number: .* greater than or equal to 1"),
        ("test_version", ONE | {"speed": 3}, InvalidInput, "speed: Extra inputs"),
        ("test_version", ONE | {"number": 2}, NotFound, "model 'churn-risk' has no version 2"),
        ("test_version", ONE | {"model": "none"}, NotFound, "no model 'none'"),
        ("compare_versions", {"model": "churn-risk", "challenger": 1}, InvalidInput, "with itself"),
        ("compare_versions", {"model": "new", "challenger": 1}, NotFound, "'new' has no champion"),
        (
            "compare_versions",
            {"model": "new", "challenger": 1, "champion": 2, "snapshot_id": 999},
            NotFound,
            "no snapshot 999",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_at_once(
    workspace, engineer, churn, name, arguments, error, said
):
    model = new_model(workspace, "new")
    new_version(workspace, model)
    new_version(workspace, model, seed=2)
    with pytest.raises(error, match=said):
        enqueue(workspace, engineer, name, "churn-risk:1", arguments)
    assert recent_jobs(workspace) == []


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_makers_may_ask_for_jobs_and_nobody_else(workspace, churn, role):
    actor = person(workspace, role)
    if role in (Role.LEAD, Role.ML_ENGINEER, Role.DATA_SCIENTIST):
        job = enqueue(workspace, actor, "test_version", "churn-risk:1", ONE)
        assert cancel_job(workspace, actor, job.id).state == JobState.CANCELLED
        return
    with pytest.raises(NotPermitted, match="ask for tests of churn-risk:1"):
        enqueue(workspace, actor, "test_version", "churn-risk:1", ONE)
    job = enqueue(workspace, person(workspace, Role.LEAD), "test_version", "churn-risk:1", ONE)
    with pytest.raises(NotPermitted, match=f"cancel job {job.id}"):
        cancel_job(workspace, actor, job.id)


def test_a_queued_job_is_cancelled_at_once_and_never_runs(anywhere, engineer, gate):
    job = enqueue(anywhere, engineer, "steps", "one", {"steps": 2})
    cancelled = cancel_job(anywhere, engineer, job.id)
    assert cancelled.state == JobState.CANCELLED
    assert "before it began" in cancelled.message
    assert run_job(anywhere, job.id).state == JobState.CANCELLED
    assert cancel_job(anywhere, engineer, job.id).state == JobState.CANCELLED
    assert gate.calls == []
    assert len(audited(anywhere, "job.cancelled")) == 1


def test_a_job_that_is_over_cannot_be_cancelled(workspace, engineer, gate):
    gate.may_go_on.set()
    job = enqueue(workspace, engineer, "steps", "one", {"steps": 2})
    assert run_job(workspace, job.id).state == JobState.SUCCEEDED
    with pytest.raises(Conflict, match="it has succeeded already"):
        cancel_job(workspace, engineer, job.id)
    with pytest.raises(NotFound, match="no job 99"):
        cancel_job(workspace, engineer, 99)
    with pytest.raises(NotFound, match="no job 99"):
        find_job(workspace, 99)


def test_jobs_are_found_by_their_subject_the_newest_first(workspace, engineer, gate):
    ids = [
        enqueue(workspace, engineer, "steps", subject, {"steps": n + 1}).id
        for n, subject in enumerate("abab")
    ]
    assert [job.id for job in recent_jobs(workspace)] == ids[::-1]
    assert [job.id for job in recent_jobs(workspace, subject="b")] == [ids[3], ids[1]]
    assert [job.id for job in recent_jobs(workspace, limit=1)] == [ids[3]]
    assert [job.id for job in open_jobs(workspace)] == ids
    cancel_job(workspace, engineer, ids[1])
    assert [job.id for job in open_jobs(workspace)] == [ids[0], ids[2], ids[3]]
