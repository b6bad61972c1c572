"""From a value and its limits to a level."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from mlops_core.domain.states import Level

__all__ = ["FEWEST_ROWS", "Judging", "Limit", "judge", "worst"]

FEWEST_ROWS: Final = 200
"""The drift of a window with fewer predictions is measured and not judged: by chance alone, its stability
index over ten bins is about 10 / rows, half of the customary limit of 0.1."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a level begins, on which side, and why there."""

    level: Level
    value: float
    above: bool
    reason: str


class Judging(Protocol):
    """What judges a value: a stored threshold, or a limit."""

    @property
    def level(self) -> str:
        """The level that begins there."""

    @property
    def value(self) -> float:
        """Where it begins."""

    @property
    def above(self) -> bool:
        """Whether it lies above, not below."""


def judge(value: float | None, thresholds: Iterable[Judging]) -> Level:
    """Return the worst level whose threshold the value has reached.

    No value, or one that is not a number, is `unknown`.
    """
    if value is None or math.isnan(value):
        return Level.UNKNOWN
    reached = [
        Level(threshold.level)
        for threshold in thresholds
        if (value >= threshold.value if threshold.above else value <= threshold.value)
    ]
    return worst(reached) if reached else Level.IN_RANGE


def worst(levels: Iterable[Level]) -> Level:
    """Return the most severe of the levels, `unknown` when there is none."""
    return max(levels, key=lambda level: level.severity, default=Level.UNKNOWN)
