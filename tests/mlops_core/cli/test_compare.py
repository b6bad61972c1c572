import json

import pytest
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.cli.compare import parse_version
from mlops_core.comparison import from_document, latest_comparison
from mlops_core.domain.errors import InvalidInput
from mlops_core.settings import Settings
from mlops_core.workspace import open_workspace
from tests import factories
from tests.mlops_core.comparison.conftest import department


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Version 1 of churn-risk knows age alone and is the champion, version 2 knows income and age."""
    folder = tmp_path_factory.mktemp("compare")
    place = department(folder)
    first = place.add(["age"])
    factories.promote(place.workspace, factories.Trained(place.model, place.versions[first], None))
    place.add(["income", "age"])
    place.workspace.close()
    return folder


def compare(workspace, *arguments):
    return CliRunner().invoke(app, ["compare", *arguments, "--workspace", str(workspace)])


def test_the_verdict_comes_first_then_the_figures(workspace):
    result = compare(workspace, "churn-risk:2", "churn-risk:1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "▲ better"
    assert lines[1].startswith("churn-risk:2 is better than churn-risk:1: AUC 0.8")
    for words in ("95 % interval", "average precision", "AUC in", "region=west", "features added: income"):
        assert words in result.stdout


def test_a_bad_verdict_is_no_failure_of_the_command(workspace):
    result = compare(workspace, "churn-risk:1", "churn-risk:2")
    assert result.exit_code == 0
    assert result.stdout.startswith("▼ worse\n")


def test_without_a_second_version_the_champion_is_compared_and_the_document_is_the_report(workspace):
    result = compare(workspace, "churn-risk:2", "--json")
    assert result.exit_code == 0, result.output
    report = from_document(json.loads(result.stdout))
    assert (report.challenger, report.champion, report.verdict) == (2, 1, "better")
    opened = open_workspace(Settings(workspace=workspace))
    assert latest_comparison(opened, "churn-risk", 2, 1) == report
    opened.close()


@pytest.mark.parametrize("named", ["evaluation/churn-risk@0", "1"])
def test_the_rows_can_be_named_by_table_and_version_or_by_number(workspace, named):
    result = compare(workspace, "churn-risk:2", "churn-risk:1", "--snapshot", named, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["snapshot"] == "evaluation/churn-risk@0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["churn-risk"], "'churn-risk' names no version: write MODEL:NUMBER"),
        (["churn-risk:two"], "'churn-risk:two' names no version"),
        (["churn-risk:2", "spend:1"], "are versions of different models"),
        (["churn-risk:2", "churn-risk:2"], "cannot be compared with itself"),
        (["churn-risk:7"], "model 'churn-risk' has no version 7"),
        (["nobody:1"], "there is no model 'nobody'"),
        (["churn-risk:2", "--snapshot", "yesterday"], "'yesterday' names no snapshot"),
        (
            ["churn-risk:2", "--snapshot", "evaluation/churn-risk@9"],
            "there is no snapshot evaluation/churn-risk@9",
        ),
    ],
)
def test_bad_input_ends_with_a_sentence_and_status_2(workspace, arguments, message):
    result = compare(workspace, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_version_is_model_and_number():
    assert parse_version("churn-risk:12") == ("churn-risk", 12)
    for text in (":1", "churn:", "churn:-1", "churn:1.0", "churn:²"):
        with pytest.raises(InvalidInput):
            parse_version(text)
