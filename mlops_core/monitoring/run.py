"""A monitoring run: count what is new, measure what it touches, for every champion."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlmodel import col, select

from mlops_core.domain import Actor, JobRun, Model, ModelVersion
from mlops_core.domain.errors import BigboardError
from mlops_core.domain.states import JobState
from mlops_core.monitoring.counting import count_logs
from mlops_core.monitoring.measuring import measure_version
from mlops_core.monitoring.watch import unwatched_versions, watch_version
from mlops_core.registry.models import champions, find_model, list_models
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

__all__ = [
    "MONITORING",
    "RunSummary",
    "close_interrupted_runs",
    "last_run",
    "monitor_model",
    "recent_runs",
    "run_monitoring",
]

MONITORING = "monitoring"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a monitoring run did.

    Attributes
    ----------
    failures
        Model name to the reason for which it could not be checked.
    """

    models: int
    measurements: int
    failures: dict[str, str]


def run_monitoring(
    workspace: Workspace, actor: Actor, *, progress: Callable[[str], None] | None = None
) -> RunSummary:
    """Check every champion once; one that fails does not keep the others from being checked.

    Parameters
    ----------
    progress
        Called with each model's name before it is checked.
    """
    started = workspace.clock.now()
    run_id = workspace.store.bookkeep(actor, lambda unit: _start(unit, started))
    with workspace.store.read() as session:
        by_id = {model.id: model for model in list_models(session)}
        watched = [(by_id[model_id], version) for model_id, version in champions(session).items()]
        unwatched = unwatched_versions(session, [version for _, version in watched])
    for model, version in watched:
        if version.id in unwatched:
            workspace.store.write(actor, partial(watch_version, model=model, version=version))
    measurements = 0
    failures: dict[str, str] = {}
    for model, version in sorted(watched, key=lambda pair: pair[0].name):
        if progress:
            progress(model.name)
        try:
            measurements += _check(workspace, actor, model, version)
        except BigboardError as error:
            failures[model.name] = str(error)
        except Exception as error:
            _log.exception("model %s could not be checked", model.name)
            failures[model.name] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    summary = RunSummary(len(watched), measurements, failures)
    workspace.store.bookkeep(actor, lambda unit: _finish(unit, run_id, summary))
    return summary


def monitor_model(workspace: Workspace, actor: Actor, model_name: str) -> int:
    """Count what one model's logs have gained, and measure its champion, if it has one.

    It is no monitoring run of the fleet and leaves no job run.

    Returns
    -------
    int
        How many measurements were kept.

    Raises
    ------
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        version = champions(session).get(model.id)
        unwatched = unwatched_versions(session, [version] if version else [])
    if version is None:
        count_logs(workspace, actor, model)
        return 0
    if version.id in unwatched:
        workspace.store.write(actor, partial(watch_version, model=model, version=version))
    return _check(workspace, actor, model, version)


def last_run(workspace: Workspace) -> JobRun | None:
    """Return the newest monitoring run that has ended."""
    with workspace.store.read() as session:
        return session.exec(
            select(JobRun)
            .where(JobRun.job == MONITORING, col(JobRun.state).in_([JobState.SUCCEEDED, JobState.FAILED]))
            .order_by(col(JobRun.id).desc())
            .limit(1)
        ).first()


def recent_runs(workspace: Workspace, *, limit: int = 20) -> list[JobRun]:
    """Return the newest monitoring runs, whatever their state."""
    with workspace.store.read() as session:
        return list(
            session.exec(
                select(JobRun).where(JobRun.job == MONITORING).order_by(col(JobRun.id).desc()).limit(limit)
            )
        )


def close_interrupted_runs(workspace: Workspace, actor: Actor) -> int:
    """Mark runs that no living process can end as interrupted; return how many there were."""

    def work(unit: UnitOfWork) -> int:
        stale = unit.session.exec(select(JobRun).where(JobRun.state == JobState.RUNNING)).all()
        for run in stale:
            run.state, run.finished_at = JobState.INTERRUPTED, unit.now
            run.message = "the process that ran it ended"
        return len(stale)

    return workspace.store.bookkeep(actor, work)


def _check(workspace: Workspace, actor: Actor, model: Model, version: ModelVersion) -> int:
    count_logs(workspace, actor, model)
    return measure_version(workspace, actor, model, version)


def _start(unit: UnitOfWork, started: datetime) -> int:
    return unit.add(JobRun(job=MONITORING, state=JobState.RUNNING, started_at=started)).id


def _finish(unit: UnitOfWork, run_id: int, summary: RunSummary) -> None:
    run = unit.session.get_one(JobRun, run_id)
    run.state = JobState.FAILED if summary.failures else JobState.SUCCEEDED
    run.finished_at = unit.now
    run.message = "; ".join(f"{name}: {why}" for name, why in summary.failures.items()) or (
        f"{summary.models} models checked, {summary.measurements} new measurements"
    )
