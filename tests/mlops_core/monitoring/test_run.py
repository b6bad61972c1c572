import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sqlmodel import SQLModel, func, select

from mlops_core.clock import FixedClock
from mlops_core.domain import JobRun, Measurement
from mlops_core.domain.states import JobState, ProblemType, Role
from mlops_core.monitoring import (
    close_interrupted_runs,
    counting,
    last_run,
    log_outcomes,
    log_predictions,
    run_monitoring,
)
from mlops_core.monitoring import run as run_module
from mlops_core.monitoring.windows import window_at
from mlops_core.store import Store
from tests.factories import (
    COLUMNS,
    NOW,
    Trained,
    champion,
    new_version,
    person,
    population,
    promote,
    system,
    workspace_in,
)
from tests.mlops_core.monitoring.figures import (
    by_window,
    days_and_segments,
    everything,
    measured,
    population_stability_index,
    slice_rows,
)

START = datetime(2025, 2, 26, tzinfo=UTC)  # a Wednesday
DAYS = 12
UNMEASURED = ("slices", "outcomes")
KNOWN = START + timedelta(days=DAYS)


def log(workspace, trained, frame, prefix="p"):
    log_predictions(
        workspace,
        system(workspace),
        trained.model.name,
        trained.version.number,
        trained.predictions(frame, prefix=prefix),
    )


def tell(workspace, trained, frame, *, known_at=KNOWN, prefix="p"):
    outcomes = trained.outcomes(frame, known_at=known_at, prefix=prefix)
    log_outcomes(workspace, system(workspace), trained.model.name, outcomes)


def run(workspace):
    summary = run_monitoring(workspace, system(workspace))
    assert summary.failures == {}
    return summary


def days_of(frame, first, last):
    """The rows of some days, counted from START."""
    day = (frame["predicted_at"] - pd.Timestamp(START)).dt.days
    return frame[(day >= first) & (day < last)]


def reference_rows(seed):
    """The rows that `new_version` trains on."""
    return population(600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=seed)


def row_counts(workspace, *, but=()):
    with workspace.store.read() as session:
        return {
            name: session.exec(select(func.count()).select_from(table)).one()
            for name, table in SQLModel.metadata.tables.items()
            if name not in {"job_run", *but}
        }


# ── the figures, against the raw rows ────────────────────────────────────────────────────────────


