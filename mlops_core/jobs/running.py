"""Carry out a job: report its progress, hear that it is cancelled, and write how it ended."""

import logging
import os
import secrets
import socket
import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy.exc import DBAPIError

from mlops_core.domain import Actor, Job
from mlops_core.domain.errors import BigboardError, Cancelled
from mlops_core.domain.progress import Progress, unheard
from mlops_core.domain.states import JobState
from mlops_core.jobs.claims import Claim, claim_job, finish, put_back, recover_jobs, refresh
from mlops_core.jobs.kinds import kind_named
from mlops_core.jobs.queue import find_job
from mlops_core.workspace import Workspace

__all__ = ["Watch", "carry_out", "run_job", "worker_name"]

_APART = 0.5
_HEARTBEAT = 5.0
_LONGEST = 300

_log = logging.getLogger(__name__)


class _Leave(BaseException):
    """The work leaves a job that is not over; no `except Exception` of a test may take it for its own."""


class _PutBack(_Leave):
    """The server stops: the job goes back into the queue."""


class _Lost(_Leave):
    """The job is another process's by now."""


class Watch:
    """Between a job and the store: the job tells its progress here, a thread of its own writes it down.

    The thread writes at most twice a second, and every few seconds in any case, so that others know the
    process to be alive; a store that does not answer for a while does not disturb the work.
    """

    def __init__(self, workspace: Workspace, claim: Claim, job: Job, heard: Progress = unheard) -> None:
        self._workspace, self._claim, self._heard = workspace, claim, heard
        self._done, self._total, self._doing = job.done, job.total, job.doing
        self._lock = threading.Lock()
        self._news = False
        self._written = time.monotonic()
        self._stop: type[BaseException] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"job-{job.id}-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def claim(self) -> Claim:
        """Return what is watched."""
        return self._claim

    def progress(self, done: int, total: int, doing: str) -> None:
        """Take a report of the work; what is done never becomes less.

        Raises
        ------
        Cancelled
            Somebody asked for the job to stop.
        """
        with self._lock:
            if done * self._total >= self._done * total:
                self._done, self._total = done, total
            self._doing, self._news = doing[:_LONGEST], True
            now = self._done, self._total, self._doing
        self._heard(*now)
        if self._stop is Cancelled:
            raise Cancelled(f"job {self._claim.job_id} was cancelled")
        if self._stop is not None:
            raise self._stop

    def give_back(self) -> None:
        """Have the work end at its next report, and the job go back into the queue."""
        self._stop = self._stop or _PutBack

    def _beat(self) -> None:
        while not self._over.wait(_APART):
            try:
                self._write()
            except (BigboardError, DBAPIError):
                _log.warning("job %s cannot be written down now", self._claim.job_id, exc_info=True)

    def _write(self) -> None:
        with self._lock:
            news, self._news = self._news, False
            now = self._done, self._total, self._doing
        if news or time.monotonic() - self._written >= _HEARTBEAT:
            job = refresh(self._workspace, self._claim, *now)
            self._written = time.monotonic()
        else:
            read = find_job(self._workspace, self._claim.job_id)
            job = read if self._claim.holds(read) else None
        if job is None:
            self._stop = _Lost
        elif job.cancel_requested:
            self._stop = self._stop or Cancelled


def worker_name() -> str:
    """Return a name for something that runs jobs here: the host, the process, and a word of its own."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def carry_out(workspace: Workspace, job: Job, watch: Watch) -> None:
    """Do a job that was claimed, and write how it ended; nothing that the work raises comes out of here."""
    claim = watch.claim
    try:
        with watch:
            state, message = JobState.SUCCEEDED, _work(workspace, job, watch)
    except Cancelled as error:
        state, message = JobState.CANCELLED, str(error)
    except BigboardError as error:
        state, message = JobState.FAILED, str(error)
    except _PutBack:
        put_back(workspace, claim)
        return
    except _Lost:
        _log.warning("job %s was taken over by another process, and left to it", claim.job_id)
        return
    except Exception as error:
        _log.exception("job %s (%s of %s) failed", claim.job_id, job.name, job.subject)
        reason = str(error).partition("\n")[0]
        state = JobState.FAILED
        message = f"a fault of Bigboard ({type(error).__name__}: {reason}): the server's log has the details"
    except BaseException:
        finish(workspace, claim, JobState.CANCELLED, "its process was interrupted")
        raise
    finish(workspace, claim, state, message)


def run_job(workspace: Workspace, job_id: int, *, progress: Progress = unheard) -> Job:
    """Run a job in this process and return it when it is over; one that runs elsewhere is waited for.

    Raises
    ------
    NotFound
        There is no such job. What the job itself raises is told by its state and message.
    """
    while True:
        taken = claim_job(workspace, worker_name(), job_id)
        if taken is not None:
            claim, claimed = taken
            carry_out(workspace, claimed, Watch(workspace, claim, claimed, progress))
        job = find_job(workspace, job_id)
        if JobState(job.state).is_over:
            return job
        progress(job.done, job.total, job.doing or "waiting for the process that runs it")
        time.sleep(_APART)
        recover_jobs(workspace)


def _work(workspace: Workspace, job: Job, watch: Watch) -> str:
    kind = kind_named(job.name)
    with workspace.store.read() as session:
        actor = session.get_one(Actor, job.actor_id)
    return kind.work(workspace, actor, job, watch.progress)
