"""The scheduler of a serving process: it runs the monitors again and again."""

import logging
from datetime import UTC

from apscheduler.schedulers.background import BackgroundScheduler

from mlops_core.domain.errors import BigboardError
from mlops_core.monitoring import close_interrupted_runs, run_monitoring
from mlops_core.workspace import SYSTEM, Workspace, actor_named

__all__ = ["Scheduler"]

_log = logging.getLogger(__name__)


class Scheduler:
    """Runs the monitoring job while a server is up; a run that takes longer than the pause is not doubled."""

    def __init__(self, workspace: Workspace, *, every_minutes: float = 5.0) -> None:
        self._workspace = workspace
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.add_job(
            self._monitor, "interval", minutes=every_minutes, id="monitoring", coalesce=True, max_instances=1
        )

    def start(self) -> None:
        """Close the runs that a killed server left open, and begin."""
        close_interrupted_runs(self._workspace, actor_named(self._workspace, SYSTEM))
        self._scheduler.start()

    def stop(self) -> None:
        """Wait for a job that is running, and end."""
        self._scheduler.shutdown(wait=True)

    def _monitor(self) -> None:
        try:
            run_monitoring(self._workspace, actor_named(self._workspace, SYSTEM))
        except BigboardError:
            _log.exception("the monitoring run failed")
