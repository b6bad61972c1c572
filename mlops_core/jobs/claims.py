"""Who has a job: take it, keep it, give it back, and find those whose process has died.

A claim is the pair of worker and attempt. Every write of a running job asks first whether its claim still
holds, so that a process that was thought dead and wakes up changes nothing any more.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from mlops_core.domain import Job
from mlops_core.domain.states import JobState
from mlops_core.jobs.queue import end_job
from mlops_core.store import UnitOfWork
from mlops_core.workspace import SYSTEM, Workspace, actor_named

__all__ = ["STALE_AFTER", "Claim", "claim_job", "finish", "put_back", "recover_jobs", "refresh"]

STALE_AFTER = timedelta(seconds=30)
"""How long a worker may be silent before another takes its job, where several servers share a store."""

_MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a job."""

    job_id: int
    worker: str
    attempt: int

    def holds(self, job: Job) -> bool:
        """Return whether the job is still this claim's."""
        return (job.state, job.worker, job.attempts) == (JobState.RUNNING, self.worker, self.attempt)


def claim_job(workspace: Workspace, worker: str, job_id: int | None = None) -> tuple[Claim, Job] | None:
    """Take the oldest queued job, or a given one; None where there is none to take.

    The revision row is locked while one is chosen, so no two processes ever take the same.
    """
    queued = select(Job).where(Job.state == JobState.QUEUED).order_by(col(Job.id)).limit(1)
    if job_id is not None:
        queued = queued.where(Job.id == job_id)

    def work(unit: UnitOfWork) -> tuple[Claim, Job] | None:
        job = unit.session.exec(queued).first()
        if job is None:
            return None
        job.state, job.worker, job.message = JobState.RUNNING, worker, ""
        job.attempts += 1
        job.started_at, job.alive_at = job.started_at or unit.now, _real_now(unit.session)
        unit.session.add(job)
        return Claim(job.id, worker, job.attempts), job

    with workspace.store.read() as session:
        if session.exec(queued).first() is None:
            return None  # the usual case, and no reason to count the revision up
    return workspace.store.bookkeep(actor_named(workspace, SYSTEM), work)


def refresh(workspace: Workspace, claim: Claim, done: int, total: int, doing: str) -> Job | None:
    """Write that a job is alive and how far it is; return it, None when the claim is lost."""

    def work(unit: UnitOfWork) -> Job | None:
        job = unit.session.get(Job, claim.job_id)
        if job is None or not claim.holds(job):
            return None
        job.done, job.total, job.doing = done, total, doing
        job.alive_at = _real_now(unit.session)
        unit.session.add(job)
        return job

    return workspace.store.bookkeep(actor_named(workspace, SYSTEM), work)


def finish(workspace: Workspace, claim: Claim, state: JobState, message: str) -> bool:
    """Write how a job ended; False when the claim is lost, and nothing was written."""

    def work(unit: UnitOfWork) -> bool:
        job = unit.session.get(Job, claim.job_id)
        if job is None or not claim.holds(job):
            return False
        if state == JobState.SUCCEEDED:
            job.done, job.doing = job.total, ""
        end_job(unit, job, state, message)
        return True

    return workspace.store.bookkeep(actor_named(workspace, SYSTEM), work)


def put_back(workspace: Workspace, claim: Claim) -> bool:
    """Queue a job again whose server is told to stop; that is no failed attempt. False when it is lost."""

    def work(unit: UnitOfWork) -> bool:
        job = unit.session.get(Job, claim.job_id)
        if job is None or not claim.holds(job):
            return False
        job.attempts -= 1
        _queue_again(unit, job, "the server that ran it was stopped: another goes on with it")
        return True

    return workspace.store.bookkeep(actor_named(workspace, SYSTEM), work)


def recover_jobs(workspace: Workspace, *, silent_for: timedelta = STALE_AFTER, starting: bool = False) -> int:
    """Queue the jobs again whose process has died; return how many there were.

    One that was to be cancelled is; one that has outlived its attempts is marked interrupted.

    Parameters
    ----------
    silent_for
        For how long nothing was heard of a job, where several servers share the store.
    starting
        Whether this process has just opened the workspace and runs no job yet. A DuckDB file belongs to one
        process, so every running job is then a dead one's, and afterwards none.
    """
    one_process = workspace.store.dialect == "duckdb"

    def stale(session: Session) -> list[Job]:
        if one_process and not starting:
            return []
        running = list(session.exec(select(Job).where(Job.state == JobState.RUNNING).order_by(col(Job.id))))
        if one_process or not running:
            return running
        before = _real_now(session) - silent_for
        return [job for job in running if job.alive_at is None or job.alive_at < before]

    def work(unit: UnitOfWork) -> int:
        found = stale(unit.session)
        for job in found:
            if job.cancel_requested:
                end_job(unit, job, JobState.CANCELLED, "cancelled; the process that ran it had ended")
            elif job.attempts >= _MOST_ATTEMPTS:
                end_job(unit, job, JobState.INTERRUPTED, _given_up(job))
                unit.record("job.interrupted", "job", job.subject, _given_up(job), job=job.id)
            else:
                _queue_again(unit, job, "the process that ran it ended: it is begun again")
        return len(found)

    with workspace.store.read() as session:
        if not stale(session):
            return 0
    return workspace.store.bookkeep(actor_named(workspace, SYSTEM), work)


def _queue_again(unit: UnitOfWork, job: Job, why: str) -> None:
    job.state, job.worker, job.message = JobState.QUEUED, "", why
    unit.session.add(job)


def _given_up(job: Job) -> str:
    return (
        f"job {job.id} ({job.subject}) was begun {job.attempts} times, and each time the process that ran it "
        "ended first: see what the server's log says, then ask for it again"
    )


def _real_now(session: Session) -> datetime:
    """Return the time that goes on though a workspace's clock may stand.

    It is the database's own where several machines share one, whose clocks may differ.
    """
    if session.get_bind().dialect.name == "postgresql":
        told: datetime = session.exec(select(func.clock_timestamp())).one()
        return told.astimezone(UTC)
    return datetime.now(UTC)
