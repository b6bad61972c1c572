"""One ASGI process: the console, the REST API under `/api`, and the scheduler."""

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from streamlit import config
from streamlit.starlette import App

from app import session
from mlops_core.api import create_api
from mlops_core.console_root import console_root
from mlops_core.jobs import Scheduler
from mlops_core.served_at import announced
from mlops_core.workspace import Workspace

__all__ = ["create_application", "run"]

_GRACE_SECONDS = 2


def create_application(workspace: Workspace, *, address: tuple[str, int] | None = None) -> App:
    """Return the ASGI application that serves a workspace.

    The scheduler starts and stops with it; it closes the workspace when it stops.

    Parameters
    ----------
    address
        Host and port where it is served, which the workspace says as long as it is.
    """
    _apply_config()
    session.use(workspace)
    scheduler = Scheduler(workspace)

    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[dict[str, Any] | None]:
        with announced(workspace.settings, *address) if address else nullcontext():
            scheduler.start()
            try:
                yield None
            finally:
                scheduler.stop()
                workspace.close()

    return App(
        console_root() / "app" / "main.py",
        lifespan=lifespan,
        routes=[
            Mount(
                "/api",
                app=create_api(workspace, logged=scheduler.wake, enqueued=lambda _: scheduler.wake_jobs()),
            ),
            Route("/board", _to_board),
        ],
    )


def run(workspace: Workspace, host: str, port: int) -> None:
    """Serve a workspace until the process is told to stop (SIGINT or SIGTERM)."""
    uvicorn.run(
        create_application(workspace, address=(host, port)),
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="websockets-sansio",
    )


async def _to_board(request: Request) -> RedirectResponse:
    """Lead to the board by its name too: Streamlit serves its first page at `/` alone."""
    return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/")


def _apply_config() -> None:
    """Give Streamlit the console's own settings and theme, from whatever folder it was started."""
    path = console_root() / ".streamlit" / "config.toml"
    for name, value in _flat(tomllib.loads(path.read_text(encoding="utf-8"))):
        config.set_option(name, value, where_defined=str(path))


def _flat(section: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = []
    for name, value in section.items():
        if isinstance(value, dict):
            options += _flat(value, f"{prefix}{name}.")
        else:
            options.append((f"{prefix}{name}", value))
    return options
