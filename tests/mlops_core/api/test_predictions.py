import asyncio
import json
import re
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mlops_core.api import create_api
from mlops_core.api import predictions as module
from mlops_core.monitoring import monitor_model
from tests.factories import NOW, champion, new_version, population, promote, system

ARROW = "application/vnd.apache.arrow.stream"
PREDICTIONS = "/api/v1/models/churn-risk/predictions"
OUTCOMES = "/api/v1/models/churn-risk/outcomes"


@pytest.fixture
def churn(workspace):
    return champion(workspace)


@pytest.fixture
def frame():
    return population(6, start=datetime(2025, 3, 3, tzinfo=UTC), days=1)


@pytest.fixture
def woken():
    return []


@pytest.fixture
def post(workspace, woken):
    """Send a body to the API without a socket between."""
    application = Starlette(routes=[Mount("/api", app=create_api(workspace, logged=woken.append))])
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)

    def send(path, body, kind="application/json", **parameters):
        async def ask():
            async with httpx.AsyncClient(transport=transport, base_url="http://bigboard") as client:
                return await client.post(
                    path, content=body, headers={"content-type": kind}, params=parameters
                )

        return asyncio.run(ask())

    return send


def batch_of(churn, frame):
    return churn.predictions(frame).drop_columns(["customer"])


def json_rows(table):
    return [
        {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
        for row in table.to_pylist()
    ]


def json_body(rows, **more):
    return json.dumps({"rows": rows, **more})


def stream_of(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def logged(workspace, log="predictions"):
    return workspace.warehouse.read(f"{log}/churn-risk").sort_by("prediction_id")


def test_json_rows_are_stored_once_with_the_champion_that_made_them(workspace, churn, frame, post, woken):
    batch = batch_of(churn, frame)
    body = json_body(json_rows(batch))
    answer = post(PREDICTIONS, body)
    assert (answer.status_code, answer.json()) == (200, {"received": 6, "stored": 6, "duplicates": 0})
    assert post(PREDICTIONS, body).json() == {"received": 6, "stored": 0, "duplicates": 6}
    kept = logged(workspace)
    for name in batch.column_names:
        assert kept[name].to_pylist() == batch.sort_by("prediction_id")[name].to_pylist(), name
    assert set(kept["model_version"].to_pylist()) == {1}
    assert woken == ["churn-risk", "churn-risk"]


def test_an_arrow_stream_goes_to_the_version_that_is_named(workspace, churn, frame, post):
    promote(workspace, new_version(workspace, churn.model, seed=2))
    batch = batch_of(churn, frame)
    assert post(PREDICTIONS, stream_of(batch), ARROW, version=1).json()["stored"] == 6
    assert post(PREDICTIONS, json_body(json_rows(batch)), version=1).json()["duplicates"] == 6
    assert set(logged(workspace)["model_version"].to_pylist()) == {1}


def test_outcomes_are_stored_once_and_counted_with_their_predictions(workspace, churn, frame, post):
    post(PREDICTIONS, stream_of(batch_of(churn, frame)), ARROW)
    outcomes = churn.outcomes(frame, known_at=NOW)
    assert post(OUTCOMES, json_body(json_rows(outcomes))).json()["stored"] == 6
    assert post(OUTCOMES, stream_of(outcomes), ARROW).json() == {"received": 6, "stored": 0, "duplicates": 6}
    assert monitor_model(workspace, system(workspace), "churn-risk") > 0


WRONG = [
    ({"income": "rich"}, "row 3, column 'income' .* \"rich\", not a number"),
    ({"income": True}, "row 3, column 'income'"),
    ({"region": 5}, "row 3, column 'region' .* not text"),
    ({"prediction": 1.5}, "got 1.5 in column 'prediction', row 3"),
    ({"predicted_at": "2025-03-03T10:00:00"}, "row 3, column 'predicted_at' .* a time with a zone"),
    ({"predicted_at": 17}, "row 3, column 'predicted_at'"),
    ({"predicted_at": None}, "without predicted_at, row 3"),
    ({"prediction_id": None}, "without prediction_id, row 3"),
    ({"prediction_id": "p-0"}, "rows 1, 3 .* same prediction_id"),
    ({"incme": 5.0}, "'incme' .* did you mean 'income'"),
]


def test_a_batch_with_one_wrong_row_is_refused_whole(workspace, churn, frame, post, woken):
    for wrong, message in WRONG:
        rows = json_rows(batch_of(churn, frame))
        rows[2] |= wrong
        answer = post(PREDICTIONS, json_body(rows))
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidInput"), wrong
        assert re.search(message, answer.json()["message"]), answer.json()
    assert not workspace.warehouse.exists("predictions/churn-risk")
    assert woken == []


NO_BATCHES = [
    ("{", "no JSON"),
    ('{"rows": [{"income": NaN}]}', "NaN is no JSON number"),
    ("[]", "has no rows"),
    ('{"rows": [5]}', "row 1 is no object"),
    ('{"rows": [], "version": "one"}', "version 'one'"),
    ('{"rows": [], "more": 1}', "'more'"),
]


def test_a_body_that_is_no_batch_is_refused(churn, post):
    for body, message in NO_BATCHES:
        answer = post(PREDICTIONS, body)
        assert answer.status_code == 422
        assert message in answer.json()["message"]


def test_a_stream_that_was_cut_off_is_refused(workspace, churn, frame, post):
    whole = stream_of(batch_of(churn, frame))
    for length in (0, 10, len(whole) // 2, len(whole) - 20):
        assert post(PREDICTIONS, whole[:length], ARROW).status_code == 422, length
    assert not workspace.warehouse.exists("predictions/churn-risk")


def test_an_empty_batch_is_fine(churn, frame, post, woken):
    nothing = {"received": 0, "stored": 0, "duplicates": 0}
    assert post(PREDICTIONS, '{"rows": []}').json() == nothing
    assert post(OUTCOMES, '{"rows": []}').json() == nothing
    assert post(PREDICTIONS, stream_of(batch_of(churn, frame).slice(0, 0)), ARROW).json() == nothing
    assert woken == []


def test_null_is_allowed_where_a_feature_may_be_missing(workspace, churn, frame, post):
    rows = json_rows(batch_of(churn, frame))
    rows[0]["income"] = None
    del rows[1]["income"]
    assert post(PREDICTIONS, json_body(rows)).json()["stored"] == 6
    assert logged(workspace)["income"].null_count == 2


def test_a_batch_that_is_too_large_is_answered_413(churn, frame, post, monkeypatch):
    body = json_body(json_rows(batch_of(churn, frame)))
    monkeypatch.setattr(module, "_MOST_ROWS", 5)
    answer = post(PREDICTIONS, body)
    assert answer.status_code == 413
    assert "send it in parts" in answer.json()["message"]
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    assert post(PREDICTIONS, body).status_code == 413


def test_another_content_type_and_a_model_that_is_not_there_are_named(churn, post):
    assert post(PREDICTIONS, "a,b", "text/csv").status_code == 415
    answer = post("/api/v1/models/none/outcomes", '{"rows": []}')
    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")
