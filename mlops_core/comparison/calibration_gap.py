"""How far predictions are from what came true, in one figure."""

from collections.abc import Sequence

from mlops_core.comparison.report import CalibrationPoint

__all__ = ["calibration_gap"]


def calibration_gap(points: Sequence[CalibrationPoint]) -> float | None:
    """Return the expected calibration error: the mean distance of groups from what came true.

    Groups count by their rows (Naeini, Cooper and Hauskrecht, 2015, *Obtaining well calibrated probabilities
    using Bayesian binning*).

    Returns
    -------
    float | None
        From 0, in the unit of the prediction; None without rows.

    Examples
    --------
    >>> calibration_gap([CalibrationPoint(0.25, 0.5, 30), CalibrationPoint(0.75, 0.75, 10)])
    0.1875
    """
    rows = sum(one.rows for one in points)
    if not rows:
        return None
    return sum(one.rows * abs(one.predicted - one.observed) for one in points) / rows
