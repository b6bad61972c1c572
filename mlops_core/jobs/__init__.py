"""Work that is done beside the pages: the scheduler, and the queue of jobs with what runs them."""

from mlops_core.jobs.claims import recover_jobs
from mlops_core.jobs.kinds import KINDS, Kind, OneVersion, TwoVersions, Wish
from mlops_core.jobs.queue import cancel_job, enqueue, find_job, open_jobs, recent_jobs
from mlops_core.jobs.running import run_job
from mlops_core.jobs.scheduler import Scheduler
from mlops_core.jobs.worker import Worker

__all__ = [
    "KINDS",
    "Kind",
    "OneVersion",
    "Scheduler",
    "TwoVersions",
    "Wish",
    "Worker",
    "cancel_job",
    "enqueue",
    "find_job",
    "open_jobs",
    "recent_jobs",
    "recover_jobs",
    "run_job",
]
