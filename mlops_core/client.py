"""The Python client of a serving console: log predictions and outcomes from a scoring service.

with Client("http://127.0.0.1:8501") as console:
    console.log_predictions("churn-risk", frame)
"""

import time
from collections.abc import Mapping, Sequence
from random import random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import httpx
import pyarrow as pa

from mlops_core.domain import errors
from mlops_core.domain.errors import BigboardError, InvalidInput, StoreError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Client", "Receipt", "Rows"]

Rows: TypeAlias = "pa.Table | pa.RecordBatch | pd.DataFrame | Sequence[Mapping[str, Any]]"
"""What can be logged: an Arrow table, a pandas DataFrame, or a list of dictionaries."""

_ARROW_STREAM = "application/vnd.apache.arrow.stream"
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_TRY_AGAIN = frozenset({502, 503, 504})


class Receipt(dict[str, int]):
    """What the console answered: `received`, `stored` and `duplicates` rows."""

    @property
    def received(self) -> int:
        """Return how many rows came."""
        return self["received"]

    @property
    def stored(self) -> int:
        """Return how many of them are new."""
        return self["stored"]

    @property
    def duplicates(self) -> int:
        """Return how many were there before, or came twice."""
        return self["duplicates"]


class Client:
    """Speaks to a console over HTTP.

    A batch that gets no answer is sent again, with growing pauses: because every prediction has its id,
    nothing is stored twice.

    Parameters
    ----------
    base_url
        Where the console is served.
    timeout
        Seconds to wait for an answer.
    attempts
        How often a batch is sent before the client gives up.
    """

    def __init__(
        self, base_url: str = "http://127.0.0.1:8501", *, timeout: float = 30.0, attempts: int = 6
    ) -> None:
        if attempts < 1:
            raise InvalidInput(f"{attempts} attempts send nothing: give at least one")
        self._attempts = attempts
        self._http = httpx.Client(base_url=base_url, timeout=timeout)

    def log_predictions(self, model: str, rows: Rows, version: int | None = None) -> Receipt:
        """Log predictions of a version, the champion by default.

        Parameters
        ----------
        rows
            See `mlops_core.monitoring.log_predictions`.

        Raises
        ------
        InvalidInput, NotFound, BigboardError
            As the console answered; nothing was stored.
        StoreError
            No console answered.
        """
        parameters = {} if version is None else {"version": version}
        return self._send(f"/api/v1/models/{model}/predictions", rows, parameters)

    def log_outcomes(self, model: str, rows: Rows) -> Receipt:
        """Log outcomes, as `mlops_core.monitoring.log_outcomes` takes them; raises like `log_predictions`."""
        return self._send(f"/api/v1/models/{model}/outcomes", rows, {})

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, path: str, rows: Rows, parameters: Mapping[str, int]) -> Receipt:
        body = _stream(_table(rows))
        failure: BigboardError | None = None
        for attempt in range(self._attempts):
            if attempt:
                pause = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
                time.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - so that clients do not come at once
            try:
                answer = self._http.post(
                    path, content=body, params=parameters, headers={"content-type": _ARROW_STREAM}
                )
            except httpx.TransportError as error:
                failure = StoreError(
                    f"the console at {self._http.base_url} does not answer ({error}): start it with "
                    "`bigboard serve`, or give its address"
                )
                continue
            if answer.is_success:
                return Receipt(answer.json())
            failure = _error_of(answer)
            if answer.status_code not in _TRY_AGAIN:
                break
        raise failure or BigboardError("nothing was sent")


def _table(rows: Rows) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    try:
        if isinstance(rows, Sequence):
            return pa.Table.from_pylist([dict(row) for row in rows])
        return pa.Table.from_pandas(rows, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"the rows cannot be sent ({error}): give an Arrow table, a DataFrame or a list of dictionaries"
        ) from error


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata())
    body: bytes = sink.getvalue().to_pybytes()
    return body


def _error_of(answer: httpx.Response) -> BigboardError:
    """Return the core's own error that an answer names."""
    try:
        told = answer.json()
        name, message = str(told["error"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        name, message = "", f"{answer.request.url} answered {answer.status_code}"
    if name not in errors.__all__:
        name = "InvalidInput" if answer.status_code in (413, 415, 422) else "BigboardError"
    kind: type[BigboardError] = getattr(errors, name)
    return kind(message)
