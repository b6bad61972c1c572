"""The process in which one test of a project runs; it asks the process that started it for data.

Run as a program with the number of its socket.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.scoring import Predictions
from mlops_core.scoring.confinement import die_with_parent
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.outcome import Outcome, plain

__all__ = ["QUESTIONS", "Wish", "main"]

QUESTIONS: Final = ("rows", "predictions", "training", "ask", "time_requests")
"""What the process may ask for: the methods of a source."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which test of which module is to be carried out on what; the context comes without its source."""

    named: str
    test: str
    context: TestContext


class _DistantSource:
    """The source of the process that started this one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self) -> pa.Table:
        return self._ask("rows")

    def predictions(self) -> Predictions:
        found: Predictions = self._ask("predictions")
        return found

    def training(self, columns: Sequence[str] | None) -> pa.Table:
        return self._ask("training", columns)

    def ask(self, rows: pa.Table, as_given: bool) -> Predictions:
        found: Predictions = self._ask("ask", rows, as_given)
        return found

    def time_requests(self, rows: pa.Table, request_rows: int, requests: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self._ask("time_requests", rows, request_rows, requests)
        return found

    def _ask(self, question: str, *arguments: object) -> Any:
        self._connection.send((question, *arguments))
        answered, found = self._connection.recv()
        if not answered:
            raise found
        return found


def main(descriptor: int) -> None:
    """Carry one test out and send what it found."""
    die_with_parent(os.getppid())
    with Connection(descriptor) as connection:
        wish = connection.recv()
        connection.send(("outcome", _outcome(wish, connection)))


def _outcome(wish: Wish, connection: Connection) -> Outcome:
    from mlops_core.version_tests.carrying import carry_out
    from mlops_core.version_tests.project import project_tests

    test = project_tests(wish.named)[wish.test]
    found = carry_out(test, replace(wish.context, source=_DistantSource(connection)))
    return replace(found, evidence=plain(dict(found.evidence)))


if __name__ == "__main__":
    from mlops_core.version_tests import project_host

    project_host.main(int(sys.argv[1]))