class World:
    """A binary model of two versions, measured daily, and a regression, measured weekly."""

    def __init__(self, folder: Path) -> None:
        self.workspace = workspace_in(folder)
        self.first = champion(self.workspace)
        self.second = new_version(self.workspace, self.first.model, seed=2)
        self.amount = champion(self.workspace, "basket-value", ProblemType.REGRESSION, cadence_hours=168)
        self.frames = {
            self.first.version.id: population(3000, start=START, days=8, seed=11),
            self.second.version.id: population(
                2000, start=START + timedelta(days=6), days=6, seed=12, shift=0.5
            ),
            self.amount.version.id: population(2500, start=START, days=DAYS, seed=13),
        }
        for trained, prefix in ((self.first, "a"), (self.second, "b"), (self.amount, "c")):
            frame = self.frames[trained.version.id]
            for part in np.array_split(np.arange(len(frame)), 4):
                log(self.workspace, trained, frame.iloc[part], prefix)
            tell(self.workspace, trained, frame.iloc[: len(frame) * 3 // 4], prefix=prefix)
        run(self.workspace)
        self.second = promote(self.workspace, self.second)
        run(self.workspace)

    def frame(self, trained: Trained) -> pd.DataFrame:
        return self.frames[trained.version.id].assign(
            score=lambda rows: trained.scores(rows), day=lambda rows: rows["predicted_at"].dt.floor("D")
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.workspace.close()


@pytest.mark.parametrize("name", ["first", "second", "amount"])
def test_slices_hold_the_rows_of_each_day_and_segment(world, name):
    trained = getattr(world, name)
    assert slice_rows(world.workspace, trained.version) == days_and_segments(world.frame(trained))


def test_usage_counts_what_any_version_of_the_model_predicted(world):
    days = pd.concat([world.frame(world.first), world.frame(world.second)]).groupby("day").size()
    found = by_window(world.workspace, world.second.version, "predictions")
    assert {start: row.value for start, row in found.items()} == days.to_dict()
    assert {start: row.rows for start, row in found.items()} == days.to_dict()


def test_relative_usage_compares_with_the_mean_of_the_eight_windows_before(world):
    days = pd.concat([world.frame(world.first), world.frame(world.second)]).groupby("day").size()
    expected = {
        start: rows / days.iloc[max(0, n - 8) : n].mean() for n, (start, rows) in enumerate(days.items())
    }
    found = by_window(world.workspace, world.second.version, "relative_usage")
    assert found.keys() == expected.keys()
    first, *others = sorted(found)
    assert (found[first].value, found[first].level) == (None, "unknown")
    for start in others:
        assert found[start].value == pytest.approx(expected[start])


@pytest.mark.parametrize(("statistic", "share"), [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)])
def test_response_times_are_those_of_the_rows_within_a_cell_of_the_grid(world, statistic, share):
    frame = world.frame(world.second)
    found = by_window(world.workspace, world.second.version, statistic)
    assert found.keys() == set(frame["day"])
    for day, rows in frame.groupby("day"):
        expected = np.quantile(rows["latency_ms"], share, method="inverted_cdf")
        assert found[day].value == pytest.approx(expected, rel=0.027)
        assert found[day].rows == len(rows)


@pytest.mark.parametrize("column", [*COLUMNS, "prediction"])
@pytest.mark.parametrize("name", ["second", "amount"])
def test_drift_is_the_stability_index_of_the_rows_against_the_reference(world, name, column):
    trained, frame = getattr(world, name), world.frame(getattr(world, name))
    reference = population(
        600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=2 if name == "second" else 1
    )
    reference, frame = (rows.assign(prediction=trained.scores(rows)) for rows in (reference, frame))
    days = 1 if name == "second" else 7
    windows = frame.groupby(frame["predicted_at"].map(lambda at: window_at(at.to_pydatetime(), days).start))
    found = by_window(world.workspace, trained.version, "psi", column)
    assert found.keys() == set(windows.groups)
    for start, rows in windows:
        expected = population_stability_index(reference[column], rows[column])
        assert found[start].value == pytest.approx(expected, abs=0.02)
        assert found[start].rows == len(rows)


def test_the_area_under_the_curve_is_that_of_the_rows_whose_outcome_is_known(world):
    frame = world.frame(world.second)
    known = frame.iloc[: len(frame) * 3 // 4]
    found = by_window(world.workspace, world.second.version, "roc_auc")
    assert found.keys() == set(known["day"])
    for day, rows in known.groupby("day"):
        assert found[day].value == pytest.approx(roc_auc_score(rows["answer"], rows["score"]), abs=2e-3)
        assert found[day].rows == len(rows)


def test_the_error_of_a_regression_is_that_of_the_rows_whose_outcome_is_known(world):
    frame = world.frame(world.amount)
    known = frame.iloc[: len(frame) * 3 // 4]
    found = by_window(world.workspace, world.amount.version, "rmse")
    windows = known.groupby(known["predicted_at"].map(lambda at: window_at(at.to_pydatetime(), 7).start))
    assert found.keys() == set(windows.groups)
    for start, rows in windows:
        expected = root_mean_squared_error(rows["amount"], rows["score"])
        assert found[start].value == pytest.approx(expected, rel=1e-9)
        assert (found[start].window_end - start, found[start].rows) == (timedelta(days=7), len(rows))


def test_freshness_is_the_age_of_the_newest_prediction(world):
    (found,) = by_window(world.workspace, world.second.version, "hours_since_prediction").values()
    newest = world.frame(world.second)["predicted_at"].max()
    assert found.value == pytest.approx((pd.Timestamp(NOW) - newest).total_seconds() / 3600)


# ── whatever order, whatever stops it ────────────────────────────────────────────────────────────


class Play:
    """The same predictions and outcomes, in batches that can be logged in any order."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.workspace = workspace_in(folder, database_url)
        self.first = champion(self.workspace)
        self.second = new_version(self.workspace, self.first.model, seed=2)
        frame = population(600, start=START, days=5, seed=3)
        early, later = days_of(frame, 0, 3), days_of(frame, 2, 5)
        wrong = early.head(120).assign(answer=lambda rows: 1.0 - rows["answer"])
        workspace, first, second = self.workspace, self.first, self.second
        self.batches = [
            lambda: log(workspace, first, days_of(early, 0, 2), "a"),
            lambda: log(workspace, first, days_of(early, 2, 3), "a"),
            lambda: log(workspace, second, days_of(later, 2, 4), "b"),
            lambda: log(workspace, second, days_of(later, 4, 5), "b"),
            lambda: tell(workspace, first, early, prefix="a"),
            lambda: tell(workspace, first, wrong, prefix="a", known_at=KNOWN - timedelta(days=1)),
            lambda: tell(workspace, second, later.iloc[::2], prefix="b"),
            lambda: tell(workspace, second, later.iloc[1::2], prefix="b"),
        ]

    def figures(self):
        """What the second version's figures are in the end, when it is the champion."""
        self.second = promote(self.workspace, self.second)
        run(self.workspace)
        found = everything(self.workspace, [self.first.version, self.second.version])
        self.workspace.close()
        # What was measured of the first version depends on how long it was the champion.
        return {key: value for key, value in found.items() if key[:1] == (2,) or key[1] in UNMEASURED}


@pytest.fixture(scope="module")
def all_at_once(tmp_path_factory):
    play = Play(tmp_path_factory.mktemp("all"))
    for batch in play.batches:
        batch()
    return play.figures()


@pytest.mark.parametrize("seed", range(4))
def test_batches_in_any_order_with_runs_between_end_in_the_same_figures(tmp_path, all_at_once, seed):
    play, shuffle = Play(tmp_path), random.Random(seed)  # noqa: S311 - a test seed
    shuffle.shuffle(play.batches)
    for batch in play.batches:
        batch()
        if shuffle.random() < 0.7:
            run(play.workspace)
    assert play.figures() == all_at_once


def test_a_workspace_on_postgresql_has_the_same_figures(tmp_path, all_at_once, postgres_database):
    play = Play(tmp_path, postgres_database)
    for batch in play.batches:
        batch()
    assert play.figures() == all_at_once


def test_outcomes_before_any_prediction_wait_for_it(tmp_path, all_at_once):
    play = Play(tmp_path)
    for batch in play.batches[4:] + play.batches[:4]:
        batch()
        run(play.workspace)
    assert play.figures() == all_at_once


def test_a_run_that_dies_at_any_of_its_commits_is_made_up_for(tmp_path, all_at_once, monkeypatch):
    class Death(BaseException):
        pass

    def dying(after, *, committed):
        original, calls = Store._transact, iter(range(after, -1, -1))

        def transact(self, actor, work, *, audited):
            last = next(calls) == 0
            if last and not committed:
                raise Death
            result = original(self, actor, work, audited=audited)
            if last:
                raise Death
            return result

        return transact

    play = Play(tmp_path)
    for number, batch in enumerate(play.batches[4:] + play.batches[:4]):
        batch()
        with monkeypatch.context() as patch:
            patch.setattr(Store, "_transact", dying(number // 2 % 3, committed=bool(number % 2)))
            with pytest.raises(Death):
                run(play.workspace)
        if number % 3 == 2:
            run(play.workspace)
    assert play.figures() == all_at_once


def test_a_run_that_dies_between_counting_and_measuring_is_made_up_for(tmp_path, all_at_once, monkeypatch):
    play = Play(tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    for batch in play.batches:
        batch()
        with monkeypatch.context() as patch:
            patch.setattr(run_module, "measure_version", die)
            with pytest.raises(KeyboardInterrupt):
                run(play.workspace)
    assert play.figures() == all_at_once


def test_a_run_that_another_one_overtakes_counts_nothing_twice(tmp_path, all_at_once, monkeypatch):
    play = Play(tmp_path)
    for batch in play.batches[:3] + play.batches[4:7]:
        batch()
    original, overtaken = counting.count_slices, []

    def overtake(*arguments):
        if not overtaken:
            overtaken.append(True)
            for batch in (play.batches[3], play.batches[7]):
                batch()
            run(play.workspace)
        return original(*arguments)

    monkeypatch.setattr(counting, "count_slices", overtake)
    run(play.workspace)
    assert overtaken
    assert play.figures() == all_at_once


def test_running_twice_adds_nothing(tmp_path):
    play = Play(tmp_path)
    for batch in play.batches:
        batch()
    assert run(play.workspace).measurements > 0
    before = row_counts(play.workspace)
    assert run(play.workspace).measurements == 0
    assert row_counts(play.workspace) == before
    play.workspace.close()


def test_a_corrected_outcome_replaces_the_one_that_was_known_before(workspace):
    trained = champion(workspace)
    frame = population(300, start=START, days=1, seed=5)
    wrong = frame.assign(answer=1.0 - frame["answer"])
    log(workspace, trained, frame)
    expected = roc_auc_score(frame["answer"], trained.scores(frame))
    for truth, known_at, seen in (
        (wrong, KNOWN, 1 - expected),
        (frame, KNOWN + timedelta(hours=1), expected),
        (wrong, KNOWN - timedelta(hours=1), expected),
    ):
        tell(workspace, trained, truth, known_at=known_at)
        run(workspace)
        (found,) = by_window(workspace, trained.version, "roc_auc").values()
        assert found.value == pytest.approx(seen, abs=2e-3)
        assert found.rows == 300


def test_earlier_measurements_of_a_window_are_kept(workspace):
    trained = champion(workspace)
    frame = population(300, start=START, days=1, seed=5)
    log(workspace, trained, frame)
    tell(workspace, trained, frame.iloc[:100])
    run(workspace)
    tell(workspace, trained, frame.iloc[100:])
    run(workspace)
    with workspace.store.read() as session:
        rows = session.exec(
            select(Measurement.rows).where(Measurement.statistic == "roc_auc").order_by(Measurement.id)
        ).all()
    assert rows == [100, 300]


def test_a_version_that_comes_back_is_measured_on_what_happened_meanwhile(workspace):
    first = champion(workspace)
    frame = population(300, start=START, days=2, seed=5)
    log(workspace, first, frame)
    run(workspace)
    second = promote(workspace, new_version(workspace, first.model, seed=2))
    tell(workspace, first, frame)
    log(workspace, second, population(100, start=START + timedelta(days=2), days=1), "b")
    run(workspace)
    assert by_window(workspace, first.version, "roc_auc") == {}
    from mlops_core.registry import promote_version

    promote_version(workspace, person(workspace, Role.LEAD), "churn-risk", 1)
    run(workspace)
    assert {row.rows for row in by_window(workspace, first.version, "roc_auc").values()} == set(
        frame.groupby(frame["predicted_at"].dt.floor("D")).size()
    )


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_fails_does_not_stop_the_others_and_is_made_up_for(workspace):
    churn, value = champion(workspace), champion(workspace, "basket-value", ProblemType.REGRESSION)
    frame = population(200, start=START, days=2)
    log(workspace, churn, frame)
    log(workspace, value, frame)
    (file,) = map(Path, workspace.warehouse.files("predictions/basket-value"))
    content = file.read_bytes()
    file.write_bytes(b"not Parquet")
    summary = run_monitoring(workspace, system(workspace))
    assert (summary.models, list(summary.failures)) == (2, ["basket-value"])
    assert sum(row.value for row in by_window(workspace, churn.version, "predictions").values()) == 200
    last = last_run(workspace)
    assert (last.state, last.finished_at) == (JobState.FAILED, NOW)
    assert last.message.startswith("basket-value: ")
    file.write_bytes(content)
    run(workspace)
    assert sum(row.value for row in by_window(workspace, value.version, "predictions").values()) == 200
    assert last_run(workspace).state == JobState.SUCCEEDED


def test_the_first_model_by_name_may_fail_too(workspace):
    churn, value = champion(workspace), champion(workspace, "basket-value", ProblemType.REGRESSION)
    frame = population(200, start=START, days=2)
    for trained in (churn, value):
        log(workspace, trained, frame)
    for file in workspace.warehouse.files("predictions/basket-value"):
        Path(file).unlink()
    assert list(run_monitoring(workspace, system(workspace)).failures) == ["basket-value"]
    assert measured(workspace, churn.version)


def test_a_run_is_recorded_from_its_start_to_its_end(workspace):
    champion(workspace)
    assert last_run(workspace) is None
    seen = []

    def during(name):
        with workspace.store.read() as session:
            seen.append((name, session.exec(select(JobRun.state)).one()))
        workspace.store.clock = FixedClock(NOW + timedelta(minutes=2))

    run_monitoring(workspace, system(workspace), progress=during)
    assert seen == [("churn-risk", JobState.RUNNING)]
    finished = last_run(workspace)
    assert (finished.started_at, finished.finished_at) == (NOW, NOW + timedelta(minutes=2))
    assert finished.message.startswith("1 models checked")


def test_a_run_whose_process_ended_is_closed_as_interrupted(workspace, monkeypatch):
    champion(workspace)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "count_logs", die)
    with pytest.raises(KeyboardInterrupt):
        run_monitoring(workspace, system(workspace))
    assert last_run(workspace) is None
    assert close_interrupted_runs(workspace, system(workspace)) == 1
    assert close_interrupted_runs(workspace, system(workspace)) == 0
    with workspace.store.read() as session:
        assert session.exec(select(JobRun.state, JobRun.finished_at)).one() == (JobState.INTERRUPTED, NOW)


def test_without_a_champion_there_is_nothing_to_check(workspace):
    summary = run(workspace)
    assert (summary.models, summary.measurements) == (0, 0)


def test_a_champion_that_has_not_predicted_is_stale_of_unknown_age(workspace):
    trained = champion(workspace)
    run(workspace)
    (only,) = measured(workspace, trained.version).values()
    assert (only.statistic, only.value, only.level) == ("hours_since_prediction", None, "unknown")


def test_a_model_that_falls_silent_goes_from_fresh_to_stale_to_silent(workspace):
    trained = champion(workspace)
    log(workspace, trained, population(50, start=NOW - timedelta(days=1), days=1))
    levels = []
    for hours in (0, 20, 31, 40, 50, 60):
        workspace.store.clock = FixedClock(NOW + timedelta(hours=hours))
        run(workspace)
        found = by_window(workspace, trained.version, "hours_since_prediction")
        levels.append(found[max(found)].level)
    assert levels == ["in_range", "in_range", "warning", "warning", "critical", "critical"]


def test_versions_may_log_different_columns(workspace):
    first = champion(workspace)
    frame = population(200, start=START, days=2)
    log(workspace, first, frame)
    second = new_version(workspace, first.model, seed=2, columns=("income", "tenure"))
    log(workspace, second, frame.assign(tenure=np.arange(200.0)), "b")
    promote(workspace, second)
    run(workspace)
    tenure = by_window(workspace, second.version, "psi", "tenure")
    assert sum(row.rows for row in tenure.values()) == 200
    assert by_window(workspace, second.version, "psi", "age") == {}
    log(workspace, first, frame, "c")
    run(workspace)
    assert (
        sum(rows for (_, segment), rows in slice_rows(workspace, first.version).items() if not segment) == 400
    )
