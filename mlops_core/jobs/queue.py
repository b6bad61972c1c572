"""The queue of jobs: ask for one, cancel it, look at it."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from mlops_core.domain import Actor, Job, TestRun
from mlops_core.domain.errors import Conflict, NotFound
from mlops_core.domain.states import JobState
from mlops_core.jobs.kinds import KINDS, kind_named
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["cancel_job", "end_job", "enqueue", "find_job", "open_jobs", "recent_jobs"]

_OPEN = (JobState.QUEUED, JobState.RUNNING)
_LONGEST = 2000


def enqueue(workspace: Workspace, actor: Actor, name: str, subject: str, arguments: Mapping[str, Any]) -> Job:
    """Ask for a job; a server takes it up within a second.

    While the same wish is queued or running, that job is returned and nothing is added.

    Parameters
    ----------
    name
        A key of `KINDS`: `test_version`, `compare_versions` or `judge_version`.
    subject
        What it works on, `churn-risk:5`: the jobs of a page are found by it.
    arguments
        What the kind is given: `model` and `number`; for a comparison `model`, `challenger`, `champion` and
        `snapshot_id`, of which the last two may be None.

    Raises
    ------
    InvalidInput, NotFound
        The work could not begin: no such kind, model, version or snapshot.
    NotPermitted
    """
    kind = kind_named(name)
    require_role(actor, f"ask for {kind.title.lower()} of {subject}", *kind.roles)
    wish = kind.parse(arguments)
    with workspace.store.read() as session:
        wish.check(session)
    wanted = wish.model_dump()

    def work(unit: UnitOfWork) -> Job:
        alike = unit.session.exec(
            select(Job).where(
                Job.name == name,
                Job.subject == subject,
                col(Job.state).in_(_OPEN),
                col(Job.cancel_requested).is_(False),
            )
        ).all()
        for job in alike:
            if job.arguments == wanted:
                return job
        job = unit.add(
            Job(
                name=name,
                subject=subject,
                arguments=wanted,
                actor_id=unit.actor.id,
                state=JobState.QUEUED,
                queued_at=unit.now,
            )
        )
        said = f"{kind.title} of {subject} asked for"
        unit.record("job.queued", "job", subject, said, job=job.id, arguments=wanted)
        return job

    return workspace.store.bookkeep(actor, work)  # audited by itself where a job was added


def cancel_job(workspace: Workspace, actor: Actor, job_id: int) -> Job:
    """Ask for a job to stop: at once while it is queued, at its next step while it runs.

    Who asked for the job may cancel it, and who may ask for jobs of its kind.

    Raises
    ------
    NotFound, NotPermitted
    Conflict
        The job is over, and was not cancelled.
    """

    def work(unit: UnitOfWork) -> Job:
        job = unit.session.get(Job, job_id)
        if job is None:
            raise _unknown(job_id)
        kind = KINDS.get(job.name)
        if actor.id != job.actor_id:
            require_role(actor, f"cancel job {job_id}", *(kind.roles if kind else ()))
        if job.state == JobState.CANCELLED or (job.cancel_requested and job.state in _OPEN):
            return job
        if job.state not in _OPEN:
            raise Conflict(f"job {job_id} ({job.subject}) cannot be cancelled: it has {job.state} already")
        job.cancel_requested = True
        if job.state == JobState.QUEUED:
            end_job(unit, job, JobState.CANCELLED, f"cancelled by {actor.full_name} before it began")
        unit.session.add(job)
        title = kind.title if kind else job.name
        unit.record("job.cancelled", "job", job.subject, f"{title} of {job.subject} cancelled", job=job.id)
        return job

    return workspace.store.bookkeep(actor, work)  # audited by itself where something was cancelled


def find_job(workspace: Workspace, job_id: int) -> Job:
    """Return a job as it stands now.

    Raises
    ------
    NotFound
    """
    with workspace.store.read() as session:
        job = session.get(Job, job_id, populate_existing=True)
    if job is None:
        raise _unknown(job_id)
    return job


def recent_jobs(workspace: Workspace, *, subject: str | None = None, limit: int = 20) -> list[Job]:
    """Return the newest jobs, whatever their state; of one subject (`churn-risk:5`) if it is given."""
    with workspace.store.read() as session:
        newest = select(Job).order_by(col(Job.id).desc()).limit(limit)
        return list(session.exec(newest if subject is None else newest.where(Job.subject == subject)))


def open_jobs(workspace: Workspace) -> list[Job]:
    """Return the jobs that are queued or running, the oldest first: the order in which they are taken."""
    with workspace.store.read() as session:
        return list(session.exec(select(Job).where(col(Job.state).in_(_OPEN)).order_by(col(Job.id))))


def end_job(unit: UnitOfWork, job: Job, state: JobState, message: str) -> None:
    """Write how a job ended, and that its test run is over too if nobody did so."""
    job.state, job.message = state, message[:_LONGEST]
    job.finished_at, job.worker = unit.now, ""
    unit.session.add(job)
    for run in _running_tests(unit.session, job.id):
        run.state, run.finished_at, run.message = state, unit.now, message[:_LONGEST]
        unit.session.add(run)


def _running_tests(session: Session, job_id: int) -> list[TestRun]:
    running = select(TestRun).where(TestRun.job_id == job_id, TestRun.state == JobState.RUNNING)
    return list(session.exec(running))


def _unknown(job_id: int) -> NotFound:
    return NotFound(f"there is no job {job_id}: GET /api/v1/jobs lists those there are")
