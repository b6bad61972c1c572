import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.cli.watch import model_name_of

COLUMNS = (
    "--timestamp",
    "scored at",
    "--prediction",
    "label",
    "--score",
    "p",
    "--target",
    "y",
    "--id",
    "key",
)


def scored(rows=600, days=60, seed=1):
    """Predictions of 60 days from 1 March 2026 on, with names as people give them."""
    random = np.random.default_rng(seed)
    times = pd.Timestamp("2026-03-01") + pd.to_timedelta(
        np.sort(random.uniform(0, days * 86_400, rows)), unit="s"
    )
    share = random.uniform(size=rows)
    return pd.DataFrame(
        {
            "scored at": times,
            "key": np.arange(rows),
            "größe": random.normal(size=rows),
            "<script>": random.choice(["a", 'b"c'], rows),
            "prediction": "kept by another system",
            "nothing": None,
            "p": share,
            "label": (share > 0.5).astype(int),
            "y": (random.uniform(size=rows) < share).astype(float),
        }
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path


def watch(file, *options):
    return CliRunner().invoke(app, ["watch", str(file), *options])


def counts(result):
    """Return what a run says that it logged: predictions, outcomes and rows that were known."""
    said = re.search(
        r"Logged ([\d,]+) predictions and ([\d,]+) outcomes(?:, ([\d,]+) were known)?", result.output
    )
    assert said, result.output
    return tuple(int((number or "0").replace(",", "")) for number in said.groups())


def test_a_file_is_watched_then_again_then_a_newer_one(folder):
    frame = scored()
    frame[:500].to_parquet("Churn scores (EU).parquet", index=False)
    first = watch("Churn scores (EU).parquet", *COLUMNS)
    assert first.exit_code == 0, first.output
    assert "Registered churn-scores-eu (binary)" in first.output
    assert "model?model=churn-scores-eu" in first.output
    assert "Not watched: prediction, its name is one that Bigboard's logs use" in first.output
    assert "Not watched: nothing, it holds no value" in first.output
    reference = int(re.search(r"Reference: (\d+) rows", first.output)[1])
    middle = frame["scored at"].dt.floor("D")[125]  # a quarter of 500 rows, to the midnight before it
    assert reference == (frame["scored at"] < middle).sum()
    behind = 500 - reference
    assert counts(first) == (behind, behind, 0)

    again = watch("Churn scores (EU).parquet", *COLUMNS)
    assert (again.exit_code, counts(again)) == (0, (0, 0, behind))
    assert "Went on with churn-scores-eu" in again.output

    frame.to_csv("newer.csv", index=False)
    newer = watch("newer.csv", "--model", "churn-scores-eu", *COLUMNS)
    assert (newer.exit_code, counts(newer)) == (0, (100, 100, behind)), newer.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reference", "f.parquet", "--reference-until", "2026-03-10"), "exclude each other"),
        (("--reference-until", "yesterday"), "is no date"),
        (("--problem", "ranking"), "there is no problem 'ranking'"),
        (("--segment", "label"), "'label' is no segment"),
        (("--segment", "land"), "f.parquet has no column 'land'"),
        (("--reference", "no.parquet"), "no.parquet does not exist"),
    ],
)
def test_bad_options_exit_with_2_and_say_why(folder, options, message):
    scored().to_parquet("f.parquet", index=False)
    result = watch("f.parquet", *COLUMNS, *options)
    assert (result.exit_code, message in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("none.parquet", None, "does not exist"),
        ("empty.csv", b"", "is empty"),
        ("text.parquet", b"hello", "cannot be read as Parquet"),
        ("semicolons.csv", b"scored at;key;p;label;y\n2026-03-01;1;0,5;1;1\n", "parts its columns by ';'"),
        ("ragged.csv", b"scored at,key,p,label,y\n2026-03-01,1,0.5,1,1,9\n", "ragged.csv, line 2: 6 columns"),
        ("header.csv", b"scored at,key,p,label,y\n", "has no rows"),
        (
            "mixed.csv",
            b"scored at,key,p,label,y\n2026-03-01 10:00:00,1,0.5,1,1\n2026-03-02 10:00:00Z,2,0.5,1,1\n",
            "with a zone (row 2) and without one (row 1)",
        ),
        (
            "shares.csv",
            b"scored at,key,p,label,y\n2026-03-01,1,0.5,1,1\n2026-03-02,2,1.3,1,1\n",
            "shares.csv, row 2: column 'p' holds 1.3, outside [0, 1]",
        ),
    ],
)
def test_bad_files_exit_with_2_and_say_why(folder, file, content, message):
    if content is not None:
        (folder / file).write_bytes(content)
    result = watch(file, *COLUMNS)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Churn scores.parquet", "churn-scores"),
        ("data/A_b (2).CSV", "a-b-2"),
        ("Größe é.parquet", "grosse-e"),
    ],
)
def test_a_model_is_named_after_its_file(file, name):
    assert model_name_of(file) == name


def test_a_file_without_a_usable_name_asks_for_one(folder):
    scored().to_parquet("数据.parquet", index=False)
    result = watch("数据.parquet", *COLUMNS)
    assert (result.exit_code, "give one with --model" in result.output) == (2, True), result.output
