"""Every performance metric of two versions on the same raw rows, once or for many weightings of the rows.

The values are those of scikit-learn on the rows, and those of `mlops_core.statistics` before anything is
counted into cells; nan where a metric is undefined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.analysis.ranked_scores import RANK_METRICS, RankedScores
from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.outcomes import ProblemType
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = [
    "LABEL_METRICS",
    "Answers",
    "Cells",
    "Family",
    "PairedRows",
    "family_of",
    "means_of",
    "metrics_of",
    "ranks_of",
    "values_of",
]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

Family: TypeAlias = Literal["rank", "mean", "label"]
"""What a metric rests on: the order of scores, means of what each row adds, or counts of labels."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one version says of each row.

    Attributes
    ----------
    labels
        Shape ``(n,)``: the number of the predicted class; binary 0 or 1; None for a regression.
    numbers
        Shape ``(n,)``: binary the probability of 1, regression the predicted number; None for labels alone.
    """

    labels: _Ints | None
    numbers: _Floats | None

    def take(self, rows: _Ints) -> "Answers":
        """Return the answers for some rows."""
        return Answers(
            None if self.labels is None else self.labels[rows],
            None if self.numbers is None else self.numbers[rows],
        )


@dataclass(frozen=True, slots=True)
class PairedRows:
    """Outcomes, and what both versions say of them.

    Attributes
    ----------
    outcomes
        Shape ``(n,)``: 0 or 1, the number of the class, or for a regression the number itself.
    classes
        How many classes there are: 2 for binary, 0 for a regression.
    """

    problem: ProblemType
    outcomes: _Floats
    challenger: Answers
    champion: Answers
    classes: int

    def __len__(self) -> int:
        return len(self.outcomes)

    def take(self, rows: _Ints) -> "PairedRows":
        """Return some of the rows."""
        return PairedRows(
            self.problem,
            self.outcomes[rows],
            self.challenger.take(rows),
            self.champion.take(rows),
            self.classes,
        )


def metrics_of(rows: PairedRows) -> list[str]:
    """Return the metrics of the problem that both versions' answers allow, in the registry's order."""
    scored = rows.challenger.numbers is not None and rows.champion.numbers is not None
    return [
        name
        for name, found in PERFORMANCE_STATISTICS.items()
        if rows.problem in found.problem_types and (scored or family_of(name) == "label")
    ]


def family_of(metric: str) -> Family:
    """Return what a metric rests on.

    Raises
    ------
    InvalidInput
        If no rule for it is known here.
    """
    if metric in RANK_METRICS:
        return "rank"
    if metric in _MEANS:
        return "mean"
    if metric in LABEL_METRICS:
        return "label"
    raise InvalidInput(f"metric '{metric}' cannot be compared row by row: add it to paired_metrics.py")


def values_of(rows: PairedRows, metrics: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the value of each metric for the challenger and the champion; nan where it is undefined."""
    found: dict[str, tuple[float, float]] = {}
    once = np.ones((1, len(rows)), np.int32)
    for family, measure in (("rank", ranks_of), ("mean", means_of), ("label", labels_of)):
        names = [name for name in metrics if family_of(name) == family]
        if names and len(rows):
            values = measure(rows, names)(once)[0]
            found |= {
                name: (float(pair[0]), float(pair[1])) for name, pair in zip(names, values, strict=True)
            }
    return {name: found.get(name, (np.nan, np.nan)) for name in metrics}


Measure: TypeAlias = Callable[[NDArray[np.int32]], _Floats]
"""Takes how often each row counts, ``(b, n)``, and returns values ``(b, metrics, 2)``, challenger first."""


def ranks_of(rows: PairedRows, metrics: Sequence[str]) -> Measure:
    """Prepare metrics of the order of scores."""
    positive = rows.outcomes == 1.0
    ranked = [RankedScores(_numbers(answers), positive) for answers in (rows.challenger, rows.champion)]

    def measure(weights: NDArray[np.int32]) -> _Floats:
        return np.stack([scores.measure(weights, metrics) for scores in ranked], axis=-1)

    return measure


