"""How an estimator is asked: as it was trained, with a frame of its columns in order."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlops_core.domain.states import ProblemType

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Answer", "BadAnswer", "answer", "rows_frame", "time_requests"]

_SHARE_OF_TIME: Final = 0.7


class BadAnswer(Exception):
    """What the estimator returned are no predictions for these rows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an estimator says of some rows.

    Attributes
    ----------
    prediction
        The probability of 1 (binary, where there are probabilities), the label, or the number; one a row.
    probabilities
        Of each class (rows, classes), of a multiclass estimator that has them.
    classes
        Their names.
    """

    prediction: npt.NDArray[Any]
    probabilities: npt.NDArray[Any] | None = None
    score: npt.NDArray[Any] | None = None
    classes: list[str] | None = None

    def encoded(self) -> pa.Buffer:
        """Return an Arrow stream with a column each."""
        columns: dict[str, Any] = {"prediction": pa.array(self.prediction)}
        if self.score is not None and self.probabilities is not None:
            columns["score"] = pa.array(self.score)
            flat = pa.array(np.ascontiguousarray(self.probabilities).ravel())
            columns["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, self.probabilities.shape[1])
        table = pa.table(columns)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue()


def rows_frame(body: Any) -> "pd.DataFrame":
    """Return the frame that is in an Arrow stream."""
    with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
        frame: pd.DataFrame = stream.read_all().to_pandas(use_threads=False)
    return frame


def answer(estimator: Any, problem_type: str, frame: "pd.DataFrame") -> Answer:
    """Ask an estimator.

    Raises
    ------
    BadAnswer
        Not one prediction a row, or not the probabilities of two classes of a binary model.
    Exception
        Whatever the estimator raises.
    """
    if problem_type == ProblemType.BINARY and hasattr(estimator, "predict_proba"):
        both = np.asarray(estimator.predict_proba(frame))
        if both.shape != (len(frame), 2):
            raise BadAnswer(f"predict_proba returned the shape {both.shape}, not ({len(frame)}, 2)")
        return Answer(both[:, 1])
    labels = np.asarray(estimator.predict(frame))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (len(frame),):
        raise BadAnswer(f"predict returned the shape {labels.shape}, not ({len(frame)},)")
    if labels.dtype.kind not in "biufUO":
        raise BadAnswer(f"predict returned {labels.dtype}: numbers or labels were expected")
    if problem_type != ProblemType.MULTICLASS or not hasattr(estimator, "predict_proba"):
        return Answer(labels)
    probabilities = np.asarray(estimator.predict_proba(frame))
    classes = np.asarray(estimator.classes_)
    if probabilities.shape != (len(frame), len(classes)):
        raise BadAnswer(f"predict_proba returned the shape {probabilities.shape}")
    place = {label: number for number, label in enumerate(classes.tolist())}
    chosen = np.fromiter((place[label] for label in labels.tolist()), dtype=np.intp, count=len(labels))
    score = probabilities[np.arange(len(labels)), chosen]
    return Answer(labels, probabilities, score, [str(one) for one in classes.tolist()])


def time_requests(
    estimator: Any,
    problem_type: str,
    frame: "pd.DataFrame",
    *,
    request_rows: int,
    requests: int,
    seconds: float,
) -> npt.NDArray[np.float64]:
    """Return how long each of some requests took, in milliseconds.

    Each scores the next `request_rows` rows, from the beginning again after the last. One more, which is not
    counted, goes first. It stops early after 0.7 of `seconds`.
    """
    places = np.arange(request_rows)
    took = []
    end = time.perf_counter() + _SHARE_OF_TIME * seconds
    for number in range(-1, requests):
        if number > 0 and time.perf_counter() > end:
            break
        request = frame.iloc[(places + max(number, 0) * request_rows) % len(frame)]
        began = time.perf_counter()
        answer(estimator, problem_type, request)
        took.append(time.perf_counter() - began)
    return 1_000 * np.asarray(took[1:])
