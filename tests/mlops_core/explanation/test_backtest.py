"""Backtests: warnings and falls against a brute-force loop, and a workspace whose drift precedes a fall."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sqlmodel import select

from mlops_core.domain import Measurement, Monitor, OutcomeSlice
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Level, MonitorKind, Origin
from mlops_core.explanation.backtest import backtest_column
from mlops_core.explanation.falls import Fall, Measured, find_falls, read_accuracy
from mlops_core.explanation.statistic_series import read_series, series_from_slices
from mlops_core.explanation.threshold_outcomes import outcome_of, propose
from mlops_core.explanation.warnings import (
    Past,
    Verdict,
    best_threshold,
    candidates,
    lead_days,
    tally,
    warnings_at,
)
from mlops_core.monitoring import log_outcomes, log_predictions, run_monitoring
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.thresholds import ConstantThreshold, LearnedThreshold, RuleOfThumb
from mlops_core.monitoring.windows import Window
from mlops_core.slices import decode_outcomes, encode_outcomes, merge_outcomes
from tests.factories import NOW, champion, new_model, population, system, workspace_in
from tests.mlops_core.monitoring.figures import population_stability_index

FIRST = datetime(2025, 1, 6, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)


def week(number, days=7):
    return Window(FIRST + number * days * DAY, FIRST + (number + 1) * days * DAY)


def floor(value):
    return Limit(Level.WARNING, value, False, "test")


def ceiling(value):
    return Limit(Level.WARNING, value, True, "test")


def fall(first, last=None, days=7):
    last = first if last is None else last
    start, end = week(first, days), week(last, days)
    return Fall(start.start, start.end, end.end, last - first + 1, 0.6)


def past(values, falls=(), *, known=None, horizon=14, days=7):
    windows = [week(number, days) for number in range(len(values))]
    known_to = week(len(values) if known is None else known, days).start
    return Past(windows, values, list(falls), known_to, horizon)


def replay(windows, values, limit, above, falls, known_to, horizon):
    """Walk through the windows; return (start, end, windows, verdict, fall, lead) of each warning."""
    found, current = [], None
    for window, value in zip(windows, values, strict=True):
        if value is None:
            continue
        if not (value >= limit if above else value <= limit):
            current = None
            continue
        if current is None:
            current = {"start": window.start, "windows": 0}
            found.append(current)
        current["windows"] += 1
        current["end"] = window.end
    told = []
    for one in found:
        verdict, which, lead = "false", None, None
        for place, each in enumerate(falls):
            days_until = (each.start - one["start"]).total_seconds() / 86_400
            if one["start"] < each.first_end and days_until <= horizon:
                verdict, which, lead = "before_fall", place, max(days_until, 0.0)
                break
        if which is None and any(each.first_end <= one["start"] < each.end for each in falls):
            verdict = "late"
        elif which is None and (known_to is None or one["start"] + horizon * DAY >= known_to):
            verdict = "undecided"
        told.append((one["start"], one["end"], one["windows"], verdict, which, lead))
    return told


VALUES = st.lists(
    st.one_of(st.none(), st.integers(0, 8).map(lambda n: n / 8), st.floats(0, 1)), min_size=1, max_size=40
)


@st.composite
def pasts(draw):
    values = draw(VALUES)
    days = draw(st.sampled_from([1, 7]))
    bad = draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    measured = [Measured(week(n, days), 0.6 if down else 0.9) for n, down in enumerate(bad)]
    falls = find_falls(measured, floor(0.7))
    return past(
        values,
        falls,
        known=draw(st.integers(0, len(values))),
        horizon=draw(st.integers(0, 30)),
        days=days,
    )


@given(pasts(), st.floats(-0.1, 1.1), st.booleans())
def test_warnings_are_those_of_a_walk_through_the_windows(history, threshold, above):
    expected = replay(
        history.windows,
        history.values,
        threshold,
        above,
        history.falls,
        history.known_to,
        history.horizon_days,
    )
    found = warnings_at(history, Limit(Level.WARNING, threshold, above, "test"))
    assert [(w.start, w.end, w.windows, w.verdict, w.fall, w.lead_days) for w in found] == expected


@given(pasts(), st.booleans())
def test_a_tally_of_many_thresholds_is_that_of_each_alone(history, above):
    thresholds = candidates(history.values, above=above)
    found = tally(history, thresholds, above=above)
    for place, threshold in enumerate(thresholds.tolist()):
        expected = replay(
            history.windows,
            history.values,
            threshold,
            above,
            history.falls,
            history.known_to,
            history.horizon_days,
        )
        verdicts = [one[3] for one in expected]
        assert found.warnings[place] == len(expected)
        assert found.outside[place] == sum(one[2] for one in expected)
        assert found.before_fall[place] == verdicts.count("before_fall")
        assert found.late[place] == verdicts.count("late")
        assert found.undecided[place] == verdicts.count("undecided")
        assert found.false[place] == verdicts.count("false")


def caught_by(history, warnings):
    """Which falls have a warning before them, and how early the first came, looked at one by one."""
    leads = []
    for each in history.falls:
        before = [
            max((each.start - one[0]) / DAY, 0.0)
            for one in warnings
            if one[0] < each.first_end and (each.start - one[0]) / DAY <= history.horizon_days
        ]
        leads.append(max(before) if before else None)
    return leads


def idle_windows(history, threshold, above):
    """How many windows are outside with no fall in sight, each looked at as a warning of its own."""
    alone = [
        replay([window], [value], threshold, above, history.falls, history.known_to, history.horizon_days)
        for window, value in zip(history.windows, history.values, strict=True)
    ]
    return sum(one[3] in {"false", "undecided"} for warnings in alone for one in warnings)


@settings(max_examples=60)
@given(pasts(), st.booleans())
def test_the_best_threshold_is_that_of_an_exhaustive_search(history, above):
    finite = sorted({value for value in history.values if value is not None})
    steps = np.unique(np.concatenate([finite, np.nextafter(finite, 2), np.nextafter(finite, -1)]))
    outcomes = []
    for threshold in steps.tolist():
        outside = [value for value in finite if (value >= threshold if above else value <= threshold)]
        if not 0 < len(outside) < len(finite):
            continue  # a limit that is always or never reached is no choice
        warnings = replay(
            history.windows,
            history.values,
            threshold,
            above,
            history.falls,
            history.known_to,
            history.horizon_days,
        )
        leads = [lead for lead in caught_by(history, warnings) if lead is not None]
        false = sum(one[3] == "false" for one in warnings)
        outcomes.append(
            (
                len(history.falls) - len(leads),
                false,
                idle_windows(history, threshold, above),
                -sum(leads),
                len(outside),
            )
        )
    best, missed = best_threshold(history, above=above)
    if not outcomes or not history.falls or min(outcomes)[0] == len(history.falls):
        assert best is None
        assert list(missed) == list(range(len(history.falls)))
        return
    outside = sum(value >= best if above else value <= best for value in finite)
    warnings = replay(
        history.windows, history.values, best, above, history.falls, history.known_to, history.horizon_days
    )
    leads = caught_by(history, warnings)
    false, early = sum(one[3] == "false" for one in warnings), sum(lead for lead in leads if lead is not None)
    idle = idle_windows(history, best, above)
    assert (len(missed), false, idle, -early, outside) == min(outcomes)
    assert [place for place, lead in enumerate(leads) if lead is None] == list(missed)
    assert lead_days(history, Limit(Level.WARNING, best, above, "test")) == leads


@given(st.lists(st.floats(-1e308, 1e308), min_size=2, max_size=30, unique=True), st.booleans())
def test_candidates_tell_apart_every_two_neighbouring_values(values, above):
    ordered = sorted(values)
    splits = {
        sum(value >= one if above else value <= one for value in ordered)
        for one in candidates(values, above=above)
    }
    assert splits == set(range(1, len(np.unique(ordered))))


# ── falls ────────────────────────────────────────────────────────────────────────────────────────


def test_bad_windows_in_a_row_are_one_fall_and_an_unknown_one_does_not_end_it():
    auc = [
        (0.80, 0.78, 0.82),
        (0.70, 0.68, 0.72),
        (None, None, None),
        (0.71, 0.69, 0.74),
        (0.74, 0.70, 0.78),  # may as well be above 0.75: not bad
        (0.60, 0.50, 0.70),
    ]
    falls = find_falls([Measured(week(n), *one) for n, one in enumerate(auc)], floor(0.75))
    assert [(one.start, one.end, one.windows, one.value) for one in falls] == [
        (week(1).start, week(3).end, 2, 0.70),
        (week(5).start, week(5).end, 1, 0.60),
    ]


def test_an_error_falls_where_its_whole_interval_is_above_the_limit():
    rmse = [(10.0, 9.0, 11.0), (12.0, 11.4, 13.0), (12.0, 11.6, 13.0)]
    falls = find_falls([Measured(week(n), *one) for n, one in enumerate(rmse)], ceiling(11.5))
    assert [one.start for one in falls] == [week(2).start]


def test_a_metric_without_an_interval_falls_by_its_value():
    falls = find_falls([Measured(week(0), 0.8), Measured(week(1), 0.7, math.nan, math.nan)], floor(0.75))
    assert [one.start for one in falls] == [week(1).start]


# ── sentences and proposals ──────────────────────────────────────────────────────────────────────


def told(history, threshold, unknown=""):
    chosen = ConstantThreshold(Level.WARNING, threshold, above=True)
    return outcome_of(history, "constant", chosen, chosen.resolve(), unknown)


def test_the_sentence_counts_warnings_those_before_a_fall_and_false_ones():
    values = [0.0] * 40
    for number in (2, 5, 8, 9, 11, 18, 24, 33):
        values[number] = 0.3
    outcome = told(past(values, [fall(20, 21), fall(25)]), 0.2)
    assert outcome.sentence == (
        "Had this monitor been on since 6 Jan it would have warned 7 times, twice within 14 days before "
        "accuracy fell; 5 were false."
    )
    assert (outcome.falls_caught, outcome.lead_days, outcome.missed) == (2, [14.0, 7.0], 0)
    assert (outcome.precision, outcome.recall, outcome.windows_outside) == (2 / 7, 1.0, 8)


def test_a_warning_in_the_first_window_of_a_fall_leads_by_0_days_and_a_later_one_is_late():
    history = past([0, 0, 0, 1, 0, 1, 0, 0, 0, 0], [fall(3, 6)])
    warnings = warnings_at(history, ceiling(0.5))
    assert [(one.verdict, one.lead_days) for one in warnings] == [
        (Verdict.BEFORE_FALL, 0.0),
        (Verdict.LATE, None),
    ]
    assert told(history, 0.5).sentence == (
        "Had this monitor been on since 6 Jan it would have warned twice, once within 14 days before "
        "accuracy fell; none was false, 1 came when it had fallen already."
    )


def test_a_warning_whose_fortnight_is_not_over_is_not_called_false():
    history = past([0, 1, 0, 0, 0, 0, 1, 0], known=7)
    assert [one.verdict for one in warnings_at(history, ceiling(0.5))] == [Verdict.FALSE, Verdict.UNDECIDED]
    assert told(history, 0.5).sentence == (
        "Had this monitor been on since 6 Jan it would have warned twice; accuracy did not fall, 1 was "
        "false, 1 is too recent to tell."
    )


def test_the_only_warning_that_was_false_is_told_in_few_words():
    assert told(past([0, 1, 0, 0, 0, 0, 0, 0]), 0.5).sentence == (
        "Had this monitor been on since 6 Jan it would have warned once, falsely: accuracy did not fall."
    )


def test_a_monitor_that_never_warns_says_what_it_missed():
    history = past([0.0, 0.1, 0.2, 0.1], [fall(1), fall(3)])
    assert told(history, 0.5).sentence == (
        "Had this monitor been on since 6 Jan it would never have warned; 2 of 2 falls were missed."
    )


def test_without_outcomes_warnings_are_counted_and_nothing_is_called_false():
    history = Past([week(n) for n in range(4)], [0.0, 1.0, 0.0, 1.0], [], None)
    outcome = told(history, 0.5, "no outcome has arrived yet")
    assert outcome.sentence == (
        "Had this monitor been on since 6 Jan it would have warned twice; whether accuracy fell is not "
        "known: no outcome has arrived yet."
    )
    assert (outcome.false_warnings, outcome.precision, outcome.recall) == (0, None, None)


def test_the_proposed_threshold_is_the_highest_that_warns_of_every_fall_with_the_fewest_false_warnings():
    values = [0.01, 0.12, 0.02, 0.30, 0.02, 0.02, 0.20, 0.02, 0.02, 0.02, 0.02]
    proposed, reason = propose(past(values, [fall(7)]), [], "psi", above=True)
    assert proposed.limit.value == pytest.approx(0.16)  # 0.30 must be false, 0.12 need not
    assert (proposed.falls_caught, proposed.false_warnings) == (1, 1)
    assert reason.startswith(
        "PSI from 0.16 is proposed: it would have warned of the fall with the fewest false"
    )


def test_a_proposal_within_what_the_reference_varies_by_may_be_chance():
    history = past([0.01, 0.05, 0.01, 0.02, 0.01, 0.01, 0.01, 0.01], [fall(2)])
    learned = LearnedThreshold(Level.WARNING, above=True)
    for values, words in (([0.1, 0.2, 0.1, 0.2, 0.1], "may be chance"), ([0.01] * 5, "expect less")):
        known = [outcome_of(history, "learned", learned, learned.resolve(values))]
        proposed, reason = propose(history, known, "psi", above=True)
        assert proposed.limit.value == pytest.approx(0.035)
        assert words in reason


def test_a_p_value_warns_downwards():
    proposed, _ = propose(past([0.9, 0.8, 0.03, 0.7, 0.6], [fall(3)]), [], "chi_squared_p_value", above=False)
    assert proposed.limit.value == pytest.approx(0.315)
    assert not proposed.limit.above


def test_no_threshold_is_proposed_where_none_warns_of_every_fall():
    values = [0.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    proposed, reason = propose(past(values, [fall(4), fall(8)]), [], "psi", above=True)
    assert proposed is None
    assert reason == (
        "No threshold would have warned within 14 days before every fall of accuracy: from 0.15 it would "
        "have warned of 1 of 2 falls, and missed 3 Mar."
    )
    proposed, reason = propose(past(values, [fall(8)]), [], "psi", above=True)
    assert (proposed, reason) == (
        None,
        "No threshold would have warned within 14 days before the fall of accuracy.",
    )


def test_where_accuracy_never_fell_the_learned_threshold_is_proposed():
    history = past([0.01, 0.02, 0.2, 0.02, 0.01, 0.02])
    learned = LearnedThreshold(Level.WARNING, above=True)
    limit = learned.resolve([0.01, 0.02, 0.015, 0.02, 0.01])
    proposed, reason = propose(history, [outcome_of(history, "learned", learned, limit)], "psi", above=True)
    assert (proposed.name, proposed.threshold, proposed.limit) == ("proposed", learned, limit)
    assert reason == (
        "The learned threshold is proposed: accuracy never fell, so none can be weighed against falls."
    )
    assert propose(history, [], "psi", above=True)[0] is None


# ── in a workspace ───────────────────────────────────────────────────────────────────────────────

SHIFTS = [0.0, 0.25, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0]  # of income, by week: a small one first
WRONG = {7}  # two weeks after income has moved, outcomes turn


class Department:
    def __init__(self, folder):
        self.workspace = workspace_in(folder)
        self.trained = champion(self.workspace, "churn-risk", cadence_hours=168)
        frames = []
        for number, shift in enumerate(SHIFTS):
            rows = population(1500, start=week(number).start, days=7, seed=30 + number, shift=shift)
            rows["customer"] += 1500 * number
            if number in WRONG:
                rows["answer"] = 1.0 - rows["answer"]
            frames.append(rows)
        self.weeks = frames
        self.rows = pd.concat(frames, ignore_index=True)
        someone = system(self.workspace)
        log_predictions(self.workspace, someone, "churn-risk", 1, self.trained.predictions(self.rows))
        log_outcomes(self.workspace, someone, "churn-risk", self.trained.outcomes(self.rows, known_at=NOW))
        self.silent = champion(self.workspace, "no-outcomes", cadence_hours=168)
        log_predictions(self.workspace, someone, "no-outcomes", 1, self.silent.predictions(self.rows))
        new_model(self.workspace, "not-yet")
        champion(self.workspace, "just-begun")
        run_monitoring(self.workspace, someone)


@pytest.fixture(scope="module")
def department(tmp_path_factory):
    department = Department(tmp_path_factory.mktemp("department"))
    yield department
    department.workspace.close()


def test_drift_two_weeks_before_a_fall_is_found_and_the_small_one_is_false(department):
    found = backtest_column(department.workspace, "churn-risk", column="income")
    scores = [roc_auc_score(rows["answer"], department.trained.scores(rows)) for rows in department.weeks]
    assert [n for n, score in enumerate(scores) if score < 0.7] == [7]
    assert [(one.start, one.windows) for one in found.falls] == [(week(7).start, 1)]
    assert found.falls[0].value == pytest.approx(scores[7], abs=0.01)
    assert found.windows == [week(n) for n in range(9)]
    assert found.proposed.lead_days == [14.0]
    assert found.proposed.false_warnings == 0
    assert found.values[1] < found.proposed.limit.value <= found.values[5]
    assert found.sentence == (
        "Had this monitor been on since 6 Jan it would have warned once, within 14 days before accuracy "
        "fell; none was false."
    )


def test_the_series_is_the_statistic_of_the_raw_rows_of_each_week(department):
    found = backtest_column(department.workspace, "churn-risk", column="income")
    reference = population(600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=1)["income"]
    expected = [population_stability_index(reference, rows["income"]) for rows in department.weeks]
    assert found.values == pytest.approx(expected, rel=0.1)


def test_stored_slices_give_the_series_that_the_monitor_has_measured(department):
    workspace, version = department.workspace, department.trained.version
    for column in ("income", "age", "prediction"):
        measured = read_series(workspace, version, column, "psi", "", 7)
        counted = series_from_slices(workspace, version, column, "psi", "", 7)
        assert counted.windows == measured.windows
        assert counted.values == pytest.approx(measured.values)
        assert counted.rows == measured.rows == [1500] * 9


def test_what_is_kept_of_a_series_is_read_again_when_the_store_has_changed(tmp_path):
    workspace = workspace_in(tmp_path)
    trained = champion(workspace)
    someone = system(workspace)
    for number in range(3):
        rows = population(300, start=week(number, days=1).start, days=1, seed=number)
        batch = trained.predictions(rows, prefix=f"p{number}")
        log_predictions(workspace, someone, "churn-risk", 1, batch)
        run_monitoring(workspace, someone)
        found = read_series(workspace, trained.version, "income", "hellinger", "", 1)
        assert found.rows == [300] * (number + 1)
        assert read_series(workspace, trained.version, "income", "hellinger", "", 1) is found
    workspace.close()


def test_the_thresholds_stand_side_by_side(department):
    found = backtest_column(department.workspace, "churn-risk", column="income")
    assert [(one.name, one.limit.value) for one in found.outcomes[:2]] == [
        ("current", 0.1),
        ("rule of thumb", 0.1),
    ]
    assert found.outcomes[-1] is found.proposed
    assert found.notes == [
        "There is no learned threshold: warning cannot be learned from 1 reference chunk, fewer than 5: "
        "set a constant, or a fallback."
    ]
    daily = backtest_column(department.workspace, "churn-risk", column="income", days=1)
    assert [one.name for one in daily.outcomes[:3]] == ["current", "learned", "rule of thumb"]
    assert len(daily.windows) == 63


def test_given_thresholds_are_replayed_alone(department):
    chosen = [
        ConstantThreshold(Level.WARNING, 0.05, above=True),
        ConstantThreshold(Level.WARNING, 9.0, above=True),
        RuleOfThumb(Level.CRITICAL, "psi"),
    ]
    found = backtest_column(department.workspace, "churn-risk", column="income", thresholds=chosen)
    assert [one.name for one in found.outcomes] == [
        "constant 0.05",
        "constant 9",
        "rule of thumb",
        "proposed",
    ]
    assert found.outcomes[1].warnings == []
    assert found.outcomes[1].missed == 1


def test_a_segment_is_replayed_on_its_own_rows(department):
    found = backtest_column(department.workspace, "churn-risk", column="income", segment="region=north")
    north = [int((rows["region"] == "north").sum()) for rows in department.weeks]
    assert found.rows == north
    assert [one.start for one in found.falls] == [week(7).start]
    assert found.proposed.lead_days == [14.0]


ESTIMATES = [0.82, 0.81, 0.74, 0.82, 0.81, 0.80, 0.73, 0.72, 0.80]


def test_an_estimate_of_accuracy_is_replayed_downwards(department):
    def work(unit):
        monitor = unit.session.exec(
            select(Monitor).where(
                Monitor.model_version_id == department.trained.version.id,
                Monitor.kind == MonitorKind.ESTIMATE,
            )
        ).one()
        for number, value in enumerate(ESTIMATES):
            window = week(number)
            unit.add(
                Measurement(
                    monitor_id=monitor.id,
                    statistic="roc_auc",
                    column="",
                    window_start=window.start,
                    window_end=window.end,
                    value=value,
                    rows=1500,
                    level=Level.UNJUDGED,
                    measured_at=unit.now,
                )
            )

    department.workspace.store.bookkeep(system(department.workspace), work)
    found = backtest_column(department.workspace, "churn-risk", column="", statistic="roc_auc")
    assert found.values == ESTIMATES
    assert [(one.name, one.limit.above) for one in found.outcomes] == [
        ("current", False),
        ("proposed", False),
    ]
    assert found.outcomes[0].limit.value == pytest.approx(0.75)
    assert found.outcomes[0].lead_days == [7.0]
    assert found.outcomes[0].false_warnings == 1  # that of the third week
    assert found.proposed.limit.value == pytest.approx(0.735)
    assert (found.proposed.lead_days, found.proposed.false_warnings) == ([7.0], 0)


def test_a_segment_falls_below_its_own_figure_in_the_reference(department):
    version, model = department.trained.version, department.trained.model
    accuracy = read_accuracy(department.workspace, model, version, "region=south")
    assert accuracy.limit.value == pytest.approx(0.75)  # of all rows: its reference has no outcomes
    south = pd.concat(department.weeks[:2])
    south = south[south["region"] == "south"]
    with department.workspace.store.read() as session:
        payloads = session.exec(
            select(OutcomeSlice.payload).where(
                OutcomeSlice.model_version_id == version.id,
                OutcomeSlice.segment == "region=south",
                OutcomeSlice.start < week(2).start,
            )
        ).all()
    outcomes = merge_outcomes([decode_outcomes(one) for one in payloads])

    def work(unit):
        unit.add(
            OutcomeSlice(
                model_version_id=version.id,
                origin=Origin.REFERENCE,
                start=datetime(2024, 12, 18, tzinfo=UTC),
                segment="region=south",
                rows=outcomes.rows,
                revision=0,
                payload=encode_outcomes(outcomes),
            )
        )

    department.workspace.store.bookkeep(system(department.workspace), work)
    accuracy = read_accuracy(department.workspace, model, version, "region=south")
    score = roc_auc_score(south["answer"], department.trained.scores(south))
    assert accuracy.limit.value == pytest.approx(score - 0.05, abs=0.005)
    assert [one.start for one in accuracy.falls] == [week(7).start]


def test_windows_with_few_predictions_are_not_judged(department):
    found = backtest_column(
        department.workspace, "churn-risk", column="income", segment="region=west", days=7
    )
    assert all((value is None) == (rows < 200) for value, rows in zip(found.values, found.rows, strict=True))
    with pytest.raises(InvalidInput, match="fewer than 3 windows of 200 predictions in region=west"):
        backtest_column(department.workspace, "churn-risk", column="income", segment="region=west", days=1)


def test_a_model_without_outcomes_is_answered_all_the_same(department):
    found = backtest_column(department.workspace, "no-outcomes", column="income", days=1)
    assert (found.known_to, found.falls) == (None, ())
    assert found.outcomes[0].warnings
    assert "whether accuracy fell is not known: no outcome has arrived yet" in found.sentence
    assert found.proposed.threshold == found.outcomes[1].threshold
    assert "Which warnings were false is not known: no outcome has arrived yet." in found.notes


@pytest.mark.parametrize(
    ("model", "asked", "error", "message"),
    [
        ("nobody", {}, NotFound, "no model 'nobody'"),
        ("not-yet", {}, NotFound, "no champion"),
        (
            "churn-risk",
            {"column": "colour"},
            NotFound,
            "no column 'colour': choose from income, age, prediction",
        ),
        ("churn-risk", {"segment": "region=moon"}, NotFound, "no segment 'region=moon'"),
        ("churn-risk", {"statistic": "magic"}, InvalidInput, "no statistic 'magic'"),
        (
            "churn-risk",
            {"statistic": "chi_squared"},
            InvalidInput,
            "not defined for 'income', a numeric column",
        ),
        ("churn-risk", {"days": 3}, InvalidInput, "choose 1 or 7"),
        ("churn-risk", {"horizon_days": -1}, InvalidInput, "choose 0 or more"),
        ("churn-risk", {"column": "", "statistic": "psi"}, InvalidInput, "no estimated psi"),
        ("no-outcomes", {"column": "", "statistic": "roc_auc"}, InvalidInput, "the estimated AUC of model"),
        ("just-begun", {}, InvalidInput, "'income' of model 'just-begun' has fewer than 3 windows"),
    ],
)
def test_what_cannot_be_replayed_is_answered_in_words(department, model, asked, error, message):
    with pytest.raises(error, match=message):
        backtest_column(department.workspace, model, **{"column": "income", **asked})
