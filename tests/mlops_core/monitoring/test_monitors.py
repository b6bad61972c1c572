"""Monitors that people save: what they measure, back to the beginning and from then on."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from sqlmodel import select

from mlops_core.domain import AuditEvent, Measurement, ModelVersion, Monitor, Threshold
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import Level, MonitorKind, ProblemType, Role
from mlops_core.monitoring import log_outcomes, log_predictions, monitor_model, read_board
from mlops_core.monitoring.model_view import read_model
from mlops_core.monitoring.monitors import end_monitor, save_monitor
from mlops_core.monitoring.thresholds import ConstantThreshold, LearnedThreshold, RuleOfThumb
from mlops_core.monitoring.watch import default_ids, monitors_of
from tests.factories import NOW, champion, person, population, system, workspace_in

START = datetime(2025, 2, 3, tzinfo=UTC)  # a Monday
NAME = "churn-risk"
WARNING = ConstantThreshold(Level.WARNING, 0.1, above=True)
CRITICAL = ConstantThreshold(Level.CRITICAL, 0.2, above=True)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    opened = workspace_in(tmp_path_factory.mktemp("monitors"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def engineer(workspace):
    return person(workspace, Role.ML_ENGINEER)


@pytest.fixture(scope="module")
def trained(workspace):
    return champion(workspace, NAME)


@pytest.fixture(scope="module")
def logged(workspace, trained):
    """Three weeks of rows, of which the north of the last one drifted."""
    frame = population(3_000, start=START, days=21, seed=11)
    moved = (frame["predicted_at"] >= START + timedelta(days=14)) & (frame["region"] == "north")
    frame["income"] += 20 * moved
    log_predictions(workspace, system(workspace), NAME, 1, trained.predictions(frame))
    log_outcomes(workspace, system(workspace), NAME, trained.outcomes(frame, known_at=NOW))
    monitor_model(workspace, system(workspace), NAME)
    return frame.assign(score=trained.scores(frame))


def measured(workspace, monitor):
    """The newest measurement of each window, by its start."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(Measurement).where(Measurement.monitor_id == monitor.id).order_by(Measurement.id)
        ).all()
    return {row.window_start: row for row in rows}


def reference_rows():
    return population(600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=1)


