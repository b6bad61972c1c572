"""Findings in words."""

from datetime import UTC, datetime, timedelta

import pytest

from mlops_core.domain.states import Level, MonitorKind
from mlops_core.monitoring.findings import Finding, some_of, statistic_name


def _finding(kind, level, value, *, days=7, limit=0.1, **others):
    start = datetime(2026, 9, 28, tzinfo=UTC)
    given = {"statistic": "psi", "column": "", "rows": 1204} | others
    return Finding(
        kind=kind,
        level=level,
        value=value,
        window_start=start,
        window_end=start + timedelta(days=days),
        limit=limit,
        **given,
    )


def test_metrics_are_called_as_people_write_them():
    names = [statistic_name(one) for one in ("f1", "f1_macro", "roc_auc", "balanced_accuracy", "r_squared")]
    assert names == ["F1", "macro F1", "AUC", "balanced accuracy", "R²"]


def test_only_the_first_equals_sign_of_a_segment_is_read_as_is():
    found = _finding(MonitorKind.DRIFT, Level.IN_RANGE, 0.0212, column="age", segment="code=a=b")
    assert found.sentence.startswith("code is a=b: age stays close to its reference")


def test_of_very_many_names_the_first_are_given_and_the_others_counted():
    names = [f"c{number}" for number in range(2_000)]
    assert some_of(names, 3) == "c0, c1, c2 and 1,997 more"
    assert some_of(names[:3], 3) == "c0, c1, c2"


def test_a_column_in_range_stays_close_to_its_reference():
    found = _finding(MonitorKind.DRIFT, Level.IN_RANGE, 0.0212, column="country")
    assert found.sentence == (
        "country stays close to its reference in the week of 28 Sep (n = 1,204): PSI 0.021, limit 0.1."
    )


@pytest.mark.parametrize("level", [Level.WARNING, Level.CRITICAL, Level.RETRAIN])
def test_a_column_outside_its_range_moved_away(level):
    found = _finding(MonitorKind.DRIFT, level, 0.31, column="country")
    assert found.sentence.startswith("country moved away from its reference")


@pytest.mark.parametrize("kind", [MonitorKind.DRIFT, MonitorKind.LATENCY, MonitorKind.USAGE])
def test_a_window_of_a_day_is_called_by_its_day(kind):
    measured = _finding(kind, Level.WARNING, 0.5, days=1)
    assert " on 28 Sep" in measured.sentence
    assert "week" not in measured.sentence
    assert "could not be measured on 28 Sep" in _finding(kind, Level.UNKNOWN, None, days=1).sentence


@pytest.mark.parametrize(
    ("limit", "words"), [(0.695222, "0.695"), (0.1, "0.1"), (1500.0, "1,500"), (34.25, "34.2"), (2.0, "2")]
)
def test_a_limit_has_three_digits_that_count(limit, words):
    found = _finding(MonitorKind.PERFORMANCE, Level.IN_RANGE, 0.8, limit=limit, statistic="roc_auc")
    assert found.sentence.endswith(f", limit {words}.")


def test_usage_is_a_percentage_of_the_windows_before():
    found = _finding(MonitorKind.USAGE, Level.WARNING, 0.614, statistic="relative_usage")
    assert found.sentence == (
        "1,204 predictions in the week of 28 Sep: 61 % of the mean of the 8 weeks before."
    )
