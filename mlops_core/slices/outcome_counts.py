"""What a slice of predictions joined with their outcomes holds.

Counts are exact whatever way the rows were split and merged; the sums are floating-point and may differ by
rounding.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.regression_counts import RegressionOutcomes

__all__ = [
    "MOST_CLASSES",
    "BinaryOutcomes",
    "MulticlassOutcomes",
    "Outcomes",
    "RegressionOutcomes",
    "check_classes",
    "merge_outcomes",
]

MOST_CLASSES: Final = 1_000
"""How many classes a multiclass problem may have."""


@dataclass(frozen=True, slots=True, eq=False)
class BinaryOutcomes:
    """Sums over rows whose outcome is 0 or 1 and whose prediction is a probability, a label or both.

    Attributes
    ----------
    rows
        Rows with a prediction and an outcome.
    positives, negatives
        Rows by score, of outcome 1 and of outcome 0: int64, shape ``(score_cells,)``, on the cells of
        `score_edges`; empty of rows where only labels were predicted. Not to be written to.
    log_loss_sum
        Sum of ``-ln`` of the probability given to the outcome, clipped as scikit-learn does.
    brier_sum
        Sum of the squared difference of probability and outcome.
    true_positives, false_positives, true_negatives, false_negatives
        Rows by outcome and by predicted label, or by ``score >= decision_threshold`` where there is none.
    log_loss_squared_sum, brier_squared_sum
        Sums of the squares of the two losses of each row, for intervals; nan if an earlier release counted.
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
    log_loss_squared_sum: float = math.nan
    brier_squared_sum: float = math.nan

    @property
    def scored(self) -> int:
        """Rows with a score: all, or none where only labels were predicted."""
        return round(float(self.positives.sum() + self.negatives.sum()))  # estimated counts are not whole

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
            log_loss_squared_sum=sum(part.log_loss_squared_sum for part in parts),
            brier_squared_sum=sum(part.brier_squared_sum for part in parts),
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
            and np.array_equal(self._scalars(), other._scalars(), equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def _scalars(self) -> tuple[float, ...]:
        confusion = (self.true_positives, self.false_positives, self.true_negatives, self.false_negatives)
        losses = (self.log_loss_sum, self.brier_sum, self.log_loss_squared_sum, self.brier_squared_sum)
        return (self.rows, *losses, *confusion)


@dataclass(frozen=True, slots=True, eq=False)
class MulticlassOutcomes:
    """Rows by the class that occurred and the class that was predicted.

    Attributes
    ----------
    classes
        The classes that occurred or were predicted, as text, in order.
    confusion
        int64, shape ``(k, k)``: a row for each class that occurred, a column for each predicted one. Not to
        be written to.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Rows with a prediction and an outcome."""
        return int(self.confusion.sum())

    @classmethod
    def sum_of(cls, parts: Sequence[Self]) -> Self:
        """Add up outcomes; the classes are those of all.

        Raises
        ------
        InvalidInput
            If together they have more than `MOST_CLASSES` classes.
        """
        classes = tuple(sorted({name for part in parts for name in part.classes}))
        check_classes(len(classes))
        places = {name: place for place, name in enumerate(classes)}
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        for part in parts:
            own = np.array([places[name] for name in part.classes], dtype=np.intp)
            confusion[np.ix_(own, own)] += part.confusion
        return cls(classes, confusion)

    def merge(self, other: Self) -> Self:
        """Return the counts over the rows of both.

        Raises
        ------
        InvalidInput
            If together they have more than `MOST_CLASSES` classes.
        """
        return self.sum_of((self, other))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MulticlassOutcomes)
            and self.classes == other.classes
            and np.array_equal(self.confusion, other.confusion)
        )

    __hash__ = None  # type: ignore[assignment]


Outcomes: TypeAlias = BinaryOutcomes | MulticlassOutcomes | RegressionOutcomes


def check_classes(found: int) -> None:
    """Raise InvalidInput if there are more than `MOST_CLASSES` classes."""
    if found > MOST_CLASSES:
        raise InvalidInput(
            f"{found:,} classes are more than {MOST_CLASSES:,}: group the rare ones, or declare a regression"
        )


def merge_outcomes(parts: Iterable[Outcomes]) -> Outcomes:
    """Return the sums over the rows of all.

    Raises
    ------
    InvalidInput
        If there are none, they are of different problem types, or of different score grids.
    """
    listed = list(parts)
    binary = [part for part in listed if isinstance(part, BinaryOutcomes)]
    multiclass = [part for part in listed if isinstance(part, MulticlassOutcomes)]
    regression = [part for part in listed if isinstance(part, RegressionOutcomes)]
    kinds = [
        name
        for name, found in (("binary", binary), ("multiclass", multiclass), ("regression", regression))
        if found
    ]
    if len(kinds) != 1:
        problem = f"{' and '.join(kinds)} do not mix" if kinds else "there are none"
        raise InvalidInput(f"outcomes cannot be added, {problem}: choose slices of one model with outcomes")
    if binary:
        return BinaryOutcomes.sum_of(binary)
    return MulticlassOutcomes.sum_of(multiclass) if multiclass else RegressionOutcomes.sum_of(regression)
