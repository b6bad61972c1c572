"""Metrics of the order of scores, for all rows or for rows that count several times; ties are exact."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANK_METRICS", "RankedScores"]

_Counts = NDArray[np.int32]
_Floats = NDArray[np.float64]

RANK_METRICS: Final = ("roc_auc", "average_precision", "lift_at_10")
"""What `RankedScores.measure` returns, in this order."""

_TOP: Final = 0.1


class RankedScores:
    """Scores in falling order, ready to be measured with many weightings of their rows.

    Parameters
    ----------
    scores
        Shape ``(n,)``, finite; equal scores are tied.
    positive
        Shape ``(n,)``: whether the outcome is 1.
    """

    def __init__(self, scores: _Floats, positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked, hits = scores[self._order], positive[self._order]
        is_last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.zeros(0, np.bool_)
        ends = np.flatnonzero(is_last)
        starts = np.append(0, ends[:-1] + 1) if len(ends) else ends
        self._positives = np.flatnonzero(hits)
        found = np.cumsum(hits)
        holds = found[ends] > found[starts] - hits[starts]
        self._all_starts, self._all_ends = starts, ends
        self._found = found
        self._starts, self._ends = starts[holds], ends[holds]  # groups of equal scores that hold a positive
        self._last_positive = found[self._ends] - 1
        self._untied = len(ends) == len(ranked)

    def measure(self, weights: _Counts) -> _Floats:
        """Return the metrics of each weighting.

        Parameters
        ----------
        weights
            Shape ``(b, n)``: how often each row counts.

        Returns
        -------
        array
            Shape ``(b, 3)``, in the order of `RANK_METRICS`: the area under the ROC curve, average precision
            (Zhu, Recall, precision and average precision, 2004) and how many times more positives the tenth
            of the rows with the highest scores holds than as many at random; rows that are tied at its limit
            count in part. nan where they are undefined.
        """
        values = np.full((len(weights), len(RANK_METRICS)), np.nan)
        for place, row in enumerate(weights):
            self._measure_one(row, values[place])
        return values

    def _measure_one(self, weights: _Counts, values: _Floats) -> None:
        ranked = weights.take(self._order)
        seen = np.cumsum(ranked, dtype=np.int32)
        hits = np.cumsum(ranked.take(self._positives), dtype=np.int32)
        if not len(hits) or not hits[-1]:
            return
        total, rows = float(hits[-1]), float(seen[-1])
        hits_until = hits if self._untied else hits.take(self._last_positive)
        seen_until = seen.take(self._ends)
        new_hits = np.diff(hits_until, prepend=np.int32(0)).astype(np.float64)
        values[1] = _dot(new_hits, hits_until / np.maximum(seen_until, 1)) / total
        negatives = rows - total
        if negatives:
            misses = (seen_until - hits_until).astype(np.float64)
            if self._untied:
                beaten = misses
            else:
                seen_before = np.where(self._starts > 0, seen.take(self._starts - 1), 0)
                hits_before = np.concatenate((np.zeros(1, np.int32), hits_until[:-1]))
                beaten = (misses + (seen_before - hits_before)) / 2
            values[0] = 1.0 - _dot(new_hits, beaten) / (total * negatives)
        values[2] = self._captured(seen, hits, _TOP * rows) / (total * _TOP)

    def _captured(self, seen: _Counts, hits: _Counts, wanted: float) -> float:
        """Return the positives among so many rows from the top; ties at the limit are cut at random."""
        group = int(np.searchsorted(self._all_ends, np.searchsorted(seen, np.int32(math.ceil(wanted)))))
        start, end = int(self._all_starts[group]), int(self._all_ends[group])
        rows_before, hits_before = self._until(seen, hits, start - 1)
        rows_after, hits_after = self._until(seen, hits, end)
        share = (wanted - rows_before) / (rows_after - rows_before)
        return hits_before + share * (hits_after - hits_before)

    def _until(self, seen: _Counts, hits: _Counts, place: int) -> tuple[float, float]:
        if place < 0:
            return 0.0, 0.0
        found = int(self._found[place])
        return float(seen[place]), float(hits[found - 1]) if found else 0.0


def _dot(first: _Floats, second: _Floats) -> float:
    """Return the sum of products, on this thread alone: waking others takes longer than the sum."""
    return float(np.einsum("i,i->", first, second))
