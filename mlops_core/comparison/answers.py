"""Outcomes and what two versions say of them, as arrays that pair up row by row."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.analysis.label_columns import class_labels
from mlops_core.analysis.paired_metrics import Answers, PairedRows
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.registry.columns import OUTCOME
from mlops_core.scoring import Predictions
from mlops_core.slices.arrow_columns import categories_of

__all__ = ["PairedSnapshot", "pair_answers"]

_Floats = NDArray[np.float64]
_Texts = NDArray[np.str_]

_THRESHOLD: Final = 0.5
_EXACT: Final = 2.0**53


@dataclass(frozen=True, slots=True)
class PairedSnapshot:
    """The rows on which two versions are measured.

    Attributes
    ----------
    table
        The snapshot's rows that have an outcome and an answer of both, in its order.
    rows
        The same rows as arrays.
    classes
        The names of the classes; empty for a regression.
    confidence
        Multiclass: the probability that the challenger and the champion gave to their label, None each
        where a version has none.
    notes
        Which rows were left out, and why.
    """

    table: pa.Table
    rows: PairedRows
    classes: tuple[str, ...]
    confidence: tuple[_Floats | None, _Floats | None]
    notes: tuple[str, ...]


def pair_answers(
    problem: ProblemType,
    table: pa.Table,
    challenger: tuple[str, Predictions],
    champion: tuple[str, Predictions],
) -> PairedSnapshot:
    """Pair two versions' predictions for the rows of a snapshot with their outcomes.

    A score of at least 0.5 counts as a predicted 1. Rows without an outcome are left out, and those for
    which the champion has no answer: that can hide only what speaks for the challenger. A challenger has to
    answer every row.

    Parameters
    ----------
    challenger, champion
        What each is called, like `churn:3`, and what it predicts.

    Raises
    ------
    InvalidInput
        If there is no outcome or no row is left, the challenger lacks an answer, or a probability lies
        outside 0 to 1; the message says where.
    """
    if OUTCOME not in table.column_names:
        raise InvalidInput(
            f"the evaluation snapshot has no column '{OUTCOME}': store the rows with what came true"
        )
    known, outcomes = _outcomes(problem, table[OUTCOME])
    answered = []
    for name, predictions in (challenger, champion):
        if len(predictions.prediction) != table.num_rows:
            raise InvalidInput(
                f"{name} has {len(predictions.prediction):,} predictions for {table.num_rows:,} rows: "
                "score it anew"
            )
        answered.append(_answers(problem, name, predictions))
    _check_answered(challenger[0], answered[0].here & known, known)
    here = known & answered[1].here
    if not here.any():
        lacking = f"{champion[0]} answers none of the rows" if known.any() else "no row has an outcome"
        raise InvalidInput(f"there is nothing to compare on: {lacking}. Choose another evaluation snapshot")
    notes = []
    if not known.all():
        notes.append(f"{_rows(~known)} without an outcome left out")
    if (known & ~here).any():
        notes.append(f"{_rows(known & ~here)} for which {champion[0]} has no answer left out")
    places = np.flatnonzero(here)
    chosen = table if len(places) == table.num_rows else table.take(pa.array(places))
    rows, classes = _paired(problem, outcomes[places], [one.take(places) for one in answered])
    for name, one in zip((challenger[0], champion[0]), answered, strict=True):
        if problem == ProblemType.BINARY and one.numbers is None:
            notes.append(f"{name} answers with labels alone: metrics of probabilities left out")
    confidence = tuple(None if one.confidence is None else one.confidence[places] for one in answered)
    return PairedSnapshot(chosen, rows, classes, (confidence[0], confidence[1]), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Said:
    here: NDArray[np.bool_]
    values: "_Floats | _Texts"
    numbers: _Floats | None
    confidence: _Floats | None = None

    def take(self, places: NDArray[np.int64]) -> "_Said":
        numbers = None if self.numbers is None else self.numbers[places]
        return _Said(self.here[places], self.values[places], numbers)


def _answers(problem: ProblemType, name: str, predictions: Predictions) -> _Said:
    what, given = f"the predictions of {name}", _as_arrow(predictions.prediction)
    if problem == ProblemType.MULTICLASS:
        here, texts = _texts_in(what, given)
        score = predictions.score
        confidence = None if score is None else np.asarray(score, dtype=np.float64)
        if confidence is not None and not np.isfinite(confidence[here]).all():
            confidence = None
        return _Said(here, texts, None, confidence)
    here, values = _numbers_in(what, given)
    if problem == ProblemType.REGRESSION:
        return _Said(here, values, values)
    is_label = bool(np.isin(values[here], (0.0, 1.0)).all())
    scores = None if is_label else values
    if predictions.score is not None and predictions.probabilities is None:
        has_score, scores = _numbers_in(f"the scores of {name}", _as_arrow(predictions.score))
        here = here & has_score
    if scores is not None:
        outside = scores[here & ((scores < 0.0) | (scores > 1.0))]
        if len(outside):
            raise InvalidInput(f"{name} predicts {outside[0]:g}, no probability: it must lie between 0 and 1")
        if not is_label:
            values = (scores >= _THRESHOLD).astype(np.float64)
    return _Said(here, values, scores)


def _paired(
    problem: ProblemType, outcomes: "_Floats | _Texts", said: list[_Said]
) -> tuple[PairedRows, tuple[str, ...]]:
    if problem == ProblemType.REGRESSION:
        first, second = (Answers(None, one.numbers) for one in said)
        return PairedRows("regression", outcomes.astype(np.float64), first, second, 0), ()
    if problem == ProblemType.BINARY:
        first, second = (Answers(one.values.astype(np.int64), one.numbers) for one in said)
        return PairedRows("binary", outcomes.astype(np.float64), first, second, 2), ("0", "1")
    classes, codes = np.unique(np.concatenate([outcomes, *(one.values for one in said)]), return_inverse=True)
    truth, mine, theirs = np.split(codes.astype(np.int64), 3)
    rows = PairedRows(
        "multiclass", truth.astype(np.float64), Answers(mine, None), Answers(theirs, None), len(classes)
    )
    return rows, tuple(str(one) for one in classes)


def _outcomes(problem: ProblemType, column: pa.ChunkedArray) -> tuple[NDArray[np.bool_], "_Floats | _Texts"]:
    """Return which rows hold an outcome, and all outcomes."""
    what = f"column '{OUTCOME}'"
    if problem == ProblemType.MULTICLASS:
        return _texts_in(what, column.combine_chunks())
    here, values = _numbers_in(what, column.combine_chunks())
    if problem == ProblemType.BINARY and not np.isin(values[here], (0.0, 1.0)).all():
        raise InvalidInput(f"{what} holds values beside 0 and 1, which a binary model cannot have")
    return here, values


def _texts_in(what: str, array: pa.Array) -> tuple[NDArray[np.bool_], _Texts]:
    """Return which rows hold a label, and all labels, empty where there is none."""
    categories = categories_of(class_labels(array, what), what)
    texts = np.asarray([*categories.texts.to_pylist(), ""], dtype=np.str_)
    return categories.codes < len(texts) - 1, texts[categories.codes]


def _numbers_in(what: str, array: pa.Array) -> tuple[NDArray[np.bool_], _Floats]:
    """Return which rows hold a finite number, and all numbers."""
    try:
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.uint8())
        values: _Floats = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(f"{what} holds {array.type}, where numbers are needed") from error
    return np.isfinite(values), values


def _as_arrow(values: NDArray[np.generic]) -> pa.Array:
    return pa.array(values.tolist() if values.dtype.kind == "O" else values)


def _check_answered(name: str, answered: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
    lacking, rows = np.flatnonzero(known & ~answered), int(known.sum())
    if len(lacking):
        raise InvalidInput(
            f"{name} has no answer (NaN, infinite or missing) for {len(lacking):,} of {rows:,} rows, first "
            f"for row {lacking[0] + 1}: a challenger must answer every row of the evaluation snapshot"
        )


def _rows(which: NDArray[np.bool_]) -> str:
    count = int(which.sum())
    return "1 row" if count == 1 else f"{count:,} rows"
