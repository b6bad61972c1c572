"""The FastAPI application that the server mounts at `/api`."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from mlops_core import __version__
from mlops_core.api.health import health_router
from mlops_core.api.jobs import jobs_router
from mlops_core.api.models import models_router
from mlops_core.api.predictions import predictions_router
from mlops_core.api.registry import registry_router
from mlops_core.api.versions import versions_router
from mlops_core.domain.errors import BigboardError, Conflict, InvalidInput, NotFound, NotPermitted, StoreError
from mlops_core.workspace import SYSTEM, Workspace

__all__ = ["create_api"]

_ROUTERS = (health_router, models_router, versions_router)
_STATUS: tuple[tuple[type[BigboardError], int], ...] = (
    (NotFound, 404),
    (InvalidInput, 422),
    (NotPermitted, 403),
    (Conflict, 409),
    (StoreError, 503),
    (BigboardError, 500),
)


def create_api(
    workspace: Workspace,
    *,
    logged: Callable[[str], None] = lambda _: None,
    enqueued: Callable[[int], None] = lambda _: None,
    actor: str = SYSTEM,
) -> FastAPI:
    """Return the API of a workspace; a resource is one router in `_ROUTERS`.

    Parameters
    ----------
    logged
        Called with a model's name when its logs have grown, so that they are counted soon.
    enqueued
        Called with the id of a job that was asked for, so that it is run soon.
    actor
        Name of the actor on whose behalf it registers, asks for jobs and cancels them: there is no sign-in
        yet, so whoever reaches a served API does so as `system`.
    """
    api = FastAPI(title="Bigboard", version=__version__, docs_url="/docs", openapi_url="/openapi.json")
    for make_router in _ROUTERS:
        api.include_router(make_router(workspace), prefix="/v1")
    api.include_router(predictions_router(workspace, logged), prefix="/v1")
    api.include_router(jobs_router(workspace, actor), prefix="/v1")
    api.include_router(registry_router(workspace, actor, enqueued), prefix="/v1")

    @api.exception_handler(BigboardError)
    async def explain(_: Request, error: BigboardError) -> JSONResponse:
        status = next(code for kind, code in _STATUS if isinstance(error, kind))
        return _answer(status, type(error).__name__, str(error))

    @api.exception_handler(DBAPIError)
    async def explain_silence(_: Request, error: DBAPIError) -> JSONResponse:
        return _answer(503, StoreError.__name__, f"the metadata store does not answer: {error.orig}")

    @api.exception_handler(HTTPException)
    async def explain_refusal(request: Request, error: HTTPException) -> JSONResponse:
        name = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
        place = f"{request.method} {request.url.path}"
        return _answer(
            error.status_code,
            name,
            f"{place}: {error.detail.lower()}; {request.scope.get('root_path', '')}/docs lists what there is",
        )

    @api.exception_handler(RequestValidationError)
    async def explain_input(_: Request, error: RequestValidationError) -> JSONResponse:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return _answer(422, InvalidInput.__name__, found)

    @api.exception_handler(Exception)
    async def explain_fault(_: Request, __: Exception) -> JSONResponse:
        return _answer(500, "InternalError", "a fault of Bigboard: the server's log has the details")

    return api


def _answer(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse({"error": error, "message": message}, status_code=status)
