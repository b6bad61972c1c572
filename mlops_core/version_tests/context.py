"""What a test of a version is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain import Model, ModelVersion, Snapshot
from mlops_core.domain.states import ProblemType
from mlops_core.registry.cards import Card
from mlops_core.scoring import Predictions
from mlops_core.version_tests.declared import ParameterValue
from mlops_core.version_tests.known_rows import KnownRows, known_rows
from mlops_core.version_tests.outcome import NotJudged
from mlops_core.version_tests.source import Source, WorkspaceSource

__all__ = ["TestContext"]


@dataclass(frozen=True)
class TestContext:
    """One version, and everything that it can be judged by.

    What is not there raises `NotJudged`, with which a test ends as `skipped`; what an artefact does wrong
    raises a `ScoringError`, with which it ends as `error` unless the test takes care of it.

    Attributes
    ----------
    model, version
        What is tested.
    champion
        The version in production, None where the model has none.
    card
        What was written on the version's intended use, None without one.
    evaluation_snapshot
        What the version is measured on, None where it has none.
    metrics
        The figures that were registered with the version: (name, value, snapshot id or None).
    parameters
        Of this test: the suite's over the defaults.
    """

    __test__ = False

    model: Model
    version: ModelVersion
    champion: ModelVersion | None
    card: Card | None
    evaluation_snapshot: Snapshot | None
    metrics: Sequence[tuple[str, float, int | None]]
    parameters: Mapping[str, ParameterValue]
    source: Source = field(repr=False)

    @property
    def problem_type(self) -> ProblemType:
        """Return what the model predicts."""
        return ProblemType(self.model.problem_type)

    @property
    def label(self) -> str:
        """Return the version as `model:number`."""
        return f"{self.model.name}:{self.version.number}"

    @property
    def rows(self) -> pa.Table:
        """Return the rows of the evaluation snapshot."""
        return self.source.rows()

    @property
    def predictions(self) -> Predictions:
        """Return the version's predictions for `rows`, in their order."""
        return self.source.predictions()

    @cached_property
    def known(self) -> KnownRows:
        """Return the evaluation rows whose outcome is known, with the predictions for them, as arrays."""
        predictions = self.predictions
        return known_rows(self.rows, predictions, self.problem_type)

    def training(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows that the version was trained on, all columns or some."""
        return self.source.training(columns)

    def ask(self, rows: pa.Table, *, as_given: bool = False) -> Predictions:
        """Return the version's predictions for any rows, from its sandbox.

        Parameters
        ----------
        rows
            The version's columns, and any others.
        as_given
            Hand the artefact the columns in the order of `rows`, not in its own.

        Raises
        ------
        ScoringError
            It does not load, raises, or needs more time or memory than it may have.
        """
        return self.source.ask(rows, as_given)

    def time_requests(self, rows: pa.Table, request_rows: int, requests: int) -> NDArray[np.float64]:
        """Return how long each of some requests takes in the sandbox, in milliseconds, without transport."""
        return self.source.time_requests(rows, request_rows, requests)

    def number(self, name: str) -> float:
        """Return a parameter that is a number."""
        value = self.parameters[name]
        if isinstance(value, str) or value is None:
            raise NotJudged(f"Parameter {name} is not set.")
        return float(value)

    @property
    def workspace_source(self) -> WorkspaceSource:
        """Return the source with the workspace behind it: for built-in tests, which run beside it."""
        if not isinstance(self.source, WorkspaceSource):
            raise NotJudged("A project's test runs in a process of its own, which has no workspace.")
        return self.source
