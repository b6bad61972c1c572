"""Which values of a column moved: a value, a range of neighbouring bins, missing, unseen or infinite."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices import CategoricalCounts, CategoricalGrid, Counts, Grid, NumericCounts
from mlops_core.statistics.binning import bin_starts, rows_in_bins

__all__ = ["Part", "PartKind", "moved_part"]

_SMOOTHING: Final = 0.01
"""Added to both shares before their ratio is taken, so that a value that is new in one row of a thousand
does not count for more than one that doubled from a tenth."""


class PartKind(StrEnum):
    """What a part of a column's rows has in common."""

    RANGE = "range"
    VALUE = "value"
    MISSING = "missing"
    UNSEEN = "unseen"
    INFINITE = "infinite"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a column's rows.

    Attributes
    ----------
    first, end
        The cells of a range, `end` not included; a value is category number `first`.
    """

    kind: PartKind
    first: int = 0
    end: int = 0

    def rows_in(self, counts: Counts) -> int:
        """Return how many rows of a window belong to it."""
        if self.kind == PartKind.MISSING:
            return counts.missing
        if isinstance(counts, CategoricalCounts):
            return counts.unseen_rows if self.kind == PartKind.UNSEEN else int(counts.known[self.first])
        if self.kind == PartKind.INFINITE:
            return counts.infinite
        return int(counts.cells[self.first : self.end].sum())


def moved_part(reference: Counts, current: Counts, grid: Grid) -> Part | None:
    """Return the part of a column that tells the two windows apart most, None where no share has moved.

    Candidates are each category, all unseen values together, missing, infinite, and every run of
    neighbouring bins of a number. It is the one with the largest ``(q - p) * ln((q + e) / (p + e))``: what it
    adds to the stability index if it is one bin, p and q its shares of the two windows, e 1 %. Joining bins
    that moved alike adds up what they tell; joining others loses some (the log-sum inequality).
    """
    if not reference.rows or not current.rows:
        return None
    first, second = rows_in_bins(reference, current, grid)
    p, q = first / reference.rows, second / current.rows
    if np.abs(q - p).max(initial=0.0) < 1e-12:
        return None
    if isinstance(grid, CategoricalGrid):
        place = int(np.argmax(_telling(p, q)))
        known = grid.n_cells
        if place < known:
            return Part(PartKind.VALUE, place, place + 1)
        return Part(PartKind.UNSEEN if place == known else PartKind.MISSING)
    rest = _telling(p[-2:], q[-2:])
    low, high, most = _best_run(p[:-2], q[:-2])
    if rest.max() >= most:
        return Part(PartKind.MISSING if rest[0] >= rest[1] else PartKind.INFINITE)
    if not isinstance(reference, NumericCounts):
        raise TypeError("a numeric grid counts numbers")
    starts = np.append(bin_starts(reference, 10), grid.n_cells)
    return Part(PartKind.RANGE, int(starts[low]), int(starts[high]))


def _telling(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    return (q - p) * np.log((q + _SMOOTHING) / (p + _SMOOTHING))


def _best_run(p: NDArray[np.float64], q: NDArray[np.float64]) -> tuple[int, int, float]:
    """Return the first bin, the bin behind the last, and what the run tells; a shorter run wins a draw."""
    before, after = (np.concatenate(([0.0], np.cumsum(shares))) for shares in (p, q))
    low, high = np.triu_indices(len(before), 1)
    order = np.argsort(high - low, kind="stable")
    low, high = low[order], high[order]
    told = _telling(before[high] - before[low], after[high] - after[low])
    best = int(np.argmax(told > told.max() - 1e-12))
    return int(low[best]), int(high[best]), float(told[best])
