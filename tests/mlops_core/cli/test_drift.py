import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from mlops_core.analysis.drift import drift
from mlops_core.cli import app
from mlops_core.cli.drift_report import MOST_BYTES, drift_page
from tests.factories import run_as_ordinary_user

BIGBOARD = Path(sys.executable).with_name("bigboard")
HOSTILE = "<script>document.title='broken'</script>"


def table_of(seed, shift=0.0, rows=2_000):
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "price": random.normal(10 + shift, 2, rows),
            "shop": random.choice(["a", "b", HOSTILE], rows),
            HOSTILE: random.normal(size=rows),
            "a,b": random.integers(0, 5, rows),
        }
    )


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(table_of(1), "reference.parquet")
    pq.write_table(table_of(2), "same.parquet")
    pq.write_table(table_of(3, shift=0.8), "moved.parquet")  # a warning: PSI of about 0.15
    pq.write_table(table_of(4, shift=9.0), "far.parquet")
    return tmp_path


def bigboard_drift(current, *options):
    return CliRunner().invoke(app, ["drift", "reference.parquet", current, *map(str, options)])


@pytest.mark.parametrize(
    ("current", "level", "status"),
    [
        ("same.parquet", "warning", 0),
        ("moved.parquet", "warning", 1),
        ("moved.parquet", "critical", 0),
        ("far.parquet", "critical", 1),
        ("nope.parquet", "critical", 2),
    ],
)
def test_the_exit_status_says_whether_a_level_is_reached(files, current, level, status):
    assert bigboard_drift(current, "--fail-on", level).exit_code == status


def test_without_fail_on_drift_is_no_failure(files):
    assert bigboard_drift("far.parquet").exit_code == 0


def test_json_is_one_document_equal_to_the_report(files):
    result = bigboard_drift("far.parquet", "--json", "--chunk-rows", 700)
    expected = drift("reference.parquet", "far.parquet", chunk_rows=700).to_dict()
    assert json.loads(result.stdout) == expected


def test_piped_output_is_parted_by_tabs_worst_first(files):
    lines = bigboard_drift("far.parquet").stdout.splitlines()
    header, first, *_ = (line.split("\t") for line in lines)
    assert {len(line.split("\t")) for line in lines} == {len(header)}
    assert dict(zip(header, first, strict=True))["column"] == "price"


def test_columns_are_named_with_commas_and_quotes(files):
    result = bigboard_drift("same.parquet", "--json", "--columns", 'price,"a,b"', "--categorical", '"a,b"')
    kinds = {found["column"]: found["kind"] for found in json.loads(result.stdout)["columns"]}
    assert kinds == {"price": "numeric", "a,b": "categorical"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--every", "year"), "--every 'year' is unknown"),
        (("--every", "day"), "give both"),
        (("--fail-on", "retrain"), "choose warning, critical"),
        (("--columns", "nope"), "'nope'"),
        (("--columns", ","), "names no column"),
        (("--chunk-rows", "0"), "at least 1"),
        (("--html", "no/folder/x.html"), "there is no folder"),
        (("--html", "."), "is a folder"),
    ],
)
def test_bad_options_exit_2_with_a_message_and_no_traceback(files, options, words):
    result = bigboard_drift("same.parquet", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_a_file_without_permission_is_explained(files):
    os.chmod("same.parquet", 0)
    result = run_as_ordinary_user([BIGBOARD, "drift", files / "reference.parquet", files / "same.parquet"])
    assert result.returncode == 2
    assert "may not be read" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.browser
def test_the_report_draws_in_a_browser_without_a_network_and_runs_no_column_name(files, chromium_path):
    assert bigboard_drift("far.parquet", "--html", "x.html", "--chunk-rows", 500).exit_code == 0
    page_text = Path("x.html").read_text()
    assert HOSTILE not in page_text
    assert "http://" not in page_text
    assert "https://" not in page_text
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        faults = []
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.goto((files / "x.html").as_uri())
        page.wait_for_selector("#distribution .main-svg")
        for name in ("shop", HOSTILE):
            page.locator("td.name", has_text=name).first.click()
            assert page.locator("#name").inner_text() == name
        assert page.title() == "Drift report: far.parquet"
        assert page.locator("#series .main-svg").count() > 0
        assert faults == []
        browser.close()


def test_the_report_stays_small_with_very_many_columns():
    random = np.random.default_rng(1)
    columns = {f"column {i:04d} of the wide table": random.normal(size=600) for i in range(800)}
    page = drift_page(drift(pa.table(columns), pa.table(columns)))
    assert len(page.encode()) < MOST_BYTES
