import json
import os

import pytest
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.scoring.registering import TrainedModel, register_files
from mlops_core.version_tests import results_of, set_test, suite_of
from mlops_core.workspace import open_workspace
from tests.factories import champion, person, settings_in, workspace_in
from tests.mlops_core.handed_over import estimator_of, evaluation_rows, training_rows


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace with a champion, and a second version whose suite is the artefact's test alone."""
    place = tmp_path_factory.mktemp("tested") / "workspace"
    workspace = workspace_in(place)
    champion(workspace)
    lead = person(workspace, "lead")
    rows = training_rows()
    trained = TrainedModel(artefact=estimator_of(rows), training=rows, evaluation=evaluation_rows())
    register_files(workspace, lead, "churn-risk", trained)
    for test in suite_of(workspace, "churn-risk"):
        if test.name not in ("artefact", "output_schema"):
            set_test(workspace, lead, "churn-risk", test.name, enabled=False, parameters=None)
    workspace.close()
    return place


def put_to_test(folder, *arguments):
    return CliRunner().invoke(app, ["test", *arguments, "--workspace", str(folder)])


def test_a_version_that_passes_ends_with_0_and_its_results_in_words(folder):
    result = put_to_test(folder, "churn-risk:2")
    assert result.exit_code == 0, result.output
    workspace = open_workspace(settings_in(folder))
    found = results_of(workspace, 1)
    workspace.close()
    for one in found:
        assert one.sentence in result.stdout
    assert "churn-risk:2: 16 tests, 2 passed, 14 skipped" in result.stdout


def test_a_version_that_fails_ends_with_1(folder):
    workspace = open_workspace(settings_in(folder))
    lead = person(workspace, "lead")
    set_test(workspace, lead, "churn-risk", "minimum_metrics", enabled=True, parameters={"minimum": 0.99})
    workspace.close()
    result = put_to_test(folder, "churn-risk:2", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    statuses = {one["test"]: one["status"] for one in told["tests"]["results"]}
    assert statuses["minimum_metrics"] == "failed"
    assert (told["job"]["state"], told["tests"]["all_passed"], told["comparison"]) == (
        "succeeded",
        False,
        None,
    )


def test_it_is_compared_with_the_champion_when_that_is_wanted(folder):
    told = json.loads(put_to_test(folder, "churn-risk:2", "--compare", "--json").stdout)
    assert (told["comparison"]["report"]["challenger"], told["comparison"]["report"]["champion"]) == (2, 1)
    assert told["comparison"]["report"]["sentence"] in told["job"]["message"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("churn-risk", "names no version"),
        ("churn-risk:x", "names no version"),
        ("churn-risk:9", "has no version 9"),
        ("none:1", "no model 'none'"),
    ],
)
def test_bad_input_ends_with_2(folder, version, said):
    result = put_to_test(folder, version)
    assert result.exit_code == 2
    assert said in result.stderr


def test_without_a_workspace_or_a_console_it_ends_with_2(tmp_path, monkeypatch):
    monkeypatch.setattr("mlops_core.http_calls._FIRST_PAUSE", 0.001)
    assert "bigboard demo" in put_to_test(tmp_path / "nothing", "churn-risk:1").stderr
    absent = put_to_test(tmp_path, "churn-risk:1", "--server", "http://127.0.0.1:9")
    assert (absent.exit_code, "does not answer" in absent.stderr) == (2, True)
    wrong = put_to_test(tmp_path, "churn-risk:1", "--server", "over there")
    assert (wrong.exit_code, "no address" in wrong.stderr) == (2, True)


def test_who_may_not_test_is_told_so(folder, monkeypatch):
    workspace = open_workspace(settings_in(folder))
    person(workspace, "executive")
    workspace.close()
    monkeypatch.setenv("BIGBOARD_ACTOR", "a-executive")
    result = put_to_test(folder, "churn-risk:2")
    assert (result.exit_code, "may not ask for tests" in result.stderr) == (2, True)
