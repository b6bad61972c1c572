"""Which values of a column moved: a value, a range of neighbouring bins, missing, unseen or infinite."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices import CategoricalCounts, CategoricalGrid, Counts, Grid, NumericCounts
from mlops_core.statistics.binning import bin_starts, rows_in_bins

__all__ = ["Part", "PartKind", "moved_part"]

BINS: Final = 20
"""Into how many bins a number is cut to look for the range that moved: twice as fine as for psi."""

_SMOOTHING: Final = 0.01
"""Added to both shares before their ratio is taken, so that a value that is new in one row of a thousand
does not count for more than one that doubled from a tenth."""

_NEARLY: Final = 0.75


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
    that moved alike adds up what they tell; joining others loses some (the log-sum inequality). Where one
    that rose tells nearly as much as one that fell, it is taken: what came can be looked at.
    """
    if not reference.rows or not current.rows:
        return None
    first, second = rows_in_bins(reference, current, grid, BINS)
    p, q = first / reference.rows, second / current.rows
    if np.abs(q - p).max(initial=0.0) < 1e-12:
        return None
    if isinstance(grid, CategoricalGrid):
        place = _best(p, q)
        known = grid.n_cells
        if place < known:
            return Part(PartKind.VALUE, place, place + 1)
        return Part(PartKind.UNSEEN if place == known else PartKind.MISSING)
    low, high = _runs(len(p) - 2)
    before, after = (np.concatenate(([0.0], np.cumsum(shares[:-2]))) for shares in (p, q))
    place = _best(
        np.concatenate((p[-2:], before[high] - before[low])),
        np.concatenate((q[-2:], after[high] - after[low])),
    )
    if place < 2:
        return Part((PartKind.MISSING, PartKind.INFINITE)[place])
    if not isinstance(reference, NumericCounts):
        raise TypeError("a numeric grid counts numbers")
    starts = np.append(bin_starts(reference, BINS), grid.n_cells)
    return Part(PartKind.RANGE, int(starts[low[place - 2]]), int(starts[high[place - 2]]))


def _best(p: NDArray[np.float64], q: NDArray[np.float64]) -> int:
    """Return the place of the part that tells most; of equals the first, but one that rose before others."""
    told = (q - p) * np.log((q + _SMOOTHING) / (p + _SMOOTHING))
    enough = np.where(q > p, told / _NEARLY, told)
    return int(np.argmax(enough > enough.max() - 1e-12))


@lru_cache(maxsize=64)
def _runs(bins: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first bin of every run of bins and the bin behind its last, the shortest runs first."""
    low, high = np.triu_indices(bins + 1, 1)
    order = np.argsort(high - low, kind="stable")
    return low[order], high[order]
