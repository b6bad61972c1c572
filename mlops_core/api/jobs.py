"""Jobs: how those that were asked for stand, and how one is cancelled."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlmodel import col, select

from mlops_core.domain import Actor, Comparison, Job, TestRun
from mlops_core.domain.states import JobState
from mlops_core.jobs import cancel_job, find_job, recent_jobs
from mlops_core.workspace import Workspace, actor_named

__all__ = ["JobShown", "jobs_router", "shown_jobs"]

_MOST = 200


class JobShown(BaseModel):
    """A job as it stands; `done` of `total` steps are made, both 0 before it knows how many there are."""

    id: int
    name: str = Field(description="test_version, compare_versions or judge_version")
    subject: str = Field(description="What it works on, churn-risk:5")
    arguments: dict[str, Any]
    actor: str
    state: JobState
    is_over: bool
    done: int
    total: int
    doing: str = Field(description="What it is at")
    message: str = Field(description="What came of it, or why it failed")
    cancel_requested: bool
    attempts: int = Field(description="How often it was begun; a server that died counts")
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    test_run_id: int | None = Field(description="The test run that it has begun")
    comparison_id: int | None = Field(description="The comparison that it has stored")


def jobs_router(workspace: Workspace, actor: str) -> APIRouter:
    """Return the routes under `/jobs`.

    Parameters
    ----------
    actor
        Name of the actor on whose behalf jobs are cancelled.
    """
    router = APIRouter(tags=["jobs"])

    @router.get("/jobs")
    def jobs(
        subject: Annotated[str | None, Query(description="Only those of churn-risk:5")] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 20,
    ) -> list[JobShown]:
        """Return the newest jobs, whatever their state."""
        return shown_jobs(workspace, recent_jobs(workspace, subject=subject, limit=limit))

    @router.get("/jobs/{job_id}")
    def job(job_id: int) -> JobShown:
        return shown_jobs(workspace, [find_job(workspace, job_id)])[0]

    @router.post("/jobs/{job_id}/cancel")
    def cancel(job_id: int) -> JobShown:
        """Ask a job to stop: at once while it is queued, at its next step while it runs."""
        cancelled = cancel_job(workspace, actor_named(workspace, actor), job_id)
        return shown_jobs(workspace, [cancelled])[0]

    return router


def shown_jobs(workspace: Workspace, jobs: Sequence[Job]) -> list[JobShown]:
    """Return jobs as the API shows them, with who asked for them and what they have stored."""
    ids = [job.id for job in jobs]
    with workspace.store.read() as session:
        names = {actor.id: actor.name for actor in session.exec(select(Actor))}
        runs = dict(
            session.exec(
                select(TestRun.job_id, TestRun.id)
                .where(col(TestRun.job_id).in_(ids))
                .order_by(col(TestRun.id))
            ).all()
        )
        compared = dict(
            session.exec(
                select(Comparison.job_id, Comparison.id)
                .where(col(Comparison.job_id).in_(ids))
                .order_by(col(Comparison.id))
            ).all()
        )
    return [
        JobShown(
            **job.model_dump(include=set(JobShown.model_fields) & set(Job.model_fields)),
            actor=names[job.actor_id],
            is_over=JobState(job.state).is_over,
            test_run_id=runs.get(job.id),
            comparison_id=compared.get(job.id),
        )
        for job in jobs
    ]
