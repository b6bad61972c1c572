import asyncio
import io
import json
import os
import pickle
import re

import httpx
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from skops import io as skops_io
from sqlmodel import func, select

from mlops_core.api import create_api
from mlops_core.domain import Metric, ModelVersion, Snapshot
from mlops_core.domain.states import JobState
from mlops_core.jobs import find_job, recent_jobs, run_job
from mlops_core.registry import tag_model
from mlops_core.settings import Settings
from mlops_core.workspace import Workspace
from tests.factories import champion, new_version, person
from tests.mlops_core.handed_over import estimator_of, evaluation_rows, training_rows

VERSIONS = "/v1/models/churn-risk/versions"


@pytest.fixture
def churn(workspace):
    return champion(workspace)


@pytest.fixture
def asked():
    return []


@pytest.fixture
def api(workspace, churn, asked):
    """Sends requests to the API without a socket between."""
    return sender(workspace, asked.append)


def sender(workspace, enqueued=lambda _: None, **options):
    transport = httpx.ASGITransport(
        create_api(workspace, enqueued=enqueued, **options), raise_app_exceptions=False
    )

    def send(method, path, **content):
        async def ask():
            async with httpx.AsyncClient(transport=transport, base_url="http://bigboard") as client:
                return await client.request(method, path, **content)

        return asyncio.run(ask())

    return send


def parquet(frame):
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return sink.getvalue()


def handed_over(seed=21, **changes):
    """A form with everything that a version needs; a part that is None is left out."""
    rows = training_rows(seed)
    parts = {
        "artefact": ("m.skops", skops_io.dumps(estimator_of(rows))),
        "training": ("training.parquet", parquet(rows)),
        "evaluation": ("evaluation.parquet", parquet(evaluation_rows())),
    }
    said = {"columns": ["income", "age"], "metrics": {}}
    said |= changes.pop("said", {})
    parts |= changes
    return {
        "data": {"version": said if isinstance(said, str) else json.dumps(said)},
        "files": {name: part for name, part in parts.items() if part is not None},
    }


def stored(workspace):
    """How much there is of what a version leaves."""
    with workspace.store.read() as session:
        rows = [session.exec(select(func.count()).select_from(one)).one() for one in (ModelVersion, Metric)]
    uploads = workspace.artefact_root / "uploads"
    left = list(uploads.iterdir()) if uploads.exists() else []
    return rows, left


# ── registering ──────────────────────────────────────────────────────────────────────────────────


def test_packages_that_an_upload_does_not_name_are_not_known(api):
    assert api("POST", VERSIONS, **handed_over()).json()["environment"] is None
    other = api("POST", VERSIONS, **handed_over(seed=23, said={"environment": {}}))
    assert (other.status_code, other.json()["environment"]) == (201, None)


@pytest.mark.parametrize("label", ["/etc", "../..", "training/../../x@0", "predictions", "@", ""])
def test_a_training_table_is_one_of_the_warehouse(api, label):
    answer = api("POST", VERSIONS, **handed_over(training=None, said={"training": label}))
    assert (answer.status_code, "there is no snapshot" in answer.json()["message"]) == (404, True), (
        answer.text
    )


def test_the_outcome_of_stored_rows_goes_by_its_standard_name(api):
    """The files beside them may call it otherwise."""
    first = api("POST", VERSIONS, **handed_over()).json()
    said = {"evaluation": first["evaluation"]["name"], "outcome": "answer"}
    again = api("POST", VERSIONS, **handed_over(seed=24, evaluation=None, said=said))
    assert again.status_code == 201, again.text
    assert again.json()["evaluation"] == first["evaluation"]


