"""Metrics of the order of scores, for all rows or for rows that count several times; ties are exact."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANK_METRICS", "RankedScores"]

_Counts = NDArray[np.int32]
_Floats = NDArray[np.float64]

RANK_METRICS: Final = ("roc_auc", "average_precision", "lift_at_10")
"""What `RankedScores` measures."""

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

    def measure(self, weights: _Counts, metrics: Sequence[str] = RANK_METRICS) -> _Floats:
        """Return metrics of each weighting.

        Parameters
        ----------
        weights
            Shape ``(b, n)``: how often each row counts.
        metrics
            Of `RANK_METRICS`.

        Returns
        -------
        array
            Shape ``(b, metrics)``: the area under the ROC curve, average precision (Zhu, Recall, precision
            and average precision, 2004) and how many times more positives the tenth of the rows with the
            highest scores holds than as many at random; rows that are tied at its limit count in part. nan
            where they are undefined.
        """
        values = np.full((len(weights), len(metrics)), np.nan)
        for place, row in enumerate(weights):
            self._measure_one(row, metrics, values[place])
        return values

    def _measure_one(self, weights: _Counts, metrics: Sequence[str], values: _Floats) -> None:
        ranked = weights.take(self._order)
        seen = np.cumsum(ranked, dtype=np.int32)
        hits = np.cumsum(ranked.take(self._positives), dtype=np.int32)
        if not len(hits) or not hits[-1]:
            return
        seen_until = seen.take(self._ends)
        hits_until = hits if self._untied else hits.take(self._last_positive)
        for place, name in enumerate(metrics):
            if name == "average_precision":
                precision = hits_until / np.maximum(seen_until, 1)
                values[place] = _dot(_steps(hits_until), precision) / hits[-1]
            elif name == "lift_at_10":
                wanted = _TOP * float(seen[-1])
                values[place] = self._captured(seen, hits, wanted) / (float(hits[-1]) * _TOP)
            else:
                values[place] = self._area(seen, seen_until, hits_until)

    def _area(self, seen: _Counts, seen_until: _Counts, hits_until: _Counts) -> float:
        """Return one minus the share of pairs in which the negative scores higher; a tie is half a pair."""
        total, negatives = float(hits_until[-1]), float(seen[-1] - hits_until[-1])
        if not negatives:
            return math.nan
        above = (seen_until - hits_until).astype(np.float64)
        if not self._untied:
            seen_before = np.where(self._starts > 0, seen.take(self._starts - 1), 0)
            hits_before = np.concatenate((np.zeros(1, np.int32), hits_until[:-1]))
            above = (above + (seen_before - hits_before)) / 2
        return 1.0 - _dot(_steps(hits_until), above) / (total * negatives)

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


def _steps(sums: _Counts) -> _Floats:
    """Return what was added to running sums at each place."""
    return np.diff(sums, prepend=np.int32(0)).astype(np.float64)


def _dot(first: _Floats, second: _Floats) -> float:
    """Return the sum of products, on this thread alone: waking others takes longer than the sum."""
    return float(np.einsum("i,i->", first, second))
