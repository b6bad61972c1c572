"""Groups of rows of like prediction: what was predicted, and what came true."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.comparison.report import CalibrationPoint

__all__ = ["GROUPS", "calibration_points"]

GROUPS: Final = 10
"""How many groups there are; fewer where many rows have one score."""


def calibration_points(
    predicted: NDArray[np.float64], observed: NDArray[np.float64], groups: int = GROUPS
) -> list[CalibrationPoint]:
    """Return groups of about equally many rows by rising prediction; equal predictions stay together.

    A group whose numbers are too large to add up is left out.

    Parameters
    ----------
    predicted, observed
        Shape ``(n,)``: a probability and whether it came true as 0 or 1, or two numbers.
    """
    _, places, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - counts / 2
    group = np.minimum((middles * groups / max(len(predicted), 1)).astype(np.int64), groups - 1)[places]
    rows = np.bincount(group, minlength=groups)
    sums = np.stack([np.bincount(group, values, groups) for values in (predicted, observed)])
    means = sums / np.maximum(rows, 1)
    return [
        CalibrationPoint(float(means[0, one]), float(means[1, one]), int(rows[one]))
        for one in np.flatnonzero((rows > 0) & np.isfinite(means).all(axis=0)).tolist()
    ]
