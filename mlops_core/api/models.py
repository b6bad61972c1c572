"""The models in production, as the board shows them."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from mlops_core.monitoring import read_board
from mlops_core.monitoring.board import BoardRow
from mlops_core.workspace import Workspace

__all__ = ["models_router"]


class ProductionModel(BaseModel):
    """A model in production with its newest figures; what was not measured is null."""

    name: str
    version: int
    owner: str
    problem_type: str
    level: str
    status: str
    predictions: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    latency_objective_ms: float
    last_prediction: datetime | None
    metric: str | None
    measured: float | None
    trained: float | None
    outcomes_to: datetime | None


def models_router(workspace: Workspace) -> APIRouter:
    """Return the route `GET /models`."""
    router = APIRouter(tags=["models"])

    @router.get("/models")
    def production_models() -> list[ProductionModel]:
        return [_shown(row) for row in read_board(workspace).rows]

    return router


def _shown(row: BoardRow) -> ProductionModel:
    return ProductionModel(
        name=row.model,
        version=row.version,
        owner=row.owner,
        problem_type=row.problem_type,
        level=row.level,
        status=row.status,
        predictions=row.predictions,
        latency_p50_ms=row.latency.p50,
        latency_p95_ms=row.latency.p95,
        latency_p99_ms=row.latency.p99,
        latency_objective_ms=row.latency.objective,
        last_prediction=row.last_prediction,
        metric=row.metric,
        measured=row.measured,
        trained=row.trained,
        outcomes_to=row.outcomes_to,
    )
