"""What the counts of two windows say about the distance between their values, and how far it may be off.

The two distribution functions are F (reference) and G (current). Both are known at the edges of the grid; in
between they rise from one edge to the next, and from a window's minimum to its maximum. A straight line gives
an estimate; the two steps that enclose every such rise give bounds.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.counts import NumericCounts

__all__ = ["Distance", "largest_gap", "population_deviation", "transport"]

_LARGE = 1e150  # larger values are scaled down, so that nothing overflows
_TINY = 1e-290  # smaller squares have lost digits
_SUM_ROUNDING = 1e-11  # of the root mean square: more than adding a million numbers in a row costs
_SPREAD_ROUNDING = 1e-9  # a variance below this share of the mean square is read from the cells

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance, and the ends between which that of the rows certainly lies."""

    value: float
    lower: float
    upper: float

    @property
    def error_bound(self) -> float:
        """How far the value can be from that of the rows."""
        return max(self.upper - self.value, self.value - self.lower)


def largest_gap(reference: NumericCounts, current: NumericCounts, edges: Floats) -> Distance:
    """Return the largest ``|F - G|``; both windows must hold a value, and infinities are values.

    ``value`` is what the counts show for certain, so it is the lower end too.
    """
    n, m = (counts.finite + counts.infinite for counts in (reference, current))
    start = reference.negative_infinite / n - current.negative_infinite / m
    gaps = start + np.cumsum(reference.cells) / n - np.cumsum(current.cells) / m
    seen = max(abs(start), float(np.abs(gaps).max()))
    if not reference.finite or not current.finite:
        return Distance(seen, seen, seen)
    first, second = _Window.of(reference, edges, n), _Window.of(current, edges, m)
    knots = _Knots.of(edges, (first.minimum, first.maximum, second.minimum, second.maximum))
    first_low, first_high = first.steps(knots)
    second_low, second_high = second.steps(knots)
    low, high = start + first_low - second_high, start + first_high - second_low
    mixed = knots.high_edges > np.nextafter(knots.low_edges, math.inf)
    certain = np.maximum(low, -high)[mixed].max(initial=seen)
    possible = np.maximum(high, -low)[mixed].max(initial=certain)
    return Distance(float(certain), float(certain), float(possible))


def transport(reference: NumericCounts, current: NumericCounts, edges: Floats) -> Distance:
    """Return the integral of ``|F - G|``; both windows must hold a finite value.

    Let P and N be the areas where F is above and below G. The straight lines give estimates of both, the
    steps give bounds; beyond the outer edges the sums of the outer cells make each exact when only one
    window reaches there. ``P - N`` is the difference of the means, which the sums know: so only the smaller
    of the two areas is ever estimated, and a window that is wholly moved has the exact distance.
    """
    largest = max(abs(end) for end in (*_ends(reference), *_ends(current)))
    scale = math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > _LARGE else 1.0
    if scale != 1.0 or not len(edges):
        edges = edges / scale if len(edges) else np.array([min(reference.minimum, current.minimum) / scale])
    first = _Window.of(reference, edges, reference.finite, scale)
    second = _Window.of(current, edges, current.finite, scale)
    knots = _Knots.of(edges, (*first.limits, *second.limits))
    found = between_bounds(first, second, *_areas(first, second, knots))
    return Distance(found.value * scale, found.lower * scale, found.upper * scale)


def between_bounds(first: "_Window", second: "_Window", over: Distance, under: Distance) -> Distance:
    """Return the sum of both areas, read from the difference of the means where that tells more."""
    bounds = [(over.lower + under.lower, over.upper + under.upper)]
    value = over.value + under.value
    shift = second.mean - first.mean
    error = first.mean_error + second.mean_error
    if math.isfinite(shift) and math.isfinite(error):
        for sign, area in ((1.0, under), (-1.0, over)):
            bounds.append((sign * shift + 2 * area.lower - error, sign * shift + 2 * area.upper + error))
        if abs(shift) > error:
            value = abs(shift) + 2 * (under if shift > 0 else over).value
    lower = max(0.0, *(low for low, _ in bounds))
    upper = max(lower, min(high for _, high in bounds))
    return Distance(min(max(value, lower), upper), lower, upper)