def means_of(rows: PairedRows, metrics: Sequence[str]) -> Measure:
    """Prepare metrics that are functions of sums over the rows."""
    columns: list[_Floats] = []
    slots = []
    for name in metrics:
        make, value = _MEANS[name]
        for answers in (rows.challenger, rows.champion):
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # what is too large to compute with is undefined
                made = make(rows.outcomes, _numbers(answers))
            slots.append((len(columns), len(columns) + len(made), value))
            columns.extend(made)
    matrix = np.stack(columns, axis=1)

    def measure(weights: NDArray[np.int32]) -> _Floats:
        as_floats = weights.astype(np.float64)
        with np.errstate(all="ignore"):
            sums, totals = as_floats @ matrix, as_floats.sum(axis=1)
            values = [value(sums[:, first:end], totals) for first, end, value in slots]
        return np.stack(values, axis=-1).reshape(len(weights), len(metrics), 2)

    return measure


def labels_of(rows: PairedRows, metrics: Sequence[str]) -> Measure:
    """Prepare metrics of labels; `Cells` does so for fewer numbers than there are rows."""
    cells = Cells(rows)

    def measure(weights: NDArray[np.int32]) -> _Floats:
        counts = np.stack([np.bincount(cells.places, row, len(cells.counts)) for row in weights])
        return cells.measure(counts, metrics)

    return measure


