"""The Wasserstein distances of many windows from one reference at once, as a trend asks for.

What the reference and the grid say is looked at once, and the windows are rows of arrays.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.counts import NumericCounts
from mlops_core.statistics.distances import (
    _LARGE,
    Distance,
    _Knots,
    _positive_area,
    _Window,
    between_bounds,
    transport,
)

__all__ = ["transports"]

_ROUNDING = 1e-11  # as in `distances`
_WINDOWS_AT_ONCE = 64  # each adds stretches to all of them
_ROWS_AT_ONCE = 13  # so that what they hold on a grid of 1,000 cells stays in the processor's cache

Floats = NDArray[np.float64]


def transports(reference: NumericCounts, windows: Sequence[NumericCounts], edges: Floats) -> list[float]:
    """Return the value of `transport` for each window, up to rounding; all must hold a finite value.

    All windows are cut where any of them begins or ends: a line that is cut stays a line, so areas and bounds
    are the same.
    """
    ends = [end for one in (reference, *windows) for end in (one.minimum, one.maximum)]
    if not len(edges) or max(map(abs, ends)) > _LARGE:
        return [transport(reference, one, edges).value for one in windows]
    first = _Window.of(reference, edges, reference.finite)
    values: list[float] = []
    for begin in range(0, len(windows), _WINDOWS_AT_ONCE):
        part = windows[begin : begin + _WINDOWS_AT_ONCE]
        values += _transports(first, [_Window.of(one, edges, one.finite) for one in part], edges)
    return values


def _transports(first: _Window, windows: Sequence[_Window], edges: Floats) -> list[float]:
    knots = _Knots.of(edges, (*first.limits, *(end for one in windows for end in one.limits)))
    widths = knots.ends - knots.starts
    last = len(first.shares) - 1
    cuts = np.searchsorted(knots.cells, [1, last]).tolist() if last else [0, 0]
    by_region = np.zeros((len(widths), 3))
    for region, part in enumerate((slice(0, cuts[0]), slice(cuts[0], cuts[1]), slice(cuts[1], None))):
        by_region[part, region] = widths[part]
    over_and_under = _areas(first, windows, knots, by_region)
    unknown = np.full(len(windows), math.nan)
    outer = (
        (np.full(len(windows), first.excess_below), np.array([one.excess_below for one in windows])),
        (unknown, unknown),
        (np.array([one.excess_above for one in windows]), np.full(len(windows), first.excess_above)),
    )
    reach = max(abs(first.minimum), abs(first.maximum))
    reaches = np.array([max(abs(one.minimum), abs(one.maximum)) for one in windows])
    roundings = [
        _ROUNDING * (reach * first.shares[cell] + reaches * np.array([one.shares[cell] for one in windows]))
        for cell in (0, 0, last)
    ]
    sides: list[tuple[Floats, Floats, Floats]] = []
    for place, areas in enumerate(over_and_under):
        value = lower = upper = np.zeros(len(windows))
        for estimate, least, most, excess, rounding in zip(*areas, outer, roundings, strict=True):
            mine, other = excess[place], excess[1 - place]
            known = np.isfinite(mine) & np.isfinite(other)
            least = np.where(known, np.maximum(least, mine - other - rounding), least)
            most = np.where(known, np.maximum(least, np.minimum(most, mine + rounding)), most)
            estimate = np.where(known, np.minimum(np.maximum(estimate, least), most), estimate)
            value, lower, upper = value + estimate, lower + least, upper + most
        sides.append((value, lower, upper))
    found = [
        [Distance(*each) for each in zip(*(part.tolist() for part in side), strict=True)] for side in sides
    ]
    return [
        between_bounds(first, one, over, under).value
        for one, over, under in zip(windows, *found, strict=True)
    ]


def _areas(
    first: _Window, windows: Sequence[_Window], knots: _Knots, by_region: Floats
) -> tuple[list[Floats], list[Floats]]:
    """Return the areas where the first distribution function is above each of the others, and where below.

    An estimate, the least and the most of each, of shape ``(n_regions, n_windows)``; `by_region` holds the
    widths of the stretches, shape ``(n_stretches, n_regions)``. Where all windows reach over whole cells,
    both functions rise from edge to edge, so that there is nothing to look for.
    """
    begin, end = _inner(first, windows, knots)
    rest = np.concatenate((np.arange(begin), np.arange(end, len(knots.cells))))
    outside = _Knots(
        knots.starts[rest],
        knots.ends[rest],
        knots.cells[rest],
        knots.low_edges[rest],
        knots.high_edges[rest],
        knots.edges,
    )
    rows = _Rows(windows, outside)
    lines = zip(first.line(outside), rows.line(), strict=True)
    (low, high), (other_low, other_high) = first.steps(outside), rows.steps()
    left, right = (mine - other for mine, other in lines)
    found = [_above_and_below(left, right, low - other_high, high - other_low, by_region[rest])]
    if begin < end:
        cells = slice(int(knots.cells[begin]), int(knots.cells[begin]) + end - begin)
        before = first.before[cells]
        after = before + first.shares[cells]
        parts = []
        for place in range(0, len(windows), _ROWS_AT_ONCE):
            some = windows[place : place + _ROWS_AT_ONCE]
            others = np.stack([one.before[cells] for one in some])
            reached = others + np.stack([one.shares[cells] for one in some])
            ends = before - others, after - reached, before - reached, after - others
            parts.append(_above_and_below(*ends, by_region[begin:end]))
        found.append(np.concatenate(parts, axis=3))
    total = sum(found[1:], found[0])
    return list(total[0]), list(total[1])


def _above_and_below(left: Floats, right: Floats, low: Floats, high: Floats, widths: Floats) -> Floats:
    """Return the areas of lines, and of steps, above zero and below it, shape ``(2, 3, n_regions, n)``."""
    found = np.empty((2, 3, widths.shape[1], len(left)))
    for place, one in enumerate((_positive_area(left, right), np.maximum(low, 0.0), np.maximum(high, 0.0))):
        found[0, place] = (one @ widths).T
    below = _positive_area(-left, -right), np.maximum(-high, 0.0), np.maximum(-low, 0.0)
    for place, one in enumerate(below):
        found[1, place] = (one @ widths).T
    return found


def _inner(first: _Window, windows: Sequence[_Window], knots: _Knots) -> tuple[int, int]:
    """Return the first stretch and the one behind the last of those which are cells that all reach over."""
    everyone = (first, *windows)
    last = len(first.shares) - 1
    begin = max(
        int(np.searchsorted(knots.low_edges, max(one.minimum for one in everyone))),
        int(np.searchsorted(knots.cells, 1)),
    )
    end = min(
        int(np.searchsorted(knots.high_edges, min(one.maximum for one in everyone), side="right")),
        int(np.searchsorted(knots.cells, last)),
    )
    return (begin, end) if begin < end else (0, 0)


class _Rows:
    """Many windows on the same knots, as rows of arrays: see `_Window.steps` and `_Window.line`."""

    def __init__(self, windows: Sequence[_Window], knots: _Knots) -> None:
        self.shares = np.stack([one.shares for one in windows])
        self._before = np.stack([one.before for one in windows])[:, knots.cells]
        self._rises = self.shares[:, knots.cells]
        self._windows, self._knots = windows, knots
        self._low = np.maximum(knots.low_edges, _column([one.minimum for one in windows]))
        self._high = np.minimum(knots.high_edges, _column([one.maximum for one in windows]))

    def steps(self) -> tuple[Floats, Floats]:
        """Return the least and the most that each distribution function can be on each stretch."""
        knots = self._knots
        return (
            self._before + self._rises * (knots.starts >= self._high),
            self._before + self._rises * (knots.ends > self._low),
        )

    def line(self) -> tuple[Floats, Floats]:
        """Return the straight lines at both ends of each stretch."""
        knots, low, high = self._knots, self._low.copy(), self._high.copy()
        for cell, limits in (
            (0, [one.below for one in self._windows]),
            (self.shares.shape[1] - 1, [one.above for one in self._windows]),
        ):
            inside = knots.cells == cell
            low[:, inside] = _column([start for start, _ in limits])
            high[:, inside] = _column([end for _, end in limits])
        width = high - low
        spread = width > 0
        reached = (knots.starts >= high).astype(np.float64)
        with np.errstate(over="ignore"):  # far beyond a tiny width is infinitely far, and clipped
            left, right = (
                self._before
                + self._rises
                * np.clip(np.divide(at - low, width, out=reached.copy(), where=spread), 0.0, 1.0)
                for at in (knots.starts, knots.ends)
            )
        return left, right


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, np.float64)[:, np.newaxis]
