"""The FastAPI application that the server mounts at `/api`."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from mlops_core import __version__
from mlops_core.api.health import health_router
from mlops_core.api.models import models_router
from mlops_core.domain.errors import BigboardError, Conflict, InvalidInput, NotFound, NotPermitted, StoreError
from mlops_core.workspace import Workspace

__all__ = ["create_api"]

_ROUTERS = (health_router, models_router)
_STATUS: tuple[tuple[type[BigboardError], int], ...] = (
    (NotFound, 404),
    (InvalidInput, 422),
    (NotPermitted, 403),
    (Conflict, 409),
    (StoreError, 503),
    (BigboardError, 500),
)


def create_api(workspace: Workspace) -> FastAPI:
    """Return the API of a workspace; a resource is one router in `_ROUTERS`."""
    api = FastAPI(title="Bigboard", version=__version__, docs_url="/docs", openapi_url="/openapi.json")
    for make_router in _ROUTERS:
        api.include_router(make_router(workspace), prefix="/v1")

    @api.exception_handler(BigboardError)
    async def explain(_: Request, error: BigboardError) -> JSONResponse:
        status = next(code for kind, code in _STATUS if isinstance(error, kind))
        return JSONResponse({"error": type(error).__name__, "message": str(error)}, status_code=status)

    return api
