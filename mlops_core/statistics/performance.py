"""Performance statistics: how good predictions were, from merged outcomes, and why one is undefined."""

import math

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.outcome_counts import BinaryOutcomes, Outcomes
from mlops_core.slices.regression_counts import RegressionOutcomes
from mlops_core.statistics import performance_multiclass, performance_regression, performance_scores
from mlops_core.statistics.registry import PERFORMANCE_STATISTICS, problem_type_of

__all__ = ["performance_undefined_reason"]

_SCORES = frozenset({"roc_auc", "average_precision", "log_loss", "brier", "lift_at_10"})
_REGISTERED = (performance_multiclass, performance_regression, performance_scores)  # importing registers


def performance_undefined_reason(name: str, outcomes: Outcomes | None) -> str | None:
    """Say why a performance statistic is nan; None when it is a number.

    Parameters
    ----------
    name
        A key of `PERFORMANCE_STATISTICS`.
    outcomes
        None where no outcome has arrived.

    Returns
    -------
    str | None
        Words without a full stop, like "one class only".

    Raises
    ------
    InvalidInput
        If there is no such statistic.
    """
    if name not in PERFORMANCE_STATISTICS:
        raise InvalidInput(f"there is no statistic {name!r}: choose from {', '.join(PERFORMANCE_STATISTICS)}")
    if outcomes is None or not outcomes.rows:
        return "no outcome yet"
    found = problem_type_of(outcomes)
    if found not in PERFORMANCE_STATISTICS[name].problem_types:
        return f"not defined for {found} outcomes"
    if not math.isnan(PERFORMANCE_STATISTICS[name].compute(outcomes)):
        return None
    if isinstance(outcomes, BinaryOutcomes):
        if name in _SCORES and not outcomes.scored:
            return "no score"
        return "no predicted positive" if name == "precision" else "one class only"
    if isinstance(outcomes, RegressionOutcomes) and name == "r_squared":
        return "the outcome is constant" if math.isfinite(outcomes.squared_error_sum) else "numbers too large"
    return "numbers too large"
