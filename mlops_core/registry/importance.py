"""How much a version depends on each of its columns."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlmodel import select

from mlops_core.domain import ColumnImportance, Model, ModelVersion
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.registry.columns import OUTCOME, PREDICTION
from mlops_core.registry.reference_sample import sample_rows
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["Importance", "add_importance", "check_importance", "importance_of", "permutation_importance"]

_ROWS: Final = 1_000
_REPEATS: Final = 2
_FEWEST_OUTCOMES: Final = 100
_CELLS: Final = 2_000_000
"""Cells that the estimator is asked for at once: a call costs more than the thousand rows in it."""

_OF_SCORES: Final = frozenset({"roc_auc", "average_precision", "log_loss", "brier"})
_METRICS: Final = (*sorted(_OF_SCORES), "accuracy", "f1", "rmse", "mae", "r2")
_USUAL: Final = {
    ProblemType.BINARY: "roc_auc",
    ProblemType.MULTICLASS: "accuracy",
    ProblemType.REGRESSION: "rmse",
}


@dataclass(frozen=True, slots=True)
class Importance:
    """The importance of a version's columns.

    Attributes
    ----------
    values
        By column, 0 and up, in the units of the method.
    method
        How it was found, in words.
    rows
        The rows that it was found on; 0 when it was declared.
    """

    values: dict[str, float]
    method: str
    rows: int


def importance_of(workspace: Workspace, version: ModelVersion) -> Importance | None:
    """Return the importance that was recorded with a version, None where it has none."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(ColumnImportance).where(ColumnImportance.model_version_id == version.id)
        ).all()
    if not rows:
        return None
    return Importance({row.column: row.value for row in rows}, rows[0].method, rows[0].rows)


def check_importance(columns: Sequence[str], declared: Mapping[str, float]) -> Importance:
    """Return what a training run has declared.

    Raises
    ------
    InvalidInput
        A name is no column of the version, or a value is negative or no number.
    """
    strange = sorted(set(declared) - set(columns))
    if strange:
        raise InvalidInput(
            f"importance is declared for {', '.join(strange)}: name columns of the version, such as "
            f"{', '.join(list(columns)[:3])}"
        )
    wrong = [name for name, value in declared.items() if not (math.isfinite(value) and value >= 0)]
    if wrong:
        raise InvalidInput(f"the importance of {wrong[0]} is {declared[wrong[0]]}: declare numbers from 0 up")
    return Importance({name: float(value) for name, value in declared.items()}, "declared", 0)