def test_a_version_is_registered_with_all_that_came(api, workspace):
    card = {"intended_use": "Whom to call", "limits": "No minors", "protected_attributes": ["region"]}
    said = {
        "git_commit": "a" * 40,
        "git_dirty": True,
        "card": card,
        "environment": {"python": "3.12", "scikit-learn": "1.7"},
        "hyper_parameters": {"C": 3},
    }
    answer = api("POST", VERSIONS, **handed_over(said=said))
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["model"], told["number"], told["stage"], told["champion"]) == (
        "churn-risk",
        2,
        "development",
        1,
    )
    assert (told["columns"], told["artefact_format"]) == (["income", "age"], "skops")
    assert (told["git_commit"], told["git_dirty"]) == ("a" * 40, True)
    assert told["environment"] == said["environment"]
    assert told["hyper_parameters"] == {"C": 3}
    assert told["card"] == card | {"considerations": ""}
    assert [(one["name"], one["rows"]) for one in told["training"]] == [("training/churn-risk@1", 400)]
    assert told["evaluation"]["rows"] == 400
    measured = {one["name"]: one for one in told["metrics"]}
    rows = evaluation_rows()
    scores = estimator_of(training_rows()).predict_proba(rows[["income", "age"]])[:, 1]
    assert measured["roc_auc"]["value"] == pytest.approx(roc_auc_score(rows["outcome"], scores), abs=1e-3)
    assert measured["roc_auc"]["snapshot"] == told["evaluation"]["name"]
    assert told["is_new"]
    assert told["notes"]
    shown = api("GET", f"{VERSIONS}/2").json()
    assert shown == {name: value for name, value in told.items() if name in shown}
    assert stored(workspace)[1] == []


def test_the_same_artefact_and_data_are_the_same_version(api):
    assert api("POST", VERSIONS, **handed_over()).status_code == 201
    again = api("POST", VERSIONS, **handed_over())
    assert (again.status_code, again.json()["number"]) == (200, 2)
    assert api("POST", VERSIONS, **handed_over(seed=5)).json()["number"] == 3


def test_without_a_reference_the_artefact_scores_the_evaluation_rows(api, workspace):
    from mlops_core.registry.reference_sample import read_reference_sample

    number = api("POST", VERSIONS, **handed_over()).json()["number"]
    with workspace.store.read() as session:
        version = session.exec(select(ModelVersion).where(ModelVersion.number == number)).one()
        sample = read_reference_sample(workspace, version)
    rows = evaluation_rows()
    expected = estimator_of(training_rows()).predict_proba(rows[["income", "age"]])[:, 1]
    assert sorted(sample["prediction"].to_pylist()) == pytest.approx(sorted(expected))


def test_a_file_that_cannot_be_loaded_comes_with_its_predictions(api, workspace):
    rows = evaluation_rows()
    predictions = pd.DataFrame({"prediction": estimator_of(training_rows()).predict_proba(
        rows[["income", "age"]]
    )[:, 1]})  # fmt: skip
    without = api("POST", VERSIONS, **handed_over(artefact=("m.onnx", b"weights")))
    assert without.status_code == 422
    assert "predictions must come with it" in without.json()["message"]
    answer = api(
        "POST",
        VERSIONS,
        **handed_over(
            artefact=("m.onnx", b"weights"), predictions=("p.csv", predictions.to_csv(index=False).encode())
        ),
    )
    assert answer.status_code == 201, answer.text
    assert (answer.json()["artefact_format"], answer.json()["estimator"]) == ("onnx", "onnx file")
    job = api("POST", f"{VERSIONS}/2/tests").json()
    run_job(workspace, job["id"])
    results = {one["test"]: one for one in api("GET", f"{VERSIONS}/2/tests").json()["results"]}
    exact = roc_auc_score(rows["outcome"], predictions["prediction"])
    assert results["minimum_metrics"]["figure"] == pytest.approx(exact, abs=1e-3)  # to a cell of scores


class Marks:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_runs_code_does_not_run(api, workspace, tmp_path):
    mark = tmp_path / "it-ran"
    hostile = pickle.dumps(Marks(mark))
    refused = api("POST", VERSIONS, **handed_over(artefact=("m.skops", hostile)))
    assert refused.status_code == 422
    kept = api("POST", VERSIONS, **handed_over(artefact=("m.pkl", hostile)))
    assert kept.status_code == 422  # never loaded, so it cannot score the evaluation rows
    assert not mark.exists()


