import asyncio
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mlops_core import __version__
from mlops_core.api import create_api
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted, StoreHeld, WarehouseError
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.store import head_version
from tests.factories import NOW, champion, new_model, population, system, workspace_in
from tests.postgres_server import create_database, drop_database


class Client:
    """Sends requests to an ASGI application without a socket between."""

    def __init__(self, application):
        self._transport = httpx.ASGITransport(application, raise_app_exceptions=False)

    def request(self, method, path):
        async def ask():
            async with httpx.AsyncClient(transport=self._transport, base_url="http://bigboard") as client:
                return await client.request(method, path)

        return asyncio.run(ask())

    def get(self, path):
        return self.request("GET", path)


def client_of(workspace):
    """A client of the API where the server mounts it."""
    return Client(Starlette(routes=[Mount("/api", app=create_api(workspace))]))


@pytest.fixture
def client(workspace):
    return client_of(workspace)


def test_health_tells_the_versions_and_the_state_of_the_store(client, workspace):
    answer = client.get("/api/v1/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": __version__,
        "schema_version": head_version(),
        "store": "duckdb",
        "revision": workspace.store.revision(),
        "now": NOW.isoformat().replace("+00:00", "Z"),
        "monitored_at": None,
    }
    run_monitoring(workspace, system(workspace))
    assert datetime.fromisoformat(client.get("/api/v1/health").json()["monitored_at"]) == NOW


def test_health_answers_503_when_the_store_is_gone(postgres_url, tmp_path):
    workspace = workspace_in(tmp_path, create_database(postgres_url, "vanishing_api"))
    client = client_of(workspace)
    assert client.get("/api/v1/health").json()["store"] == "postgresql"
    drop_database(postgres_url, "vanishing_api")
    for path in ("/api/v1/health", "/api/v1/models"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.json()["error"] == "StoreError"
        assert "does not answer" in answer.json()["message"]
    workspace.close()


def test_there_are_no_models_at_first(client, workspace):
    new_model(workspace)
    assert client.get("/api/v1/models").json() == []


def test_a_model_in_production_is_listed_with_its_figures(client, workspace):
    trained = champion(workspace)
    rows = population(500, start=datetime(2025, 3, 9, tzinfo=UTC), days=1)
    log_predictions(workspace, system(workspace), "churn-risk", 1, trained.predictions(rows))
    run_monitoring(workspace, system(workspace))
    (model,) = client.get("/api/v1/models").json()
    assert (model["name"], model["version"], model["owner"]) == ("churn-risk", 1, "A Lead")
    assert (model["problem_type"], model["metric"], model["trained"]) == ("binary", "roc_auc", 0.8)
    assert (model["predictions"], model["measured"], model["outcomes_to"]) == (500, None, None)
    assert model["latency_p95_ms"] == pytest.approx(
        np.quantile(rows["latency_ms"], 0.95, method="inverted_cdf"), rel=0.027
    )
    assert datetime.fromisoformat(model["last_prediction"]) == rows["predicted_at"].max()


def test_a_model_that_was_never_measured_has_null_where_a_figure_would_be(client, workspace):
    champion(workspace)
    (model,) = client.get("/api/v1/models").json()
    assert (model["status"], model["level"], model["predictions"]) == ("Not measured", "unknown", 0)
    assert model["latency_p95_ms"] is model["measured"] is model["last_prediction"] is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no model"), 404),
        (InvalidInput("no"), 422),
        (NotPermitted("no"), 403),
        (Conflict("no"), 409),
        (StoreHeld("held", 7), 503),
        (WarehouseError("disk"), 500),
        (RuntimeError("a fault of ours: secret"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_is_answered_as_json(workspace, error, status):
    api = create_api(workspace)

    @api.get("/v1/fails")
    def fails():
        raise error

    answer = Client(api).get("/v1/fails")
    assert answer.status_code == status
    body = answer.json()
    assert body.keys() == {"error", "message"}
    if isinstance(error, RuntimeError):
        assert "secret" not in body["message"]
    else:
        assert body == {"error": type(error).__name__, "message": str(error)}


def test_what_the_api_does_not_have_is_answered_as_json(client):
    answer = client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "NotFound",
        "message": "GET /api/v1/nothing: not found; /api/docs lists what there is",
    }
    answer = client.request("POST", "/api/v1/health")
    assert answer.status_code == 405
    assert answer.json()["error"] == "MethodNotAllowed"


def test_input_that_a_route_cannot_take_is_answered_as_json(workspace):
    api = create_api(workspace)

    @api.get("/v1/takes")
    def takes(number: int):
        return number

    answer = Client(api).get("/v1/takes?number=many")
    assert answer.status_code == 422
    assert answer.json()["error"] == "InvalidInput"
    assert answer.json()["message"].startswith("query.number: Input should be a valid integer")


def test_the_api_describes_itself(client):
    described = client.get("/api/openapi.json").json()
    assert described["info"] == {"title": "Bigboard", "version": __version__}
    assert {"/v1/health", "/v1/models"} <= described["paths"].keys()
    assert client.get("/api/docs").status_code == 200
