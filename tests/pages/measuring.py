"""Figures from rows, written down a second time from their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["half_of_pairs_within_a_cell", "stability_index"]


def half_of_pairs_within_a_cell(scores: pd.Series, outcomes: pd.Series) -> float:
    """How far the area under the curve of scores in thousandths can be from that of the scores."""
    cells = np.minimum((scores.to_numpy() * 1000).astype(int), 999)
    positive = outcomes.to_numpy() == 1
    ones = np.bincount(cells[positive], minlength=1000)
    zeros = np.bincount(cells[~positive], minlength=1000)
    return float(ones @ zeros) / 2 / (ones.sum() * zeros.sum())


def stability_index(before: pd.Series, after: pd.Series) -> float:
    """The population stability index over the values of a column with few of them.

    A number that fills a tenth of the reference is a bin; the numbers between two such are one bin together,
    which holds where they fill less than 0.15 of it.
    """
    bins = before.astype(str) if before.dtype.kind not in "if" else _runs(before, before)
    others = after.astype(str) if before.dtype.kind not in "if" else _runs(before, after)
    index = 0.0
    for one in set(bins) | set(others):
        first = max((bins == one).sum(), 0.5) / len(bins)
        second = max((others == one).sum(), 0.5) / len(others)
        index += (second - first) * np.log(second / first)
    return float(index)


def _runs(reference: pd.Series, values: pd.Series) -> pd.Series:
    shares = reference.value_counts(normalize=True)
    spikes = sorted(shares.index[shares >= 0.1])
    run = pd.Series(np.searchsorted(spikes, values), values.index).map("up to spike {}".format)
    names = run.where(~values.isin(spikes), values.astype(str))
    assert names.groupby(names).size().div(len(values)).filter(like="run").lt(0.15).all()
    return names