def population_deviation(counts: NumericCounts, edges: Floats) -> float:
    """Return the standard deviation of the finite values (divisor n); nan when there is none.

    From the sums; where rounding spoils those (a spread below a thirty-thousandth of the mean, squares that
    overflow or vanish), from the cells, each taken as evenly filled.
    """
    n = counts.finite
    if not n:
        return math.nan
    low, high = _ends(counts)
    if low == high:
        return 0.0
    square, centre = counts.total_squares / n, counts.total / n
    variance = square - centre * centre
    if math.isfinite(variance) and variance > _SPREAD_ROUNDING * square and square > _TINY:
        return math.sqrt(variance)
    half = high / 2 - low / 2
    if half == 0.0:
        return high - low
    bounds = np.concatenate(([low], np.clip(edges, low, high), [high]))
    bounds = (bounds / 2 - low / 2) / half
    widths, shares = np.diff(bounds), counts.cells / n
    middles = bounds[:-1] + widths / 2
    away = middles - float(shares @ middles)
    spread = float(shares @ (away * away + widths * widths / 12))
    return 2 * half * math.sqrt(spread)


@dataclass(frozen=True, slots=True)
class _Knots:
    """Neighbouring points between which each window rises in one straight line, within one cell.

    `starts`, `ends`, `cells` (of the stretch between them), `low_edges`, `high_edges` (of that cell):
    shape ``(n_stretches,)``; `last` is the last cell of the grid.
    """

    starts: Floats
    ends: Floats
    cells: NDArray[np.intp]
    low_edges: Floats
    high_edges: Floats
    edges: Floats

    @classmethod
    def of(cls, edges: Floats, extra: tuple[float, ...]) -> Self:
        points = np.unique(np.concatenate((edges, extra)))
        starts, ends = points[:-1], points[1:]
        cells = np.searchsorted(edges, starts, side="right")
        padded = np.concatenate(([-math.inf], edges, [math.inf]))
        return cls(starts, ends, cells, padded[cells], padded[cells + 1], edges)


@dataclass(frozen=True, slots=True)
class _Window:
    """The shares of a window, on edges that were divided by `scale`.

    `shares` has shape ``(n_cells,)`` and `before` ``(n_cells,)``: what lies in the cells before each one.
    `below` and `above` are the stretches over which the values of the outer cells are taken to be spread
    evenly: from the innermost one, and so far that their mean is right. `excess_below` and `excess_above`
    are the areas between the outer edge and the distribution function, nan where the sums are not known.
    """

    shares: Floats
    before: Floats
    minimum: float
    maximum: float
    mean: float
    mean_error: float
    below: tuple[float, float]
    above: tuple[float, float]
    excess_below: float
    excess_above: float

    @classmethod
    def of(cls, counts: NumericCounts, edges: Floats, values: int, scale: float = 1.0) -> Self:
        n = counts.finite
        shares = counts.cells / values
        low, high = (end / scale for end in _ends(counts))
        before = np.zeros(len(shares))
        np.cumsum(counts.cells[:-1], out=before[1:])
        before /= values
        if len(edges) and len(shares) == 1:  # a grid without edges has been given one below all values
            shares, before = np.array([0.0, *shares]), np.array([0.0, 0.0])
        mean = counts.total / n / scale
        square = counts.total_squares / n
        size = math.sqrt(square) / scale if _TINY < square < math.inf else max(abs(low), abs(high))
        error = _SUM_ROUNDING * size if math.isfinite(mean) else math.inf
        first, last = (float(edges[0]), float(edges[-1])) if len(edges) else (math.inf, -math.inf)
        sums = (counts.total_below, counts.total_above)
        in_first, in_last = int(counts.cells[0]), int(counts.cells[-1])
        if len(counts.cells) == 1:
            in_first, sums = 0, (0.0, counts.total)
        inner_below, inner_above = min(first, high), max(last, low)
        mean_below = sums[0] / in_first / scale if in_first else inner_below
        mean_above = sums[1] / in_last / scale if in_last else inner_above
        below, above = (_excess(first, mean_below, in_first), _excess(mean_above, last, in_last))
        return cls(
            shares,
            before,
            low,
            high,
            mean,
            error,
            (_far(inner_below, mean_below, low), inner_below),
            (inner_above, _far(inner_above, mean_above, high)),
            below / values,
            above / values,
        )

    @property
    def limits(self) -> tuple[float, ...]:
        return (self.minimum, self.maximum, *self.below, *self.above)

    def steps(self, knots: _Knots) -> tuple[Floats, Floats]:
        """Return the least and the most that the distribution function can be on each stretch."""
        low = np.maximum(knots.low_edges, self.minimum)
        high = np.minimum(knots.high_edges, self.maximum)
        before, rise = self.before[knots.cells], self.shares[knots.cells]
        return before + rise * (knots.starts >= high), before + rise * (knots.ends > low)

    def line(self, knots: _Knots) -> tuple[Floats, Floats]:
        """Return the straight line at both ends of each stretch."""
        low = np.maximum(knots.low_edges, self.minimum)
        high = np.minimum(knots.high_edges, self.maximum)
        for cell, (start, end) in ((0, self.below), (len(self.shares) - 1, self.above)):
            low[knots.cells == cell], high[knots.cells == cell] = start, end
        width = high - low
        spread = width > 0
        before, rise = self.before[knots.cells], self.shares[knots.cells]
        reached = (knots.starts >= high).astype(np.float64)
        with np.errstate(over="ignore"):  # far beyond a tiny width is infinitely far, and clipped
            left, right = (
                before
                + rise * np.clip(np.divide(at - low, width, out=reached.copy(), where=spread), 0.0, 1.0)
                for at in (knots.starts, knots.ends)
            )
        return left, right


