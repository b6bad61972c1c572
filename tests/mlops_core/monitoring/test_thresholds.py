"""Thresholds: what they resolve to, how they are learned from the reference, and who may set them."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from mlops_core.domain import AuditEvent, Monitor, Threshold
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import Level, MonitorKind, Role
from mlops_core.monitoring import run_monitoring
from mlops_core.monitoring.levels import judge
from mlops_core.monitoring.thresholds import (
    ConstantThreshold,
    LearnedThreshold,
    RuleOfThumb,
    reference_history,
    set_thresholds,
    threshold_of,
)
from mlops_core.monitoring.usage import _relative_usage
from mlops_core.monitoring.watch import monitors_of, thresholds_of
from mlops_core.monitoring.windows import window_at
from mlops_core.workspace import add_actor
from tests.factories import champion, system, workspace_in

HISTORIES = st.lists(st.floats(0, 1), min_size=5, max_size=60)


@given(HISTORIES, st.floats(0.5, 6), st.booleans())
def test_a_learned_limit_lies_k_sample_standard_deviations_from_the_mean(history, k, above):
    limit = LearnedThreshold(Level.WARNING, above=above, k=k).resolve(history)
    expected = np.mean(history) + (k if above else -k) * np.std(history, ddof=1)
    assert limit.value == pytest.approx(expected, abs=1e-12)


@given(HISTORIES, st.booleans())
def test_a_learned_limit_is_clipped_to_the_range_of_the_statistic(history, above):
    limit = LearnedThreshold(Level.WARNING, above=above, k=50, lowest=0.0, highest=1.0).resolve(history)
    assert -1e-300 <= limit.value <= 1.0 + 1e-15


def test_a_reference_that_never_varies_stays_in_range():
    for above in (True, False):
        limit = LearnedThreshold(Level.WARNING, above=above).resolve([0.25] * 8)
        assert judge(0.25, [limit]) == Level.IN_RANGE
        assert judge(0.26 if above else 0.24, [limit]) == Level.WARNING


def test_the_reason_of_a_learned_limit_has_the_numbers():
    limit = LearnedThreshold(Level.CRITICAL, above=True).resolve([0.01, 0.02, 0.03, 0.02, 0.02, math.nan])
    assert limit.reason == "mean 0.02 + 3 \N{MULTIPLICATION SIGN} 0.00707 over 5 reference chunks"


def test_too_few_chunks_fall_back_or_are_refused():
    limit = LearnedThreshold(Level.WARNING, above=True, fallback=0.1).resolve([0.01] * 4)
    assert (limit.value, limit.reason) == (0.1, "constant 0.1: 4 reference chunks, fewer than 5")
    with pytest.raises(InvalidInput, match="4 reference chunks"):
        LearnedThreshold(Level.WARNING, above=True).resolve([0.01] * 4)


@pytest.mark.parametrize("k", [0.0, -1.0, math.nan, math.inf])
def test_a_k_that_is_no_positive_number_is_refused(k):
    with pytest.raises(InvalidInput, match="choose k above 0"):
        LearnedThreshold(Level.WARNING, above=True, k=k)


def test_the_rule_of_thumb_of_psi_is_the_customary_one_and_a_p_value_is_a_floor():
    assert RuleOfThumb(Level.WARNING, "psi").resolve().value == 0.1
    assert RuleOfThumb(Level.CRITICAL, "psi").resolve().value == 0.25
    assert not RuleOfThumb(Level.WARNING, "chi_squared_p_value").resolve().above
    for level, statistic in ((Level.RETRAIN, "psi"), (Level.WARNING, "wasserstein")):
        with pytest.raises(InvalidInput, match="no rule of thumb"):
            RuleOfThumb(level, statistic).resolve()


class Watched:
    def __init__(self, folder):
        self.workspace = workspace_in(folder)
        self.trained = champion(self.workspace, "churn-risk", cadence_hours=24)
        run_monitoring(self.workspace, system(self.workspace))
        self.lead = add_actor(
            self.workspace, system(self.workspace), name="ada", full_name="Ada", role=Role.LEAD
        )
        with self.workspace.store.read() as session:
            self.monitors = {one.kind: one for one in monitors_of(session, self.trained.version)}
        self.drift: Monitor = self.monitors[MonitorKind.DRIFT]

    def limits(self) -> dict[str, Threshold]:
        with self.workspace.store.read() as session:
            return {row.level: row for row in thresholds_of(session, [self.drift])[self.drift.id]}


@pytest.fixture
def watched(tmp_path):
    watched = Watched(tmp_path)
    yield watched
    watched.workspace.close()


def test_setting_thresholds_keeps_how_they_were_chosen_and_writes_an_audit_event(watched):
    chosen = [
        LearnedThreshold(Level.CRITICAL, above=True, fallback=0.3),
        ConstantThreshold(Level.RETRAIN, 4.0, above=True),
    ]
    limits = set_thresholds(watched.workspace, watched.lead, watched.drift.id, chosen)
    stored = watched.limits()
    assert {level: row.value for level, row in stored.items()} == {
        "warning": 0.1,
        "critical": limits[0].value,
        "retrain": 4.0,
    }
    assert [threshold_of(stored[level]) for level in ("critical", "retrain")] == chosen
    assert threshold_of(stored["warning"]) == RuleOfThumb(Level.WARNING, "psi")
    history = [
        value
        for column in ("income", "age", "prediction")
        for value in reference_history(watched.workspace, watched.trained.version, "psi", column, 1)
    ]
    assert limits[0].value == pytest.approx(np.mean(history) + 3 * np.std(history, ddof=1))
    with watched.workspace.store.read() as session:
        event = session.exec(select(AuditEvent).where(AuditEvent.action == "monitors.thresholds_set")).one()
        assert (event.actor_id, event.subject) == (watched.lead.id, "churn-risk:1")


@pytest.mark.parametrize(
    ("level", "value", "message"),
    [
        (Level.WARNING, 0.3, "beyond critical at 0.25"),
        (Level.RETRAIN, 0.2, "critical would begin at 0.25, beyond retrain"),
        (Level.WARNING, math.nan, "would begin at nan"),
        (Level.IN_RANGE, 0.1, "no threshold leads to in_range"),
    ],
)
def test_limits_out_of_order_or_not_a_number_are_refused(watched, level, value, message):
    before = watched.limits()
    with pytest.raises(InvalidInput, match=message):
        set_thresholds(
            watched.workspace, watched.lead, watched.drift.id, [ConstantThreshold(level, value, above=True)]
        )
    assert watched.limits().keys() == before.keys()


def test_only_engineers_and_leads_set_thresholds_and_only_of_a_monitor_that_exists(watched):
    author = add_actor(
        watched.workspace, system(watched.workspace), name="dan", full_name="Dan", role=Role.DATA_SCIENTIST
    )
    with pytest.raises(NotPermitted, match="may not set thresholds"):
        set_thresholds(watched.workspace, author, watched.drift.id, [])
    with pytest.raises(NotFound, match="no monitor 999"):
        set_thresholds(watched.workspace, watched.lead, 999, [])


def test_performance_cannot_be_learned_from_a_reference_without_outcomes(watched):
    monitor = watched.monitors[MonitorKind.PERFORMANCE]
    with pytest.raises(InvalidInput, match="outcomes are not kept"):
        set_thresholds(
            watched.workspace, watched.lead, monitor.id, [LearnedThreshold(Level.WARNING, above=False)]
        )


def test_the_history_has_a_value_for_each_day_wholly_inside_the_reference(watched):
    days = reference_history(watched.workspace, watched.trained.version, "psi", "income", 1)
    assert len(days) == 14
    assert all(value > 0 for value in days)
    weeks = reference_history(watched.workspace, watched.trained.version, "psi", "income", 7)
    assert len(weeks) == 1  # 18 to 31 December 2024 holds one whole week, from Monday 23
    assert weeks[0] < np.mean(days)
    with pytest.raises(InvalidInput, match="no column 'colour'"):
        reference_history(watched.workspace, watched.trained.version, "psi", "colour")


MONDAY = datetime(2025, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows", "hours", "expected"),
    [
        ([100, 100, 40], 60.0, 1.0),  # Wednesday noon: between two days' worth and three
        ([50, 50, 0], 60.0, 0.5),
        ([200, 200, 50], 60.0, 1.5),
        ([10], 2.0, 1.0),  # nothing can be missing in the first hours
        ([100, 100, 40], 200.0, 240 / 700),
    ],
)
def test_an_open_week_is_compared_with_the_same_part_of_the_weeks_before(rows, hours, expected):
    week = window_at(MONDAY, 7)
    before = [week.moved(timedelta(days=-7 * n)) for n in (1, 2)]
    by_day = Counter({other.start + timedelta(days=d): 100 for other in before for d in range(7)})
    by_day.update({MONDAY + timedelta(days=d): n for d, n in enumerate(rows)})
    counts = Counter({other: 700 for other in before} | {week: sum(rows)})
    now = MONDAY + timedelta(hours=hours)
    assert _relative_usage(week, before, counts, by_day, now) == pytest.approx(expected)
