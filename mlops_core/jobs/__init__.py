"""Work that runs by itself: the scheduler and its jobs."""

from mlops_core.jobs.scheduler import Scheduler

__all__ = ["Scheduler"]
