"""Which problem a target and its predictions pose, when nobody says it."""

from dataclasses import dataclass
from typing import Final

from mlops_core.analysis.label_columns import LabelColumn
from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices.outcomes import ProblemType

__all__ = ["Problem", "problem_of"]

_POSITIVE: Final = {"1": "0", "true": "false", "yes": "no"}
_FEW: Final = 20
_LARGE: Final = 1e6  # no class is numbered like this


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be measured.

    Attributes
    ----------
    type
        The problem type.
    guessed
        Why it was taken for that; None if it was given.
    positive
        Binary: the target's label that counts as outcome 1.
    prediction, score
        Which columns hold the predicted label (or number) and the probability.
    """

    type: ProblemType
    guessed: str | None
    positive: str | None
    prediction: str | None
    score: str | None


def problem_of(
    target: LabelColumn,
    prediction: LabelColumn | None,
    score: LabelColumn | None,
    given: ProblemType | None,
    positive: str | None,
) -> Problem:
    """Decide on the problem type, the positive label and what the columns are.

    Raises
    ------
    InvalidInput
        If the columns do not fit the problem, or the positive label cannot be told.
    """
    if not target.labels:
        raise InvalidInput(f"column {target.name!r} holds no value: evaluate once outcomes have arrived")
    kind, guessed = (given, None) if given is not None else _guess(target, prediction, score)
    if kind != "binary":
        if score is not None:
            raise InvalidInput(f"a {kind} problem has no score: leave column {score.name!r} out")
        if prediction is None:
            raise InvalidInput(f"a {kind} problem needs predictions: name their column")
        _check_types(kind, target, prediction)
        return Problem(kind, guessed, None, prediction.name, None)
    label = _positive(target, positive)
    known = target.labels | {label}
    if score is None and prediction is not None and prediction.numeric and not prediction.labels <= known:
        return Problem(kind, guessed, label, None, prediction.name)
    if prediction is not None and len(known) == 2 and not prediction.labels <= known:
        strange = sorted(prediction.labels - known)[0]
        raise SchemaMismatch(
            f"column {prediction.name!r} holds {strange!r}, which column {target.name!r} does not "
            f"({_listed(target.labels)}): encode both alike"
        )
    name = None if prediction is None else prediction.name
    return Problem(kind, guessed, label, name, None if score is None else score.name)


def _guess(
    target: LabelColumn, prediction: LabelColumn | None, score: LabelColumn | None
) -> tuple[ProblemType, str]:
    if score is not None:
        return "binary", f"column {score.name!r} is a score"
    if prediction is None:
        raise InvalidInput("there is nothing to compare with the target: name a prediction or a score column")
    numbers = target.numeric and prediction.numeric
    if numbers and not (target.integral and max(abs(target.lowest), abs(target.highest)) < _LARGE):
        return "regression", f"columns {target.name!r} and {prediction.name!r} hold numbers"
    probability = prediction.numeric and prediction.lowest >= 0.0 and prediction.highest <= 1.0
    if len(target.labels) <= 2 and (probability or len(target.labels | prediction.labels) <= 2):
        return "binary", f"column {target.name!r} holds {_listed(target.labels)}"
    if numbers and not (target.integral and prediction.integral and len(target.labels) <= _FEW):
        return "regression", f"columns {target.name!r} and {prediction.name!r} hold numbers"
    many = "more than 1,000" if len(target.labels) > 1_000 else f"{len(target.labels):,}"
    return "multiclass", f"column {target.name!r} holds {many} labels"


def _check_types(kind: str, target: LabelColumn, prediction: LabelColumn) -> None:
    for column in (target, prediction):
        if kind == "regression" and not column.numeric:
            raise SchemaMismatch(
                f"column {column.name!r} holds {column.type}, not numbers: cast it, or choose multiclass"
            )
    if target.numeric != prediction.numeric:
        raise SchemaMismatch(
            f"column {target.name!r} holds {target.type} and column {prediction.name!r} {prediction.type}: "
            "give both the same labels"
        )


def _positive(target: LabelColumn, given: str | None) -> str:
    if len(target.labels) > 2:
        raise InvalidInput(
            f"column {target.name!r} holds {_listed(target.labels)}, a binary target has two labels: "
            "choose another problem"
        )
    if given is not None:
        label = {"true": "1", "false": "0"}.get(given.lower(), given) if target.numeric else given
        if label not in target.labels and len(target.labels) == 2:
            raise InvalidInput(
                f"column {target.name!r} has no label {given!r}: it holds {_listed(target.labels)}"
            )
        return label
    found = [label for label in target.labels if label.lower() in _POSITIVE]
    if len(found) == 1:
        return found[0]
    if len(target.labels) == 1:
        (only,) = target.labels
        for positive, negative in _POSITIVE.items():
            if only.lower() == negative:
                return positive
    raise InvalidInput(
        f"column {target.name!r} holds {_listed(target.labels)}: say which label is the positive one "
        "(--positive LABEL)"
    )


def _listed(labels: set[str]) -> str:
    shown = ", ".join(repr(label) for label in sorted(labels)[:5])
    return f"{shown} and more" if len(labels) > 5 else shown
