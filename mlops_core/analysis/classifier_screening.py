"""Choose, of very many columns, those in which two sets of rows may differ: alone, or one against another."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.analysis.classifier_columns import Column, column_for_classifier

__all__ = ["most_suspicious"]

_BINS = 10
_MOST_ROWS = 4_000  # of both sides: the correlations of 2,000 columns take a second


def most_suspicious(names: Sequence[str], reference: pa.Table, window: pa.Table, most: int) -> list[str]:
    """Return at most so many columns, in their own order: half for moving alone, half for moving together.

    Alone is judged by the chi-squared statistic over ten bins, standardised; together by the change of the
    rank correlation with another column in Fisher's z. Both are only a choice: whoever tests the columns that
    were chosen must do it on other rows.

    Parameters
    ----------
    reference, window
        Rows of either side that have all the columns; at most 4,000 of them are looked at.
    """
    each = _MOST_ROWS // 2
    sides = [side.slice(0, each) if side.num_rows > each else side for side in (reference, window)]
    split = sides[0].num_rows
    known: list[str] = []
    alone: list[float] = []
    ranks: list[NDArray[np.float32]] = []
    for name in names:
        column = column_for_classifier(name, sides[0][name], sides[1][name])
        if isinstance(column, str) or column.is_constant:
            continue
        known.append(name)
        alone.append(_moved_alone(column, split))
        ranks.append(_ranks(column.values, split))
    if len(known) <= most:
        return known
    chosen = set(np.argsort(-np.array(alone), kind="stable")[: most // 2].tolist())
    for first, second in _pairs_that_moved(np.array(ranks), split, most):
        for one in (first, second):
            if len(chosen) < most:
                chosen.add(one)
    return [known[place] for place in sorted(chosen)]


def _moved_alone(column: Column, split: int) -> float:
    """Return the chi-squared statistic of bins by side, less its expectation, over its spread."""
    values = column.values
    missing = np.isnan(values)
    if column.is_categorical:
        bins = np.minimum(np.nan_to_num(values, nan=_BINS), _BINS - 1)
    else:
        edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, values, side="right")
    bins = np.where(missing, _BINS, bins).astype(np.int64)
    counts = np.stack([np.bincount(part, minlength=_BINS + 1) for part in (bins[:split], bins[split:])])
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    freedom = counts.shape[1] - 1
    if not freedom:
        return 0.0
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


def _ranks(values: NDArray[np.float64], split: int) -> NDArray[np.float32]:
    """Return ranks in each side, nulls in the middle, centred and of length 1; zeros for a constant."""
    from scipy.stats import rankdata

    ranks = np.empty(len(values), dtype=np.float32)
    for side in (slice(0, split), slice(split, None)):
        found = rankdata(values[side], nan_policy="omit")
        found = (
            np.nan_to_num(found - np.nanmean(found)) if not np.isnan(found).all() else np.zeros(len(found))
        )
        length = np.sqrt((found**2).sum())
        ranks[side] = found / length if length else found
    return ranks


def _pairs_that_moved(ranks: NDArray[np.float32], split: int, most: int) -> list[tuple[int, int]]:
    """Return the pairs of columns whose rank correlation changed most, the largest change first."""
    before, after = ranks[:, :split], ranks[:, split:]
    change = np.arctanh(np.clip(before @ before.T, -0.999, 0.999))
    change -= np.arctanh(np.clip(after @ after.T, -0.999, 0.999))
    np.abs(change, out=change)
    change[np.tril_indices(len(change))] = -1.0
    most = min(most, len(change) * (len(change) - 1) // 2)
    places = np.argpartition(change, change.size - most, axis=None)[-most:]
    places = places[np.argsort(-change.ravel()[places], kind="stable")]
    return [divmod(int(place), len(change)) for place in places]
