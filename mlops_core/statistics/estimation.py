"""Estimated performance: what the statistics of a window will be once its outcomes are known.

The scores of the window are turned into probabilities that hold for the reference (`calibrate`). A row of
probability p counts as p of a positive and 1 - p of a negative: from these expected counts, the functions
that measure performance estimate it. The idea is known as confidence-based performance estimation.

The interval is for the figure that will be measured. Each of many calibrations, learned from resampled
outcomes, gives the window probabilities from which its outcomes are drawn and the statistic is computed: the
spread holds the chance of the window and what is not known about the calibration.

An estimate assumes that outcomes follow from scores as they did in the reference. It sees a change of who is
scored; a change of how outcomes come about (concept drift) it cannot see: that shows once outcomes arrive.
"""

import math
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import NumericCounts
from mlops_core.slices.grid import NumericGrid
from mlops_core.slices.outcome_counts import BinaryOutcomes
from mlops_core.statistics.calibrating import Calibration
from mlops_core.statistics.intervals import NO_INTERVAL, Interval, around, logit_interval
from mlops_core.statistics.registry import PERFORMANCE_STATISTICS

__all__ = [
    "CANNOT_SEE",
    "MOST_UNKNOWN",
    "Estimate",
    "ScoredRows",
    "estimate",
    "expected_outcomes",
    "score_rows",
]

CANNOT_SEE: Final = (
    "Estimated as if outcomes followed from scores as in the reference: concept drift shows only once "
    "outcomes arrive."
)
"""What has to be said beside every estimate."""

MOST_UNKNOWN: Final = 0.1
"""An estimate is not to be trusted when a larger share of the scores has no like in the reference."""

