"""The page of a model against its logs, scikit-learn and a brute-force stability index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from mlops_core.domain import CalendarEvent, Measurement, Metric, Model, ModelVersion, Monitor
from mlops_core.domain.states import Level, MonitorKind, Stage
from mlops_core.explanation.explain import explain_model
from mlops_core.workspace import Workspace, open_workspace
from tests import factories
from tests.demo_workspace import Facts
from tests.pages.conftest import DRIFTED, MOVED_COLUMN, shown
from tests.pages.measuring import half_of_pairs_within_a_cell, stability_index
from tests.pages.screen import bars, headline, numbers, open_page, parts, table
from tests.purchases import completejourney


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

    found = table(open_page("model", model=model), "columns").set_index("column")

    assert found.loc[column, "value"] == pytest.approx(stability_index(before, after), rel=1e-9)


def test_every_column_and_the_prediction_are_watched_furthest_first(
    console: Workspace, demo_facts: Facts
) -> None:
    (columns,) = demo_facts.rows(
        "SELECT v.columns FROM model_version AS v JOIN model AS m ON m.id = v.model_id "
        "WHERE m.name = 'churn-risk' AND v.stage = 'production'"
    )

    found = table(open_page("model", model="churn-risk"), "columns")

    assert sorted(f'"{name}"' for name in found["column"]) == sorted(
        [*columns[0].strip("[]").split(", "), '"prediction"']
    )
    assert found["value"].is_monotonic_decreasing


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
    found = table(open_page("model", model=DRIFTED), "columns")

    assert found["column"][0] == MOVED_COLUMN
    assert "critical" in found["status"][0].lower() or "drift" in found["status"][0].lower()
    assert np.isfinite(found["value"]).all()


# ── the reason ───────────────────────────────────────────────────────────────────────────────────


def reasons(screen: AppTest) -> list[tuple[str, dict[str, str]]]:
    """The links of a page into the explorer: what they say, and the parameters they lead to."""
    return links(screen, "explorer")


def links(screen: AppTest, page: str) -> list[tuple[str, dict[str, str]]]:
    found = [one.proto for one in screen.get("page_link")]
    return [
        (
            link.label.replace("\\", ""),
            {name: values[0] for name, values in parse_qs(link.query_string).items()},
        )
        for link in found
        if link.query_string and link.page == page
    ]


def test_the_version_leads_to_its_place_in_the_registry(console: Workspace) -> None:
    assert links(open_page("model", model="churn-risk"), "registry") == [
        ("In the registry", {"version": "churn-risk:1"})
    ]


def test_the_reason_names_the_column_that_moved_and_leads_to_it_in_its_window(
    eventful_console: Workspace,
) -> None:
    monday = eventful_console.clock.now().date()
    monday -= timedelta(days=monday.weekday())

    sentence, state = reasons(open_page("model", model=DRIFTED))[0]

    assert MOVED_COLUMN.replace("_", " ") in sentence.lower()
    assert (state["of"], state["column"]) == (DRIFTED, MOVED_COLUMN)
    assert state["window"] == f"{monday - timedelta(days=21)}..{monday + timedelta(days=6)}"


def test_the_shares_in_the_reason_are_those_of_the_rows(
    eventful_console: Workspace, demo_facts: Facts
) -> None:
    """Of the rows of the newest week, 500 was added to all: beyond the reference lie those and no others."""
    sentence = reasons(open_page("model", model=DRIFTED))[0][0]

    before, after = (number / 100 for number in numbers(sentence.split("rose from")[1].split("(n")[0])[:2])
    (moved_rows,) = numbers(sentence.split("(n =")[1].split(")")[0])
    weeks = demo_facts.predictions(DRIFTED).groupby("week").size()
    rows = weeks.iloc[-3:].sum() + weeks.iloc[-1]  # the newest week was scored again
    assert after == pytest.approx(moved_rows / rows, abs=0.0006)
    assert before < after


def test_a_model_without_drift_says_so_in_one_quiet_line(console: Workspace) -> None:
    screen = open_page("model", model="churn-risk")

    quiet = [one.value for one in screen.markdown if "No column drifted" in one.value]
    assert len(quiet) == 1
    assert reasons(screen) == []


def test_what_drifted_inside_one_segment_alone_leads_into_that_segment(divided_console: Workspace) -> None:
    screen = open_page("model", model="churn-risk")

    sentence, state = reasons(screen)[0]
    assert explain_model(divided_console, "churn-risk").in_segments[0].sentence in sentence
    assert (state["segment"], state["column"]) == ("region=west", "income")
    assert "No column drifted" not in parts(screen)


def test_a_drift_in_all_segments_alike_leads_to_their_comparison_and_into_none(
    eventful_console: Workspace,
) -> None:
    (alike,) = [
        state for sentence, state in reasons(open_page("model", model=DRIFTED)) if "alike" in sentence
    ]

    assert (alike["tab"], alike["column"]) == ("segments", MOVED_COLUMN)
    assert "segment" not in alike


def test_an_explanation_that_cannot_be_given_is_a_sentence_and_no_exception(
    console: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_core.domain.errors import InvalidInput

    def refuse(*_: object) -> None:
        raise InvalidInput("model 'churn-risk' has not predicted yet: log predictions, then ask again")

    monkeypatch.setattr("mlops_core.explanation.explain.explain_model", refuse)

    assert "has not predicted yet" in parts(open_page("model", model="churn-risk"))


# ── a workspace of this module alone, to note and to change things in ────────────────────────────


@pytest.fixture
def changing(demo_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    workspace = open_workspace(factories.settings_in(demo_workspace))
    yield shown(workspace, monkeypatch)
    workspace.close()


def history(screen: AppTest) -> dict[str, Any]:
    (chart,) = screen.get("plotly_chart")
    return dict(json.loads(chart.proto.spec))


def texts_of_events(screen: AppTest) -> list[str]:
    return [text for trace in history(screen)["data"] if trace["name"] == "events" for text in trace["text"]]


def test_an_event_that_is_noted_on_the_page_stands_in_the_calendar_and_in_the_chart(
    changing: Workspace,
) -> None:
    screen = open_page("model", model="churn-risk", actor="miriam.okafor")
    screen.text_input(key="event_title").set_value("Strike <of> drivers")
    screen.date_input(key="event_days").set_value((date(2017, 7, 12), date(2017, 7, 14)))
    screen.checkbox(key="event_alone").check()
    screen.button(key="event_submit").click().run()

    assert not screen.exception
    with changing.store.read() as session:
        event = session.exec(select(CalendarEvent).where(CalendarEvent.title == "Strike <of> drivers")).one()
    assert (event.start, event.end) == (datetime(2017, 7, 12, tzinfo=UTC), datetime(2017, 7, 15, tzinfo=UTC))
    assert event.model_id is not None
    assert any("12 Jul – 14 Jul: Strike &lt;of&gt; drivers" in text for text in texts_of_events(screen))
    other = open_page("model", model="spend-forecast")
    assert not any("Strike" in text for text in texts_of_events(other))


def test_an_event_without_a_title_is_refused_in_words(changing: Workspace) -> None:
    screen = open_page("model", model="churn-risk", actor="miriam.okafor")

    screen.button(key="event_submit").click().run()

    assert ["needs a title" in one.value for one in screen.error] == [True]


def test_an_executive_sees_why_no_event_can_be_noted(console: Workspace) -> None:
    (popover,) = open_page("model", model="churn-risk", actor="claire.beaumont").get("popover")

    assert popover.proto.popover.disabled
    assert "directors" in popover.proto.popover.help


def test_the_campaigns_of_the_weeks_are_marked_in_the_chart(changing: Workspace) -> None:
    table = completejourney().get_data("campaign_descriptions")["campaign_descriptions"]
    began = table[(table["start_date"] >= "2017-07-03") & (table["start_date"] <= "2017-08-06")]

    found = " ".join(texts_of_events(open_page("model", model="churn-risk")))

    assert len(began) == 2
    for number in began["campaign_id"]:
        assert f"Campaign {number} (type" in found


def test_what_was_estimated_is_dashed_in_its_own_colour_and_says_so(changing: Workspace) -> None:
    values = store_estimates(changing, "spend-forecast")

    traces = [trace for trace in history(open_page("model", model="spend-forecast"))["data"]]

    (estimated,) = [trace for trace in traces if trace["name"].startswith("estimated")]
    (measured,) = [trace for trace in traces if trace["name"].startswith("measured")]
    assert estimated["line"]["dash"] == "dash"
    assert estimated["line"]["color"] not in {
        trace["line"].get("color") for trace in traces if trace is not estimated and "line" in trace
    }
    assert estimated["y"][-len(values) :] == pytest.approx(values)
    assert measured["line"]["dash"] == "solid"


def store_estimates(workspace: Workspace, name: str) -> list[float]:
    """Put estimates of three weeks into the store, as a monitoring run does."""
    first = datetime(2017, 7, 3, tzinfo=UTC)

    def work(unit: Any) -> list[float]:
        version = unit.session.exec(
            select(ModelVersion)
            .join(Model, Model.id == ModelVersion.model_id)
            .where(Model.name == name, ModelVersion.stage == Stage.PRODUCTION)
        ).one()
        monitor = unit.session.exec(
            select(Monitor).where(
                Monitor.model_version_id == version.id, Monitor.kind == MonitorKind.ESTIMATE
            )
        ).first() or unit.add(
            Monitor(
                model_version_id=version.id,
                kind=MonitorKind.ESTIMATE,
                statistic="rmse",
                window_days=7,
                created_at=unit.now,
            )
        )
        values = [61.5, 62.5, 63.5]
        for week, value in enumerate(values, start=3):
            start = first + timedelta(weeks=week)
            unit.add(
                Measurement(
                    monitor_id=monitor.id,
                    statistic="rmse",
                    column="",
                    window_start=start,
                    window_end=start + timedelta(weeks=1),
                    value=value,
                    rows=2400,
                    level=Level.UNJUDGED,
                    measured_at=unit.now,
                )
            )
        return values

    return list(workspace.store.bookkeep(factories.system(workspace), work))


def test_the_interval_of_measured_accuracy_is_a_band_behind_it(console: Workspace, demo_facts: Facts) -> None:
    bounds = demo_facts.rows(
        """
        SELECT arg_max(lower, e.id), arg_max(upper, e.id)
        FROM measurement AS e JOIN monitor AS o ON o.id = e.monitor_id
        JOIN model_version AS v ON v.id = o.model_version_id JOIN model AS m ON m.id = v.model_id
        WHERE m.name = 'churn-risk' AND o.kind = 'performance' AND e.statistic = 'roc_auc'
            AND lower IS NOT NULL
        GROUP BY window_start ORDER BY window_start
        """
    )

    traces = history(open_page("model", model="churn-risk"))["data"]

    (band,) = [trace for trace in traces if trace["name"].startswith("95 % interval")]
    assert band["y"] == [upper for _, upper in bounds] + [lower for lower, _ in reversed(bounds)]
    order = [trace["name"] for trace in traces]
    assert order.index(band["name"]) < order.index("measured AUC")


def test_figures_measured_on_the_reference_are_not_called_held_out(changing: Workspace) -> None:
    assert "Held out" in parts(open_page("model", model="churn-risk"))

    def work(unit: Any) -> None:
        for metric in unit.session.exec(select(Metric)):
            metric.data = "reference"

    changing.store.bookkeep(factories.system(changing), work)
    screen = open_page("model", model="churn-risk")

    assert "Reference outcomes" in parts(screen)
    assert "held" not in (parts(screen) + json.dumps(history(screen)["layout"])).lower()
