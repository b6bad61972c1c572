"""Calibration of scores: how often outcome 1 occurred at each score, learned from stored counts.

Two shapes are tried; the second is kept where it clearly predicts held-out outcomes better:

- *beta*: the log-odds of the outcome are a sum of ``ln s``, ``-ln(1 - s)`` and a constant (Kull, Silva Filho
  and Flach, Beta calibration, 2017). Three numbers, so that a few hundred outcomes suffice.
- *isotonic*: any function that does not fall (Ayer et al., An empirical distribution function for sampling
  with incomplete information, 1955). It follows every shape, but on few outcomes it takes chance for signal:
  the scores then seem to rank better than they do.

What chance has left in it is told by fitting the same shape to resampled outcomes (Efron, Bootstrap methods,
1979).
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.outcome_counts import BinaryOutcomes
from mlops_core.slices.score_grid import score_edges

__all__ = ["FEWEST_OUTCOMES", "Calibration", "Shape", "calibrate"]

Shape: TypeAlias = Literal["beta", "isotonic"]
_Floats = NDArray[np.float64]

FEWEST_OUTCOMES: Final = 100
"""With fewer outcomes nothing is calibrated."""

_FEWEST_OF_A_LABEL: Final = 10
_REPLICATES: Final = 64
_FOLDS: Final = 5
_SEED: Final = 2718
_PENALTY: Final = 0.1  # on the squared distance from the scores as they are, in units of the log-likelihood
_CLOSE: Final = 1e-5  # a gain of the log-likelihood, whose standard error is about 1
_NEAR: Final = 0.02  # two scores this far apart are about the same
_SUPPORT: Final = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The probability of outcome 1 by score.

    Attributes
    ----------
    outcomes
        How many outcomes it was learned from.
    shape
        Which of the two shapes was kept.
    centres
        Scores for which the probabilities are known, rising, shape ``(k,)``.
    probabilities
        Shape ``(k,)``; between centres they are interpolated.
    replicates
        The same from resampled outcomes, shape ``(replicates, k)``.
    supported
        Whether enough outcomes lie within 0.02 of each centre, shape ``(k,)``.
    """

    outcomes: int
    shape: Shape
    centres: _Floats
    probabilities: _Floats
    replicates: _Floats
    supported: NDArray[np.bool_]

    def probability(self, scores: _Floats) -> _Floats:
        """Return the probability of outcome 1 at each score, same shape."""
        return np.interp(scores, self.centres, self.probabilities)

    def resampled(self, scores: _Floats) -> _Floats:
        """Return the probabilities of every replicate, shape ``(replicates, len(scores))``."""
        above = np.clip(np.searchsorted(self.centres, scores), 1, len(self.centres) - 1)
        low, high = self.centres[above - 1], self.centres[above]
        weight = np.clip((scores - low) / (high - low), 0.0, 1.0)
        return self.replicates[:, above - 1] * (1.0 - weight) + self.replicates[:, above] * weight

    def knows(self, scores: _Floats) -> NDArray[np.bool_]:
        """Return whether the outcomes that it was learned from had about these scores."""
        above = np.clip(np.searchsorted(self.centres, scores), 1, len(self.centres) - 1)
        nearer = np.where(scores - self.centres[above - 1] < self.centres[above] - scores, above - 1, above)
        return self.supported[nearer]


def calibrate(outcomes: BinaryOutcomes, *, shape: Shape | None = None, seed: int = _SEED) -> Calibration:
    """Learn the probability of outcome 1 from the score histograms of known outcomes.

    Parameters
    ----------
    shape
        None keeps the shape that predicts held-out outcomes better.
    seed
        Of the resampling; the same seed and counts give the same calibration.

    Raises
    ------
    InvalidInput
        If there is no score, there are fewer than 100 outcomes, or fewer than 10 of either label.
    """
    positives = np.asarray(outcomes.positives, dtype=np.int64)
    negatives = np.asarray(outcomes.negatives, dtype=np.int64)
    _check(int(positives.sum()), int(negatives.sum()))
    edges = score_edges(len(positives))
    centres = (edges[:-1] + edges[1:]) / 2
    met = np.flatnonzero(positives + negatives)
    scores, hits, misses = centres[met], positives[met], negatives[met]
    random = np.random.default_rng(seed)
    chosen = shape or _better_shape(scores, hits, misses, random)
    start = _beta(scores, hits.astype(np.float64), misses.astype(np.float64)) if chosen == "beta" else None
    total = int(hits.sum() + misses.sum())
    drawn = random.multinomial(total, np.concatenate((hits, misses)) / total, size=_REPLICATES)
    replicates = [
        _fit(chosen, scores, row[: len(met)].astype(float), row[len(met) :].astype(float), centres, start)
        for row in drawn
    ]
    return Calibration(
        outcomes=total,
        shape=chosen,
        centres=centres,
        probabilities=_fit(chosen, scores, hits.astype(float), misses.astype(float), centres, start),
        replicates=np.array(replicates),
        supported=_rows_near(centres, positives + negatives) >= _SUPPORT,
    )


