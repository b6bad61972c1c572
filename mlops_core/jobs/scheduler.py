"""The scheduler of a serving process: it runs the monitors again and again, and the jobs asked for."""

import logging
import threading
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from mlops_core.domain.errors import BigboardError
from mlops_core.jobs.claims import recover_jobs
from mlops_core.jobs.worker import Worker
from mlops_core.monitoring import close_interrupted_runs, monitor_model, run_monitoring
from mlops_core.version_tests import close_interrupted_test_runs
from mlops_core.workspace import SYSTEM, Workspace, actor_named

__all__ = ["Scheduler"]

_SOON = timedelta(seconds=1)
_APART = timedelta(seconds=2)

_log = logging.getLogger(__name__)


class Scheduler:
    """Runs the monitoring job while a server is up; a run that takes longer than the pause is not doubled.

    Between the runs, a model whose logs have grown is counted and measured by itself. Beside them, a worker
    runs the queue of jobs.
    """

    def __init__(self, workspace: Workspace, *, every_minutes: float = 5.0) -> None:
        self._workspace = workspace
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.add_job(
            self._monitor, "interval", minutes=every_minutes, id="monitoring", coalesce=True, max_instances=1
        )

        self._worker = Worker(workspace)
        self._waking = threading.Lock()
        self._due: dict[str, datetime] = {}
        self._waiting: set[str] = set()
        self._counting = threading.Lock()

    def wake(self, model_name: str) -> None:
        """Count and measure one model a second from now, and at most every two seconds; from any thread."""
        if not self._scheduler.running:
            return
        with self._waking:
            if model_name in self._waiting:
                return
            now = datetime.now(UTC)
            due = max(now + _SOON, self._due.get(model_name, now - _APART) + _APART)
            self._due[model_name] = due
            self._waiting.add(model_name)
        self._scheduler.add_job(
            self._monitor_one, "date", run_date=due, args=[model_name], misfire_grace_time=None
        )

    def wake_jobs(self) -> None:
        """Look at the queue of jobs now; from any thread."""
        self._worker.wake()

    def start(self) -> None:
        """Close the runs that a killed server left open, queue its jobs again, and begin."""
        close_interrupted_runs(self._workspace, actor_named(self._workspace, SYSTEM))
        recover_jobs(self._workspace, starting=True)
        close_interrupted_test_runs(self._workspace, actor_named(self._workspace, SYSTEM))
        self._scheduler.start()
        self._worker.start()

    def stop(self) -> None:
        """Put a job that is running back into the queue, wait for a monitoring run, and end."""
        self._worker.stop()
        self._scheduler.shutdown(wait=True)

    def _monitor(self) -> None:
        try:
            run_monitoring(self._workspace, actor_named(self._workspace, SYSTEM))
        except BigboardError:
            _log.exception("the monitoring run failed")

    def _monitor_one(self, model_name: str) -> None:
        with self._counting:
            with self._waking:
                self._waiting.discard(model_name)  # rows that come from now on wake the scheduler again
            try:
                monitor_model(self._workspace, actor_named(self._workspace, SYSTEM), model_name)
            except BigboardError:
                _log.exception("model %s could not be checked", model_name)
