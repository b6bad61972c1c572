"""The outcome builder: predictions joined with their outcomes in, mergeable sums out, in one pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices.arrow_columns import Period, categories_of, column_of, numbers_of
from mlops_core.slices.grouping import GroupRegistry, SliceKey
from mlops_core.slices.kernel import check_plan
from mlops_core.slices.outcome_counts import Outcomes
from mlops_core.slices.outcome_tallies import BinaryTally, MulticlassTally, RegressionTally
from mlops_core.slices.score_grid import SCORE_CELLS

__all__ = ["OutcomePlan", "ProblemType", "build_outcome_slices"]

ProblemType = Literal["binary", "multiclass", "regression"]
"""What a model predicts: outcome 0 or 1, one of several classes, or a number."""

_PROBLEM_TYPES: Final[tuple[str, ...]] = get_args(ProblemType)


@dataclass(frozen=True, slots=True)
class OutcomePlan:
    """What to sum, and by what.

    Attributes
    ----------
    time_column, period, segment_columns
        As in `SlicePlan`.
    problem_type
        ``"binary"``, ``"multiclass"`` or ``"regression"``.
    prediction_column, outcome_column
        Binary: a probability of outcome 1 (a label 0 or 1, if `score_column` is given or with
        `labels_only`), and 0 or 1; booleans are taken as 0 and 1. Multiclass: two class labels (text,
        booleans or integers). Regression: two numbers. The prediction may be None if there is a score.
    decision_threshold
        A score of at least this counts as a predicted 1 where no label was predicted.
    score_cells
        How many cells the score histograms have; any number but the default gives equal cells.
    score_column
        Binary: the probability of outcome 1, when the prediction column holds the label.
    labels_only
        Binary: the prediction column holds the label, and there is no score.
    """

    time_column: str
    period: Period
    problem_type: ProblemType
    prediction_column: str | None
    outcome_column: str
    segment_columns: tuple[str, ...] = ()
    decision_threshold: float = 0.5
    score_cells: int = SCORE_CELLS
    score_column: str | None = None
    labels_only: bool = False

    def __post_init__(self) -> None:
        check_plan(self.period, self.segment_columns)
        if self.problem_type not in _PROBLEM_TYPES:
            raise InvalidInput(
                f"problem type {self.problem_type!r} is unknown: choose {', '.join(_PROBLEM_TYPES)}"
            )
        if self.score_cells < 1:
            raise InvalidInput(f"{self.score_cells} score cells cannot be counted: ask for at least one")
        if self.problem_type != "binary" and (self.score_column is not None or self.labels_only):
            raise InvalidInput(f"a {self.problem_type} problem has no score: leave the score column out")
        if self.labels_only and self.score_column is not None:
            raise InvalidInput(f"column {self.score_column!r} is a score: leave labels_only out")
        if self.prediction_column is None and self.score_column is None:
            raise InvalidInput("there is nothing to compare with the outcome: name a prediction column")


def build_outcome_slices(batches: Iterable[pa.RecordBatch], plan: OutcomePlan) -> dict[SliceKey, Outcomes]:
    """Sum every row that has an outcome and all that was predicted into the slices that it belongs to.

    Rows whose prediction, score or outcome is null, NaN or infinite are not counted.

    Returns
    -------
    dict
        `BinaryOutcomes`, `MulticlassOutcomes` or `RegressionOutcomes` for each slice with at least one
        counted row.

    Raises
    ------
    SchemaMismatch
        If a column is missing or of the wrong type, a time is null, a score lies outside [0, 1], or a
        binary outcome or label is neither 0 nor 1. Rows in messages count from 1 over all batches.
    InvalidInput
        If a segment column has too many values, there are too many classes, or a time is outside the
        years 1 to 9999.
    """
    registry = GroupRegistry(plan.time_column, plan.period, plan.segment_columns)
    counting = _COUNTING[plan.problem_type](plan)
    before = 0
    for batch in batches:
        counting.add(batch, registry, before)
        before += batch.num_rows
    sums: Sequence[Outcomes] = counting.tally.sums(len(registry))
    return {key: found for key, found in zip(registry.keys(), sums, strict=True) if found.rows}


class _Binary:
    def __init__(self, plan: OutcomePlan) -> None:
        self._plan = plan
        labelled = plan.labels_only or plan.score_column is not None
        self._score = None if plan.labels_only else plan.score_column or plan.prediction_column
        self._label = plan.prediction_column if labelled else None
        self.tally = BinaryTally(plan.score_cells)

    def add(self, batch: pa.RecordBatch, registry: GroupRegistry, before: int) -> None:
        name = self._plan.outcome_column
        actual, here = _finite(column_of(batch, name), name)
        _check_labels(actual, here, name, before)
        score: NDArray[np.float64] | None = None
        label: NDArray[np.float64] | None = None
        precision = _precision_of(pa.float64())
        if self._score is not None:
            column = column_of(batch, self._score)
            precision = _precision_of(column.type)
            score, known = _finite(column, self._score)
            _check_scores(score, known, self._score, before)
            here = here & known
        if self._label is not None:
            label, known = _finite(column_of(batch, self._label), self._label)
            _check_labels(label, known, self._label, before)
            here = here & known
        counted = np.flatnonzero(here)
        numbered = [groups[counted] for groups in registry.number_rows(batch)]
        if score is not None:
            score = score[counted]
        decided = np.zeros(len(counted), dtype=np.bool_)
        if label is not None:
            decided = label[counted] == 1.0
        elif score is not None:
            decided = score >= self._plan.decision_threshold
        self.tally.add(score, decided, actual[counted], numbered, len(registry), precision)


class _Multiclass:
    def __init__(self, plan: OutcomePlan) -> None:
        self._columns = (str(plan.prediction_column), plan.outcome_column)
        self.tally = MulticlassTally()

    def add(self, batch: pa.RecordBatch, registry: GroupRegistry, before: int) -> None:
        predicted, actual = (categories_of(column_of(batch, name), name) for name in self._columns)
        known = (predicted.codes < len(predicted.texts)) & (actual.codes < len(actual.texts))
        counted = np.flatnonzero(known)
        numbered = [groups[counted] for groups in registry.number_rows(batch)]
        self.tally.add(predicted, actual, counted, numbered)


class _Regression:
    def __init__(self, plan: OutcomePlan) -> None:
        self._columns = (str(plan.prediction_column), plan.outcome_column)
        self.tally = RegressionTally()

    def add(self, batch: pa.RecordBatch, registry: GroupRegistry, before: int) -> None:
        (predicted, first), (actual, second) = (
            _finite(column_of(batch, name), name) for name in self._columns
        )
        counted = np.flatnonzero(first & second)
        numbered = [groups[counted] for groups in registry.number_rows(batch)]
        self.tally.add(predicted[counted], actual[counted], numbered, len(registry))


_COUNTING: Final[dict[str, type[_Binary | _Multiclass | _Regression]]] = {
    "binary": _Binary,
    "multiclass": _Multiclass,
    "regression": _Regression,
}


def _finite(array: pa.Array, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    numbers = numbers_of(array.cast(pa.uint8()) if pa.types.is_boolean(array.type) else array, name)
    here = np.isfinite(numbers.values)
    return numbers.values, here if numbers.valid is None else here & numbers.valid


def _precision_of(kind: pa.DataType) -> float:
    """Return the distance from 1 that scikit-learn clips probabilities of this type to."""
    name = {pa.float16(): "float16", pa.float32(): "float32"}.get(kind, "float64")
    return float(np.finfo(np.dtype(name)).eps)


def _check_scores(scores: NDArray[np.float64], here: NDArray[np.bool_], name: str, before: int) -> None:
    outside = np.flatnonzero(here & ((scores < 0.0) | (scores > 1.0)))
    if len(outside):
        raise SchemaMismatch(
            f"row {before + outside[0] + 1} of column {name!r} holds {scores[outside[0]]}, outside [0, 1]: "
            "give the probability of outcome 1, or declare a regression"
        )


def _check_labels(labels: NDArray[np.float64], here: NDArray[np.bool_], name: str, before: int) -> None:
    strange = np.flatnonzero(here & (labels != 0.0) & (labels != 1.0))
    if len(strange):
        raise SchemaMismatch(
            f"row {before + strange[0] + 1} of column {name!r} holds {labels[strange[0]]}, neither 0 nor 1: "
            "encode it, or declare another problem type"
        )
