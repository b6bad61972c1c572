"""The evaluation rows whose outcome is known, beside what the version says of them, as arrays."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.registry.columns import OUTCOME
from mlops_core.scoring import Predictions
from mlops_core.slices import OutcomePlan, Outcomes, build_outcome_slices
from mlops_core.slices import ProblemType as OutcomeProblem
from mlops_core.statistics import PERFORMANCE_STATISTICS
from mlops_core.version_tests.outcome import NotJudged

__all__ = ["KnownRows", "known_rows", "truth_of"]

_TIME: Final = "time"
_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KnownRows:
    """Rows with a known outcome and a usable prediction.

    Attributes
    ----------
    problem
        What the model predicts.
    places
        Where in the evaluation snapshot they are.
    truth
        Binary: 0.0 or 1.0; regression: numbers; multiclass: labels as text.
    prediction
        Binary: the probability of 1, or the label; regression: numbers; multiclass: labels as text.
    is_score
        Binary: whether `prediction` is a probability.
    probabilities, classes
        Shape ``(rows, classes)``, each row summing to 1; None where the artefact gives none.
    """

    problem: ProblemType
    places: NDArray[np.int64]
    truth: NDArray[np.generic]
    prediction: NDArray[np.generic]
    is_score: bool
    probabilities: NDArray[np.float64] | None
    classes: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.places)

    def numbers(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the truth and the predictions of a binary model or a regression."""
        return self.truth.astype(np.float64), self.prediction.astype(np.float64)

    def outcomes(self) -> Outcomes | None:
        """Return what every performance statistic is computed from; None where nothing can be counted."""
        binary = self.problem == ProblemType.BINARY
        plan = OutcomePlan(
            time_column=_TIME,
            period="day",
            problem_type=_COUNTED[self.problem],
            prediction_column="prediction",
            outcome_column=OUTCOME,
            labels_only=binary and not self.is_score,
        )
        times = pa.repeat(pa.scalar(_SOME_TIME, pa.timestamp("us", tz="UTC")), len(self))
        batch = pa.record_batch(
            {_TIME: times, "prediction": pa.array(self.prediction), OUTCOME: pa.array(self.truth)}
        )
        return next(iter(build_outcome_slices([batch], plan).values()), None)

    def metric(self, name: str) -> float:
        """Return a performance statistic of these rows; nan where it is not defined for them.

        Raises
        ------
        InvalidInput
            There is no such statistic for the problem type.
        """
        fitting = [
            key for key, found in PERFORMANCE_STATISTICS.items() if self.problem in found.problem_types
        ]
        if name not in fitting:
            raise InvalidInput(
                f"a {self.problem} model has no metric '{name}': choose one of {', '.join(fitting)}"
            )
        outcomes = self.outcomes()
        return float("nan") if outcomes is None else PERFORMANCE_STATISTICS[name].compute(outcomes)


_COUNTED: Final[dict[ProblemType, OutcomeProblem]] = {
    ProblemType.BINARY: "binary",
    ProblemType.MULTICLASS: "multiclass",
    ProblemType.REGRESSION: "regression",
}


def truth_of(rows: pa.Table, problem: ProblemType) -> tuple[NDArray[np.bool_], NDArray[np.generic]]:
    """Return which rows have a known outcome, and all outcomes (of the others, nan or an empty label).

    Raises
    ------
    NotJudged
        There is no column of outcomes, or it holds what the problem type cannot have.
    """
    if OUTCOME not in rows.column_names:
        raise NotJudged(f"The evaluation snapshot has no column {OUTCOME}.")
    column = rows[OUTCOME].combine_chunks()
    if problem == ProblemType.MULTICLASS:
        labels = pc.cast(column, pa.string())
        return pc.is_valid(labels).to_numpy(zero_copy_only=False), np.asarray(
            pc.fill_null(labels, "").to_pylist(), dtype=np.str_
        )
    try:
        numbers = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise NotJudged(f"Column {OUTCOME} holds {column.type}, a {problem} model needs numbers.") from error
    known = np.isfinite(numbers)
    if problem == ProblemType.BINARY and not np.isin(numbers[known], (0.0, 1.0)).all():
        raise NotJudged(f"Column {OUTCOME} of a binary model holds values other than 0 and 1.")
    return known, numbers


def known_rows(rows: pa.Table, predictions: Predictions, problem: ProblemType) -> KnownRows:
    """Return the rows whose outcome is known and whose prediction is a finite number or a label.

    Raises
    ------
    NotJudged
        There are no such rows, or the model has no outcomes.
    """
    if problem == ProblemType.CLUSTERING:
        raise NotJudged("A clustering model has no outcomes.")
    known, truth = truth_of(rows, problem)
    if len(predictions.prediction) != rows.num_rows:
        raise NotJudged("There are not as many predictions as rows: see the test of its answers.")
    if problem == ProblemType.MULTICLASS:
        given = np.asarray(predictions.prediction, dtype=np.str_)
        here = known & (given != "")
    else:
        given = np.asarray(predictions.prediction, dtype=np.float64)
        here = known & np.isfinite(given)
    places = np.flatnonzero(here)
    if not len(places):
        raise NotJudged("No evaluation row has both a known outcome and a prediction.")
    is_score = problem == ProblemType.BINARY and _is_score(given[places].astype(np.float64))
    return KnownRows(
        problem=problem,
        places=places,
        truth=truth[places],
        prediction=given[places],
        is_score=is_score,
        probabilities=None if predictions.probabilities is None else predictions.probabilities[places],
        classes=predictions.classes,
    )


def _is_score(values: NDArray[np.float64]) -> bool:
    """Return whether a binary model gave probabilities, not labels."""
    if ((values < 0.0) | (values > 1.0)).any():
        raise NotJudged("Predictions are no probabilities: see the test of its answers.")
    return not np.isin(values, (0.0, 1.0)).all()
