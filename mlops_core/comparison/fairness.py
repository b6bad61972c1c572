"""How far two versions treat the groups of a protected attribute apart, and whether one does so more."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.analysis.paired_bootstrap import RESAMPLES, SEED, Resampled
from mlops_core.analysis.paired_metrics import PairedRows
from mlops_core.comparison.report import FairnessDifference
from mlops_core.comparison.segments import SegmentRows

__all__ = ["EQUALIZED_ODDS", "PARITY", "RATIO", "fairness_differences"]

PARITY: Final = "demographic parity difference"
EQUALIZED_ODDS: Final = "equalized odds difference"
RATIO: Final = "mean prediction ratio"

_Floats = NDArray[np.float64]
_MOST_CELLS: Final = 2_000_000


def fairness_differences(
    rows: PairedRows,
    attribute: str,
    groups: Sequence[SegmentRows],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> list[FairnessDifference]:
    """Measure both versions on the groups of one attribute; rows outside the groups do not count.

    Classes: the demographic parity difference is the largest difference between two groups in how often a
    class is predicted, the equalized odds difference the same among the rows of one outcome, the largest over
    outcomes and classes; for two classes both are those of Agarwal et al., A reductions approach to fair
    classification, 2018. Numbers: the smallest mean prediction of a group over the largest. Intervals are
    percentiles over draws of the rows within each group; for numbers of the group means, which are normal.

    Parameters
    ----------
    groups
        At least two, of rows that do not overlap.
    """
    if len(groups) < 2:
        return []
    random = np.random.default_rng(np.random.SeedSequence([seed, *attribute.encode()]))
    if rows.problem == "regression":
        return [_difference(attribute, RATIO, *_ratios(rows, groups, resamples, random))]
    values, drawn = _apart(rows, groups, resamples, random)
    return [
        _difference(attribute, measure, values[:, place], drawn[:, :, place])
        for place, measure in enumerate((PARITY, EQUALIZED_ODDS))
    ]


def _difference(attribute: str, measure: str, values: _Floats, drawn: _Floats) -> FairnessDifference:
    """Return what was measured; `values` (2,) and `drawn` (resamples, 2) have the challenger first."""
    mine, theirs = (float(one) if math.isfinite(one) else None for one in values)
    if mine is None or theirs is None:
        return FairnessDifference(attribute, measure, mine, theirs, None, None, None)
    lower, upper = Resampled(drawn[:, 0] - drawn[:, 1]).interval()
    if not math.isfinite(lower):
        return FairnessDifference(attribute, measure, mine, theirs, mine - theirs, None, None)
    return FairnessDifference(attribute, measure, mine, theirs, mine - theirs, lower, upper)


def _apart(
    rows: PairedRows, groups: Sequence[SegmentRows], resamples: int, random: np.random.Generator
) -> tuple[_Floats, _Floats]:
    """Return both measures of both versions, (2, 2), and of each draw, (resamples, 2, 2)."""
    size = rows.classes
    if rows.challenger.labels is None or rows.champion.labels is None:
        raise TypeError("answers of a classification have labels")
    found, drawn = [], []
    for group in groups:
        outcomes = rows.outcomes[group.rows].astype(np.int64)
        mine, theirs = rows.challenger.labels[group.rows], rows.champion.labels[group.rows]
        keys, counts = np.unique((outcomes * size + mine) * size + theirs, return_counts=True)
        block = max(1, _MOST_CELLS // len(keys))
        rates = []
        for first in range(0, resamples, block):
            shares = counts / counts.sum()
            many = random.multinomial(len(group.rows), shares, min(block, resamples - first))
            rates.append(_rates(many, keys, size))
        found.append(_rates(counts[None, :], keys, size))
        drawn.append(np.concatenate(rates))
    return _widest(np.stack(found))[0], _widest(np.stack(drawn))


def _rates(counts: NDArray[np.int64], keys: NDArray[np.int64], size: int) -> _Floats:
    """Return how often each class is predicted, of all rows and of those of each outcome.

    Returns
    -------
    array
        Shape ``(b, 2, 1 + size, size)``: challenger and champion; all rows, then each outcome; the class.
        nan for an outcome without rows.
    """
    outcome, rest = np.divmod(keys, size * size)
    found = np.empty((len(counts), 2, 1 + size, size))
    weights = counts.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        for version, labels in enumerate(np.divmod(rest, size)):
            said = (labels[:, None] == np.arange(size)).astype(np.float64)
            found[:, version, 0] = (weights @ said) / weights.sum(axis=1)[:, None]
            for one in range(size):
                there = weights * (outcome == one)
                found[:, version, 1 + one] = (there @ said) / there.sum(axis=1)[:, None]
    return found


def _widest(rates: _Floats) -> _Floats:
    """Return the largest difference between groups (the first axis), of all rows and over the outcomes."""
    spread = _span(rates)  # (b, 2, 1 + size, size)
    parity = spread[:, :, 0].max(axis=2)
    odds = spread[:, :, 1:].reshape(*spread.shape[:2], -1)
    known = ~np.isnan(odds)
    largest = np.where(known, odds, -np.inf).max(axis=2)
    return np.stack([parity, np.where(known.any(axis=2), largest, np.nan)], axis=2)


def _span(rates: _Floats) -> _Floats:
    """Return largest minus smallest over the groups that have a rate; nan where fewer than two have one."""
    known = ~np.isnan(rates)
    highest = np.where(known, rates, -np.inf).max(axis=0)
    lowest = np.where(known, rates, np.inf).min(axis=0)
    return np.where(known.sum(axis=0) > 1, highest - lowest, np.nan)


def _ratios(
    rows: PairedRows, groups: Sequence[SegmentRows], resamples: int, random: np.random.Generator
) -> tuple[_Floats, _Floats]:
    if rows.challenger.numbers is None or rows.champion.numbers is None:
        raise TypeError("answers of a regression are numbers")
    means, drawn = [], []
    for group in groups:
        both = np.stack([rows.challenger.numbers[group.rows], rows.champion.numbers[group.rows]])
        with np.errstate(all="ignore"):
            mean, error = both.mean(axis=1), np.cov(both) / len(group.rows)
        if not (np.isfinite(mean).all() and np.isfinite(error).all()):
            return np.full(2, np.nan), np.full((resamples, 2), np.nan)
        means.append(mean)
        drawn.append(random.multivariate_normal(mean, error, resamples, method="eigh", check_valid="ignore"))
    return _ratio(np.stack(means)), _ratio(np.stack(drawn))


def _ratio(means: _Floats) -> _Floats:
    """Return smallest over largest of the groups (the first axis); nan where a mean is not above 0."""
    lowest, highest = means.min(axis=0), means.max(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lowest > 0, lowest / highest, np.nan)
