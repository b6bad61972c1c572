"""The explorer against SciPy and raw rows of the prediction log."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from scipy import stats

from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.conftest import DRIFTED, MOVED_COLUMN
from tests.pages.measuring import stability_index
from tests.pages.screen import bars, headline, numbers, open_page, parts, table_with

MODEL = "churn-risk"
OF_A_CELL = 0.002  # what Kolmogorov-Smirnov may miss on a grid of 1,000 cells
FIRST = (date(2017, 7, 3), date(2017, 7, 9))
LAST = (date(2017, 8, 7), date(2017, 8, 13))


def explore(statistic: str = "psi", segment: str = "") -> pd.DataFrame:
    """The ranking of the last week against the first, by column."""
    screen = open_page("explorer", of=MODEL)
    screen.selectbox(key="reference").select_index(1)
    screen.run()
    screen.date_input(key="before").set_value(FIRST)
    screen.date_input(key="window").set_value(LAST)
    screen.selectbox(key="statistic").set_value(statistic)
    if segment:
        screen.selectbox(key="segment").set_value(segment)
    screen.run()
    assert not screen.exception
    assert not screen.error
    return table_with(screen, "trend").set_index("column")


@pytest.fixture(scope="module")
def weeks(demo_facts: Facts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The raw rows of the first and of the last week."""
    log = demo_facts.predictions(MODEL)
    return log[log["week"] == log["week"].min()], log[log["week"] == log["week"].max()]


def test_kolmogorov_smirnov_of_every_number_is_that_of_scipy(
    console: Workspace, weeks: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ranking = explore("kolmogorov_smirnov")
    before, after = weeks

    numeric = [name for name in ranking.index if before[name].dtype.kind in "if"]
    assert len(numeric) >= 8
    for name in numeric:
        exact = stats.ks_2samp(before[name], after[name]).statistic
        assert exact - OF_A_CELL <= ranking.loc[name, "value"] <= exact + 1e-12, name


def test_a_statistic_of_numbers_leaves_words_undefined_in_words(console: Workspace) -> None:
    ranking = explore("kolmogorov_smirnov")

    assert pd.isna(ranking.loc["age", "value"])
    assert len(ranking.loc["age", "status"]) > 2


def test_the_stability_index_of_words_is_that_of_the_rows(
    console: Workspace, weeks: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before, after = weeks

    ranking = explore("psi")

    for column in ("age", "marital_status"):
        exact = stability_index(before[column], after[column])
        assert ranking.loc[column, "value"] == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_a_segment_holds_for_both_windows(
    console: Workspace, weeks: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before, after = (rows[rows["age"] == "45-54"] for rows in weeks)

    ranking = explore("kolmogorov_smirnov", segment="age=45-54")

    exact = stats.ks_2samp(before["spend_8w"], after["spend_8w"]).statistic
    of_two_rows = 2 / min(len(before), len(after))  # in few rows, two that share a cell weigh more
    assert exact - OF_A_CELL - of_two_rows <= ranking.loc["spend_8w", "value"] <= exact + 1e-12


def test_the_columns_are_ranked_by_how_far_they_moved(console: Workspace) -> None:
    assert explore()["value"].is_monotonic_decreasing


def test_a_link_chooses_the_column_whose_rows_are_drawn(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page("explorer", of=MODEL, column="marital_status")

    log = demo_facts.predictions(MODEL)
    log = log[log["predicted_at"] >= pd.Timestamp("2017-07-17", tz="UTC")]  # the last four weeks
    shares = 100 * log["marital_status"].value_counts(normalize=True)
    assert sorted(bars(screen)[1]) == pytest.approx(sorted(shares))
    assert "marital_status" in parts(screen)
    assert len(log) in [number for line in parts(screen).splitlines() for number in numbers(line)]


def test_another_model_has_its_own_columns(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    screen.selectbox(key="of").set_value("propensity-to-buy-deli").run()

    assert not screen.exception
    assert "propensity-to-buy-deli" in headline(screen)
    assert "marital_status" not in table_with(screen, "trend")["column"].tolist()


def test_a_window_of_one_day_asks_for_the_other(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    screen.date_input(key="window").set_value((LAST[0],)).run()

    assert not screen.exception
    assert screen.info


def test_a_window_without_predictions_says_so(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    screen.date_input(key="window").set_value((date(2017, 8, 8), date(2017, 8, 9))).run()

    assert not screen.exception
    assert screen.info


def test_the_column_that_moved_leads_the_headline_and_the_ranking(eventful_console: Workspace) -> None:
    screen = open_page("explorer", of=DRIFTED)

    assert MOVED_COLUMN in headline(screen)
    assert table_with(screen, "trend")["column"][0] == MOVED_COLUMN
