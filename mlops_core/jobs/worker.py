"""The thread of a server that runs what is in the queue, one job after the other."""

import logging
import threading
import time

from sqlalchemy.exc import DBAPIError

from mlops_core.domain.errors import BigboardError
from mlops_core.jobs.claims import claim_job, put_back, recover_jobs
from mlops_core.jobs.running import Watch, carry_out, worker_name
from mlops_core.workspace import Workspace

__all__ = ["Worker"]

_POLL = 0.5
_SWEEP = 10.0
_PATIENCE = 4.0

_log = logging.getLogger(__name__)


class Worker:
    """Takes the oldest queued job, runs it, and takes the next, until it is stopped.

    Several workers, of several servers on one PostgreSQL, share the queue; each also looks for jobs whose
    server has died.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._name = worker_name()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin; what a killed process left running should have been recovered before."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue now, not only at the next turn."""
        self._woken.set()

    def stop(self, patience: float = _PATIENCE) -> None:
        """End soon: a job that runs goes back into the queue, to be taken up by the next server.

        Parameters
        ----------
        patience
            Seconds to wait for the job's next report; after that it is put back without it.
        """
        self._stopping.set()
        self._woken.set()
        if (watch := self._watch) is not None:
            watch.give_back()
        if self._thread.is_alive():
            self._thread.join(patience)
        watch = self._watch
        if self._thread.is_alive() and watch is not None and put_back(self._workspace, watch.claim):
            _log.warning("job %s did not stop in time and was put back", watch.claim.job_id)

    def _run(self) -> None:
        swept = time.monotonic()
        while not self._stopping.is_set():
            try:
                busy = self._take_one()
                if time.monotonic() - swept >= _SWEEP:
                    swept = time.monotonic()
                    recover_jobs(self._workspace)
            except (BigboardError, DBAPIError):
                _log.exception("the queue of jobs cannot be read now")
                busy = False
                self._stopping.wait(_POLL)
            if not busy:
                self._woken.wait(_POLL)
                self._woken.clear()

    def _take_one(self) -> bool:
        taken = claim_job(self._workspace, self._name)
        if taken is None:
            return False
        claim, job = taken
        self._watch = Watch(self._workspace, claim, job)
        if self._stopping.is_set():
            self._watch.give_back()
        try:
            carry_out(self._workspace, job, self._watch)
        finally:
            self._watch = None
        return True
