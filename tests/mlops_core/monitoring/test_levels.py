import math
from itertools import permutations

import pytest

from mlops_core.domain.states import Level
from mlops_core.monitoring.levels import judge, worst
from mlops_core.monitoring.watch import DRIFT_LIMITS, Limit

BOTH_SIDES = [
    Limit(Level.WARNING, 0.7, above=False, reason=""),
    Limit(Level.CRITICAL, 0.3, above=False, reason=""),
    Limit(Level.WARNING, 1.5, above=True, reason=""),
]


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (1.0, Level.IN_RANGE),
        (0.7001, Level.IN_RANGE),
        (0.7, Level.WARNING),
        (0.3, Level.CRITICAL),
        (0.0, Level.CRITICAL),
        (1.4999, Level.IN_RANGE),
        (1.5, Level.WARNING),
        (math.inf, Level.WARNING),
        (None, Level.UNKNOWN),
        (math.nan, Level.UNKNOWN),
    ],
)
def test_a_value_has_the_worst_level_whose_threshold_it_has_reached(value, level):
    for limits in permutations(BOTH_SIDES):
        assert judge(value, limits) == level


def test_without_thresholds_everything_is_in_range():
    assert judge(1e9, []) == Level.IN_RANGE


@pytest.mark.parametrize(("value", "level"), [(0.0999, "in_range"), (0.1, "warning"), (0.25, "critical")])
def test_drift_is_judged_by_the_customary_rule_of_thumb(value, level):
    assert judge(value, DRIFT_LIMITS["psi"]) == level


def test_the_worst_of_several_levels_is_the_most_severe():
    assert worst([Level.IN_RANGE, Level.CRITICAL, Level.WARNING]) == Level.CRITICAL
    assert worst([Level.UNKNOWN, Level.IN_RANGE]) == Level.IN_RANGE
    assert worst([]) == Level.UNKNOWN
