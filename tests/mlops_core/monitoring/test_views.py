"""The board, the page of one model and the explorer, on a model that drifts, slows down and errs."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_core.clock import FixedClock
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Level, MonitorKind, ProblemType
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.spans import segments_of, span_of
from mlops_core.monitoring import log_outcomes, log_predictions, read_board, run_monitoring
from mlops_core.monitoring.findings import outcomes_in
from mlops_core.monitoring.model_view import read_model
from mlops_core.monitoring.windows import Window, window_at
from tests.factories import NOW, champion, new_model, population, system, workspace_in
from tests.mlops_core.monitoring.figures import population_stability_index

START = datetime(2025, 2, 24, tzinfo=UTC)  # two weeks before NOW


class Department:
    def __init__(self, folder):
        self.workspace = workspace_in(folder)
        self.sick = champion(self.workspace, "churn-risk", cadence_hours=168)
        self.well = champion(self.workspace, "basket-value", ProblemType.REGRESSION, cadence_hours=168)
        new_model(self.workspace, "not-yet")
        calm = population(1500, start=START, days=7, seed=21)
        moved = population(1500, start=START + timedelta(days=7), days=7, seed=22, shift=1.0)
        moved = moved.assign(latency_ms=moved["latency_ms"] * 20, answer=1.0 - moved["answer"])
        self.sick_rows = pd.concat([calm, moved.assign(customer=moved["customer"] + 1500)], ignore_index=True)
        self.well_rows = population(3000, start=START, days=14, seed=23)
        for trained, rows in ((self.sick, self.sick_rows), (self.well, self.well_rows)):
            someone, name = system(self.workspace), trained.model.name
            log_predictions(self.workspace, someone, name, 1, trained.predictions(rows))
            log_outcomes(self.workspace, someone, name, trained.outcomes(rows, known_at=NOW))
        run_monitoring(self.workspace, system(self.workspace))


@pytest.fixture(scope="module")
def department(tmp_path_factory):
    department = Department(tmp_path_factory.mktemp("department"))
    yield department
    department.workspace.close()


@pytest.fixture
def board(department):
    return read_board(department.workspace)


def test_the_board_lists_what_is_in_production_worst_first(board):
    assert [row.model for row in board.rows] == ["churn-risk", "basket-value"]
    assert [row.level for row in board.rows] == [Level.RETRAIN, Level.IN_RANGE]
    assert [row.model for row in board.attention] == ["churn-risk"]
    assert board.level == Level.RETRAIN


def test_the_headline_says_whether_anything_is_on_fire(board):
    assert board.headline == "1 model of 2 needs a person now"
    assert (board.monitors, board.reporting) == (11, 11)


def test_a_row_holds_the_figures_of_the_newest_window(board, department):
    row, rows = board.rows[0], department.sick_rows.iloc[1500:]
    assert (row.usage, row.predictions) == ([1500, 1500], 1500)
    assert row.latency.p95 == pytest.approx(
        np.quantile(rows["latency_ms"], 0.95, method="inverted_cdf"), rel=0.027
    )
    assert row.latency.objective == 50.0
    assert row.last_prediction == rows["predicted_at"].max()
    assert row.outcomes_to == datetime(2025, 3, 9, tzinfo=UTC)
    assert row.trained == 0.8
    assert row.measured < 0.5


def test_the_findings_name_the_column_that_moved_furthest(board):
    drift = board.rows[0].finding(MonitorKind.DRIFT)
    assert (drift.column, drift.level, drift.label) == ("income", Level.CRITICAL, "Drift")
    assert drift.limit == 0.25
    assert "income moved away from its reference in the week of 3 Mar (n = 1,500)" in drift.sentence


def test_a_board_of_monitors_that_have_not_run_for_a_day_is_unknown(department):
    clock = department.workspace.clock
    department.workspace.store.clock = FixedClock(NOW + timedelta(hours=25))
    try:
        board = read_board(department.workspace)
        assert board.is_stale
        assert board.headline == "Unknown: the monitors of 2 models have not run for a day"
    finally:
        department.workspace.store.clock = clock


def test_an_empty_board_says_so(workspace):
    board = read_board(workspace)
    assert (board.rows, board.headline) == ([], "No model is in production yet")
    assert board.is_stale


def test_a_board_of_healthy_models_is_all_clear(workspace):
    trained = champion(workspace)
    rows = population(6000, start=datetime(2025, 3, 7, tzinfo=UTC), days=3, seed=8)
    log_predictions(workspace, system(workspace), "churn-risk", 1, trained.predictions(rows))
    run_monitoring(workspace, system(workspace))
    assert read_board(workspace).headline == "All clear: 1 model in range"


# ── one model ────────────────────────────────────────────────────────────────────────────────────


def test_the_page_of_a_model_shows_each_statistic_window_by_window(department):
    view = read_model(department.workspace, "churn-risk")
    auc = view.one(MonitorKind.PERFORMANCE, "roc_auc")
    assert [point.start for point in auc.points] == [START, START + timedelta(days=7)]
    assert [point.rows for point in auc.points] == [1500, 1500]
    assert auc.newest.value < auc.points[0].value == auc.highest
    assert {(limit.level, round(limit.value, 6), limit.above) for limit in auc.limits} == {
        ("warning", 0.75, False),
        ("critical", 0.7, False),
        ("retrain", 0.65, False),
    }
    assert view.one(MonitorKind.LATENCY, "p50").limits == []
    assert view.of_kind(MonitorKind.DRIFT)[0].column == "income"
    assert view.reference_rows == 600


def test_a_model_without_a_champion_has_no_page(department):
    with pytest.raises(NotFound, match="has no champion"):
        read_model(department.workspace, "not-yet")
    with pytest.raises(NotFound, match="no model 'none'"):
        read_model(department.workspace, "none")


# ── the explorer ─────────────────────────────────────────────────────────────────────────────────


def week(number):
    return window_at(START + timedelta(weeks=number), 7)


def test_two_weeks_are_compared_column_by_column_furthest_first(department):
    found = explain_model(department.workspace, "churn-risk", window=week(1), reference=week(0))
    assert (found.reference_rows, found.rows) == (1500, 1500)
    assert {one.column for one in found.columns[:2]} == {"income", "prediction"}
    rows = department.sick_rows
    for one in found.columns[1:]:
        if one.column in rows:
            expected = population_stability_index(rows[one.column].iloc[:1500], rows[one.column].iloc[1500:])
            assert one.value == pytest.approx(expected, rel=0.05, abs=0.01)


def test_a_segment_is_compared_with_the_same_segment_of_the_reference(department):
    found = explain_model(department.workspace, "churn-risk", window=week(1), segment="region=north")
    rows = department.sick_rows
    north = rows[(rows["region"] == "north") & (rows.index >= 1500)]
    reference = population(600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=1)
    assert found.rows == len(north)
    assert found.reference_rows == (reference["region"] == "north").sum()
    assert segments_of(department.workspace, "churn-risk") == ["region=north", "region=south", "region=west"]


def test_the_shares_of_each_window_add_up_to_one(department):
    found = explain_model(department.workspace, "churn-risk", window=week(1))
    for shares in found.shares.values():
        assert sum(shares.reference) == pytest.approx(1)
        assert sum(shares.current) == pytest.approx(1)
        assert len(shares.labels) == len(shares.reference) == len(shares.current)


def test_the_span_reaches_from_the_first_week_to_the_last(department):
    assert span_of(department.workspace, "churn-risk") == Window(START, START + timedelta(weeks=2))


def test_a_window_without_predictions_is_refused_in_words(department):
    with pytest.raises(InvalidInput, match="made no prediction"):
        explain_model(department.workspace, "churn-risk", window=week(9))


def test_a_statistic_that_does_not_exist_is_refused(department):
    with pytest.raises(InvalidInput, match=r"no statistic 'nonsense': choose from .*psi"):
        explain_model(department.workspace, "churn-risk", window=week(1), statistic="nonsense")


def test_a_segment_that_does_not_exist_is_reported(department):
    with pytest.raises(NotFound, match=r"no segment 'region=east'"):
        explain_model(department.workspace, "churn-risk", window=week(1), segment="region=east")


def test_accuracy_comes_with_its_interval_and_the_share_of_outcomes_that_is_in(board, department):
    for row in board.rows:
        found = row.finding(MonitorKind.PERFORMANCE)
        assert found.lower < found.value < found.upper
        assert (found.outcomes_share, row.outcomes) == (1.0, "100 % of outcomes in")
    assert "100 % of outcomes in" in board.rows[0].finding(MonitorKind.PERFORMANCE).sentence


def test_the_age_of_the_last_prediction_is_that_of_now(board, department):
    row = board.rows[0]
    age = (board.now - row.last_prediction) / timedelta(hours=1)
    assert row.finding(MonitorKind.FRESHNESS).value == pytest.approx(age)


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, ""), (0.0, "0 %"), (0.001, "1 %"), (0.64, "64 %"), (0.999, "99 %"), (1.0, "100 %")],
)
def test_a_share_of_outcomes_reads_as_all_only_when_all_are_in(share, words):
    assert outcomes_in(share) == (f"{words} of outcomes in" if words else "")
