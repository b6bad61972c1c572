"""How much a version depends on each of its columns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
_SCORERS: Final = {
    "roc_auc": "roc_auc",
    "average_precision": "average_precision",
    "log_loss": "neg_log_loss",
    "brier": "neg_brier_score",
    "accuracy": "accuracy",
    "f1": "f1",
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "r2": "r2",
}
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
    from sklearn import config_context, inspection
    from threadpoolctl import threadpool_limits

    scoring, rows, method = _judge(model, reference)
    rows = sample_rows(rows, _ROWS)
    frame = rows.select(list(columns)).to_pandas()
    target = rows[OUTCOME if isinstance(scoring, str) else PREDICTION].to_numpy()
    with threadpool_limits(1), config_context(skip_parameter_validation=True):
        found = inspection.permutation_importance(
            estimator, frame, target, scoring=scoring, n_repeats=_REPEATS, random_state=0
        )
    means = np.maximum(found.importances_mean, 0.0).tolist()
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


def _judge(model: Model, reference: pa.Table) -> tuple[Any, pa.Table, str]:
    """Return a scorer, the rows to score on, and the method in words."""
    problem = ProblemType(model.problem_type)
    if OUTCOME in reference.column_names and problem in _USUAL:
        known = reference.filter(pc.is_valid(reference[OUTCOME]))
        classes = pc.count_distinct(known[OUTCOME]).as_py()
        if known.num_rows >= _FEWEST_OUTCOMES and classes > 1:
            metric = model.primary_metric if model.primary_metric in _SCORERS else _USUAL[problem]
            return _SCORERS[str(metric)], known, f"permutation: loss of {metric}"
    return _agreement(problem), reference, "permutation: change of the predictions"


def _agreement(problem: ProblemType) -> Any:
    def score(estimator: Any, frame: Any, predicted: Any) -> float:
        if problem == ProblemType.BINARY and hasattr(estimator, "predict_proba"):
            return -float(np.mean(np.abs(estimator.predict_proba(frame)[:, 1] - predicted)))
        found = estimator.predict(frame)
        if problem == ProblemType.REGRESSION:
            return -float(np.mean(np.abs(found - predicted)))
        return float(np.mean(np.asarray(found, dtype=str) == np.asarray(predicted, dtype=str)))

    return score