BAD = [
    ({"said": {"columns": "income"}}, 422, "columns: Input should be a valid array"),
    ({"said": {"metrics": {"roc_auc": float("nan")}}}, 422, "finite number"),
    ({"said": {"colour": "red"}}, 422, "colour: Extra inputs"),
    ({"said": {"card": {"protected_attributes": ["a", "a"]}}}, 422, "each once"),
    ({"said": {"columns": ["income", "shoe"]}}, 422, "lack the input columns shoe"),
    ({"artefact": ("m.skops", b"")}, 422, "artefact.skops is empty"),
    ({"artefact": ("m.skops", skops_io.dumps(estimator_of(training_rows()))[:-200])}, 422, "artefact.skops"),
    ({"artefact": None}, 422, "predictions must come with it"),
    ({"training": None}, 422, "training data are missing"),
    ({"training": ("t.parquet", b"PAR1 no")}, 422, "training.parquet"),
    ({"training": ("t.xlsx", b"no")}, 422, r"training.xlsx"),
    ({"evaluation": None}, 422, "evaluation data are missing"),
    ({"evaluation": ("e.csv", b"income,age,region,outcome\n")}, 422, "no rows"),
    ({"evaluation": ("e.csv", b"income,age,region\n1,2,north\n")}, 422, "outcome"),
    ({"evaluation": ("e.csv", b"income,age,region,outcome\n1,2,north,7\n")}, 422, "outcome"),
    ({"evaluation": ("e.csv", b"income,age,outcome\n1,2,1\n")}, 422, "region"),
    ({"reference": ("r.csv", b"income,age\n1,2\n")}, 422, "region"),
    ({"artefact": ("m.bin", b"x"), "predictions": ("p.csv", b"prediction\n0.5\n")}, 422, "are 1 row"),
    ({"surprise": ("s.csv", b"a\n1\n")}, 422, "has a part 'surprise'"),
    ({"said": {"training": "training/other@3"}, "training": None}, 404, "no snapshot training/other@3"),
    ({"said": {"training": "/etc/passwd"}, "training": None}, 404, "no snapshot /etc/passwd"),
    ({"said": {"evaluation": "/etc/hosts@1"}, "evaluation": None}, 404, "no snapshot /etc/hosts@1"),
]


@pytest.mark.parametrize(("changes", "status", "said"), BAD, ids=range(len(BAD)))
def test_a_bad_version_is_refused_with_the_reason_and_leaves_none(api, workspace, changes, status, said):
    before = stored(workspace)[0]
    answer = api("POST", VERSIONS, **handed_over(**changes))
    assert answer.status_code == status, answer.text
    assert re.search(said, answer.json()["message"]), answer.text
    assert str(workspace.artefact_root) not in answer.text
    assert stored(workspace) == (before, [])


def test_a_refused_artefact_leaves_no_rows_in_the_warehouse(api, workspace):
    with workspace.store.read() as session:
        before = session.exec(select(func.count()).select_from(Snapshot)).one()
    assert api("POST", VERSIONS, **handed_over(artefact=("m.skops", b"PK no"))).status_code == 422
    with workspace.store.read() as session:
        assert session.exec(select(func.count()).select_from(Snapshot)).one() == before


def test_a_form_that_is_none_or_for_an_unknown_model_is_refused(api):
    form = handed_over()
    unknown = api("POST", "/v1/models/none/versions", **form)
    assert (unknown.status_code, unknown.json()["error"]) == (404, "NotFound")
    assert api("POST", VERSIONS, files=form["files"]).status_code == 201  # nothing needs to be said of it
    broken = api("POST", VERSIONS, data={"version": "{"}, files=form["files"])
    assert "Invalid JSON" in broken.json()["message"]
    not_a_form = api("POST", VERSIONS, json={"columns": ["a"]})
    assert not_a_form.status_code == 415


