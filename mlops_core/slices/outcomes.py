"""The outcome builder: predictions joined with their outcomes in, mergeable sums out, in one pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices.arrow_columns import Period, column_of, numbers_of
from mlops_core.slices.grid import NumericGrid
from mlops_core.slices.grouping import GroupRegistry, SliceKey
from mlops_core.slices.kernel import check_plan
from mlops_core.slices.outcome_counts import BinaryOutcomes, Outcomes, RegressionOutcomes
from mlops_core.slices.tallies import grown

__all__ = ["OutcomePlan", "ProblemType", "build_outcome_slices"]

ProblemType = Literal["binary", "regression"]
"""What a model predicts: a probability of outcome 1, or a number."""

_SMALLEST: Final = float(np.finfo(np.float64).eps)  # scikit-learn's floor under an outcome that divides


@dataclass(frozen=True, slots=True)
class OutcomePlan:
    """What to sum, and by what.

    Attributes
    ----------
    time_column, period, segment_columns
        As in `SlicePlan`.
    problem_type
        ``"binary"`` or ``"regression"``.
    prediction_column, outcome_column
        Binary: a probability, and 0 or 1 (or a boolean). Regression: two numbers.
    decision_threshold
        A score of at least this counts as a predicted 1.
    score_cells
        How many cells the score histograms have.
    """

    time_column: str
    period: Period
    problem_type: ProblemType
    prediction_column: str
    outcome_column: str
    segment_columns: tuple[str, ...] = ()
    decision_threshold: float = 0.5
    score_cells: int = 1000

    def __post_init__(self) -> None:
        check_plan(self.period, self.segment_columns)
        if self.problem_type not in ("binary", "regression"):
            raise InvalidInput(f"problem type {self.problem_type!r} is unknown: choose binary or regression")
        if self.score_cells < 1:
            raise InvalidInput(f"{self.score_cells} score cells cannot be counted: ask for at least one")


def build_outcome_slices(batches: Iterable[pa.RecordBatch], plan: OutcomePlan) -> dict[SliceKey, Outcomes]:
    """Sum every row that has both a prediction and an outcome into the slices that it belongs to.

    Rows whose prediction or outcome is null, NaN or infinite are not counted.

    Returns
    -------
    dict
        `BinaryOutcomes` or `RegressionOutcomes` for each slice with at least one counted row.

    Raises
    ------
    SchemaMismatch
        If a column is missing or of the wrong type, a time is null, a score lies outside [0, 1], or a
        binary outcome is neither 0 nor 1.
    InvalidInput
        If a segment column has too many values, or a time is outside the years 1 to 9999.
    """
    registry = GroupRegistry(plan.time_column, plan.period, plan.segment_columns)
    tally: _BinaryTally | _RegressionTally = (
        _BinaryTally(plan) if plan.problem_type == "binary" else _RegressionTally()
    )
    for batch in batches:
        predictions = column_of(batch, plan.prediction_column)
        outcomes = column_of(batch, plan.outcome_column)
        if pa.types.is_boolean(outcomes.type):
            outcomes = outcomes.cast(pa.uint8())
        predicted, predicted_here = _finite(predictions, plan.prediction_column)
        actual, actual_here = _finite(outcomes, plan.outcome_column)
        counted = np.flatnonzero(predicted_here & actual_here)
        if plan.problem_type == "binary":
            _check_binary(predicted[predicted_here], actual[actual_here], plan)
        precision = _precision_of(predictions.type)
        numbered = [groups[counted] for groups in registry.number_rows(batch)]
        tally.add(predicted[counted], actual[counted], numbered, len(registry), precision)
    sums: Sequence[Outcomes] = tally.sums(len(registry))
    return {key: found for key, found in zip(registry.keys(), sums, strict=True) if found.rows}


class _BinaryTally:
    """Running sums of all slices: the scalars in the columns of one matrix, and the two histograms."""

    def __init__(self, plan: OutcomePlan) -> None:
        self._threshold = plan.decision_threshold
        self._grid = NumericGrid.uniform(0.0, 1.0, plan.score_cells)
        self._losses = np.zeros((0, 2))
        self._confusion = np.zeros((0, 4), dtype=np.int64)
        self._scores = np.zeros((0, 2, plan.score_cells), dtype=np.int64)

    def add(
        self,
        scores: NDArray[np.float64],
        outcomes: NDArray[np.float64],
        numbered: list[NDArray[np.int64]],
        n_groups: int,
        precision: float,
    ) -> None:
        self._make_room(n_groups)
        label = outcomes.astype(np.int64)
        cells = self._grid.index.find(scores) - 1  # the first cell of the grid lies below 0
        decided = 2 * label + (scores >= self._threshold)
        given = np.where(label == 1, scores, 1.0 - scores)
        losses = (-np.log(np.clip(given, precision, 1.0 - precision)), np.square(scores - outcomes))
        for groups in numbered:
            np.add.at(self._scores, (groups, label, cells), 1)
            np.add.at(self._confusion, (groups, decided), 1)
            for place, loss in enumerate(losses):
                np.add.at(self._losses[:, place], groups, loss)

    def _make_room(self, n_groups: int) -> None:
        self._losses = grown(self._losses, n_groups)
        self._confusion = grown(self._confusion, n_groups)
        self._scores = grown(self._scores, n_groups)

    def sums(self, n_groups: int) -> list[BinaryOutcomes]:
        self._make_room(n_groups)
        found = []
        for number in range(n_groups):
            log_loss, brier = self._losses[number].tolist()
            tn, fp, fn, tp = self._confusion[number].tolist()
            found.append(
                BinaryOutcomes(
                    rows=int(self._confusion[number].sum()),
                    positives=self._scores[number, 1],
                    negatives=self._scores[number, 0],
                    log_loss_sum=log_loss,
                    brier_sum=brier,
                    true_positives=tp,
                    false_positives=fp,
                    true_negatives=tn,
                    false_negatives=fn,
                )
            )
        return found


class _RegressionTally:
    """Running sums of all slices, in the columns of one matrix in the order of `RegressionOutcomes`."""

    def __init__(self) -> None:
        self._rows = np.zeros(0, dtype=np.int64)
        self._sums = np.zeros((0, 6))

    def add(
        self,
        predictions: NDArray[np.float64],
        outcomes: NDArray[np.float64],
        numbered: list[NDArray[np.int64]],
        n_groups: int,
        precision: float,
    ) -> None:
        self._make_room(n_groups)
        with np.errstate(over="ignore"):
            error = predictions - outcomes
            magnitude = np.abs(error)
            terms = (
                error,
                magnitude,
                np.square(error),
                outcomes,
                np.square(outcomes),
                magnitude / np.maximum(np.abs(outcomes), _SMALLEST),
            )
            for groups in numbered:
                np.add.at(self._rows, groups, 1)
                for place, term in enumerate(terms):
                    np.add.at(self._sums[:, place], groups, term)

    def _make_room(self, n_groups: int) -> None:
        self._rows = grown(self._rows, n_groups)
        self._sums = grown(self._sums, n_groups)

    def sums(self, n_groups: int) -> list[RegressionOutcomes]:
        self._make_room(n_groups)
        rows = self._rows[:n_groups].tolist()
        return [
            RegressionOutcomes(count, *sums)
            for count, sums in zip(rows, self._sums[:n_groups].tolist(), strict=True)
        ]


def _finite(array: pa.Array, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    numbers = numbers_of(array, name)
    here = np.isfinite(numbers.values)
    return numbers.values, here if numbers.valid is None else here & numbers.valid


def _precision_of(kind: pa.DataType) -> float:
    """Return the distance from 1 that scikit-learn clips probabilities of this type to."""
    name = {pa.float16(): "float16", pa.float32(): "float32"}.get(kind, "float64")
    return float(np.finfo(np.dtype(name)).eps)


def _check_binary(scores: NDArray[np.float64], outcomes: NDArray[np.float64], plan: OutcomePlan) -> None:
    outside = scores[(scores < 0.0) | (scores > 1.0)]
    if len(outside):
        raise SchemaMismatch(
            f"column {plan.prediction_column!r} holds {outside[0]}, outside [0, 1]: "
            "give the probability of outcome 1, or declare a regression"
        )
    strange = outcomes[(outcomes != 0.0) & (outcomes != 1.0)]
    if len(strange):
        raise SchemaMismatch(
            f"column {plan.outcome_column!r} holds {strange[0]}, neither 0 nor 1: encode the outcome, "
            "or declare a regression"
        )
