"""Jobs that wait or run: what they are at, how far they are, and a way to stop them."""

from collections.abc import Sequence

import streamlit as st

from app import session
from app.components.formats import ago
from app.components.plain import plain
from app.registry.looks import job_style
from mlops_core.domain import Job
from mlops_core.domain.errors import BigboardError
from mlops_core.domain.states import JobState
from mlops_core.jobs import KINDS, cancel_job, find_job, open_jobs, recent_jobs

__all__ = ["draw_jobs", "draw_last_trouble", "jobs_of", "jobs_open"]

_MOST = 4
_CANCELLED = "registry_cancelled"


def jobs_open() -> list[Job]:
    """Return all jobs that wait or run, the first to be taken first."""
    return open_jobs(session.workspace())


def jobs_of(subject: str) -> list[Job]:
    """Return the newest jobs of a version, the newest first."""
    return recent_jobs(session.workspace(), subject=subject, limit=8)


def draw_jobs(jobs: Sequence[Job]) -> None:
    """Draw jobs that wait or run; their progress is looked at every second until one of them ends."""
    identities = tuple(job.id for job in jobs)
    if identities:
        st.fragment(_draw_progress, run_every="1s")(identities)


def _draw_progress(identities: tuple[int, ...]) -> None:
    jobs = [find_job(session.workspace(), one) for one in identities[:_MOST]]
    if any(JobState(job.state).is_over for job in jobs):
        st.rerun()  # the whole page: what the job found is shown elsewhere on it
    with st.container(border=True, gap="xsmall", key="registry_jobs"):
        for job in jobs:
            _draw_job(job)
        more = len(identities) - len(jobs)
        if more > 0:
            st.caption(f"{more} more {'jobs wait' if more > 1 else 'job waits'} behind them.")


def _draw_job(job: Job) -> None:
    state = JobState(job.state)
    style = job_style(state)
    kind = KINDS.get(job.name)
    title = f"{kind.title if kind else job.name} of **{plain(job.subject)}**"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":{style.color}[{style.icon} {state}] {title}", width=330)
        if job.total:
            share = min(job.done / job.total, 1.0)
            st.progress(share, text=f"{job.done} of {job.total}: {plain(job.doing)}" if job.doing else None)
        else:
            waits = "waits for its turn" if state == JobState.QUEUED else job.doing or "begins"
            st.markdown(f":gray[{plain(waits)}]", width="stretch")
        _draw_cancel(job)


def _draw_cancel(job: Job) -> None:
    actor = session.current_actor()
    kind = KINDS.get(job.name)
    may = actor.id == job.actor_id or actor.has_role(*(kind.roles if kind else ()))
    refused = "" if may else f"{actor.full_name} looks on: who asked for it may cancel it, and who may ask"
    st.button(
        "Stopping" if job.cancel_requested else "Cancel",
        icon=":material/stop_circle:",
        key=f"registry_cancel_{job.id}",
        disabled=bool(refused) or job.cancel_requested,
        help=refused or "Stops it at its next step; what it has found is kept",
        on_click=_cancel,
        args=(job.id,),
    )


def _cancel(job_id: int) -> None:
    try:
        cancel_job(session.workspace(), session.current_actor(), job_id)
    except BigboardError as error:
        st.toast(plain(str(error)), icon=":material/block:")


def draw_last_trouble(jobs: Sequence[Job]) -> None:
    """Say of each kind of job how the newest one ended, where that was not well."""
    seen: set[str] = set()
    for job in jobs:
        if job.name in seen:
            continue
        seen.add(job.name)
        state = JobState(job.state)
        if state not in (JobState.FAILED, JobState.INTERRUPTED, JobState.CANCELLED):
            continue
        style = job_style(state)
        kind = KINDS.get(job.name)
        when = ago(job.finished_at, session.workspace().clock.now())
        told = f": {plain(job.message)}" if job.message else ""
        st.markdown(
            f":{style.color}-badge[{style.icon} {state}] {kind.title if kind else job.name}, {when}{told}"
        )