def test_what_is_larger_than_the_setting_allows_is_answered_with_413(workspace, churn):
    small = Workspace(
        Settings(**workspace.settings.model_dump() | {"upload_bytes": 10_000}),
        workspace.store,
        workspace.warehouse,
        workspace.artefact_root,
    )
    answer = sender(small)("POST", VERSIONS, **handed_over())
    assert answer.status_code == 413
    assert "larger than 10,000 bytes" in answer.json()["message"]
    assert stored(workspace)[1] == []


def test_who_may_not_register_is_told_so_and_nothing_is_stored(workspace, churn):
    from mlops_core.domain.states import Role

    person(workspace, Role.EXECUTIVE)
    before = stored(workspace)[0]
    send = sender(workspace, actor="a-executive")
    answer = send("POST", VERSIONS, **handed_over())
    assert (answer.status_code, answer.json()["error"]) == (403, "NotPermitted")
    assert send("POST", f"{VERSIONS}/1/tests").status_code == 403
    assert stored(workspace) == (before, [])


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


def test_models_and_versions_are_listed_and_searched(api, workspace, churn):
    new_version(workspace, churn.model, seed=3)
    new_version(workspace, churn.model, seed=4, columns=("income",))
    lead = person(workspace, "lead")
    tag_model(workspace, lead, "churn-risk", "retention")
    (model,) = api("GET", "/v1/registry/models").json()
    assert (model["name"], model["versions"], model["champion"], model["tags"]) == (
        "churn-risk",
        3,
        1,
        ["retention"],
    )
    assert model["champion_value"] == 0.8
    assert (model["newest"], model["newest_stage"]) == (3, "development")
    for wish, names in {
        "text=churn+retention": ["churn-risk"],
        "owner=nobody": [],
        "tag=retention": ["churn-risk"],
        "problem=regression": [],
    }.items():
        found = api("GET", f"/v1/registry/models?{wish}").json()
        assert [one["name"] for one in found] == names
    assert api("GET", "/v1/registry/models?problem=poetry").status_code == 422
    page = api("GET", "/v1/registry/versions?order=model&limit=2").json()
    assert [one["number"] for one in page["versions"]] == [3, 2]
    assert (page["total"], page["counts"]) == (3, {"production": 1, "development": 2})
    rest = api("GET", "/v1/registry/versions?order=model&limit=2&offset=2").json()
    assert [(one["number"], one["is_champion"], one["is_update"]) for one in rest["versions"]] == [
        (1, True, False)
    ]
    for query, numbers in {
        "stage=production": [1],
        "stage=production&stage=development": [3, 2, 1],
        "kind=update": [3, 2],
        "tag=none": [],
        "text=logistic": [3, 2, 1],
        "metric_least=0.9": [],
        "feature=age": [2, 1],
        "tests=untested": [3, 2, 1],
    }.items():
        found = api("GET", f"{VERSIONS}?order=model&{query}").json()["versions"]
        assert [one["number"] for one in found] == numbers, query


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=5000", "offset=-1", "stage=moon", "colour=red", "order=x"]
)
def test_a_search_that_cannot_be_made_says_which_part(api, query):
    answer = api("GET", f"/v1/registry/versions?{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidInput")
    assert query.partition("=")[0] in answer.json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/none/versions",
        "/v1/models/none/versions/1",
        f"{VERSIONS}/9",
        f"{VERSIONS}/1/tests",
        "/v1/models/none/comparisons",
        "/v1/comparisons/7",
        "/v1/test-runs/7",
        "/v1/jobs/7",
    ],
)
def test_what_is_not_there_is_not_found(api, path):
    answer = api("GET", path)
    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")


# ── tests and comparisons ────────────────────────────────────────────────────────────────────────


