"""What a scoring service sends: predictions and outcomes, as JSON rows or an Arrow IPC stream."""

from collections.abc import Callable
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mlops_core.monitoring import Logged, log_outcomes, log_predictions
from mlops_core.monitoring.json_rows import arrow_rows, check_known, json_rows, parsed_batch
from mlops_core.monitoring.logs import LogShape, outcome_shape, prediction_shape
from mlops_core.workspace import SYSTEM, Workspace, actor_named

__all__ = ["ARROW_STREAM", "predictions_router"]

ARROW_STREAM = "application/vnd.apache.arrow.stream"
_MOST_BYTES = 100 * 2**20
_MOST_ROWS = 1_000_000
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["rows"],
                    "properties": {
                        "version": {"type": "integer", "nullable": True},
                        "rows": {"type": "array", "items": {"type": "object"}},
                    },
                }
            },
            ARROW_STREAM: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class Receipt(BaseModel):
    """How many rows came, how many were new, and how many were there before."""

    received: int
    stored: int
    duplicates: int


def predictions_router(workspace: Workspace, logged: Callable[[str], None]) -> APIRouter:
    """Return the routes by which a scoring service logs.

    A batch is answered when it is durable: the table's commit has been written. The same batch again adds
    nothing, so who got no answer sends it again.

    Parameters
    ----------
    logged
        Called with the model's name after a batch that added rows.
    """
    router = APIRouter(tags=["logs"])

    @router.post("/models/{name}/predictions", openapi_extra=_BODY)
    async def predictions(
        request: Request, name: str, version: Annotated[int | None, Query(ge=1)] = None
    ) -> Receipt:
        body, is_arrow = await _body(request)

        def store() -> Logged:
            number, batch = (version, arrow_rows(body)) if is_arrow else parsed_batch(body, version)
            shape = prediction_shape(workspace, name, number)
            rows = _rows(workspace, shape, f"predictions of {name}", batch)
            return log_predictions(workspace, actor_named(workspace, SYSTEM), name, shape.number, rows)

        return await _logged(store, name)

    @router.post("/models/{name}/outcomes", openapi_extra=_BODY)
    async def outcomes(request: Request, name: str) -> Receipt:
        body, is_arrow = await _body(request)

        def store() -> Logged:
            batch = arrow_rows(body) if is_arrow else parsed_batch(body)[1]
            rows = _rows(workspace, outcome_shape(workspace, name), f"outcomes of {name}", batch)
            return log_outcomes(workspace, actor_named(workspace, SYSTEM), name, rows)

        return await _logged(store, name)

    async def _logged(store: Callable[[], Logged], name: str) -> Receipt:
        found = await run_in_threadpool(store)
        if found.received:  # also for rows that came again: the process that stored them may have died
            logged(name)
        return Receipt(received=found.received, stored=found.stored, duplicates=found.duplicates)

    return router


async def _body(request: Request) -> tuple[bytes, bool]:
    """Return the body, and whether it is an Arrow stream; what is too large is not read to its end."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", ARROW_STREAM):
        raise HTTPException(
            415, f"content type '{kind}' cannot be read: send application/json or {ARROW_STREAM}"
        )
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MOST_BYTES:
            raise HTTPException(413, f"the batch is larger than {_MOST_BYTES:,} bytes: send it in parts")
        parts.append(part)
    return b"".join(parts), kind == ARROW_STREAM


def _rows(
    workspace: Workspace, shape: LogShape, what: str, batch: pa.Table | list[dict[str, object]]
) -> pa.Table:
    count = len(batch) if isinstance(batch, list) else batch.num_rows
    if count > _MOST_ROWS:
        raise HTTPException(413, f"the batch has more than {_MOST_ROWS:,} rows: send it in parts")
    rows = json_rows(shape, what, batch) if isinstance(batch, list) else batch
    check_known(workspace, shape, what, rows)
    return rows
