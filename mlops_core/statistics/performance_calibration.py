"""Calibration: whether outcomes occur as often as the scores say."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.outcome_counts import BinaryOutcomes
from mlops_core.slices.score_grid import score_edges
from mlops_core.statistics.intervals import Interval, wilson

__all__ = ["CalibrationBin", "calibration_curve", "expected_calibration_error"]

BinStrategy: TypeAlias = Literal["quantile", "uniform"]


class CalibrationBin(NamedTuple):
    """Rows of neighbouring scores.

    Attributes
    ----------
    lower, upper
        The bounds of the scores.
    mean_score
        The mean of the middles of the rows' score cells: off from the mean score by half a cell (at most
        0.0005) at most.
    positive_share
        The share of rows of outcome 1.
    rows
        How many rows.
    interval
        Wilson's interval of the share.
    """

    lower: float
    upper: float
    mean_score: float
    positive_share: float
    rows: int
    interval: Interval


def calibration_curve(
    outcomes: BinaryOutcomes,
    bins: int = 10,
    strategy: BinStrategy = "quantile",
    confidence: float = 0.95,
) -> list[CalibrationBin]:
    """Return how often outcome 1 occurred, by score; bins without rows are left out.

    Parameters
    ----------
    bins
        At most so many.
    strategy
        ``"quantile"``: bins of about equally many rows, in whole score cells; ``"uniform"``: of equal width.

    Raises
    ------
    InvalidInput
        If there is no bin, or the strategy is unknown.
    """
    if bins < 1:
        raise InvalidInput(f"{bins} calibration bins hold nothing: ask for at least one")
    rows = (outcomes.positives + outcomes.negatives).astype(np.int64)
    edges = score_edges(len(rows))
    if strategy == "uniform":
        places = np.minimum((edges[:-1] * bins + 1e-9).astype(np.int64), bins - 1)
    elif strategy == "quantile":
        middle = np.cumsum(rows) - rows / 2
        places = np.minimum((middle * bins / max(int(rows.sum()), 1)).astype(np.int64), bins - 1)
    else:
        raise InvalidInput(f"bin strategy {strategy!r} is unknown: choose quantile or uniform")
    centres = (edges[:-1] + edges[1:]) / 2
    found = []
    for place in range(bins):
        cells = np.flatnonzero((places == place) & (rows > 0))
        if len(cells):
            n, positive = int(rows[cells].sum()), int(outcomes.positives[cells].sum())
            found.append(
                CalibrationBin(
                    lower=float(edges[cells[0]]),
                    upper=float(edges[cells[-1] + 1]),
                    mean_score=float(rows[cells] @ centres[cells]) / n,
                    positive_share=positive / n,
                    rows=n,
                    interval=wilson(positive, n, confidence),
                )
            )
    return found


def expected_calibration_error(
    outcomes: BinaryOutcomes, bins: int = 10, strategy: BinStrategy = "quantile"
) -> float:
    """Return the mean over the rows of their bin's distance between mean score and share of outcome 1.

    nan without scores (Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities, 2015).
    """
    curve = calibration_curve(outcomes, bins, strategy)
    total = sum(found.rows for found in curve)
    if not total:
        return float("nan")
    return sum(found.rows * abs(found.mean_score - found.positive_share) for found in curve) / total
