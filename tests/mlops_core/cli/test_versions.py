"""`bigboard versions` prints what the search of the registry finds."""

import json
import os
from dataclasses import fields

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.domain import Comparison, TestResult, TestRun
from mlops_core.registry.aliases import set_alias
from mlops_core.registry.catalogue import VersionLine
from tests.demo_workspace import serving
from tests.factories import NOW, champion, new_version, system, workspace_in


@pytest.fixture
def bigboard(tmp_path, monkeypatch):
    """A champion, and a challenger that failed one of two tests and is better on the same rows."""
    for name in [name for name in os.environ if name.startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)
    workspace = workspace_in(tmp_path / "workspace")
    first = champion(workspace)
    second = new_version(workspace, first.model, seed=2).version
    set_alias(workspace, system(workspace), "churn-risk", 2)
    with workspace.store.engine.begin() as connection:
        connection.execute(
            insert(TestRun).values(
                id=1, model_version_id=second.id, actor_id=1, state="succeeded", started_at=NOW, message=""
            )
        )
        for number, status in enumerate(("passed", "failed")):
            connection.execute(
                insert(TestResult).values(
                    id=number,
                    test_run_id=1,
                    test=status,
                    status=status,
                    sentence="",
                    evidence={},
                    seconds=0.0,
                    at=NOW,
                )
            )
        connection.execute(
            insert(Comparison).values(
                id=1,
                challenger_id=second.id,
                champion_id=first.version.id,
                snapshot_id=second.snapshot_id,
                actor_id=1,
                metric="roc_auc",
                difference=0.02,
                lower=0.01,
                upper=0.03,
                rows=100,
                verdict="better",
                segment="",
                report={},
                at=NOW,
            )
        )
    workspace.close()
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "workspace"))
    return lambda *arguments: CliRunner().invoke(app, ["versions", *arguments])


def test_versions_are_printed_with_alias_metric_tests_and_verdict(bigboard):
    lines = {line.split()[0]: line for line in bigboard("churn-risk").output.splitlines()}
    challenger, first = lines["churn-risk:2"], lines["churn-risk:1"]
    for words in (
        "development (update)",
        "challenger",
        "roc_auc 0.8",
        "1 of 2 failed",
        "better: +0.02 (+0.01 to +0.03) on v1",
    ):
        assert words in challenger
    assert "production" in first
    assert "champion" in first
    assert "not tested" in first


def test_the_json_holds_the_same(bigboard):
    found = json.loads(bigboard("--json", "--verdict", "better").output)
    assert found["total"] == 1
    (line,) = found["versions"]
    assert (line["model"], line["number"], line["is_update"]) == ("churn-risk", 2, True)
    assert list(line) == [field.name for field in fields(VersionLine)]
    assert line["tests"]["failed"] == 1
    assert line["comparison"]["difference"] == 0.02
    assert line["created_at"] == NOW.isoformat()


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ((), [2, 1]),
        (("--stage", "production"), [1]),
        (("--stage", "production", "--stage", "development", "--order", "model"), [2, 1]),
        (("--tests", "failed"), [2]),
        (("--tests", "untested"), [1]),
        (("--feature", "income", "--limit", "1"), [2]),
        (("--metric-from", "0.9"), []),
        (("--find", "logistic"), [2, 1]),
    ],
)
def test_filters_narrow_the_list(bigboard, arguments, numbers):
    found = json.loads(bigboard(*arguments, "--json").output)["versions"]
    assert [line["number"] for line in found] == numbers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none",), "no model 'none'"),
        (("--stage", "limbo"), "no stage 'limbo': choose development"),
        (("--verdict", "good"), "no verdict 'good': choose better"),
        (("--tests", "good"), "choose any, passed"),
        (("--order", "size"), "choose activity"),
    ],
)
def test_bad_input_is_explained_with_status_2(bigboard, arguments, words):
    result = bigboard(*arguments)
    assert (result.exit_code, words in result.output) == (2, True), result.output


def test_beside_a_console_that_runs_it_says_the_same(bigboard, tmp_path):
    alone = bigboard("churn-risk", "--json").output, bigboard("--stage", "production").output
    with serving(tmp_path / "workspace", tmp_path / "serve.log") as served:
        beside = bigboard("churn-risk", "--json").output, bigboard("--stage", "production").output
        named = bigboard("churn-risk", "--json", "--server", served.url).output
        refused = bigboard("none")
    assert (beside, named) == (alone, alone[0])
    assert json.loads(named)["total"] == 2
    assert (refused.exit_code, "no model 'none'" in refused.output) == (2, True)
