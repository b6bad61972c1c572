"""Panels: the charts of a stack that shares its time axis, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlops_core.monitoring.model_view import Point
from mlops_core.monitoring.watch import Limit

__all__ = ["Line", "Panel"]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a panel.

    Attributes
    ----------
    faint
        It is context, without a name at its end.
    band
        The interval of its points is tinted behind it.
    """

    name: str
    points: Sequence[Point]
    color: str
    faint: bool = False
    bars: bool = False
    dash: str | None = None
    band: bool = False

    @property
    def intervals(self) -> list[Point]:
        """Return the points that have an interval, none unless the line has a band."""
        return [one for one in self.points if self.band and one.lower is not None and one.upper is not None]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a stack that shares its time axis.

    Attributes
    ----------
    limits
        Thresholds to draw as lines, with the range beyond them tinted, where they are near the curves.
    reference
        A name and a value to draw as a grey line.
    """

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Sequence[Limit] = field(default_factory=list)
    reference: tuple[str, float] | None = None
    number_format: str = ".3g"

    @property
    def values(self) -> list[float]:
        """Return every value that a curve of the panel has."""
        return [point.value for line in self.lines for point in line.points if point.value is not None]

    @property
    def reach(self) -> float:
        """Return the span of the values, never 0."""
        low, high = min(self.values), max(self.values)
        return max(high - low, abs(high) * 0.05, 1e-9)

    @property
    def near_limits(self) -> list[Limit]:
        """Return the thresholds worth drawing: those so far off that the curves would be flat are not."""
        if not self.values:
            return []
        low, high, reach = min(self.values), max(self.values), self.reach
        return [one for one in self.limits if low - 2.5 * reach <= one.value <= high + 2.5 * reach]

    def beyond(self, limit: Limit) -> tuple[float, float]:
        """Return the range to tint behind a threshold, a quarter of the span wider than it and the curves."""
        margin = 0.25 * self.reach
        if limit.above:
            return limit.value, max(*self.values, limit.value) + margin
        return min(*self.values, limit.value) - margin, limit.value

    @property
    def extent(self) -> tuple[float, float]:
        """Return the lowest and the highest value that is drawn; (0, 1) for an empty panel."""
        drawn = [
            *self.values,
            *(edge for limit in self.near_limits for edge in self.beyond(limit)),
            *(
                bound
                for line in self.lines
                for one in line.intervals
                for bound in (one.lower, one.upper)
                if bound
            ),
            *([self.reference[1]] if self.reference else []),
            *([0.0] if any(line.bars for line in self.lines) else []),
        ]
        return (min(drawn), max(drawn)) if drawn else (0.0, 1.0)
