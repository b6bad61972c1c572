"""Whether a version is better than an answer that looks at no input."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.analysis.delong import delong
from mlops_core.domain.states import ProblemType
from mlops_core.registry.columns import OUTCOME
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import version_test
from mlops_core.version_tests.known_rows import KnownRows, truth_of
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["baseline"]

_ONE_SIDED: Final = 1.6448536269514722  # 95 % of a normal distribution lie below
_BALANCED: Final = ("balanced_accuracy", "f1_macro", "precision_macro", "recall_macro")
_ABSOLUTE: Final = ("mae", "mape")
_SMALLEST: Final = 1e-15


@dataclass(frozen=True, slots=True)
class _Gain:
    """How much better than the constant answer, with its standard error."""

    measure: str
    constant: str
    value: float
    error: float


@version_test(
    "baseline",
    title="Better than no model",
    problem_types=(ProblemType.BINARY, ProblemType.MULTICLASS, ProblemType.REGRESSION),
)
def baseline(context: TestContext) -> Outcome:
    """Compare it with scikit-learn's dummy, which knows the training outcomes and looks at no input.

    The dummy answers every row alike: the shares of the classes, the most frequent class, or the mean (the
    median where absolute errors count). Passed when the improvement on the same rows is above zero with 95 %
    confidence (one-sided, of paired differences, normal). A binary model that is not judged by log loss,
    Brier score or accuracy is held to an area under the ROC curve of 0.5, which is that of every constant,
    with the variance of DeLong et al. (1988).
    """
    known, metric = context.known, context.model.primary_metric or ""
    if (known.truth == known.truth[0]).all():
        raise NotJudged("Every outcome is the same.")
    if known.problem == ProblemType.REGRESSION:
        gain = _number_gain(known, _trained_on(context), metric)
    elif known.problem == ProblemType.BINARY and metric not in ("log_loss", "brier", "accuracy"):
        gain = _rank_gain(known)
    else:
        gain = _class_gain(known, _trained_on(context), metric)
    lower = gain.value - _ONE_SIDED * gain.error
    passed = bool(lower > 0.0)
    sentence = (
        f"It is better than a constant answer by {gain.value:.4g} in {gain.measure}, by {lower:.4g} at least."
        if passed
        else f"It is not shown to be better than a constant answer: {gain.value:+.4g} in {gain.measure}, "
        f"which may be {lower:+.4g} by chance."
    )
    facts = {
        "compared by": gain.measure,
        "constant answer": gain.constant,
        "improvement": gain.value,
        "lower bound (one-sided 95 %)": lower,
        "rows": len(known),
    }
    return Outcome.judged(passed, sentence, figure=lower, limit=0.0, evidence={"facts": facts})


def _trained_on(context: TestContext) -> NDArray[np.generic]:
    """Return the training outcomes; those of the evaluation where the training snapshot does not say."""
    try:
        known, truth = truth_of(context.training([OUTCOME]), context.problem_type)
        if known.any():
            return truth[known]
    except NotJudged:
        pass
    return context.known.truth


def _rank_gain(known: KnownRows) -> _Gain:
    truth, scores = known.numbers()
    areas = delong(truth == 1.0, scores, np.zeros(len(scores)))
    return _Gain("area under the ROC curve", "the same score for all", areas.difference, areas.standard_error)


def _number_gain(known: KnownRows, trained_on: NDArray[np.generic], metric: str) -> _Gain:
    from sklearn.dummy import DummyRegressor

    truth, predicted = known.numbers()
    absolute = metric in _ABSOLUTE
    dummy = DummyRegressor(strategy="median" if absolute else "mean")
    outcomes = trained_on.astype(np.float64)
    constant = float(dummy.fit(np.zeros((len(outcomes), 1)), outcomes).predict([[0.0]])[0])
    if absolute:
        gains = np.abs(truth - constant) - np.abs(truth - predicted)
    else:
        gains = (truth - constant) ** 2 - (truth - predicted) ** 2
    measure = "absolute error" if absolute else "squared error"
    return _mean_gain(measure, f"{dummy.strategy} {constant:.4g}", gains)


def _class_gain(known: KnownRows, trained_on: NDArray[np.generic], metric: str) -> _Gain:
    from sklearn.dummy import DummyClassifier

    truth, outcomes = known.truth.astype(np.str_), trained_on.astype(np.str_)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(outcomes), 1)), outcomes)
    classes, shares = dummy.classes_, dummy.class_prior_
    if metric in ("log_loss", "brier"):
        model, constant = _of_outcome(known, truth), _share_of(truth, classes, shares)
        if model is not None:
            if metric == "brier" and known.problem == ProblemType.BINARY:
                gains = (1.0 - constant) ** 2 - (1.0 - model) ** 2
                return _mean_gain("squared error of probabilities", _said(classes, shares), gains)
            gains = np.log(np.maximum(model, _SMALLEST)) - np.log(np.maximum(constant, _SMALLEST))
            return _mean_gain("log loss", _said(classes, shares), gains)
    frequent = classes[int(np.argmax(shares))]
    right = _labels(known) == truth
    gains = right.astype(np.float64) - (truth == frequent)
    if metric in _BALANCED:
        return _balanced_gain(gains, truth, str(frequent))
    return _mean_gain("accuracy", f"always {frequent}", gains)


def _labels(known: KnownRows) -> NDArray[np.generic]:
    if known.problem == ProblemType.BINARY:
        return np.where(known.prediction.astype(np.float64) >= 0.5, 1.0, 0.0).astype(np.str_)
    return known.prediction


def _of_outcome(known: KnownRows, truth: NDArray[np.generic]) -> NDArray[np.float64] | None:
    """Return the probability that the model gave to what came true, None where it gives none."""
    if known.problem == ProblemType.BINARY:
        actual, score = known.numbers()
        return np.where(actual == 1.0, score, 1.0 - score) if known.is_score else None
    if known.probabilities is None or known.classes is None:
        return None
    return _share_of(truth, np.asarray(known.classes, dtype=np.str_), known.probabilities)


def _share_of(
    truth: NDArray[np.generic], classes: NDArray[np.generic], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of each row's class; 0 for a class that is not there."""
    order = np.argsort(classes)
    places = np.minimum(np.searchsorted(classes[order], truth), len(classes) - 1)
    places = order[places]
    found = shares[places] if shares.ndim == 1 else shares[np.arange(len(truth)), places]
    return np.where(classes[places] == truth, found, 0.0)


def _said(classes: NDArray[np.generic], shares: NDArray[np.float64]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in zip(classes, shares, strict=True))


def _mean_gain(measure: str, constant: str, gains: NDArray[np.float64]) -> _Gain:
    rows = len(gains)
    error = float(gains.std(ddof=1)) / math.sqrt(rows) if rows > 1 else math.inf
    return _Gain(measure, constant, float(gains.mean()), error)


def _balanced_gain(gains: NDArray[np.float64], truth: NDArray[np.generic], frequent: str) -> _Gain:
    """Return the gain in the mean of the classes' recalls, whose rows are drawn class by class."""
    parts = [gains[truth == name] for name in np.unique(truth)]
    value = sum(float(part.mean()) for part in parts) / len(parts)
    variance = sum(float(part.var(ddof=1)) / len(part) if len(part) > 1 else 1.0 for part in parts)
    return _Gain("mean recall of the classes", f"always {frequent}", value, math.sqrt(variance) / len(parts))
