"""`bigboard models` lists what is in the store."""

import json
import os

import pytest
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.domain.states import ProblemType
from mlops_core.registry import tag_model
from tests.demo_workspace import serving
from tests.factories import champion, new_model, new_version, system, workspace_in


@pytest.fixture
def bigboard(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)
    workspace = workspace_in(tmp_path / "workspace")
    first = champion(workspace)
    new_version(workspace, first.model, seed=2)
    new_model(workspace, "basket-value", ProblemType.REGRESSION)
    tag_model(workspace, system(workspace), "basket-value", "crm")
    workspace.close()
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "workspace"))
    return lambda *arguments: CliRunner().invoke(app, ["models", *arguments])


def test_each_model_is_a_line_with_its_champion_and_newest_version(bigboard):
    found = {line["name"]: line for line in json.loads(bigboard("--json").output)["models"]}
    assert list(found) == ["basket-value", "churn-risk"]
    churn, basket = found["churn-risk"], found["basket-value"]
    assert (churn["champion"], churn["champion_value"], churn["newest"]) == (1, 0.8, 2)
    assert (churn["newest_stage"], churn["versions"], churn["owner"]) == ("development", 2, "A Lead")
    assert (basket["champion"], basket["newest"], basket["versions"]) == (None, None, 0)
    assert basket["tags"] == ["crm"]
    heading, *lines = bigboard().output.splitlines()
    assert heading.split()[:3] == ["Model", "Problem", "Champion"]
    assert [line.split()[0] for line in lines] == ["basket-value", "churn-risk"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("CRM",), ["basket-value"]),
        (("churn lead",), ["churn-risk"]),
        (("churn basket",), []),
        (("--tag", "crm"), ["basket-value"]),
        (("--owner", "a-lead"), ["basket-value", "churn-risk"]),
        (("--owner", "nobody"), []),
        (("--problem", "binary"), ["churn-risk"]),
    ],
)
def test_filters_narrow_the_list(bigboard, arguments, names):
    found = json.loads(bigboard(*arguments, "--json").output)["models"]
    assert [line["name"] for line in found] == names
    assert ("No model matches." in bigboard(*arguments).output) == (not names)


def test_a_problem_that_there_is_not_is_refused(bigboard):
    result = bigboard("--problem", "poetry")
    assert result.exit_code == 2
    assert "no problem 'poetry': choose binary" in result.output


def test_beside_a_console_that_runs_it_says_the_same(bigboard, tmp_path):
    alone = bigboard("--tag", "crm", "--json").output, bigboard("--tag", "crm").output
    with serving(tmp_path / "workspace", tmp_path / "serve.log") as served:
        beside = bigboard("--tag", "crm", "--json").output, bigboard("--tag", "crm").output
        named = bigboard("--tag", "crm", "--json", "--server", served.url).output
    assert (beside, named) == (alone, alone[0])
    assert json.loads(named)["models"][0]["name"] == "basket-value"
