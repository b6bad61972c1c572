"""The Python client of a serving console: log what a model did, and work with the registry.

with Client("http://127.0.0.1:8501") as console:
    console.log_predictions("churn-risk", frame)
    version = console.register("churn-risk", estimator, columns=columns, training=rows, evaluation=cases)
    console.wait(console.test("churn-risk", version.number, compare=True))
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from mlops_core.registry_calls import Data, RegistryCalls
from mlops_core.rows import Rows, table_of

__all__ = ["Client", "Data", "Receipt", "Rows"]

_ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"


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


class Client(RegistryCalls):
    """Speaks to a console over HTTP.

    What gets no answer is sent again, with growing pauses, where nothing can be done twice by that: every
    prediction has its id, and what is only read changes nothing.
    """

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

    def _send(self, path: str, rows: Rows, parameters: Mapping[str, int]) -> Receipt:
        return Receipt(
            self._call(
                "POST",
                path,
                safe_to_repeat=True,
                content=_stream(table_of(rows)),
                params=parameters,
                headers={"content-type": _ARROW_STREAM},
            )
        )


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata())
    body: bytes = sink.getvalue().to_pybytes()
    return body
