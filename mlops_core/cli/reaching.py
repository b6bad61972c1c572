"""Run a command here, or through the server that holds the workspace: it is written once, for a client.

with reached(settings, server) as console:
    job = follow(console, console.test("churn-risk", 5))
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import httpx

from mlops_core.cli.output import fail
from mlops_core.client import Client
from mlops_core.domain.errors import BigboardError, StoreHeld
from mlops_core.domain.states import JobState
from mlops_core.settings import Settings

if TYPE_CHECKING:
    from mlops_core.api.jobs import JobShown

__all__ = ["follow", "reached"]

_HERE: Final = "http://bigboard.here"
_STOPS_WITHIN: Final = 15.0


@contextmanager
def reached(settings: Settings, server: str | None = None) -> Iterator[Client]:
    """Give a client of the workspace: of the server that was named or holds it, or else of this process.

    In this process it acts as `settings.actor`, and jobs that are asked for are run in threads, which are
    stopped when the block ends.

    Parameters
    ----------
    server
        URL of a serving console.

    Raises
    ------
    StoreError
        There is no workspace, or a process holds it that does not say where it listens.
    """
    if server is not None:
        with Client(server) as client:
            yield client
        return
    from mlops_core.served_at import address_of_server
    from mlops_core.workspace import open_workspace

    try:
        workspace = open_workspace(settings)
    except StoreHeld as held:
        address = address_of_server(settings, held.process_id)
        if address is None:
            raise StoreHeld(f"{held} (--server URL)", held.process_id) from held
        with Client(address) as client:
            yield client
        return
    from mlops_core.api import create_api
    from mlops_core.jobs import cancel_job, find_job, recover_jobs, run_job
    from mlops_core.workspace import actor_named

    running: dict[int, threading.Thread] = {}

    def run(job_id: int) -> None:
        if job_id not in running:
            running[job_id] = threading.Thread(target=run_job, args=(workspace, job_id), daemon=True)
            running[job_id].start()

    try:
        recover_jobs(workspace, starting=True)
        api = create_api(workspace, actor=settings.actor, enqueued=run)
        with Client(_HERE, transport=_InThisProcess(api), attempts=1) as client:
            try:
                yield client
            finally:
                for job_id in running:
                    if not JobState(find_job(workspace, job_id).state).is_over:
                        with suppress(BigboardError):
                            cancel_job(workspace, actor_named(workspace, settings.actor), job_id)
                for thread in running.values():
                    thread.join(_STOPS_WITHIN)
    finally:
        workspace.close()


def follow(console: Client, job: "JobShown") -> "JobShown":
    """Wait until a job is over, and show on standard error what it is at; Ctrl-C cancels it.

    Raises
    ------
    KeyboardInterrupt
        After it was cancelled.
    """
    try:
        return _shown_with_bar(console, job)
    except KeyboardInterrupt:
        fail(f"cancelling job {job.id} ({job.subject})")
        with suppress(BigboardError, TimeoutError):
            console.cancel(job.id)
            console.wait(job.id, timeout=_STOPS_WITHIN)
        raise


def _shown_with_bar(console: Client, job: "JobShown") -> "JobShown":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    errors = Console(stderr=True, soft_wrap=True)
    if not errors.is_terminal:
        return console.wait(job, progress=lambda done, total, doing: _print(errors, done, total, doing))
    columns = (BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=errors, transient=True) as bar:
        task = bar.add_task("queued", total=None)
        return console.wait(
            job,
            progress=lambda done, total, doing: bar.update(
                task, completed=done, total=total or None, description=doing.replace("[", r"\[")
            ),
        )


def _print(errors: Any, done: int, total: int, doing: str) -> None:
    share = f"{100 * done // total:3d} % " if total else ""
    errors.print(f"{share}{doing}", markup=False, highlight=False)


class _InThisProcess(httpx.BaseTransport):
    """Carries requests to an ASGI application in this process."""

    def __init__(self, application: Any) -> None:
        self._transport = httpx.ASGITransport(application)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(path=request.url.path.removeprefix("/api"))
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        body = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)
