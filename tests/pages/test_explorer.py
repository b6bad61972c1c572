"""The explorer against SciPy and raw rows of the prediction log."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

import mlops_core
from app.components.download import csv_of
from app.explorer.address import View, parameters_of, read_view, window_from
from mlops_core.domain.states import MonitorKind, Role
from mlops_core.explanation.notebook import explain
from mlops_core.explanation.spans import segments_of
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.workspace import Workspace, actors, open_workspace
from tests.demo_workspace import Facts
from tests.factories import settings_in
from tests.pages.conftest import DRIFTED, MOVED_COLUMN, shown
from tests.pages.measuring import stability_index
from tests.pages.screen import bars, headline, numbers, open_page, parts, read, table_with

MODEL = "churn-risk"
OF_A_CELL = 0.002  # what Kolmogorov-Smirnov may miss on a grid of 1,000 cells
FIRST = "2017-07-03..2017-07-09"
LAST = "2017-08-07..2017-08-13"
FOUR_WEEKS = "2017-07-17..2017-08-13"


def explore(statistic: str = "psi", segment: str = "") -> pd.DataFrame:
    """The ranking of the last week against the first, by column."""
    asked = {"segment": segment} if segment else {}
    screen = open_page("explorer", of=MODEL, reference=FIRST, window=LAST, statistic=statistic, **asked)
    assert not screen.exception
    assert not complaints(screen)
    return ranking(screen).set_index("column")


def ranking(screen: AppTest) -> pd.DataFrame:
    return table_with(screen, "trend")


def complaints(screen: AppTest) -> list[str]:
    """What the page says that it cannot show."""
    return [one.value for one in (*screen.warning, *screen.error, *screen.info)]


def shaded(screen: AppTest) -> list[tuple[str, str]]:
    """The first and the day after the last of the windows that the chart over time shades."""
    charts = [json.loads(one.proto.spec) for one in screen.get("plotly_chart")]
    return [
        (shape["x0"][:10], shape["x1"][:10])
        for chart in charts
        for shape in chart["layout"].get("shapes", [])
        if shape["type"] == "rect" and shape["xref"] == "x"
    ]


def newest_weeks(facts: Facts) -> pd.DataFrame:
    """The raw rows of the newest four weeks."""
    log = facts.predictions(MODEL)
    return log[log["predicted_at"] >= pd.Timestamp("2017-07-17", tz="UTC")]


@pytest.fixture(scope="module")
def weeks(demo_facts: Facts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The raw rows of the first and of the last week."""
    log = demo_facts.predictions(MODEL)
    return log[log["week"] == log["week"].min()], log[log["week"] == log["week"].max()]


