"""A drift statistic of many windows, without a call for each: a trend, or a column in every segment."""

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.counts import CategoricalCounts, Counts, NumericCounts
from mlops_core.slices.grid import CategoricalGrid, Grid, NumericGrid
from mlops_core.statistics.binning import bin_starts
from mlops_core.statistics.distances import population_deviation
from mlops_core.statistics.registry import DRIFT_STATISTICS
from mlops_core.statistics.transports import transports

__all__ = ["drift_of_pairs", "drift_of_windows"]

_BINS: Final = 10
_Floats: TypeAlias = NDArray[np.float64]


def drift_of_windows(
    statistic: str, reference: Counts, windows: Sequence[Counts | None], grid: Grid
) -> list[float | None]:
    """Return a statistic of each window against the reference, as `DRIFT_STATISTICS` computes it.

    The statistics of bins, of Kolmogorov and Smirnov, and of Wasserstein are computed for all windows at
    once, others one after the other.

    Parameters
    ----------
    statistic
        A key of `DRIFT_STATISTICS`.
    windows
        None stands for a window that does not have the column.

    Returns
    -------
    list of float or None
        None where there is no window, or the statistic is not defined for it or for this kind of column.
    """
    chosen = DRIFT_STATISTICS[statistic]
    kind = "categorical" if isinstance(grid, CategoricalGrid) else "numeric"
    if kind not in chosen.kinds or not reference.rows:
        return [None] * len(windows)
    filled = [one for one in windows if one is not None and one.rows]
    if not filled:
        return [None] * len(windows)
    if statistic in _OF_BINS:
        table = _bins_of(reference, [reference, *filled])
        found = _OF_BINS[statistic](table[:1], table[1:], reference.rows, _rows_of(filled)).tolist()
    elif statistic in _OF_DISTANCE and isinstance(reference, NumericCounts):
        found = _distances(
            statistic, reference, [one for one in filled if isinstance(one, NumericCounts)], grid
        )
    elif statistic in _OF_TRANSPORT and isinstance(reference, NumericCounts):
        found = _transports(
            statistic, reference, [one for one in filled if isinstance(one, NumericCounts)], grid
        )
    else:
        found = [chosen.compute(reference, one, grid) for one in filled]
    values = iter(found)
    return [_finite(next(values)) if one is not None and one.rows else None for one in windows]


def drift_of_pairs(
    statistic: str, references: Sequence[Counts], windows: Sequence[Counts], grid: Grid
) -> list[float | None]:
    """Return a statistic of each window against its own reference, as `drift_of_windows` of each pair.

    The statistics of bins are computed for all pairs at once.

    Parameters
    ----------
    references, windows
        As many of each.
    """
    kind = "categorical" if isinstance(grid, CategoricalGrid) else "numeric"
    fits = kind in DRIFT_STATISTICS[statistic].kinds
    pairs = list(zip(references, windows, strict=True))
    if statistic not in _OF_BINS or not fits or not pairs or not all(a.rows and b.rows for a, b in pairs):
        return [drift_of_windows(statistic, first, [second], grid)[0] for first, second in pairs]
    tables = _tables_of(pairs)
    found = _OF_BINS[statistic](*tables, _rows_of(references), _rows_of(windows))
    return [_finite(value) for value in found.tolist()]


def _tables_of(pairs: Sequence[tuple[Counts, Counts]]) -> tuple[_Floats, _Floats]:
    """Return the rows of each pair in the bins of its reference, shape ``(n_pairs, most_bins)`` each.

    Bins that a pair does not have are empty, and add nothing to a statistic of bins.
    """
    numeric = [one for one, _ in pairs if isinstance(one, NumericCounts)]
    if not numeric:
        first, second = (_bins_of(one[0], one) for one in zip(*pairs, strict=True))
        return first, second
    starts = [bin_starts(one, _BINS) for one in numeric]
    lengths = np.array([len(one) for one in starts])
    rows = np.repeat(np.arange(len(starts)), lengths)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    cells = rows * len(numeric[0].cells) + np.concatenate(starts)
    tables = []
    for side in zip(*pairs, strict=True):
        counts = [one for one in side if isinstance(one, NumericCounts)]
        table = np.zeros((len(pairs), int(lengths.max()) + 2))
        table[rows, places] = np.add.reduceat(np.concatenate([one.cells for one in counts]), cells)
        table[:, -2:] = [(one.missing, one.infinite) for one in counts]
        tables.append(table)
    return tables[0], tables[1]


