"""Sums of regression outcomes, with moments of the outcome about its own mean.

A variance from the sums of values and squares loses all digits when the mean is large beside the spread.
Moments about the mean do not; two parts are added by moving both to the common mean (Chan, Golub and LeVeque,
Algorithms for computing the sample variance, 1983; higher moments by the binomial theorem).
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["RegressionOutcomes", "moved"]


@dataclass(frozen=True, slots=True, eq=False)
class RegressionOutcomes:
    """Sums over rows whose prediction and outcome are numbers; an error is prediction minus outcome.

    Sums that overflow are infinite. What an earlier release did not count is nan.

    Attributes
    ----------
    rows
        Rows with a prediction and an outcome.
    error_sum, absolute_error_sum, squared_error_sum
        Sums of the error, of its magnitude and of its square.
    outcome_sum, outcome_squared_sum
        Sums of the outcome and of its square.
    absolute_percentage_error_sum
        Sum of ``|error| / max(|outcome|, 2.2e-16)``, as scikit-learn does.
    fourth_error_sum, absolute_percentage_error_squared_sum
        Sums of the fourth power of the error, and of the square of the percentage error.
    deviation_squares, deviation_cubes, deviation_fourths
        Sums of powers of the deviation, outcome minus the mean outcome.
    squared_error_deviations, squared_error_deviation_squares
        Sums of the squared error times the deviation, and times its square.
    """

    rows: int
    error_sum: float
    absolute_error_sum: float
    squared_error_sum: float
    outcome_sum: float
    outcome_squared_sum: float
    absolute_percentage_error_sum: float
    fourth_error_sum: float = math.nan
    absolute_percentage_error_squared_sum: float = math.nan
    deviation_squares: float = math.nan
    deviation_cubes: float = math.nan
    deviation_fourths: float = math.nan
    squared_error_deviations: float = math.nan
    squared_error_deviation_squares: float = math.nan

    @classmethod
    def sum_of(cls, parts: Sequence[Self]) -> Self:
        """Add up one or more outcomes."""
        rows = sum(part.rows for part in parts)
        table = np.array([astuple(part)[1:] for part in parts if part.rows], dtype=np.float64).reshape(-1, 13)
        counts = np.array([part.rows for part in parts if part.rows], dtype=np.float64)
        with np.errstate(all="ignore"):
            sums = table[:, :8].sum(axis=0)
            mean = sums[3] / rows if rows else 0.0
            shift = table[:, 3] / counts - mean
            moments = moved(table[:, 8:], counts, table[:, 2], shift).sum(axis=0)
        return cls(rows, *sums.tolist(), *moments.tolist())

    def merge(self, other: Self) -> Self:
        """Return the sums over the rows of both."""
        return self.sum_of((self, other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegressionOutcomes) and np.array_equal(
            astuple(self), astuple(other), equal_nan=True
        )

    __hash__ = None  # type: ignore[assignment]


def moved(
    moments: NDArray[np.float64],
    rows: NDArray[np.float64],
    squared_errors: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return moments about the mean as moments about a point `shift` below it.

    Parameters
    ----------
    moments
        Shape ``(n, 5)``: the last five attributes of `RegressionOutcomes`, in their order.
    rows, squared_errors, shift
        Shape ``(n,)``.
    """
    second, third, fourth, mixed, mixed_squares = moments.T
    square = shift * shift
    return np.stack(
        (
            second + rows * square,
            third + 3 * shift * second + rows * square * shift,
            fourth + 4 * shift * third + 6 * square * second + rows * square * square,
            mixed + shift * squared_errors,
            mixed_squares + 2 * shift * mixed + square * squared_errors,
        ),
        axis=1,
    )
