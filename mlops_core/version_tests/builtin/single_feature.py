"""Whether one input gives the outcome away, as what is only known afterwards does."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.domain.states import ProblemType
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.known_rows import truth_of
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["single_feature"]

_FOLDS: Final = 3
_SEED: Final = 2_017
_SHOWN: Final = 20
_LEAST_ROWS: Final = 50
_WORDS: Final = 100
_MEASURES: Final = {
    ProblemType.BINARY: ("area under the ROC curve", "roc_auc"),
    ProblemType.MULTICLASS: ("normalised mutual information", "mutual_information"),
    ProblemType.REGRESSION: ("R²", "r_squared"),
}


def _exempt(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


@version_test(
    "single_feature",
    title="No feature gives the outcome away",
    problem_types=tuple(_MEASURES),
    parameters=[
        Parameter("roc_auc", 0.97, "limit for binary outcomes", lowest=0.5, highest=1),
        Parameter("mutual_information", 0.95, "limit for classes, normalised", lowest=0, highest=1),
        Parameter("r_squared", 0.97, "limit for numbers", lowest=0, highest=1),
        Parameter("exempt", "", "columns that may: names separated by commas"),
        Parameter("rows", 5_000, "evaluation rows that are looked at", lowest=50, highest=1_000_000),
    ],
)
def single_feature(context: TestContext) -> Outcome:
    """Predict the outcome from each input by itself: none does it almost without error.

    By scikit-learn, a decision tree of depth 4 for numbers and a linear model of the values for words, fitted
    on two thirds of the evaluation rows and judged on the other third, three times. Missing values count as
    a value. A strong honest feature stays well below the limits; what is known only once the outcome is, such
    as the date of a cancellation, reaches them.
    """
    problem = context.problem_type
    measure, limit_name = _MEASURES[problem]
    limit, exempt = context.number(limit_name), set(_exempt(str(context.parameters["exempt"])))
    known, truth = truth_of(context.rows, problem)
    places = np.flatnonzero(known)
    wanted = int(context.number("rows"))
    if len(places) > wanted:
        places = np.sort(np.random.default_rng(_SEED).choice(places, wanted, replace=False))
    target = truth[places]
    if len(places) < _LEAST_ROWS or len(np.unique(target)) < 2:
        raise NotJudged(f"{_LEAST_ROWS} rows with more than one outcome are needed.")
    rows, found = context.rows.take(places), {}
    for name in context.version.columns:
        if name in rows.column_names and name not in exempt:
            found[name] = _strength(rows[name], target, problem)
    if not found:
        raise NotJudged("There is no input to look at.")
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    worst, strength = ranked[0]
    suspicious = [name for name, value in ranked if value > limit]
    sentence = (
        f"{_listed(suspicious)} alone predicts the outcome with {measure} {strength:.3f}: it may know it."
        if suspicious
        else f"The strongest single feature is {worst}, with {measure} {strength:.3f}."
    )
    return Outcome.judged(
        not suspicious,
        sentence,
        figure=strength,
        limit=limit,
        evidence={
            "facts": {"rows": len(places), "measure": measure},
            "columns": ["feature", measure, ""],
            "rows": [[name, value, "suspicious" if value > limit else ""] for name, value in ranked[:_SHOWN]],
        },
    )


def _strength(column: pa.ChunkedArray, target: NDArray[np.generic], problem: ProblemType) -> float:
    """Return how well a column by itself predicts rows that were not looked at."""
    from sklearn import config_context, metrics
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

    values = _numbers(column, len(target))
    if problem == ProblemType.REGRESSION:
        folds: Any = KFold(_FOLDS, shuffle=True, random_state=_SEED)
    else:
        _, counts = np.unique(target, return_counts=True)
        kind = StratifiedKFold if counts.min() >= _FOLDS else KFold
        folds = kind(_FOLDS, shuffle=True, random_state=_SEED)
    method = "predict_proba" if problem == ProblemType.BINARY else "predict"
    with config_context(skip_parameter_validation=True, assume_finite=False):
        predicted = cross_val_predict(_model(column, problem), values, target, cv=folds, method=method)
    if problem == ProblemType.BINARY:
        return float(metrics.roc_auc_score(target, predicted[:, 1]))
    if problem == ProblemType.REGRESSION:
        return float(metrics.r2_score(target, predicted))
    return float(metrics.normalized_mutual_info_score(target, predicted))


def _model(column: pa.ChunkedArray, problem: ProblemType) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    is_regression = problem == ProblemType.REGRESSION
    if _is_ordered(column.type):
        kind = DecisionTreeRegressor if is_regression else DecisionTreeClassifier
        return kind(max_depth=4, min_samples_leaf=5, random_state=_SEED)
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_WORDS)
    return make_pipeline(encoder, Ridge() if is_regression else LogisticRegression(C=100.0, max_iter=200))


def _is_ordered(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_temporal(kind)
        or types.is_decimal(kind)
    )


def _numbers(column: pa.ChunkedArray, rows: int) -> NDArray[np.generic]:
    """Return a column as scikit-learn's trees take it, shape ``(rows, 1)``: nan where it is missing."""
    kind = column.type
    if not _is_ordered(kind):
        words = np.asarray(pc.fill_null(pc.cast(column, pa.string()), "").to_pylist(), dtype=object)
        column_of_words: NDArray[np.generic] = words.reshape(rows, 1)
        return column_of_words
    if pa.types.is_temporal(kind):
        column = pc.cast(column, pa.timestamp("us", tz=getattr(kind, "tz", None))).cast(pa.int64())
    values: NDArray[np.float64] = pc.cast(column, pa.float64()).to_numpy().astype(np.float64, copy=True)
    values[~np.isfinite(values)] = np.nan
    return values.reshape(rows, 1)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"
