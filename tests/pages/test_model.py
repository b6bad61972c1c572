"""The page of a model against its logs, scikit-learn and a brute-force stability index."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.conftest import DRIFTED, MOVED_COLUMN
from tests.pages.measuring import half_of_pairs_within_a_cell, stability_index
from tests.pages.screen import bars, headline, numbers, open_page, parts, table


def newest(log: pd.DataFrame) -> pd.DataFrame:
    return log[log["week"] == log["week"].max()]


def reference(facts: Facts, table: str, model: str) -> pd.DataFrame:
    """The rows of a feature table in a model's reference window."""
    start, end, count = facts.rows(
        'SELECT p.start, p."end", p.rows FROM reference_profile AS p '
        "JOIN model_version AS v ON v.id = p.model_version_id JOIN model AS m ON m.id = v.model_id "
        "WHERE m.name = ?",
        model,
    )[0]
    rows = facts.table(f"features/{table}")
    rows = rows[(rows["as_of"] >= pd.Timestamp(start)) & (rows["as_of"] < pd.Timestamp(end))]
    assert len(rows) == count
    return rows


@pytest.mark.parametrize("model", ["churn-risk", "propensity-to-buy-deli"])
def test_the_measured_auc_is_the_one_that_scikit_learn_computes(
    console: Workspace, demo_facts: Facts, model: str
) -> None:
    known = newest(demo_facts.judged(model))
    area = roc_auc_score(known["outcome"], known["prediction"])
    bound = half_of_pairs_within_a_cell(known["prediction"], known["outcome"])

    assert any(
        number == pytest.approx(area, abs=bound + 0.0005)
        for number in numbers(headline(open_page("model", model=model)))
    )


def test_the_measured_error_of_a_forecast_is_the_one_that_scikit_learn_computes(
    console: Workspace, demo_facts: Facts
) -> None:
    known = newest(demo_facts.judged("spend-forecast"))

    error = root_mean_squared_error(known["outcome"], known["prediction"])

    assert pytest.approx(error, abs=0.0005) in numbers(headline(open_page("model", model="spend-forecast")))


@pytest.mark.parametrize(
    ("model", "table_name", "column"),
    [
        ("customer-loyalty", "household_demographics", "age"),
        ("churn-risk", "household_activity", "weeks_shopped_8w"),
    ],
)
def test_the_stability_index_of_a_column_is_that_of_its_rows(
    console: Workspace, demo_facts: Facts, model: str, table_name: str, column: str
) -> None:
    before = reference(demo_facts, table_name, model)[column]
    after = newest(demo_facts.predictions(model))[column]

    shown = table(open_page("model", model=model), "columns").set_index("column")

    assert shown.loc[column, "value"] == pytest.approx(stability_index(before, after), rel=1e-9)


def test_every_column_and_the_prediction_are_watched_furthest_first(
    console: Workspace, demo_facts: Facts
) -> None:
    (columns,) = demo_facts.rows(
        "SELECT v.columns FROM model_version AS v JOIN model AS m ON m.id = v.model_id "
        "WHERE m.name = 'churn-risk'"
    )

    shown = table(open_page("model", model="churn-risk"), "columns")

    assert sorted(f'"{name}"' for name in shown["column"]) == sorted(
        [*columns[0].strip("[]").split(", "), '"prediction"']
    )
    assert shown["value"].is_monotonic_decreasing


def test_the_usage_chart_shows_the_log_week_by_week(console: Workspace, demo_facts: Facts) -> None:
    weekly = demo_facts.predictions("basket-forecast").groupby("week").size()

    assert bars(open_page("model", model="basket-forecast"))[0] == weekly.tolist()


def test_the_page_says_what_the_version_was_made_of(console: Workspace, demo_facts: Facts) -> None:
    digest, rows, reference_rows, artefact = demo_facts.rows(
        """
        SELECT s.digest, s.rows, p.rows, v.artefact_digest
        FROM model_version AS v
        JOIN model AS m ON m.id = v.model_id
        JOIN snapshot AS s ON s.id = v.snapshot_id
        JOIN reference_profile AS p ON p.model_version_id = v.id
        WHERE m.name = 'churn-risk'
        """
    )[0]

    text = parts(open_page("model", model="churn-risk"))

    for fact in (digest[:12], artefact[:12], f"{rows:,} rows", f"{reference_rows:,} rows"):
        assert fact in text


def test_choosing_another_model_shows_that_model(console: Workspace) -> None:
    screen = open_page("model", model="churn-risk")

    screen.selectbox(key="model").set_value("spend-forecast").run()

    assert "spend-forecast" in headline(screen)


def test_a_clustering_has_no_accuracy_and_says_so_by_leaving_it_out(console: Workspace) -> None:
    screen = open_page("model", model="customer-segmentation")

    assert "customer-segmentation" in headline(screen)
    assert "nan" not in parts(screen).lower()


def test_a_drifted_column_stands_first_with_its_word(eventful_console: Workspace) -> None:
    shown = table(open_page("model", model=DRIFTED), "columns")

    assert shown["column"][0] == MOVED_COLUMN
    assert "critical" in shown["status"][0].lower() or "drift" in shown["status"][0].lower()
    assert np.isfinite(shown["value"]).all()
