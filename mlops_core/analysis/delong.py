"""The areas under the ROC curves of two versions on the same rows, and the error of their difference."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput

__all__ = ["PairedAreas", "delong", "placements"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedAreas:
    """Two areas that were measured on the same rows.

    Attributes
    ----------
    challenger, champion
        Between 0 and 1; nan unless both outcomes occur.
    difference
        Challenger minus champion.
    standard_error
        Of the difference; nan with fewer than two rows of either outcome.
    """

    challenger: float
    champion: float
    difference: float
    standard_error: float


def placements(scores: _Floats, positive: NDArray[np.bool_]) -> tuple[_Floats, _Floats]:
    """Return where each positive lies among the negatives, and each negative among the positives.

    Parameters
    ----------
    scores
        Shape ``(n,)``, finite; equal scores are tied.
    positive
        Shape ``(n,)``; both outcomes occur.

    Returns
    -------
    tuple of arrays
        For each positive the share of negatives that score lower, for each negative the share of positives
        that score higher; ties count half. From mid-ranks, in the time that sorting takes (Sun and Xu, Fast
        implementation of DeLong's algorithm, 2014).
    """
    ranks = _mid_ranks(scores)
    n_positives = int(positive.sum())
    n_negatives = len(scores) - n_positives
    own_positives, own_negatives = _mid_ranks(scores[positive]), _mid_ranks(scores[~positive])
    beaten = (ranks[positive] - own_positives) / n_negatives
    losing = 1.0 - (ranks[~positive] - own_negatives) / n_positives
    return beaten, losing


def delong(positive: NDArray[np.bool_], challenger: _Floats, champion: _Floats) -> PairedAreas:
    """Compare the areas under two correlated ROC curves (DeLong, DeLong and Clarke-Pearson, 1988).

    Parameters
    ----------
    positive
        Shape ``(n,)``: whether the outcome of a row is 1.
    challenger, champion
        Shape ``(n,)``: the scores of the same rows, finite.

    Raises
    ------
    InvalidInput
        If the three do not have the same length.
    """
    if not len(positive) == len(challenger) == len(champion):
        raise InvalidInput(
            f"{len(positive)} outcomes cannot be paired with {len(challenger)} and {len(champion)} scores: "
            "score the same rows"
        )
    n_positives = int(positive.sum())
    n_negatives = len(positive) - n_positives
    if not (n_positives and n_negatives):
        return PairedAreas(math.nan, math.nan, math.nan, math.nan)
    areas, parts = [], []
    for scores in (challenger, champion):
        beaten, losing = placements(scores, positive)
        areas.append(float(beaten.mean()))
        parts.append((beaten, losing))
    error = math.nan
    if min(n_positives, n_negatives) > 1:
        by_positive, by_negative = (mine - theirs for mine, theirs in zip(*parts, strict=True))
        error = math.sqrt(by_positive.var(ddof=1) / n_positives + by_negative.var(ddof=1) / n_negatives)
    return PairedAreas(areas[0], areas[1], areas[0] - areas[1], error)


def _mid_ranks(values: _Floats) -> _Floats:
    """Return the rank of each value from 1 up; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    found: _Floats = ranks[places]
    return found