_SEED: Final = 31415
_GROUPS: Final = 250
_CLIP: Final = float(np.finfo(np.float64).eps)  # where measured log loss is clipped
_BEYOND_ONE: Final = frozenset({"log_loss", "lift_at_10"})
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRows:
    """The rows of a window by score.

    Attributes
    ----------
    scores
        Between 0 and 1, rising, shape ``(k,)``.
    rows
        Rows of about this score, whole numbers above 0, shape ``(k,)``.
    decided
        The share of them that was predicted as 1, shape ``(k,)``.
    """

    scores: _Floats
    rows: NDArray[np.int64]
    decided: _Floats

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.rows.sum())


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated statistic.

    Attributes
    ----------
    value
        nan where the statistic is undefined for the expected counts.
    interval
        Between which limits the measured figure will lie, with the confidence that was asked for.
    rows
        Rows of the window.
    unknown
        The share of them whose score has no like among the outcomes of the calibration, 0 to 1.
    """

    value: float
    interval: Interval
    rows: int
    unknown: float


def score_rows(
    counts: NumericCounts, grid: NumericGrid, *, predicted_ones: int | None = None, threshold: float = 0.5
) -> ScoredRows:
    """Return the rows of a column of scores: those of a cell have the score in its middle.

    The two cells without an outer edge have the mean of their rows. Rows without a score are left out.

    Parameters
    ----------
    predicted_ones
        How many rows were predicted as 1, where the label was decided elsewhere: those with the highest
        scores. None decides by `threshold`.

    Raises
    ------
    InvalidInput
        If a score lies outside [0, 1].
    """
    if counts.finite and not 0.0 <= counts.minimum <= counts.maximum <= 1.0:
        raise InvalidInput(
            f"scores from {counts.minimum:g} to {counts.maximum:g} are no probabilities: nothing can be "
            "estimated from them, log the probability of outcome 1"
        )
    met = np.flatnonzero(counts.cells)
    rows = counts.cells[met].astype(np.int64)
    if not len(met):
        return ScoredRows(np.zeros(0), rows, np.zeros(0))
    bounds = np.concatenate(([counts.minimum], grid.edges, [counts.maximum]))
    low = np.clip(bounds[met], counts.minimum, counts.maximum)
    high = np.clip(bounds[met + 1], counts.minimum, counts.maximum)
    scores = (low + high) / 2
    for place, total in ((0, counts.total_below), (grid.n_cells - 1, counts.total_above)):
        here = met == place
        if here.any() and math.isfinite(total):
            scores[here] = np.clip(total / rows[here], low[here], high[here])
    if predicted_ones is None:
        width = np.maximum(high - low, 1e-12)
        decided = np.clip((high - threshold) / width, 0.0, 1.0)
        decided[low >= threshold] = 1.0
    else:
        above = np.cumsum(rows[::-1])[::-1] - rows
        decided = np.clip((predicted_ones - above) / rows, 0.0, 1.0)
    return ScoredRows(scores, rows, decided)


def expected_outcomes(window: ScoredRows, positives: _Floats) -> BinaryOutcomes:
    """Return the outcomes of a window of which so many are positive.

    Parameters
    ----------
    positives
        Expected positives by score, not whole numbers, shape ``(k,)``, at most ``window.rows``.

    Returns
    -------
    BinaryOutcomes
        With expected counts in place of counts, on the scores of the window in place of the score grid.
    """
    return _outcomes_of(window, positives[None, :])[0]


def _outcomes_of(window: ScoredRows, positives: _Floats) -> list[BinaryOutcomes]:
    """Return the outcomes of a window once for each row of positives, shape ``(n, k)``."""
    negatives = window.rows - positives
    scores = window.scores
    log_losses = -np.log(np.clip(np.stack((scores, 1.0 - scores)), _CLIP, 1.0 - _CLIP))
    squares = np.square(np.stack((1.0 - scores, scores)))
    by_row = (log_losses, squares, np.square(log_losses), np.square(squares))
    of_positives = np.stack([*(loss[0] for loss in by_row), window.decided, np.ones(len(scores))], axis=1)
    of_negatives = np.stack([*(loss[1] for loss in by_row), window.decided, np.ones(len(scores))], axis=1)
    found = []
    for row, hits, misses in zip(
        range(len(positives)),
        (positives @ of_positives).tolist(),
        (negatives @ of_negatives).tolist(),
        strict=True,
    ):
        found.append(
            BinaryOutcomes(
                rows=window.total,
                positives=cast("NDArray[np.int64]", positives[row]),
                negatives=cast("NDArray[np.int64]", negatives[row]),
                log_loss_sum=hits[0] + misses[0],
                brier_sum=hits[1] + misses[1],
                true_positives=hits[4],
                false_positives=misses[4],
                true_negatives=misses[5] - misses[4],
                false_negatives=hits[5] - hits[4],
                log_loss_squared_sum=hits[2] + misses[2],
                brier_squared_sum=hits[3] + misses[3],
            )
        )
    return found


def estimate(
    name: str, window: ScoredRows, calibration: Calibration, *, confidence: float = 0.95, seed: int = _SEED
) -> Estimate:
    """Estimate a statistic of binary outcomes that are not known yet.

    Parameters
    ----------
    name
        A key of `PERFORMANCE_STATISTICS` that is defined for binary outcomes.
    seed
        Of the drawn outcomes; the same seed gives the same interval.

    Raises
    ------
    InvalidInput
        If there is no such statistic, it is not for binary outcomes, or the window has no rows.
    """
    if name not in PERFORMANCE_STATISTICS:
        raise InvalidInput(f"there is no statistic {name!r}: choose from {', '.join(PERFORMANCE_STATISTICS)}")
    if not window.total:
        raise InvalidInput("no row with a score in the window: nothing to estimate, choose another window")
    statistic = PERFORMANCE_STATISTICS[name]
    chances = calibration.probability(window.scores)
    value = statistic.compute(expected_outcomes(window, window.rows * chances))
    coarse = _grouped(window)
    resampled = np.clip(calibration.resampled(coarse.scores), 0.0, 1.0)
    random = np.random.default_rng([seed, window.total])
    drawn = random.binomial(coarse.rows, resampled).astype(np.float64)
    values = np.array([statistic.compute(outcomes) for outcomes in _outcomes_of(coarse, drawn)])
    unknown = float(window.rows @ ~calibration.knows(window.scores)) / window.total
    return Estimate(value, _interval(name, value, values, window.total, confidence), window.total, unknown)


def _grouped(window: ScoredRows) -> ScoredRows:
    """Put neighbouring scores together: the spread of a statistic is the same on a few hundred groups."""
    if len(window.rows) <= _GROUPS:
        return window
    middle = np.cumsum(window.rows) - window.rows / 2
    places = (middle * _GROUPS / window.total).astype(np.int64)
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    rows = np.add.reduceat(window.rows, starts)
    scores, decided = (
        np.add.reduceat(values * window.rows, starts) / rows for values in (window.scores, window.decided)
    )
    return ScoredRows(scores, rows, decided)


def _interval(name: str, value: float, values: _Floats, rows: int, confidence: float) -> Interval:
    known = values[np.isfinite(values)]
    if len(known) < 2 or not math.isfinite(value):
        return NO_INTERVAL
    variance = float(np.mean(np.square(known - known.mean())))
    if name in _BEYOND_ONE:
        return around(value, variance, confidence, lowest=0.0)
    return logit_interval(value, variance, float(rows), confidence)