def test_tests_are_asked_for_once_and_their_results_read(api, workspace, asked):
    number = api("POST", VERSIONS, **handed_over()).json()["number"]
    first = api("POST", f"{VERSIONS}/{number}/tests")
    again = api("POST", f"{VERSIONS}/{number}/tests", json={"compare": False})
    assert (first.status_code, again.json()["id"]) == (202, first.json()["id"])
    job_id = first.json()["id"]
    assert asked == [job_id, job_id]
    assert (first.json()["subject"], first.json()["state"]) == ("churn-risk:2", "queued")
    run_job(workspace, job_id)
    job = api("GET", f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["is_over"], job["done"]) == ("succeeded", True, job["total"])
    run = api("GET", f"/v1/test-runs/{job['test_run_id']}").json()
    assert run == api("GET", f"{VERSIONS}/{number}/tests").json()
    assert len(run["results"]) == job["total"]
    bad = [one for one in run["results"] if one["status"] in ("failed", "error")]
    assert run["all_passed"] == (not bad)
    assert api("GET", f"{VERSIONS}/{number}").json()["tests"] == run


def test_a_comparison_is_asked_for_and_read_whole(api, workspace):
    number = api("POST", VERSIONS, **handed_over()).json()["number"]
    job = api("POST", "/v1/models/churn-risk/comparisons", json={"challenger": number})
    assert job.status_code == 202
    assert run_job(workspace, job.json()["id"]).state == JobState.SUCCEEDED
    told = api("GET", f"/v1/jobs/{job.json()['id']}").json()
    report = api("GET", f"/v1/comparisons/{told['comparison_id']}").json()["report"]
    rows = evaluation_rows()
    challenger = estimator_of(training_rows()).predict_proba(rows[["income", "age"]])[:, 1]
    assert report["primary"]["challenger"] == pytest.approx(roc_auc_score(rows["outcome"], challenger))
    assert report["sentence"] == told["message"]
    (line,) = api("GET", f"/v1/models/churn-risk/comparisons?challenger={number}").json()
    assert (line["id"], line["verdict"]) == (told["comparison_id"], report["verdict"])
    named = {"challenger": number, "champion": 1, "snapshot": "evaluation/churn-risk@0"}
    again = api("POST", "/v1/models/churn-risk/comparisons", json=named).json()
    assert find_job(workspace, again["id"]).arguments["snapshot_id"] is not None


@pytest.mark.parametrize(
    ("wish", "status", "said"),
    [
        ({"challenger": 1}, 422, "with itself"),
        ({"challenger": 9}, 404, "no version 9"),
        ({"challenger": 1, "champion": 0}, 422, "champion"),
        ({}, 422, "challenger"),
        ({"challenger": 1, "champion": 1, "snapshot": "evaluation/none@0"}, 404, "no snapshot"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_at_once(api, workspace, wish, status, said):
    answer = api("POST", "/v1/models/churn-risk/comparisons", json=wish)
    assert answer.status_code == status
    assert said in answer.json()["message"]
    assert recent_jobs(workspace) == []


def test_jobs_are_listed_and_cancelled(api):
    first = api("POST", f"{VERSIONS}/1/tests").json()
    second = api("POST", f"{VERSIONS}/1/tests", json={"compare": True}).json()
    assert [job["id"] for job in api("GET", "/v1/jobs").json()] == [second["id"], first["id"]]
    assert api("GET", "/v1/jobs?subject=churn-risk:2").json() == []
    cancelled = api("POST", f"/v1/jobs/{first['id']}/cancel").json()
    assert (cancelled["state"], cancelled["is_over"]) == ("cancelled", True)
    assert api("GET", "/v1/jobs?limit=0").status_code == 422


def test_the_api_describes_the_form_of_a_version(api):
    paths = api("GET", "/openapi.json").json()["paths"]
    form = paths["/v1/models/{model}/versions"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert {"version", "artefact", "training", "evaluation", "reference", "predictions"} == set(
        form["schema"]["properties"]
    )
    assert {"/v1/registry/versions", "/v1/jobs/{job_id}", "/v1/comparisons/{comparison_id}"} <= set(paths)
