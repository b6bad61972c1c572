"""What a slice of predictions joined with their outcomes holds.

Counts are exact whatever way the rows were split and merged; the sums are floating-point and may differ by
rounding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput

__all__ = ["BinaryOutcomes", "Outcomes", "RegressionOutcomes", "merge_outcomes"]


@dataclass(frozen=True, slots=True, eq=False)
class BinaryOutcomes:
    """Sums over rows whose prediction is a probability and whose outcome is 0 or 1.

    Attributes
    ----------
    rows
        Rows with a prediction and an outcome.
    positives, negatives
        Rows by score, of outcome 1 and of outcome 0: int64, shape ``(score_cells,)``, equal cells over
        [0, 1]. Not to be written to.
    log_loss_sum
        Sum of ``-ln`` of the probability given to the outcome, clipped as scikit-learn does.
    brier_sum
        Sum of the squared difference of probability and outcome.
    true_positives, false_positives, true_negatives, false_negatives
        Rows by outcome and by ``score >= decision_threshold``.
    """

    rows: int
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    log_loss_sum: float
    brier_sum: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @classmethod
    def sum_of(cls, parts: Sequence[Self]) -> Self:
        """Add up one or more outcomes.

        Raises
        ------
        InvalidInput
            If there is nothing to add, or the histograms have different numbers of cells.
        """
        if len({len(part.positives) for part in parts}) != 1:
            raise InvalidInput("outcomes of different score grids cannot be added: rebuild them on one grid")
        return cls(
            rows=sum(part.rows for part in parts),
            positives=np.sum([part.positives for part in parts], axis=0),
            negatives=np.sum([part.negatives for part in parts], axis=0),
            log_loss_sum=sum(part.log_loss_sum for part in parts),
            brier_sum=sum(part.brier_sum for part in parts),
            true_positives=sum(part.true_positives for part in parts),
            false_positives=sum(part.false_positives for part in parts),
            true_negatives=sum(part.true_negatives for part in parts),
            false_negatives=sum(part.false_negatives for part in parts),
        )

    def merge(self, other: Self) -> Self:
        """Return the sums over the rows of both.

        Raises
        ------
        InvalidInput
            If the histograms have different numbers of cells.
        """
        return self.sum_of((self, other))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BinaryOutcomes)
            and np.array_equal(self.positives, other.positives)
            and np.array_equal(self.negatives, other.negatives)
            and self._scalars() == other._scalars()
        )

    __hash__ = None  # type: ignore[assignment]

    def _scalars(self) -> tuple[float, ...]:
        confusion = (self.true_positives, self.false_positives, self.true_negatives, self.false_negatives)
        return (self.rows, self.log_loss_sum, self.brier_sum, *confusion)


@dataclass(frozen=True, slots=True)
class RegressionOutcomes:
    """Sums over rows whose prediction and outcome are numbers; an error is prediction minus outcome.

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
    """

    rows: int
    error_sum: float
    absolute_error_sum: float
    squared_error_sum: float
    outcome_sum: float
    outcome_squared_sum: float
    absolute_percentage_error_sum: float

    @classmethod
    def sum_of(cls, parts: Sequence[Self]) -> Self:
        """Add up one or more outcomes."""
        rows, *sums = zip(*(astuple(part) for part in parts), strict=True)
        return cls(sum(rows), *(float(sum(values)) for values in sums))

    def merge(self, other: Self) -> Self:
        """Return the sums over the rows of both."""
        return self.sum_of((self, other))


Outcomes: TypeAlias = BinaryOutcomes | RegressionOutcomes


def merge_outcomes(parts: Iterable[Outcomes]) -> Outcomes:
    """Return the sums over the rows of all.

    Raises
    ------
    InvalidInput
        If there are none, they are of different problem types, or of different score grids.
    """
    listed = list(parts)
    binary = [part for part in listed if isinstance(part, BinaryOutcomes)]
    regression = [part for part in listed if isinstance(part, RegressionOutcomes)]
    if bool(binary) == bool(regression):
        problem = "binary and regression do not mix" if binary else "there are none"
        raise InvalidInput(f"outcomes cannot be added, {problem}: choose slices of one model with outcomes")
    return BinaryOutcomes.sum_of(binary) if binary else RegressionOutcomes.sum_of(regression)
