"""Whether the server is alive and its store answers."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from mlops_core import __version__
from mlops_core.monitoring import last_run
from mlops_core.store import head_version, ping
from mlops_core.workspace import Workspace

__all__ = ["health_router"]


class Health(BaseModel):
    """What a load balancer and `bigboard doctor` ask; `now` is the time by the workspace's clock."""

    status: str
    version: str
    schema_version: str
    store: str
    revision: int
    now: datetime
    monitored_at: datetime | None


def health_router(workspace: Workspace) -> APIRouter:
    """Return the route `GET /health`; it answers 503 when the store does not."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    def health() -> Health:
        ping(workspace.store)
        run = last_run(workspace)
        return Health(
            status="ok",
            version=__version__,
            schema_version=head_version(),
            store=workspace.store.dialect,
            revision=workspace.store.revision(),
            now=workspace.clock.now(),
            monitored_at=run.finished_at if run else None,
        )

    return router
