"""In which order columns are named: those that drifted, by how far they moved and how much it matters."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from mlops_core.explanation.movement import Movement
from mlops_core.registry.columns import PREDICTION, SCORE
from mlops_core.statistics import DRIFT_STATISTICS

__all__ = ["LEAST_WEIGHT", "OUTPUTS", "rank_columns", "relative_importance"]

OUTPUTS: Final = (PREDICTION, SCORE)
"""What a model puts out: it moves because something else did, or because the model did."""

LEAST_WEIGHT: Final = 0.1
"""The weight of a column that does not matter to the model at all: if it has moved ten times as far as the
most important one, it is named as early."""


def relative_importance(values: Mapping[str, float]) -> dict[str, float]:
    """Return importance relative to the most important column's; empty where none has any."""
    known = {name: value for name, value in values.items() if math.isfinite(value)}
    largest = max(known.values(), default=0.0)
    return {name: max(value, 0.0) / largest for name, value in known.items()} if largest > 0 else {}


def rank_columns(
    movements: Sequence[Movement], importance: Mapping[str, float], statistic: str
) -> list[Movement]:
    """Return the columns that drifted first; each group inputs before outputs, by movement x importance.

    A column whose importance is not known counts by its movement alone. The movement of a p-value, which is
    smaller the further a column moved, is ``-log10(p)``. Columns without a value come last.
    """
    higher = DRIFT_STATISTICS[statistic].higher_is_drift

    def order(one: Movement) -> tuple[bool, bool, float, str]:
        weight = max(importance.get(one.column, 1.0), LEAST_WEIGHT)
        if one.value is None:
            score = -1.0
        else:
            score = weight * (one.value if higher else -math.log10(max(one.value, 1e-300)))
        return not one.level.is_outside, one.column in OUTPUTS, -score, one.column

    return sorted(movements, key=order)
