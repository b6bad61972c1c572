import math

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.spatial import distance

from mlops_core.domain.errors import InvalidInput
from mlops_core.statistics import DRIFT_STATISTICS, RULES_OF_THUMB, level_of, status_of

DECILES = stats.norm.ppf(np.arange(11) / 10)


def psi(p, q):
    return float(np.sum((q - p) * np.log(q / p)))


def deciles_after(shift):
    """The shares of the deciles of a standard normal column, before and after it moves."""
    return np.diff(stats.norm.cdf(DECILES)), np.diff(stats.norm.cdf(DECILES - shift))


def shift_of_psi(limit):
    return optimize.brentq(lambda shift: psi(*deciles_after(shift)) - limit, 1e-3, 3)


@pytest.mark.parametrize("level", ["warning", "critical"])
def test_our_rules_are_what_a_normal_column_gives_where_its_psi_has_the_customary_limits(level):
    shift = shift_of_psi(getattr(RULES_OF_THUMB["psi"], level))
    p, q = deciles_after(shift)
    expected = {
        "kolmogorov_smirnov": 2 * stats.norm.cdf(shift / 2) - 1,
        "wasserstein_normalised": shift,
        "jensen_shannon": distance.jensenshannon(p, q, base=2),
        "hellinger": np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / math.sqrt(2),
    }
    for name, value in expected.items():
        assert getattr(RULES_OF_THUMB[name], level) == pytest.approx(value, abs=0.0051)


@pytest.mark.parametrize("level", ["warning", "critical"])
def test_our_rule_for_l_infinity_is_the_growth_of_a_share_of_a_tenth(level):
    def excess(growth):
        p, q = np.array([0.1, 0.9]), np.array([0.1 + growth, 0.9 - growth])
        return psi(p, q) - getattr(RULES_OF_THUMB["psi"], level)

    expected = optimize.brentq(excess, 1e-3, 0.8)
    assert getattr(RULES_OF_THUMB["l_infinity"], level) == pytest.approx(expected, abs=0.0051)


def test_critical_lies_beyond_warning_and_both_within_the_range():
    for name, rule in RULES_OF_THUMB.items():
        statistic = DRIFT_STATISTICS[name]
        assert statistic.lower < rule.warning < statistic.upper
        assert (rule.critical > rule.warning) == statistic.higher_is_drift
        assert rule.source


def test_a_p_value_reaches_a_level_by_falling():
    found = [level_of("chi_squared_p_value", value) for value in (0.5, 0.06, 0.05, 0.02, 0.01, 0.0)]
    assert found == ["in_range", "in_range", "warning", "warning", "critical", "critical"]


def test_a_statistic_without_a_rule_is_refused():
    with pytest.raises(InvalidInput, match="no rule of thumb for 'wasserstein': choose one of psi"):
        level_of("wasserstein", 1.0)


def test_psi_decides_the_status_of_a_column():
    others = {"kolmogorov_smirnov_p_value": 0.0, "wasserstein_normalised": 9.0}
    found = [
        status_of({"psi": value, **others}) for value in (0.0, 0.09, 0.1, 0.25, math.inf, math.nan, None)
    ]
    assert found == ["in_range", "in_range", "warning", "critical", "critical", "in_range", "in_range"]
    assert status_of(others) == "in_range"