def week(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    start = START + timedelta(days=7 * number)
    return frame[(frame["predicted_at"] >= start) & (frame["predicted_at"] < start + timedelta(days=7))]


def test_a_column_in_a_segment_is_measured_back_to_the_beginning(workspace, engineer, logged):
    monitor = save_monitor(
        workspace,
        engineer,
        NAME,
        kind=MonitorKind.DRIFT,
        statistic="kolmogorov_smirnov",
        column="income",
        segment="region=north",
        thresholds=[WARNING, CRITICAL],
    )

    found = measured(workspace, monitor)
    before = reference_rows().query("region == 'north'")["income"]
    assert len(found) == 3
    for number, start in enumerate(sorted(found)):
        rows = week(logged, number).query("region == 'north'")
        exact = stats.ks_2samp(before, rows["income"]).statistic
        assert found[start].value == pytest.approx(exact, abs=0.005)
        assert found[start].rows == len(rows)
        assert found[start].column == "income"
    levels = [found[start].level for start in sorted(found)]
    assert levels[2] == Level.CRITICAL
    assert levels[0] != Level.CRITICAL


def test_what_is_logged_later_is_measured_by_the_next_run(workspace, engineer):
    later = champion(workspace, "later")
    frame = population(900, start=START, days=7, seed=5)
    log_predictions(workspace, system(workspace), "later", 1, later.predictions(frame))
    monitor_model(workspace, system(workspace), "later")
    monitor = save_monitor(
        workspace,
        engineer,
        "later",
        kind=MonitorKind.DRIFT,
        statistic="psi",
        column="age",
        thresholds=[WARNING],
    )
    assert len(measured(workspace, monitor)) == 1

    frame = population(900, start=START + timedelta(days=7), days=7, seed=6)
    log_predictions(workspace, system(workspace), "later", 1, later.predictions(frame, prefix="q"))
    monitor_model(workspace, system(workspace), "later")

    assert len(measured(workspace, monitor)) == 2


def test_performance_of_a_segment_is_that_of_its_rows(workspace, engineer, logged):
    monitor = save_monitor(
        workspace,
        engineer,
        NAME,
        kind=MonitorKind.PERFORMANCE,
        statistic="roc_auc",
        segment="region=west",
        thresholds=[ConstantThreshold(Level.WARNING, 0.6, above=False)],
    )
    found = measured(workspace, monitor)
    for number, start in enumerate(sorted(found)):
        rows = week(logged, number).query("region == 'west'")
        assert found[start].value == pytest.approx(roc_auc_score(rows["answer"], rows["score"]), abs=1e-3)
        assert found[start].outcomes_share == 1.0
        assert found[start].rows == len(rows)


def test_a_learned_limit_is_learned_of_the_column_alone(workspace, engineer, logged):
    monitor = save_monitor(
        workspace,
        engineer,
        NAME,
        kind=MonitorKind.DRIFT,
        statistic="psi",
        column="age",
        window_days=1,
        thresholds=[LearnedThreshold(Level.WARNING, above=True)],
    )
    with workspace.store.read() as session:
        limit = session.exec(select(Threshold).where(Threshold.monitor_id == monitor.id)).one()
    assert "over 14 reference chunks" in limit.reason


def test_a_saved_monitor_speaks_on_the_board_and_names_its_segment(workspace, engineer, logged):
    row = next(row for row in read_board(workspace).rows if row.model == NAME)
    sentences = [one.sentence for one in row.findings if one.statistic == "kolmogorov_smirnov"]
    assert len(sentences) == 1
    assert sentences[0].startswith("region is north: income moved away from its reference")


def test_a_saved_series_stands_beside_the_default_ones(workspace, engineer, logged):
    view = read_model(workspace, NAME)
    assert {series.statistic for series in view.of_kind(MonitorKind.DRIFT)} == {"psi"}
    assert len({series.column for series in view.of_kind(MonitorKind.DRIFT)}) == len(
        view.of_kind(MonitorKind.DRIFT)
    )
    assert ("kolmogorov_smirnov", "income", "region=north") in {
        (series.statistic, series.column, series.segment) for series in view.saved
    }


def test_saving_is_audited(workspace, engineer, logged):
    with workspace.store.read() as session:
        events = session.exec(select(AuditEvent).where(AuditEvent.action == "monitors.saved")).all()
    assert any("kolmogorov_smirnov of income in region=north" in event.summary for event in events)


def test_the_same_monitor_is_not_saved_twice(workspace, engineer, logged):
    wanted = {
        "kind": MonitorKind.DRIFT,
        "statistic": "jensen_shannon",
        "column": "age",
        "thresholds": [WARNING],
    }
    save_monitor(workspace, engineer, NAME, **wanted)
    count = len(monitors(workspace))
    with pytest.raises(Conflict, match="watched already"):
        save_monitor(workspace, engineer, NAME, **wanted)
    assert len(monitors(workspace)) == count


def monitors(workspace):
    with workspace.store.read() as session:
        return session.exec(select(Monitor)).all()


DRIFT = {"kind": MonitorKind.DRIFT, "statistic": "psi", "column": "age", "thresholds": [WARNING]}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"column": "aeg"}, NotFound, "no column 'aeg'"),
        ({"segment": "region=moon"}, NotFound, "no segment 'region=moon'"),
        ({"statistic": "psy"}, InvalidInput, "no statistic 'psy'"),
        ({"statistic": "chi_squared"}, InvalidInput, "not defined for age, a numeric column"),
        ({"window_days": 3}, InvalidInput, "choose 1 or 7"),
        ({"thresholds": []}, InvalidInput, "at least one"),
        (
            {"thresholds": [CRITICAL, ConstantThreshold(Level.WARNING, 0.3, above=True)]},
            InvalidInput,
            "beyond",
        ),
        ({"thresholds": [ConstantThreshold(Level.WARNING, np.nan, above=True)]}, InvalidInput, "number"),
        ({"kind": MonitorKind.LATENCY}, InvalidInput, "by default"),
        ({"kind": MonitorKind.PERFORMANCE, "statistic": "rmse"}, InvalidInput, "does not judge a binary"),
        ({"kind": MonitorKind.PERFORMANCE, "statistic": "f1"}, InvalidInput, "leave age out"),
        (
            {"segment": "region=north", "thresholds": [LearnedThreshold(Level.WARNING, above=True)]},
            InvalidInput,
            "no limit can be learned",
        ),
        ({"thresholds": [RuleOfThumb(Level.WARNING, "wasserstein")]}, InvalidInput, "no rule of thumb"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_leaves_nothing(
    workspace, engineer, logged, changes, error, words
):
    before = len(monitors(workspace))
    with pytest.raises(error, match=words):
        save_monitor(workspace, engineer, NAME, **{**DRIFT, **changes})
    assert len(monitors(workspace)) == before


def test_a_model_that_is_gone_is_not_watched(workspace, engineer):
    with pytest.raises(NotFound, match="no model 'gone'"):
        save_monitor(workspace, engineer, "gone", **DRIFT)


@pytest.mark.parametrize("role", [Role.DIRECTOR, Role.EXECUTIVE, Role.DATA_SCIENTIST])
def test_who_may_not_set_thresholds_may_save_no_monitor(workspace, logged, role):
    with pytest.raises(NotPermitted):
        save_monitor(workspace, person(workspace, role), NAME, **DRIFT)


def test_an_ended_monitor_is_silent_keeps_its_figures_and_can_be_taken_up_again(workspace, engineer, logged):
    wanted = {
        "kind": MonitorKind.DRIFT,
        "statistic": "hellinger",
        "column": "income",
        "thresholds": [WARNING],
    }
    monitor = save_monitor(workspace, engineer, NAME, **wanted)
    figures = len(measured(workspace, monitor))

    end_monitor(workspace, engineer, monitor.id)

    assert "hellinger" not in {series.statistic for series in read_model(workspace, NAME).saved}
    assert len(measured(workspace, monitor)) == figures
    with pytest.raises(NotFound, match="no monitor"):
        end_monitor(workspace, engineer, monitor.id)
    assert save_monitor(workspace, engineer, NAME, **wanted).id == monitor.id
    assert "hellinger" in {series.statistic for series in read_model(workspace, NAME).saved}


def test_a_default_monitor_is_not_ended(workspace, engineer, logged):
    series = read_model(workspace, NAME).of_kind(MonitorKind.DRIFT)[0]
    with pytest.raises(InvalidInput, match="comes by default"):
        end_monitor(workspace, engineer, series.monitor)
    with pytest.raises(NotPermitted):
        end_monitor(workspace, person(workspace, Role.DIRECTOR), series.monitor)


def test_the_first_monitor_of_a_kind_that_a_version_was_not_given_can_be_ended(tmp_path):
    """The loss of a regression whose reference has no outcomes is not estimated by default."""
    workspace = workspace_in(tmp_path)
    trained = champion(workspace, NAME, ProblemType.REGRESSION)
    rows = trained.predictions(population(300, start=START, days=1))
    log_predictions(workspace, system(workspace), NAME, 1, rows)
    monitor_model(workspace, system(workspace), NAME)
    workspace.clock.at += timedelta(hours=1)
    engineer = person(workspace, Role.ML_ENGINEER)
    wanted = {"kind": MonitorKind.ESTIMATE, "statistic": "mae", "thresholds": [WARNING]}
    assert not read_model(workspace, NAME).of_kind(MonitorKind.ESTIMATE)

    monitor = save_monitor(workspace, engineer, NAME, **wanted)
    end_monitor(workspace, engineer, monitor.id)

    for series in read_model(workspace, NAME).series:
        with pytest.raises(InvalidInput, match="comes by default"):
            end_monitor(workspace, engineer, series.monitor)
    workspace.close()


def test_a_monitor_saved_before_the_first_check_does_not_stand_in_for_the_default_ones(tmp_path):
    workspace = workspace_in(tmp_path)
    champion(workspace)
    engineer = person(workspace, Role.ML_ENGINEER)
    wanted = {"kind": MonitorKind.DRIFT, "statistic": "hellinger", "column": "age", "thresholds": [WARNING]}
    monitor = save_monitor(workspace, engineer, NAME, **wanted)
    monitor_model(workspace, system(workspace), NAME)
    with workspace.store.read() as session:
        watching = monitors_of(session, session.get_one(ModelVersion, monitor.model_version_id))
        default = [MonitorKind(one.kind) for one in watching if one.id in default_ids(watching)]
    assert {MonitorKind.DRIFT, MonitorKind.USAGE, MonitorKind.PERFORMANCE} <= set(default)
    assert len(default) == len(set(default)) == len(watching) - 1
    assert monitor.id not in default_ids(watching)
    workspace.close()
