import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from typer.testing import CliRunner

from mlops_core.cli import app

RNG = np.random.default_rng(23)
SCORE = RNG.random(800)
FRAME = pd.DataFrame(
    {
        "at": pd.Timestamp("2026-03-02") + pd.to_timedelta(RNG.integers(0, 14, 800), unit="D"),
        "y": (RNG.random(800) < SCORE).astype(int),
        "s": SCORE,
        "region": RNG.choice(["n", "s"], 800),
    }
)


def evaluate(*arguments):
    return CliRunner().invoke(app, ["evaluate", *(str(part) for part in arguments)])


@pytest.fixture(params=["csv", "parquet"])
def file(request, tmp_path):
    path = tmp_path / f"scores.{request.param}"
    if request.param == "csv":
        FRAME.to_csv(path, index=False)
    else:
        FRAME.to_parquet(path)
    return path


def test_the_document_holds_chunks_metrics_intervals_and_segments(file):
    options = ("--target", "y", "--score", "s", "--segment", "region", "--timestamp", "at", "--every", "week")
    result = evaluate(file, *options, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["problem"] == "binary"
    assert [chunk["start"][:10] for chunk in document["chunks"]] == ["2026-03-02", "2026-03-09"]
    for chunk in document["chunks"]:
        rows = FRAME[(FRAME["at"] >= chunk["start"][:10]) & (FRAME["at"] < chunk["end"][:10])]
        assert chunk["rows"] == len(rows)
        assert chunk["metrics"]["brier"] == pytest.approx(metrics.brier_score_loss(rows["y"], rows["s"]))
        north = rows[rows["region"] == "n"]
        found = chunk["segments"]["region"]["n"]
        assert found["metrics"]["log_loss"] == pytest.approx(metrics.log_loss(north["y"], north["s"]))
        lower, upper = found["intervals"]["log_loss"]
        assert lower < found["metrics"]["log_loss"] < upper
        assert chunk["outcomes_share"] == 1.0
        assert chunk["reasons"] == {}


def test_the_table_shows_metrics_and_says_what_was_guessed(file):
    result = evaluate(file, "--target", "y", "--score", "s", "--segment", "region")
    assert result.exit_code == 0
    for words in ("binary problem, guessed", "roc_auc", "all rows", "region"):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "nothing", "--score", "s"), "no column 'nothing'"),
        (("--target", "y", "--score", "s", "--problem", "magic"), "'magic' is unknown"),
        (("--target", "y", "--score", "s", "--timestamp", "at", "--every", "year"), "year"),
        (("--target", "y", "--score", "s", "--timestamp", "at"), "go together"),
    ],
)
def test_bad_input_exits_with_two_and_a_message(file, options, message):
    result = evaluate(file, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
