"""`bigboard register`, with the files that are in hand after training."""

import json
import os
from datetime import UTC, datetime

import pytest
from sklearn.linear_model import LogisticRegression
from skops import io as skops_io
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.registry import Card, card_of, commit_state, find_model, find_version
from tests.demo_workspace import serving
from tests.factories import COLUMNS, new_model, population, workspace_in

FRAME = population(300, start=datetime(2024, 12, 18, tzinfo=UTC), days=10)


@pytest.fixture
def bigboard(tmp_path, monkeypatch):
    """The command in a folder with a workspace and the files of a training run."""
    for name in [name for name in os.environ if name.startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)
    workspace = workspace_in(tmp_path / "workspace")
    new_model(workspace)
    workspace.close()
    naive = FRAME.assign(predicted_at=FRAME["predicted_at"].dt.tz_localize(None))
    naive.iloc[:200].to_parquet(tmp_path / "train.parquet")
    naive.iloc[200:].to_csv(tmp_path / "holdout.csv", index=False)
    skops_io.dump(
        LogisticRegression().fit(FRAME[list(COLUMNS)][:200], FRAME["answer"][:200]), tmp_path / "model.skops"
    )
    (tmp_path / "card.toml").write_text(
        'intended_use = "Whom to call"\nlimits = "Not for children"\nprotected_attributes = ["region"]\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "workspace"))

    def call(*arguments):
        return CliRunner().invoke(app, [str(part) for part in arguments])

    return call


ROWS = ("--training", "train.parquet", "--evaluation", "holdout.csv", "--outcome", "answer")


def test_a_version_is_registered_from_files_and_again_is_the_same(bigboard, tmp_path):
    first = bigboard("register", "churn-risk", "model.skops", *ROWS, "--card", "card.toml")
    assert first.exit_code == 0, first.output
    assert "Registered churn-risk:1, a LogisticRegression." in first.output
    assert "On 100 evaluation rows" in first.output
    again = bigboard("register", "churn-risk", "model.skops", *ROWS, "--metric", "profit=2", "--json")
    found = json.loads(again.output)
    assert (found["version"], found["is_new"], found["metrics"]["profit"]) == (1, False, 2.0)
    workspace = workspace_in(tmp_path / "workspace")
    with workspace.store.read() as session:
        version = find_version(session, find_model(session, "churn-risk"), 1)
        assert card_of(session, version) == Card("Whom to call", "Not for children", ("region",))
    assert (version.git_commit, version.git_dirty) == (commit_state(tmp_path).commit, False)
    workspace.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none", "model.skops", *ROWS), "no model 'none'"),
        (("churn-risk", "none.skops", *ROWS), "cannot be read"),
        (("churn-risk", "card.toml", *ROWS), "name them, in order (--columns a,b,c)"),
        (("churn-risk", "model.skops", *ROWS[:4]), "no column 'outcome': name the column of outcomes"),
        (("churn-risk", "model.skops", *ROWS, "--outcome", "churned"), "no column 'churned'"),
        (("churn-risk", "model.skops", "--training", "features/none", *ROWS[2:]), "no file or table"),
        (("churn-risk", "model.skops", "--training", "../workspace/x", *ROWS[2:]), "no file or table"),
        (("churn-risk", "model.skops", "--training", "*.parq", *ROWS[2:]), "no file matches"),
        (("churn-risk", "model.skops", *ROWS, "--metric", "roc_auc"), "is not NAME=VALUE"),
        (("churn-risk", "model.skops", *ROWS, "--metric", "roc_auc=nan"), "is nan, no number"),
        (("churn-risk", "model.skops", *ROWS, "--card", "none.toml"), "cannot be read"),
        (("churn-risk", "model.skops", *ROWS, "--card", "train.parquet"), "cannot be read"),
        (("churn-risk", "model.skops", *ROWS, "--reference", "none.csv"), "none.csv does not exist"),
    ],
)
def test_bad_input_is_explained_with_status_2(bigboard, arguments, words):
    result = bigboard("register", *arguments)
    assert result.exit_code == 2
    assert words in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("purpose = 'x'", "holds purpose: it may have intended_use"),
        ("limits = 3", "else is text"),
        ("protected_attributes = 'sex'", "is a list of names"),
        ("protected_attributes = [1]", "is a list of names"),
        ("", "card is empty"),
    ],
)
def test_a_card_that_says_something_else_is_refused(bigboard, tmp_path, text, words):
    (tmp_path / "card.toml").write_text(text)
    result = bigboard("register", "churn-risk", "model.skops", *ROWS, "--card", "card.toml")
    assert (result.exit_code, words in result.output) == (2, True), result.output


def test_rows_may_be_a_table_of_the_warehouse_or_a_pattern_of_files(bigboard, tmp_path):
    first = bigboard("register", "churn-risk", "model.skops", *ROWS)
    assert first.exit_code == 0, first.output
    for training in ("training/churn-risk", "training/churn-risk@0", "trai*.parquet"):
        arguments = ("--training", training, *ROWS[2:], "--json")
        again = bigboard("register", "churn-risk", "model.skops", *arguments)
        assert again.exit_code == 0, again.output
        assert (json.loads(again.output)["version"], json.loads(again.output)["is_new"]) == (1, False)


def test_beside_a_console_that_runs_a_version_is_registered_by_it(bigboard, tmp_path):
    with serving(tmp_path / "workspace", tmp_path / "serve.log") as served:
        first = bigboard("register", "churn-risk", "model.skops", *ROWS, "--card", "card.toml")
        again = bigboard("register", "churn-risk", "model.skops", *ROWS, "--json", "--server", served.url)
        refused = bigboard("register", "none", "model.skops", *ROWS)
    assert first.exit_code == 0, first.output
    assert "Registered churn-risk:1, a LogisticRegression." in first.output
    assert (json.loads(again.output)["version"], json.loads(again.output)["is_new"]) == (1, False)
    assert (refused.exit_code, "no model 'none'" in refused.output) == (2, True)
    workspace = workspace_in(tmp_path / "workspace")
    with workspace.store.read() as session:
        assert find_version(session, find_model(session, "churn-risk"), 1).git_dirty is False
    workspace.close()


def test_an_outcome_that_is_named_and_missing_is_not_another_column(bigboard, tmp_path):
    FRAME.iloc[200:].rename(columns={"answer": "outcome"}).to_csv(tmp_path / "other.csv", index=False)
    arguments = (*ROWS[:2], "--evaluation", "other.csv", "--outcome", "answer")
    result = bigboard("register", "churn-risk", "model.skops", *arguments)
    assert result.exit_code == 2
    assert "no column 'answer', which was named for the outcome" in result.output.replace("\n", " ")