def _areas(first: _Window, second: _Window, knots: _Knots) -> tuple[Distance, Distance]:
    """Return the area where the first distribution function is above the second, and where below."""
    first_low, first_high = first.steps(knots)
    second_low, second_high = second.steps(knots)
    lowest, highest = first_low - second_high, first_high - second_low
    first_left, first_right = first.line(knots)
    second_left, second_right = second.line(knots)
    left, right = first_left - second_left, first_right - second_right
    widths = knots.ends - knots.starts
    last = len(first.shares) - 1
    cuts = np.searchsorted(knots.cells, [1, last]) if last else np.array([0, 0])
    outer = (
        (first.excess_below, second.excess_below),
        (math.nan, math.nan),
        (second.excess_above, first.excess_above),
    )
    roundings = [
        _SUM_ROUNDING
        * sum(max(abs(one.minimum), abs(one.maximum)) * float(one.shares[cell]) for one in (first, second))
        for cell in (0, 0, last)
    ]
    sides: list[Distance] = []
    for sign, place in ((1.0, 0), (-1.0, 1)):
        up, down = (left, right) if sign > 0 else (-left, -right)
        low, high = (lowest, highest) if sign > 0 else (-highest, -lowest)
        parts = (
            widths * _positive_area(up, down),
            widths * np.maximum(low, 0.0),
            widths * np.maximum(high, 0.0),
        )
        value = lower = upper = 0.0
        regions = zip(*(np.split(part, cuts) for part in parts), strict=True)
        for here, excess, rounding in zip(regions, outer, roundings, strict=True):
            estimate, least, most = (float(part.sum()) for part in here)
            mine, other = excess[place], excess[1 - place]
            if math.isfinite(mine) and math.isfinite(other):
                least = max(least, mine - other - rounding)
                most = max(least, min(most, mine + rounding))
                estimate = min(max(estimate, least), most)
            value, lower, upper = value + estimate, lower + least, upper + most
        sides.append(Distance(value, lower, upper))
    return sides[0], sides[1]


def _positive_area(left: Floats, right: Floats) -> Floats:
    """Return the area above zero under a line over a stretch of width 1."""
    area: Floats = np.maximum(left, 0.0)
    area += np.maximum(right, 0.0)
    crosses = np.nonzero(left * right < 0)
    above = area[crosses]
    area[crosses] = above * (above / (np.abs(left[crosses]) + np.abs(right[crosses])))
    area /= 2
    return area


def _far(inner: float, mean: float, extreme: float) -> float:
    """Return the outer end of an even spread from `inner` with this mean, or `extreme` if it is not known."""
    return inner + 2 * (mean - inner) if math.isfinite(mean) else extreme


def _excess(higher: float, lower: float, rows: int) -> float:
    """Return how far a mean lies beyond an outer edge, times the rows there; nan if it is not known."""
    if not rows:
        return 0.0
    return max(0.0, higher - lower) * rows if math.isfinite(higher - lower) else math.nan


def _ends(counts: NumericCounts) -> tuple[float, float]:
    return counts.minimum + 0.0, counts.maximum + 0.0