def _check(positives: int, negatives: int) -> None:
    total = positives + negatives
    if not total:
        raise InvalidInput("no outcome with a score: scores cannot be calibrated, log scores with outcomes")
    if total < FEWEST_OUTCOMES:
        raise InvalidInput(
            f"{total} outcomes are too few to calibrate scores: {FEWEST_OUTCOMES} are needed, wait for more"
        )
    rarer = min(positives, negatives)
    if not rarer:
        label = 1 if positives else 0
        raise InvalidInput(
            f"all {total:,} outcomes are {label}: scores cannot be calibrated on a single class, give a "
            "reference with both"
        )
    if rarer < _FEWEST_OF_A_LABEL:
        label = 0 if positives > negatives else 1
        raise InvalidInput(
            f"only {rarer} of {total:,} outcomes are {label}: {_FEWEST_OF_A_LABEL} are needed to calibrate "
            "scores, give a longer reference"
        )


def _better_shape(
    scores: _Floats, hits: NDArray[np.int64], misses: NDArray[np.int64], random: np.random.Generator
) -> Shape:
    """Return isotonic if its squared error on outcomes that it was not fitted to is clearly the smaller one.

    Clearly: by more than the standard error of the difference, so that chance does not choose it.
    """
    parts = np.full(_FOLDS, 1 / _FOLDS)
    hit_parts, miss_parts = random.multinomial(hits, parts), random.multinomial(misses, parts)
    gain = squares = 0.0
    for fold in range(_FOLDS):
        held, missed = hit_parts[:, fold], miss_parts[:, fold]
        rest = (hits - held).astype(float), (misses - missed).astype(float)
        beta, isotonic = (_fit(shape, scores, *rest, scores) for shape in ("beta", "isotonic"))
        by_hit = np.square(1.0 - beta) - np.square(1.0 - isotonic)
        by_miss = np.square(beta) - np.square(isotonic)
        gain += float(held @ by_hit + missed @ by_miss)
        squares += float(held @ np.square(by_hit) + missed @ np.square(by_miss))
    return "isotonic" if gain > np.sqrt(squares) else "beta"


def _fit(
    shape: Shape,
    scores: _Floats,
    hits: _Floats,
    misses: _Floats,
    centres: _Floats,
    start: _Floats | None = None,
) -> _Floats:
    """Fit a shape to rows by score and return its probabilities at the centres."""
    if shape == "beta":
        return _expit(_basis(centres) @ _beta(scores, hits, misses, start))
    from scipy.optimize import isotonic_regression

    rows = hits + misses
    met = np.flatnonzero(rows)
    fitted = isotonic_regression(hits[met] / rows[met], weights=rows[met])
    return np.interp(centres, scores[met], fitted.x)


def _beta(scores: _Floats, hits: _Floats, misses: _Floats, start: _Floats | None = None) -> _Floats:
    """Return the three coefficients by Newton's method, held near those of the scores as they are.

    The penalty is what keeps them finite where the labels do not overlap. A coefficient below zero, which
    would make the probability fall with the score, is set to zero.
    """
    basis = _basis(scores)
    found = _newton(basis, hits, misses, np.array([1.0, 1.0, 0.0]), start)
    if min(found[0], found[1]) < 0.0:
        kept = [1, 2] if found[0] < found[1] else [0, 2]
        part = _newton(basis[:, kept], hits, misses, np.array([1.0, 0.0]), None)
        found = np.zeros(3)
        found[kept] = max(part[0], 0.0), part[1]
    return found


def _newton(
    basis: _Floats, hits: _Floats, misses: _Floats, centre: _Floats, start: _Floats | None
) -> _Floats:
    rows = hits + misses

    def loss(at: _Floats) -> float:
        odds = basis @ at
        return float(rows @ np.logaddexp(0.0, odds) - hits @ odds + _PENALTY / 2 * np.sum((at - centre) ** 2))

    found = centre if start is None else start
    now = loss(found)
    for _ in range(50):
        chance = _expit(basis @ found)
        slope = basis.T @ (rows * chance - hits) + _PENALTY * (found - centre)
        bend = (basis * (rows * chance * (1.0 - chance))[:, None]).T @ basis + _PENALTY * np.eye(len(found))
        step = np.linalg.solve(bend, slope)
        length = 1.0
        while (after := loss(found - length * step)) > now and length > 1e-6:
            length /= 2
        if now - after <= _CLOSE:
            break
        found, now = found - length * step, after
    return found


def _basis(scores: _Floats) -> _Floats:
    inside = np.clip(scores, 1e-6, 1.0 - 1e-6)
    return np.stack((np.log(inside), -np.log1p(-inside), np.ones_like(inside)), axis=1)


def _expit(odds: _Floats) -> _Floats:
    return np.exp(-np.logaddexp(0.0, -odds))


def _rows_near(centres: _Floats, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows lie within 0.02 of each centre."""
    before = np.concatenate(([0], np.cumsum(rows)))
    low = np.searchsorted(centres, centres - _NEAR)
    high = np.searchsorted(centres, centres + _NEAR, side="right")
    return before[high] - before[low]
