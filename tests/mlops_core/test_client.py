import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pandas as pd
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount

from mlops_core.api import create_api
from mlops_core.client import Client
from mlops_core.domain.errors import InvalidInput, NotFound, StoreBusy, StoreError
from tests.factories import NOW, champion, population

START = datetime(2025, 3, 3, tzinfo=UTC)


@contextmanager
def served(application):
    """The address of an application that is served from a thread."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def churn(workspace):
    return champion(workspace)


@pytest.fixture
def address(workspace, churn):
    with served(Starlette(routes=[Mount("/api", app=create_api(workspace))])) as address:
        yield address


@pytest.fixture
def rows():
    return population(20, start=START, days=1)


def columns_of(churn, rows):
    return churn.predictions(rows).drop_columns(["customer"])


@pytest.mark.parametrize("shape", ["table", "frame", "dictionaries"])
def test_tables_frames_and_dictionaries_are_logged_alike(workspace, churn, address, rows, shape):
    batch = columns_of(churn, rows)
    given = {"table": batch, "frame": batch.to_pandas(), "dictionaries": batch.to_pylist()}[shape]
    with Client(address) as client:
        first = client.log_predictions("churn-risk", given, version=1)
        again = client.log_predictions("churn-risk", given)
        told = client.log_outcomes("churn-risk", churn.outcomes(rows, known_at=NOW))
    assert (first.received, first.stored, first.duplicates) == (20, 20, 0)
    assert again == {"received": 20, "stored": 0, "duplicates": 20}
    assert told.stored == 20
    kept = workspace.warehouse.read("predictions/churn-risk").sort_by("prediction_id")
    assert kept["income"].equals(batch.sort_by("prediction_id")["income"])


def test_the_errors_of_the_console_are_raised_here(address, churn, rows):
    with Client(address) as client:
        with pytest.raises(NotFound, match="no model 'none'"):
            client.log_predictions("none", columns_of(churn, rows))
        with pytest.raises(InvalidInput, match="between 0 and 1, got 2"):
            client.log_predictions("churn-risk", columns_of(churn, rows).to_pandas().assign(prediction=2.0))
        with pytest.raises(InvalidInput, match="cannot be sent"):
            client.log_outcomes("churn-risk", [{"prediction_id": "a"}, {"prediction_id": 1}])


def test_a_batch_is_sent_again_until_the_store_answers(monkeypatch):
    monkeypatch.setattr("mlops_core.http_calls._FIRST_PAUSE", 0.001)
    asked = []

    async def busy_at_first(scope, receive, send):
        asked.append(scope["path"])
        if len(asked) < 3:
            answer = JSONResponse({"error": "StoreBusy", "message": "try again"}, 503)
        else:
            answer = JSONResponse({"received": 1, "stored": 1, "duplicates": 0})
        await answer(scope, receive, send)

    with served(Starlette(routes=[Mount("/", app=busy_at_first)])) as address, Client(address) as client:
        assert client.log_outcomes("m", [{"prediction_id": "a"}]).stored == 1
        assert len(asked) == 3
        asked.clear()
        with Client(address, attempts=2) as hasty, pytest.raises(StoreBusy, match="try again"):
            hasty.log_outcomes("m", [{"prediction_id": "a"}])


def test_a_console_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("mlops_core.http_calls._FIRST_PAUSE", 0.001)
    with (
        Client("http://127.0.0.1:9", attempts=2) as client,
        pytest.raises(StoreError, match=r"127\.0\.0\.1:9"),
    ):
        client.log_outcomes("m", pd.DataFrame({"prediction_id": ["a"]}))
