"""How often two versions say the same."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.analysis.paired_metrics import PairedRows
from mlops_core.comparison.report import Agreement

__all__ = ["agreement_of", "correlation_of"]

_RANGES: Final = 5
_MOST_CLASSES: Final = 20
_OTHERS: Final = "other classes"
_DIGITS: Final = 3


def agreement_of(rows: PairedRows, classes: Sequence[str]) -> Agreement:
    """Count what the champion (rows) and the challenger (columns) say of the same cases.

    Classes as they are predicted, a binary score from 0.5 up as 1; of more than 20 classes the most frequent,
    the others together. Predicted numbers by ranges, each with about a fifth of the champion's.
    """
    if rows.problem == "regression":
        mine, theirs = _numbers(rows)
        edges = np.unique(np.quantile(theirs, np.arange(1, _RANGES) / _RANGES))
        codes = [np.searchsorted(edges, values, side="right") for values in (theirs, mine)]
        counts = _table(codes[0], codes[1], len(edges) + 1)
        return Agreement(_range_labels(edges), counts.tolist(), _share(counts), correlation_of(mine, theirs))
    if rows.champion.labels is None or rows.challenger.labels is None:
        raise TypeError("answers of a classification have labels")
    full = _table(rows.champion.labels, rows.challenger.labels, len(classes))
    correlation = None
    if rows.champion.numbers is not None and rows.challenger.numbers is not None:
        correlation = correlation_of(rows.challenger.numbers, rows.champion.numbers)
    labels, counts = _largest(list(classes), full)
    return Agreement(labels, counts.tolist(), _share(full), correlation)


def correlation_of(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Pearson's correlation; None where one of them is constant, or too large to compute with."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    with np.errstate(all="ignore"):
        found = float(np.corrcoef(first, second)[0, 1])
    return max(-1.0, min(1.0, found)) if math.isfinite(found) else None


def _numbers(rows: PairedRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if rows.challenger.numbers is None or rows.champion.numbers is None:
        raise TypeError("answers of a regression are numbers")
    return rows.challenger.numbers, rows.champion.numbers


def _table(first: NDArray[np.int64], second: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.bincount(first * size + second, minlength=size * size).reshape(size, size)


def _share(counts: NDArray[np.int64]) -> float:
    return float(np.trace(counts) / counts.sum())


def _largest(labels: list[str], counts: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """Keep the classes that are predicted most, by name; the counts of the others are added up."""
    if len(labels) <= _MOST_CLASSES:
        return labels, counts
    said = counts.sum(axis=0) + counts.sum(axis=1)
    kept = np.sort(np.argsort(-said, kind="stable")[: _MOST_CLASSES - 1])
    place = np.full(len(labels), len(kept))
    place[kept] = np.arange(len(kept))
    size = len(kept) + 1
    keys = place[:, None] * size + place[None, :]
    joined = np.bincount(keys.ravel(), counts.ravel(), size * size).astype(np.int64).reshape(size, size)
    return [labels[one] for one in kept.tolist()] + [_OTHERS], joined


def _range_labels(edges: NDArray[np.float64]) -> list[str]:
    if not len(edges):
        return ["all"]
    texts = _texts(edges)
    between = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"below {texts[0]}", *between, f"{texts[-1]} and more"]


def _texts(edges: NDArray[np.float64]) -> list[str]:
    """Return the edges with as few digits as keep them apart."""
    for digits in range(_DIGITS, 17):
        texts = [
            f"{edge:,.{digits}g}" if abs(edge) < 10**digits else f"{edge:,.0f}" for edge in edges.tolist()
        ]
        if len(set(texts)) == len(texts):
            break
    return texts