def test_kolmogorov_smirnov_of_every_number_is_that_of_scipy(
    console: Workspace, weeks: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    found = explore("kolmogorov_smirnov")
    before, after = weeks

    numeric = [name for name in found.index if name in before and before[name].dtype.kind in "if"]
    assert len(numeric) >= 8
    for name in numeric:
        exact = stats.ks_2samp(before[name], after[name]).statistic
        assert exact - OF_A_CELL <= found.loc[name, "value"] <= exact + 1e-12, name


def test_a_statistic_of_numbers_leaves_words_undefined_in_words(console: Workspace) -> None:
    found = explore("kolmogorov_smirnov")

    assert found["value"].isna()["age"]
    assert len(str(found.loc["age", "status"])) > 2


def test_the_stability_index_of_words_is_that_of_the_rows(
    console: Workspace, weeks: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before, after = weeks

    found = explore("psi")

    for column in ("age", "marital_status"):
        exact = stability_index(before[column], after[column])
        assert found.loc[column, "value"] == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_a_segment_holds_for_both_windows(
    console: Workspace, weeks: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before, after = (rows[rows["age"] == "45-54"] for rows in weeks)

    screen = open_page(
        "explorer",
        of=MODEL,
        reference=FIRST,
        window=LAST,
        statistic="kolmogorov_smirnov",
        segment="age=45-54",
    )

    found = ranking(screen).set_index("column")
    exact = stats.ks_2samp(before["spend_8w"], after["spend_8w"]).statistic
    of_two_rows = 2 / min(len(before), len(after))  # in few rows, two that share a cell weigh more
    assert exact - OF_A_CELL - of_two_rows <= found.loc["spend_8w", "value"] <= exact + 1e-12


def test_a_link_chooses_the_column_whose_rows_are_drawn(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page("explorer", of=MODEL, column="marital_status")

    log = newest_weeks(demo_facts)
    shares = 100 * log["marital_status"].value_counts(normalize=True)
    assert sorted(bars(screen)[1]) == pytest.approx(sorted(shares))
    assert f"{len(log):,}" in parts(screen)


def test_every_statistic_can_be_reached_by_a_click(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    common = screen.segmented_control(key="explorer_statistic").options
    others = screen.selectbox(key="explorer_more").options

    assert len(common) + len(others) == len(DRIFT_STATISTICS)
    assert len(set(common) | set(others)) == len(DRIFT_STATISTICS)


def test_a_click_on_a_statistic_writes_the_whole_view_into_the_url_as_plain_keys(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL, column="age")

    screen.segmented_control(key="explorer_statistic").set_value("jensen_shannon").run()

    assert not screen.exception
    assert screen.query_params == {
        "of": MODEL,
        "window": FOUR_WEEKS,
        "reference": "training",
        "statistic": "jensen_shannon",
        "column": "age",
        "days": "7",
        "tab": "moved",
    }


def test_a_segment_that_is_chosen_stands_in_the_url_as_its_key(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    screen.selectbox(key="explorer_segment").set_value("age=45-54").run()

    assert screen.query_params["segment"] == "age=45-54"


def test_both_windows_are_shaded_in_the_chart_over_time(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL, reference=FIRST, window=LAST)

    assert shaded(screen) == [("2017-08-07", "2017-08-14"), ("2017-07-03", "2017-07-10")]


def test_another_model_has_its_own_columns(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL, segment="age=45-54")

    screen.selectbox(key="explorer_model").set_value("propensity-to-buy-deli").run()

    assert not screen.exception
    assert "propensity-to-buy-deli" in headline(screen)
    assert "segment" not in screen.query_params
    assert "marital_status" not in ranking(screen)["column"].tolist()


def test_days_that_are_typed_become_the_window(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    box = next(one for one in screen.date_input if one.label == "Window")
    box.set_value((date(2017, 8, 7), date(2017, 8, 13))).run()

    assert not screen.exception
    assert screen.query_params["window"] == LAST


def test_the_column_that_moved_leads_the_headline_and_the_ranking(eventful_console: Workspace) -> None:
    screen = open_page("explorer", of=DRIFTED)

    assert MOVED_COLUMN in headline(screen)
    assert ranking(screen)["column"][0] == MOVED_COLUMN
    assert "▲" in ranking(screen)["status"][0] or "◆" in ranking(screen)["status"][0]


def test_what_drifted_inside_one_segment_alone_is_in_the_headline_and_one_click_away(
    divided_console: Workspace,
) -> None:
    screen = open_page("explorer", of="churn-risk")

    assert "income did in region west" in headline(screen)
    statuses = ranking(screen).set_index("column")["status"]
    assert [name for name in statuses.index if "◆" in statuses[name]] == ["income"]
    sentence = read(screen.button(key="explorer_inside_0").label)

    screen.button(key="explorer_inside_0").click().run()

    assert not screen.exception
    assert (screen.query_params["segment"], screen.query_params["column"]) == ("region=west", "income")
    assert "(region west) drifted" in headline(screen)
    assert not any((one.key or "").startswith("explorer_inside") for one in screen.button)
    assert explain("churn-risk", workspace=divided_console).in_segments[0].sentence in sentence


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("window", "2017-13-45..2017-08-01"),
        ("window", "2017-08-13..2017-07-17"),
        ("window", "yesterday"),
        ("reference", "0000-00-00.."),
        ("segment", "age=Methuselah"),
        ("statistic", "astrology"),
        ("column", "shoe_size"),
        ("days", "30"),
        ("tab", "secrets"),
    ],
)
def test_a_link_that_asks_in_vain_is_answered_in_words_and_shows_the_rest(
    console: Workspace, parameter: str, value: str
) -> None:
    screen = open_page("explorer", **{"of": MODEL, parameter: value})

    assert not screen.exception
    answered = [read(one.value) for one in screen.warning]
    assert len(answered) == 1
    assert value in answered[0]
    assert MODEL in headline(screen)
    assert len(ranking(screen)) >= 8

    screen.segmented_control(key="explorer_statistic").set_value("jensen_shannon").run()
    assert not screen.warning


def test_a_link_cannot_write_markdown_onto_the_page(console: Workspace) -> None:
    evil = "[click](https://evil.example)"
    screen = open_page("explorer", of=MODEL, segment=evil, column=evil, statistic=evil)

    texts = [one.value for one in (*screen.warning, *screen.markdown)]
    assert any(evil in read(text) for text in texts)
    assert not any(evil in text for text in texts)


def test_a_link_to_a_model_that_is_gone_says_so_and_offers_the_others(console: Workspace) -> None:
    screen = open_page("explorer", of="churn-of-1999", column="age")

    assert not screen.exception
    assert "churn-of-1999" in headline(screen)
    assert MODEL in screen.selectbox(key="explorer_model").options

    screen.selectbox(key="explorer_model").set_value(MODEL).run()
    assert MODEL in headline(screen)
    assert screen.query_params["of"] == MODEL


@pytest.mark.parametrize(
    ("window", "reference"),
    [
        ("2017-08-08..2017-08-09", "training"),  # predictions are made on Mondays
        ("2031-01-01..2031-02-01", "training"),
        ("2017-08-07..2017-08-13", "2017-08-01..2017-08-09"),
        ("2017-08-07..2017-08-13", "1999-01-01..1999-01-31"),
    ],
)
def test_windows_that_cannot_be_compared_are_explained_and_can_be_changed(
    console: Workspace, window: str, reference: str
) -> None:
    screen = open_page("explorer", of=MODEL, window=window, reference=reference)

    assert not screen.exception
    assert screen.info
    assert not screen.dataframe

    screen.button(key="explorer_newest_4").click().run()
    if reference != "training":
        screen.button(key="explorer_training").click().run()
    assert not screen.exception
    assert not screen.info
    assert len(ranking(screen)) >= 8


@pytest.mark.parametrize("tab", ["moved", "segments", "backtest", "together"])
def test_only_the_open_tab_is_drawn(console: Workspace, tab: str) -> None:
    screen = open_page("explorer", of=MODEL, tab=tab)

    assert not screen.exception
    drawn = {
        "moved": bool(screen.get("plotly_chart")) and bool(bars(screen)),
        "segments": any("explained" in one.value.columns for one in screen.dataframe),
        "backtest": any("warnings" in one.value.columns for one in screen.dataframe),
    }
    assert [name for name, is_drawn in drawn.items() if is_drawn] == [name for name in drawn if name == tab]


def test_the_segments_of_one_column_explain_the_whole_move(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page("explorer", of=MODEL, tab="segments", column="spend_8w")

    found = table_with(screen, "explained")
    rows = len(newest_weeks(demo_facts))
    for column, lines in found.groupby(found["segment"].str.partition(" is ")[0]):
        assert lines["explained"].sum() == pytest.approx(100, abs=len(lines) / 2), column
        assert lines["rows"].sum() == rows, column


def test_a_statistic_that_does_not_fit_the_column_is_explained_in_the_backtest(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL, tab="backtest", column="age", statistic="kolmogorov_smirnov")

    assert not screen.exception
    assert screen.info


def test_the_python_behind_a_figure_returns_that_figure(
    console: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = open_page(
        "explorer",
        of=MODEL,
        reference=FIRST,
        window=LAST,
        segment="age=45-54",
        column="marital_status",
        statistic="hellinger",
    )
    monkeypatch.setattr(mlops_core, "explain", partial(explain, workspace=console), raising=False)

    names: dict[str, Any] = {}
    exec(screen.code[0].value, names)  # noqa: S102 - what the page tells people to run

    shown = ranking(screen).set_index("column").loc["marital_status", "value"]
    assert names["value"] == pytest.approx(shown, rel=1e-12)


def test_who_may_not_save_a_monitor_reads_why(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL, actor=_who(console, Role.DIRECTOR))

    button = screen.button(key="explorer_save")

    assert button.disabled
    assert "ml engineer" in button.help


def test_a_monitor_is_saved_by_one_click_and_said(
    demo_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = open_workspace(settings_in(demo_workspace))
    shown(workspace, monkeypatch)
    asked = {"of": MODEL, "column": "spend_8w", "segment": "age=45-54", "days": "7"}
    screen = open_page("explorer", actor=_who(workspace, Role.ML_ENGINEER), **asked)

    screen.button(key="explorer_save").click().run()

    assert not screen.exception
    assert len(screen.toast) == 1, parts(screen)
    said = read(screen.toast[0].value)
    assert "spend_8w" in said
    assert said in parts(screen)
    saved = stored_monitors(workspace)
    assert saved[["kind", "statistic", "column", "segment", "window_days"]].values.tolist() == [
        [MonitorKind.DRIFT, "psi", "spend_8w", "age=45-54", 7]
    ]
    assert numbers(said)[-1] == pytest.approx(saved["value"].max(), rel=0.005)

    screen.button(key="explorer_save").click().run()

    assert not screen.exception
    assert not screen.toast
    assert "watched already" in parts(screen)
    assert len(stored_monitors(workspace)) == 1
    workspace.close()


def stored_monitors(workspace: Workspace) -> pd.DataFrame:
    """The monitors of single columns with the highest limit of each."""
    with workspace.store.engine.connect() as connection:
        return pd.DataFrame(connection.exec_driver_sql(SAVED).mappings().all())


SAVED = """
SELECT monitor.kind, statistic, "column", segment, window_days, max(threshold.value) AS value
FROM monitor JOIN threshold ON threshold.monitor_id = monitor.id
WHERE "column" <> ''
GROUP BY ALL
"""


def _who(workspace: Workspace, role: Role) -> str:
    return next(one.name for one in actors(workspace) if one.role == role and one.name != "system")


def test_every_view_comes_back_from_its_url() -> None:
    first, second = window_from("2017-11-06..2017-12-31"), window_from("2017-01-01..2017-01-31")
    for view in (
        View("churn-risk"),
        View("churn-risk", first, second, "age=45-54", "hellinger", "spend_8w", 1, "backtest"),
        View("churn-risk", first, None, "region=a=b & c", "psi", "größe", 7, "together"),
    ):
        assert read_view(parameters_of(view), view.model, lambda _: ["age=45-54", "region=a=b & c"]) == (
            view,
            [],
        )


def test_a_csv_file_is_read_back_by_a_csv_reader() -> None:
    rows = [("a,b", 0.5), ('say "x"', None), ("two\nlines", -1)]

    read = list(csv.reader(io.StringIO(csv_of(("name", "value"), rows).decode(), newline="")))

    assert read == [["name", "value"], ["a,b", "0.5"], ['say "x"', ""], ["two\nlines", "-1"]]


def test_the_segments_on_offer_are_those_that_are_counted(console: Workspace) -> None:
    screen = open_page("explorer", of=MODEL)

    offered = screen.selectbox(key="explorer_segment").options
    assert len(offered) == len(segments_of(console, MODEL)) + 1
