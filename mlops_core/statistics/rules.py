"""Rules of thumb: where drift begins, for data that nobody has set thresholds for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from mlops_core.domain.errors import InvalidInput
from mlops_core.statistics.registry import DRIFT_STATISTICS

__all__ = ["RULES_OF_THUMB", "DriftStatus", "RuleOfThumb", "level_of", "status_of"]

DriftStatus: TypeAlias = Literal["in_range", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class RuleOfThumb:
    """Where the levels of a statistic begin.

    Attributes
    ----------
    warning, critical
        The level is reached from this value on, as a monitor's is; for a p-value, at it and below.
    source
        Who says so, in words.
    """

    warning: float
    critical: float
    source: str


_OURS: Final = (
    "ours: what a normal column that moves gives where its PSI is 0.1 (0.32 standard deviations) "
    "and 0.25 (0.51), rounded"
)
_EVIDENCE: Final = (
    "custom since Fisher, Statistical Methods for Research Workers, 1925; in a large window every change, "
    "however small, is below it"
)

RULES_OF_THUMB: Final[Mapping[str, RuleOfThumb]] = MappingProxyType(
    {
        "psi": RuleOfThumb(0.1, 0.25, "Siddiqi, Credit Risk Scorecards, 2006: a small and a major shift"),
        "jensen_shannon": RuleOfThumb(0.13, 0.21, _OURS),
        "hellinger": RuleOfThumb(0.11, 0.18, _OURS),
        "kolmogorov_smirnov": RuleOfThumb(0.13, 0.20, _OURS),
        "wasserstein_normalised": RuleOfThumb(0.32, 0.51, _OURS),
        "l_infinity": RuleOfThumb(
            0.11,
            0.19,
            "ours: what a share of 0.1 grows by where its PSI is 0.1 and 0.25, rounded",
        ),
        "kolmogorov_smirnov_p_value": RuleOfThumb(0.05, 0.01, _EVIDENCE),
        "chi_squared_p_value": RuleOfThumb(0.05, 0.01, _EVIDENCE),
    }
)
"""Warning and critical levels by statistic.

`wasserstein` (it has the unit of the column) and `chi_squared` (it grows with the rows) have none.
"""


def level_of(statistic: str, value: float | None) -> DriftStatus:
    """Return the level that a value reaches by the rule of thumb; nan and None reach none.

    Raises
    ------
    InvalidInput
        If there is no rule of thumb for the statistic.

    Examples
    --------
    >>> level_of("psi", 0.12), level_of("chi_squared_p_value", 0.001)
    ('warning', 'critical')
    """
    if statistic not in RULES_OF_THUMB:
        raise InvalidInput(
            f"there is no rule of thumb for {statistic!r}: choose one of {', '.join(RULES_OF_THUMB)}"
        )
    if value is None or math.isnan(value):
        return "in_range"
    rule = RULES_OF_THUMB[statistic]
    sign = 1.0 if DRIFT_STATISTICS[statistic].higher_is_drift else -1.0
    if sign * value >= sign * rule.critical:
        return "critical"
    return "warning" if sign * value >= sign * rule.warning else "in_range"


def status_of(values: Mapping[str, float | None]) -> DriftStatus:
    """Return the status of a column, given its statistics by name: psi decides, as on the board.

    The others say how a column drifted. A p-value does not decide: in a window of a million rows it is small
    for changes that matter to nobody. A column whose psi is nan or missing (an empty window) is in range:
    nothing says that it drifted.

    Examples
    --------
    >>> status_of({"psi": 0.3, "kolmogorov_smirnov_p_value": 0.2})
    'critical'
    """
    return level_of("psi", values.get("psi"))
