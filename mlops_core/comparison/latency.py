"""Response times of two versions on the same requests, asked in turns so that a busy machine hits both."""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from mlops_core.comparison.report import Latency
from mlops_core.domain import ModelVersion
from mlops_core.scoring import open_model
from mlops_core.workspace import Workspace

__all__ = ["time_both"]

_ROUNDS: Final = 10
_REQUESTS: Final = 20
_REQUEST_ROWS: Final = 1
_ROWS: Final = 200
_SECONDS: Final = 20.0


def time_both(
    workspace: Workspace,
    challenger: ModelVersion,
    champion: ModelVersion,
    rows: pa.Table,
    *,
    heard: Callable[[], None],
) -> Latency:
    """Time up to 200 requests of one row to each version, in ten rounds; who is asked first alternates.

    Parameters
    ----------
    rows
        Of the evaluation snapshot; the first 200 are sent.
    heard
        Called before each round; raises to stop.

    Raises
    ------
    ScoringError
        One of its kinds, when a version cannot be asked or does not answer.
    """
    sent = rows.slice(0, _ROWS)
    took: list[list[float]] = [[], []]
    until = time.monotonic() + _SECONDS
    with open_model(workspace, challenger) as mine, open_model(workspace, champion) as theirs:
        asked = [mine, theirs]
        for number in range(_ROUNDS):
            heard()
            for place in (0, 1) if number % 2 else (1, 0):
                took[place].extend(asked[place].time_requests(sent, _REQUEST_ROWS, _REQUESTS).tolist())
            if time.monotonic() > until:
                break
    fast, slow = np.quantile(took[0], [0.5, 0.95]), np.quantile(took[1], [0.5, 0.95])
    return Latency(
        challenger_p50=float(fast[0]),
        challenger_p95=float(fast[1]),
        champion_p50=float(slow[0]),
        champion_p95=float(slow[1]),
        request_rows=_REQUEST_ROWS,
        requests=min(len(took[0]), len(took[1])),
    )