def _bins_of(reference: Counts, windows: Sequence[Counts]) -> _Floats:
    """Return the rows of windows in the bins of `rows_in_bins`, shape ``(n_windows, n_bins)``."""
    if isinstance(reference, NumericCounts):
        numeric = [one for one in windows if isinstance(one, NumericCounts)]
        cells = np.stack([one.cells for one in numeric])
        inside = np.add.reduceat(cells, bin_starts(reference, _BINS), axis=1)
        rest = np.array([(one.missing, one.infinite) for one in numeric])
    else:
        categorical = [one for one in windows if isinstance(one, CategoricalCounts)]
        inside = np.stack([one.known for one in categorical])
        rest = np.array([(one.unseen_rows, one.missing) for one in categorical])
    return np.concatenate((inside, rest), axis=1).astype(np.float64)


def _rows_of(windows: Sequence[Counts]) -> _Floats:
    return np.array([[one.rows] for one in windows], np.float64)


def _psi(first: _Floats, second: _Floats, n: int | _Floats, m: _Floats) -> _Floats:
    filled = (first > 0) | (second > 0)
    p, q = np.maximum(first, 0.5) / n, np.maximum(second, 0.5) / m
    values: _Floats = np.sum((q - p) * np.log(q / p), axis=1, where=filled)
    return values


def _jensen_shannon(first: _Floats, second: _Floats, n: int | _Floats, m: _Floats) -> _Floats:
    from scipy import special  # where it is used: a server starts without it

    p, q = first / n, second / m
    middle = (p + q) / 2
    divergence = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum(axis=1) / 2
    values: _Floats = np.sqrt(np.maximum(divergence / math.log(2), 0.0))
    return values


def _hellinger(first: _Floats, second: _Floats, n: int | _Floats, m: _Floats) -> _Floats:
    change = np.sqrt(first / n) - np.sqrt(second / m)
    values: _Floats = np.sqrt(np.square(change).sum(axis=1) / 2)
    return values


_OF_BINS: Final[dict[str, Callable[[_Floats, _Floats, int | _Floats, _Floats], _Floats]]] = {
    "psi": _psi,
    "jensen_shannon": _jensen_shannon,
    "hellinger": _hellinger,
}
_OF_DISTANCE: Final = frozenset({"kolmogorov_smirnov", "kolmogorov_smirnov_p_value"})
_OF_TRANSPORT: Final = frozenset({"wasserstein", "wasserstein_normalised"})


def _distances(
    statistic: str, reference: NumericCounts, windows: Sequence[NumericCounts], grid: Grid
) -> list[float]:
    """Return Kolmogorov-Smirnov distances or their p-values.

    Between the edges nothing more is certain than at them, unless both windows lie in one cell, one beside
    the other: those are left to the statistic itself, as windows without values are.
    """
    n = reference.finite + reference.infinite
    beside = [
        not n
        or not one.finite + one.infinite
        or one.minimum >= reference.maximum
        or one.maximum <= reference.minimum
        for one in windows
    ]
    values = [math.nan] * len(windows)
    together = [place for place, alone in enumerate(beside) if not alone]
    if together:
        some = [windows[place] for place in together]
        m = np.array([[one.finite + one.infinite] for one in some], np.float64)
        start = reference.negative_infinite / n - np.array([[one.negative_infinite] for one in some]) / m
        gaps = np.cumsum(reference.cells) / n - np.cumsum(np.stack([one.cells for one in some]), axis=1) / m
        distance = np.maximum(np.abs(start + gaps).max(axis=1), np.abs(start[:, 0]))
        if statistic == "kolmogorov_smirnov_p_value":
            from scipy import special  # where it is used: a server starts without it

            rows = np.sqrt(n * m[:, 0] / (n + m[:, 0]))
            distance = special.kolmogorov((rows + 0.12 + 0.11 / rows) * distance)
        for place, value in zip(together, distance.tolist(), strict=True):
            values[place] = value
    chosen = DRIFT_STATISTICS[statistic]
    return [
        chosen.compute(reference, one, grid) if alone else value
        for one, alone, value in zip(windows, beside, values, strict=True)
    ]


def _transports(
    statistic: str, reference: NumericCounts, windows: Sequence[NumericCounts], grid: Grid
) -> list[float]:
    """Return Wasserstein distances; nan where a window, or the reference, holds no finite value."""
    edges = grid.edges if isinstance(grid, NumericGrid) else np.zeros(0)
    filled = [one for one in windows if one.finite and reference.finite]
    found = iter(transports(reference, filled, edges) if filled else [])
    values = [next(found) if one.finite and reference.finite else math.nan for one in windows]
    if statistic == "wasserstein":
        return values
    spread = population_deviation(reference, edges)
    return [
        value / spread if spread > 0 and math.isfinite(value) else (0.0 if value == 0.0 else math.nan)
        for value in values
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
