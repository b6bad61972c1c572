"""A few bins instead of a thousand cells: what psi, Jensen-Shannon and the charts compare."""

import weakref
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.arrow_columns import MISSING
from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import CategoricalGrid, Grid, NumericGrid
from mlops_core.statistics.labels import bin_labels
from mlops_core.statistics.registry import kind_of

__all__ = [
    "INFINITE",
    "OTHER_UNSEEN",
    "UNSEEN",
    "Binned",
    "bin_counts",
    "bin_starts",
    "rows_in_bins",
    "value_counts",
]

INFINITE: Final = "(infinite)"
"""The label of rows that hold an infinity."""

UNSEEN: Final = "(unseen)"
"""The label of rows whose category the reference grid does not know."""

OTHER_UNSEEN: Final = "(other unseen)"
"""The label of rows with unseen categories that a stored slice no longer names."""


_MOST_KEPT: Final = 4_096
_kept: Final[dict[tuple[int, int], tuple[weakref.ref[NDArray[np.int64]], NDArray[np.int64]]]] = {}


@dataclass(frozen=True, slots=True)
class Binned:
    """The rows of two windows in the same bins; every row of a window is in exactly one bin.

    Attributes
    ----------
    labels
        One for each bin.
    reference, current
        float64 counts, shape ``(n_bins,)``.
    """

    labels: tuple[str, ...]
    reference: NDArray[np.float64]
    current: NDArray[np.float64]


def bin_starts(reference: NumericCounts, bins: int) -> NDArray[np.int64]:
    """Return the first cell of each bin: about `bins` bins of equal share of the reference.

    A cell that holds at least ``1 / bins`` of the finite values (a spike) is a bin of its own; what lies
    between two spikes is cut at its own quantiles into as many bins as its share deserves, at least one.
    Answers are kept for as long as the counts are, which are never written to: many windows are compared
    with the references of many columns one after the other. Nobody may write to an answer.
    """
    cells = reference.cells
    key = (id(cells), bins)
    known = _kept.get(key)
    if known is not None and known[0]() is cells:
        return known[1]
    starts = _bin_starts(cells, bins)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = (weakref.ref(cells), starts)
    return starts


def _bin_starts(counts: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    total = int(counts.sum())
    if total == 0:
        return np.zeros(1, dtype=np.int64)
    spikes = np.flatnonzero(counts * bins >= total)
    bounds = np.unique(np.concatenate(([0, len(counts)], spikes, spikes + 1)))
    starts: list[int] = []
    for low, high in pairwise(bounds.tolist()):
        run = counts[low:high]
        share = int(run.sum())
        starts.append(low)
        pieces = round(share * bins / total)
        if pieces > 1 and high - low > 1:
            middle = np.cumsum(run) - run / 2
            piece = np.floor(middle * pieces / share)
            piece = np.minimum(piece, pieces - 1)
            starts.extend((low + 1 + np.flatnonzero(np.diff(piece))).tolist())
    return np.array(starts, dtype=np.int64)


def bin_counts(reference: Counts, current: Counts, grid: Grid, bins: int = 10) -> Binned:
    """Return both windows in the bins of the reference.

    Numeric: the bins of `bin_starts`, then missing (null or NaN) and infinite. Categorical: each category of
    the grid, then all unseen ones together, then missing.

    Raises
    ------
    InvalidInput
        If the counts and the grid do not fit together.
    """
    first, second = rows_in_bins(reference, current, grid, bins)
    if isinstance(grid, NumericGrid) and isinstance(reference, NumericCounts):
        labels = (*bin_labels(grid.edges, bin_starts(reference, bins)), MISSING, INFINITE)
    else:
        categories = grid.categories if isinstance(grid, CategoricalGrid) else ()
        labels = (*categories, UNSEEN, MISSING)
    return Binned(labels, first, second)


def rows_in_bins(
    reference: Counts, current: Counts, grid: Grid, bins: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rows of both windows in the bins of `bin_counts`, shape ``(n_bins,)`` each.

    Raises
    ------
    InvalidInput
        If the counts and the grid do not fit together.
    """
    kind_of(reference, current, grid)
    if isinstance(reference, NumericCounts) and isinstance(current, NumericCounts):
        starts = bin_starts(reference, bins)
        first, second = (
            np.append(np.add.reduceat(counts.cells, starts), [counts.missing, counts.infinite])
            for counts in (reference, current)
        )
    else:
        first, second = (
            np.append(counts.known, [counts.unseen_rows, counts.missing])
            for counts in (reference, current)
            if isinstance(counts, CategoricalCounts)
        )
    return first.astype(np.float64), second.astype(np.float64)


def value_counts(
    reference: CategoricalCounts, current: CategoricalCounts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rows of both windows by value: the categories, each unseen value, and missing.

    The last entry of both holds the unseen rows that are no longer named.
    """
    strange = sorted({*reference.unseen, *current.unseen})
    first, second = (
        np.concatenate(
            (
                counts.known,
                [counts.unseen.get(value, 0) for value in strange],
                [counts.missing, counts.unseen_other],
            )
        ).astype(np.float64)
        for counts in (reference, current)
    )
    return first, second