def permutation_importance(
    estimator: "BaseEstimator", model: Model, columns: Sequence[str], reference: pa.Table
) -> Importance:
    """Return how much worse the model's metric gets when one column's values are shuffled (Breiman, 2001).

    On at most 1,000 rows of the reference with an outcome, twice each. Where fewer than 100 outcomes, or
    one class alone, are known: how much the predictions change, as the mean absolute difference, or the share
    of other labels. What is below 0 by chance is 0.

    Raises
    ------
    Exception
        Whatever the estimator raises on these rows.
    """
    import pandas as pd
    from sklearn import config_context
    from threadpoolctl import threadpool_limits

    score, rows, target, method = _judge(estimator, model, reference)
    frame = rows.select(list(columns)).to_pandas()
    at_once = max(1, _CELLS // max(frame.size, 1))
    scores: list[float] = []
    with threadpool_limits(1), config_context(skip_parameter_validation=True):
        copies = iter(_shuffled(frame))
        while part := list(itertools.islice(copies, at_once)):
            answers = score.ask(pd.concat(part, ignore_index=True))
            scores += [score.compute(target, one) for one in np.split(answers, len(part))]
    whole, shuffled = scores[0], np.reshape(scores[1:], (len(columns), _REPEATS))
    means = np.maximum(whole - shuffled.mean(axis=1), 0.0).tolist()
    return Importance(dict(zip(columns, means, strict=True)), method, rows.num_rows)


def add_importance(unit: UnitOfWork, version: ModelVersion, importance: Importance) -> None:
    """Record the importance of a version's columns."""
    unit.session.add_all(
        ColumnImportance(
            model_version_id=version.id,
            column=column,
            value=value,
            method=importance.method,
            rows=importance.rows,
        )
        for column, value in importance.values.items()
    )


@dataclass(frozen=True, slots=True)
class _Score:
    """How well an estimator does: what it is asked for, and the score of the answers, higher is better."""

    ask: Callable[[Any], NDArray[Any]]
    compute: Callable[[NDArray[Any], NDArray[Any]], float]


def _shuffled(frame: Any) -> Iterator[Any]:
    """Give the rows as they are, and then with each column shuffled some times over."""
    random = np.random.default_rng(0)
    yield frame
    for column in frame.columns:
        for _ in range(_REPEATS):
            order = random.permutation(len(frame))
            yield frame.assign(**{column: frame[column].take(order).set_axis(frame.index)})


def _judge(
    estimator: "BaseEstimator", model: Model, reference: pa.Table
) -> tuple[_Score, pa.Table, NDArray[Any], str]:
    """Return a score, the rows to score on, what their answers are held against, and the method in words."""
    problem = ProblemType(model.problem_type)
    if OUTCOME in reference.column_names and problem in _USUAL:
        known = reference.filter(pc.is_valid(reference[OUTCOME]))
        classes = pc.count_distinct(known[OUTCOME]).as_py()
        if known.num_rows >= _FEWEST_OUTCOMES and classes > 1:
            metric = model.primary_metric if model.primary_metric in _METRICS else _USUAL[problem]
            rows = sample_rows(known, _ROWS)
            return (
                _metric(estimator, str(metric)),
                rows,
                rows[OUTCOME].to_numpy(),
                f"permutation: loss of {metric}",
            )
    rows = sample_rows(reference, _ROWS)
    score = _agreement(estimator, problem)
    return score, rows, rows[PREDICTION].to_numpy(), "permutation: change of the predictions"


def _metric(estimator: "BaseEstimator", name: str) -> _Score:
    """Return the score that scikit-learn has for a metric."""
    from sklearn import metrics

    functions: dict[str, Callable[..., float]] = {
        "roc_auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
        "log_loss": lambda truth, score: -metrics.log_loss(truth, score),
        "brier": lambda truth, score: -metrics.brier_score_loss(truth, score),
        "accuracy": metrics.accuracy_score,
        "f1": metrics.f1_score,
        "rmse": lambda truth, found: -metrics.root_mean_squared_error(truth, found),
        "mae": lambda truth, found: -metrics.mean_absolute_error(truth, found),
        "r2": metrics.r2_score,
    }
    return _Score(_scores_of(estimator) if name in _OF_SCORES else estimator.predict, functions[name])


def _scores_of(estimator: Any) -> Callable[[Any], NDArray[Any]]:
    """Return what asks for the probability of 1, of each class where there are more, or a decision."""
    if not hasattr(estimator, "predict_proba"):
        decide: Callable[[Any], NDArray[Any]] = estimator.decision_function
        return decide

    def ask(frame: Any) -> NDArray[Any]:
        found: NDArray[Any] = estimator.predict_proba(frame)
        return found[:, 1] if found.shape[1] == 2 else found

    return ask


def _agreement(estimator: Any, problem: ProblemType) -> _Score:
    """Return how near the answers stay to the predictions."""

    def nearness(predicted: NDArray[Any], found: NDArray[Any]) -> float:
        return -float(np.mean(np.abs(found - predicted)))

    def sameness(predicted: NDArray[Any], found: NDArray[Any]) -> float:
        return float(np.mean(np.asarray(found, dtype=str) == np.asarray(predicted, dtype=str)))

    if problem == ProblemType.BINARY and hasattr(estimator, "predict_proba"):
        return _Score(_scores_of(estimator), nearness)
    return _Score(estimator.predict, nearness if problem == ProblemType.REGRESSION else sameness)