class Cells:
    """How often each combination of outcome, challenger's label and champion's label occurs.

    Attributes
    ----------
    counts
        Shape ``(c,)``: rows of each combination that occurs.
    places
        Shape ``(n,)``: the combination of each row.
    """

    def __init__(self, rows: PairedRows) -> None:
        size = rows.classes
        outcomes = rows.outcomes.astype(np.int64)
        keys = (outcomes * size + _labels(rows.challenger)) * size + _labels(rows.champion)
        found, self.places, self.counts = np.unique(keys, return_inverse=True, return_counts=True)
        outcome, rest = np.divmod(found, size * size)
        self._labels = np.divmod(rest, size)
        self._outcome, self._classes = outcome, np.arange(size)
        self._binary = rows.problem == "binary"

    def measure(self, counts: _Ints, metrics: Sequence[str]) -> _Floats:
        """Return values ``(b, metrics, 2)`` for counts of the combinations, ``(b, c)``."""
        weights = counts.astype(np.float64)
        occurred = weights @ self._indicator(self._outcome)
        values = []
        for labels in self._labels:
            says = self._indicator(labels)
            right = (weights * (self._outcome == labels)) @ says
            tally = _Tally(right, weights @ says, occurred)
            rules = _BINARY if self._binary else LABEL_METRICS
            with np.errstate(divide="ignore", invalid="ignore"):
                values.append(np.stack([rules[name](tally) for name in metrics], axis=1))
        return np.stack(values, axis=-1)

    def _indicator(self, labels: _Ints) -> _Floats:
        return np.asarray(labels[:, None] == self._classes, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Tally:
    """Rows by class, each of shape ``(b, classes)``: rightly predicted, predicted, occurred."""

    right: _Floats
    predicted: _Floats
    occurred: _Floats


def _accuracy(tally: _Tally) -> _Floats:
    found: _Floats = tally.right.sum(axis=1) / tally.occurred.sum(axis=1)
    return found


def _average(
    part: Literal["precision", "recall", "f1"], weights: Literal["macro", "weighted", "occurring"]
) -> "Callable[[_Tally], _Floats]":
    """Return the mean over the classes that occurred or were predicted; a quotient by nothing counts as 0."""

    def value(tally: _Tally) -> _Floats:
        whole = {
            "precision": tally.predicted,
            "recall": tally.occurred,
            "f1": (tally.predicted + tally.occurred) / 2,
        }[part]
        each = np.divide(tally.right, whole, out=np.zeros_like(whole), where=whole > 0)
        if weights == "weighted":
            weight = tally.occurred
        else:
            present = tally.occurred if weights == "occurring" else tally.occurred + tally.predicted
            weight = (present > 0).astype(np.float64)
        found: _Floats = np.asarray((weight * each).sum(axis=1) / weight.sum(axis=1), dtype=np.float64)
        return found

    return value


_BINARY: Final[dict[str, Callable[[_Tally], _Floats]]] = {
    "accuracy": _accuracy,
    "precision": lambda tally: tally.right[:, 1] / tally.predicted[:, 1],
    "recall": lambda tally: tally.right[:, 1] / tally.occurred[:, 1],
    "specificity": lambda tally: tally.right[:, 0] / tally.occurred[:, 0],
    "f1": lambda tally: 2 * tally.right[:, 1] / (tally.predicted[:, 1] + tally.occurred[:, 1]),
}
_MULTICLASS: Final[dict[str, Callable[[_Tally], _Floats]]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _average("recall", "occurring"),
    **{
        f"{part}_{weights}": _average(part, weights)
        for part in ("precision", "recall", "f1")
        for weights in ("macro", "weighted")
    },
}
LABEL_METRICS: Final = {**_BINARY, **_MULTICLASS}
"""Metrics of labels alone, by name."""


def _log_loss(outcomes: _Floats, scores: _Floats) -> list[_Floats]:
    small = np.finfo(np.float64).eps  # as scikit-learn: a certain and wrong score costs 36, not infinity
    given = np.clip(np.where(outcomes == 1.0, scores, 1.0 - scores), small, 1.0 - small)
    return [-np.log(given)]


def _absolute_percentage_error(outcomes: _Floats, numbers: _Floats) -> list[_Floats]:
    return [np.abs(numbers - outcomes) / np.maximum(np.abs(outcomes), np.finfo(np.float64).eps)]


def _errors_and_spread(outcomes: _Floats, numbers: _Floats) -> list[_Floats]:
    apart = outcomes - outcomes.mean()
    return [np.square(numbers - outcomes), apart, np.square(apart), np.abs(outcomes)]


def _mean(sums: _Floats, totals: _Floats) -> _Floats:
    found: _Floats = sums[:, 0] / totals
    return found


def _root_of_mean(sums: _Floats, totals: _Floats) -> _Floats:
    found: _Floats = np.sqrt(sums[:, 0] / totals)
    return found


def _explained(sums: _Floats, totals: _Floats) -> _Floats:
    errors, apart, squares, sizes = sums.T
    spread = squares - np.square(apart) / totals
    constant = spread <= totals * np.square(1e-12 * sizes / totals)
    return np.where(constant, np.nan, 1.0 - errors / spread)


_Columns: TypeAlias = Callable[[_Floats, _Floats], list[_Floats]]
_MEANS: Final[dict[str, tuple[_Columns, Callable[[_Floats, _Floats], _Floats]]]] = {
    "log_loss": (_log_loss, _mean),
    "brier": (lambda outcomes, scores: [np.square(scores - outcomes)], _mean),
    "mae": (lambda outcomes, numbers: [np.abs(numbers - outcomes)], _mean),
    "rmse": (lambda outcomes, numbers: [np.square(numbers - outcomes)], _root_of_mean),
    "mape": (_absolute_percentage_error, _mean),
    "r_squared": (_errors_and_spread, _explained),
}


def _numbers(answers: Answers) -> _Floats:
    if answers.numbers is None:
        raise InvalidInput("labels alone have no scores: choose a metric of labels, such as accuracy")
    return answers.numbers


def _labels(answers: Answers) -> _Ints:
    if answers.labels is None:
        raise InvalidInput("predicted numbers have no labels: choose a metric of numbers, such as rmse")
    return answers.labels
