"""What a version says of some rows."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pyarrow as pa

__all__ = ["Predictions", "decode_predictions"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """A version's predictions, in the order of the rows.

    Attributes
    ----------
    prediction
        (rows,) what the model logs: the probability of 1 (binary, where there are probabilities), the label,
        or the number.
    score
        (rows,) the probability of the label in `prediction`, of a multiclass model that has probabilities.
    probabilities
        (rows, classes) of the same models; columns in the order of `classes`.
    classes
        The classes' names.
    seconds
        How long the estimator took, without the transport of rows and answers. 0 where the predictions were
        handed over with the version.
    """

    prediction: npt.NDArray[Any]
    score: npt.NDArray[Any] | None = None
    probabilities: npt.NDArray[Any] | None = None
    classes: tuple[str, ...] | None = None
    seconds: float = 0.0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.prediction)


def decode_predictions(body: Any, classes: tuple[str, ...] | None, seconds: float) -> Predictions:
    """Read predictions from an Arrow stream: `prediction`, and perhaps `score` and `probabilities`.

    Raises
    ------
    pa.ArrowException, KeyError
        It is no such stream.
    """
    with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
        table = stream.read_all()
    table.validate(full=True)
    has_score = "score" in table.column_names
    probabilities = None
    if "probabilities" in table.column_names and classes:
        flat = table["probabilities"].combine_chunks().flatten()
        probabilities = flat.to_numpy(zero_copy_only=False).reshape(table.num_rows, len(classes))
    return Predictions(
        prediction=table["prediction"].to_numpy(),
        score=table["score"].to_numpy() if has_score else None,
        probabilities=probabilities,
        classes=classes if probabilities is not None else None,
        seconds=seconds,
    )
