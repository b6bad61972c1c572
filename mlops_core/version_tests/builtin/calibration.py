"""Whether predictions can be taken at their word: shares as often as said, amounts right on average."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.states import ProblemType
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.known_rows import KnownRows
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["calibration"]

_DRAWS: Final = 2_000
_SEED: Final = 2_017
_BY_CHANCE: Final = 0.95


@version_test(
    "calibration",
    title="Predictions mean what they say",
    problem_types=(ProblemType.BINARY, ProblemType.MULTICLASS, ProblemType.REGRESSION),
    parameters=[
        Parameter(
            "error", 0.05, "limit of the expected calibration error of probabilities", lowest=0, highest=1
        ),
        Parameter(
            "mean_error",
            0.2,
            "limit of a tenth's mean error, in standard deviations of the outcome",
            lowest=0,
        ),
        Parameter("bins", 10, "groups of like prediction", lowest=2, highest=100),
    ],
)
def calibration(context: TestContext) -> Outcome:
    """Group rows of like prediction: what came true is, on average, what was predicted.

    Probabilities by the expected calibration error over groups of equally many rows (Naeini et al., 2015), of
    several classes by that of the predicted one. Numbers by the largest mean error of a group. It fails when
    that is above the limit and also above what 95 of 100 perfectly calibrated models would show on so many
    rows (simulated, normal within groups): few rows alone do not fail a version.
    """
    known, bins = context.known, int(context.number("bins"))
    if (known.truth == known.truth[0]).all():
        raise NotJudged("Every outcome is the same.")
    if known.problem == ProblemType.REGRESSION:
        return _numbers_judged(known, bins, context.number("mean_error"))
    return _shares_judged(known, bins, context.number("error"))


def _shares_judged(known: KnownRows, bins: int, limit: float) -> Outcome:
    predicted, came_true = _confidence(known)
    groups = _groups(predicted, bins)
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    means = np.array([predicted[group].mean() for group in groups])
    observed = np.array([came_true[group].mean() for group in groups])
    variances = np.array([(predicted[group] * (1 - predicted[group])).sum() for group in groups]) / sizes**2
    figure = float(sizes @ np.abs(means - observed)) / len(predicted)
    chance = float(np.quantile(_draws(np.sqrt(variances)) @ sizes / len(predicted), _BY_CHANCE))
    passed = figure <= max(limit, chance)
    return Outcome.judged(
        passed,
        f"Probabilities are off by {figure:.3f} on average{_said(figure, limit, chance, passed)}.",
        figure=figure,
        limit=limit,
        evidence=_evidence(means, observed, sizes, chance, ("mean probability", "share that came true")),
    )


def _numbers_judged(known: KnownRows, bins: int, limit: float) -> Outcome:
    truth, predicted = known.numbers()
    spread = float(truth.std())
    groups = _groups(predicted, bins)
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    means = np.array([predicted[group].mean() for group in groups])
    observed = np.array([truth[group].mean() for group in groups])
    errors = truth - predicted
    variances = np.array([errors[group].var() for group in groups]) / np.maximum(sizes - 1.0, 1.0)
    figure = float(np.abs(means - observed).max()) / spread
    chance = float(np.quantile(_draws(np.sqrt(variances)).max(axis=1), _BY_CHANCE)) / spread
    passed = figure <= max(limit, chance)
    return Outcome.judged(
        passed,
        f"The worst tenth of predictions is off by {figure:.3f} standard deviations of the outcome on average"
        f"{_said(figure, limit, chance, passed)}.",
        figure=figure,
        limit=limit,
        evidence=_evidence(means, observed, sizes, chance, ("mean prediction", "mean outcome")),
    )


def _confidence(known: KnownRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each row's probability, and whether what it is the probability of came true."""
    if known.problem == ProblemType.BINARY:
        if not known.is_score:
            raise NotJudged("It predicts labels without probabilities.")
        truth, score = known.numbers()
        return score, truth
    if known.probabilities is None or known.classes is None:
        raise NotJudged("It predicts labels without probabilities.")
    classes = np.asarray(known.classes, dtype=np.str_)
    chosen = known.probabilities.argmax(axis=1)
    right = classes[chosen] == known.truth.astype(np.str_)
    return known.probabilities[np.arange(len(chosen)), chosen], right.astype(np.float64)


def _groups(predicted: NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    """Return the rows of each group: of about equally many rows, and never parting equal predictions."""
    edges = np.quantile(predicted, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    places = np.searchsorted(np.unique(edges), predicted, side="left")
    return [np.flatnonzero(places == place) for place in np.unique(places)]


def _draws(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much perfectly calibrated groups are off by chance, shape ``(draws, groups)``."""
    return np.abs(np.random.default_rng(_SEED).standard_normal((_DRAWS, len(errors))) * errors)


def _said(figure: float, limit: float, chance: float, passed: bool) -> str:
    if figure <= limit:
        return ""
    if passed:
        return f", no more than chance explains on so few rows ({chance:.3f})"
    return f"; at most {limit:g} is allowed, and chance explains {chance:.3f}"


def _evidence(
    means: NDArray[np.float64],
    observed: NDArray[np.float64],
    sizes: NDArray[np.float64],
    chance: float,
    titles: Sequence[str],
) -> dict[str, object]:
    return {
        "facts": {"by chance alone (95 of 100)": chance, "rows": int(sizes.sum())},
        "points": {
            "x": means,
            "y": observed,
            "rows": sizes.astype(np.int64),
            "x_title": titles[0],
            "y_title": titles[1],
        },
    }
