import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pandas as pd
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount

from mlops_core.api import create_api
from mlops_core.client import Client
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, StoreBusy, StoreError
from mlops_core.jobs import Worker
from tests.factories import NOW, champion, population
from tests.mlops_core.handed_over import estimator_of, evaluation_rows, training_rows

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


# ── the registry ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def working(workspace, churn):
    """The address of a console whose jobs are run."""
    worker = Worker(workspace)
    worker.start()
    with served(
        Starlette(routes=[Mount("/api", app=create_api(workspace, enqueued=lambda _: worker.wake()))])
    ) as address:
        yield address
    worker.stop()


def test_a_version_goes_from_registration_through_its_tests_to_its_comparison(working, tmp_path):
    rows, cases, heard = training_rows(), evaluation_rows(), []
    with Client(working) as client:
        version = client.register(
            "churn-risk",
            estimator_of(rows),
            training=rows,
            evaluation=cases,
            card={"intended_use": "Whom to call", "protected_attributes": ["region"]},
            commit=("b" * 40, True),
        )
        assert (version.number, version.is_new, version.champion) == (2, True, 1)
        assert (version.git_commit, version.git_dirty) == ("b" * 40, True)
        assert version.environment["pandas"] == pd.__version__
        cases.to_csv(tmp_path / "cases.csv", index=False)
        again = client.register(
            "churn-risk",
            estimator_of(rows),
            training=version.training[0].name,
            evaluation=tmp_path / "cases.csv",
        )
        assert (again.number, again.is_new) == (2, False)

        job = client.test("churn-risk", 2, compare=True)
        ended = client.wait(job, timeout=60, progress=lambda *step: heard.append(step))
        assert ended.state == "succeeded", ended.message
        shares = [done / total for done, total, _ in heard if total]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        run = client.test_run(ended.test_run_id)
        assert run == client.tests("churn-risk", 2) == client.version("churn-risk", 2).tests
        report = client.comparison(ended.comparison_id).report
        assert (report.challenger, report.champion, report.rows) == (2, 1, len(cases))

        compared = client.wait(client.compare("churn-risk", 2, 1), timeout=60)
        second = client.comparison(compared.comparison_id).report
        assert (second.verdict, second.primary) == (report.verdict, report.primary)  # the seed is fixed

        with pytest.raises(Conflict, match="has succeeded already"):
            client.cancel(job.id)
        assert [(one.name, one.versions) for one in client.models()] == [("churn-risk", 2)]
        (line,) = client.versions(stage=["development"]).versions
        assert (line.number, line.tests.run_id, line.comparison.verdict) == (2, run.id, report.verdict)
        assert client.versions("churn-risk", limit=1, order="model").total == 2


def test_a_job_that_nobody_runs_is_waited_for_until_the_timeout_and_cancelled(address):
    with Client(address) as client:
        job = client.test("churn-risk", 1)
        with pytest.raises(TimeoutError, match=rf"job {job.id} \(churn-risk:1\) is queued"):
            client.wait(job, timeout=0.3)
        assert client.cancel(job.id).state == "cancelled"
        assert client.wait(job.id).state == "cancelled"


def test_a_wish_that_got_no_answer_is_not_sent_again_and_a_question_is(monkeypatch):
    monkeypatch.setattr("mlops_core.http_calls._FIRST_PAUSE", 0.001)
    asked = []

    class Broken(httpx.BaseTransport):
        def handle_request(self, request):
            asked.append(request.method)
            raise httpx.ReadError("gone")

    with Client("http://bigboard", attempts=3, transport=Broken()) as client:
        for call, times in (
            (lambda: client.test("m", 1), 1),
            (lambda: client.job(1), 3),
            (lambda: client.cancel(1), 3),
        ):
            asked.clear()
            with pytest.raises(StoreError, match="does not answer"):
                call()
            assert len(asked) == times


def test_what_cannot_be_sent_is_named_before_anything_is_sent(tmp_path):
    rows = training_rows()
    with Client("http://127.0.0.1:9", attempts=1) as client:
        with pytest.raises(InvalidInput, match=r"nothing\.skops cannot be read"):
            client.register("m", tmp_path / "nothing.skops", training=rows, evaluation=rows)
        with pytest.raises(InvalidInput, match="cannot be sent"):
            client.register("m", None, training=[{"a": 1}, {"a": "x"}], evaluation=rows)
        with pytest.raises(InvalidInput, match="as JSON"):
            client.register("m", None, training=rows, evaluation=rows, hyper_parameters={"a": object()})
    with pytest.raises(InvalidInput, match="no address"):
        Client("localhost:8501")
