"""Where a test has its rows and answers from: the workspace and a sandbox, each looked up once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain import Model, ModelVersion, Snapshot
from mlops_core.domain.errors import InvalidInput, NotFound, ScoringError, WarehouseError
from mlops_core.registry.evaluation_data import read_snapshot
from mlops_core.scoring import Predictions, SandboxedModel, can_be_asked, open_model, score_snapshot
from mlops_core.version_tests.outcome import NotJudged
from mlops_core.workspace import Workspace

__all__ = ["Source", "WorkspaceSource"]


class Source(Protocol):
    """What a test may ask for beside the metadata; each raises `NotJudged` where there is nothing."""

    def rows(self) -> pa.Table:
        """Return the evaluation snapshot's rows."""

    def predictions(self) -> Predictions:
        """Return the version's predictions for them, in their order."""

    def training(self, columns: Sequence[str] | None) -> pa.Table:
        """Return the rows of the first training snapshot, all columns or some."""

    def ask(self, rows: pa.Table, as_given: bool) -> Predictions:
        """Return the version's predictions for any rows."""

    def time_requests(self, rows: pa.Table, request_rows: int, requests: int) -> NDArray[np.float64]:
        """Return how long each of some requests takes."""


class WorkspaceSource:
    """A version's data in its workspace, and its artefact in a sandbox that is opened when it is first asked.

    What failed once for good fails at once from then on: an artefact that does not load is not waited for
    in every test.
    """

    def __init__(
        self,
        workspace: Workspace,
        model: Model,
        version: ModelVersion,
        evaluation: Snapshot | None,
        training: Sequence[Snapshot],
        look_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.workspace = workspace
        self.model = model
        self.version = version
        self.evaluation = evaluation
        self.training_snapshots = tuple(training)
        self._look_up = look_up
        self._rows: pa.Table | None = None
        self._predictions: Predictions | None = None
        self._given_up: ScoringError | None = None
        self._sandbox: SandboxedModel | None = None
        self._opened = ExitStack()

    @property
    def can_be_asked(self) -> bool:
        """Return whether the artefact has a format that a sandbox loads."""
        return can_be_asked(self.version)

    def rows(self) -> pa.Table:
        """Return the evaluation snapshot's rows."""
        if self._rows is None:
            if self.evaluation is None:
                raise NotJudged("The version has no evaluation snapshot.")
            self._rows = self._read(self.evaluation)
        return self._rows

    def predictions(self) -> Predictions:
        """Return the version's predictions for the evaluation rows, in their order."""
        if self._predictions is None:
            self.rows()
            if not self.can_be_asked and self.version.predictions_digest is None:
                raise NotJudged(
                    "The artefact cannot be asked, and no predictions were handed over with the version."
                )
            self._stop_if_given_up()
            self._look_up()
            assert self.evaluation is not None  # noqa: S101 - rows() has seen to it
            try:
                scored = score_snapshot(self.workspace, self.version, self.evaluation)
            except ScoringError as error:
                self._given_up = error
                raise
            except InvalidInput as error:
                raise NotJudged(f"The evaluation snapshot cannot be scored: {error}.") from error
            self._rows, self._predictions = scored.rows, scored.predictions
        return self._predictions

    def training(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of the first training snapshot."""
        table = self._read(self.training_snapshots[0]) if self.training_snapshots else None
        if table is None:
            raise NotJudged("The version has no training snapshot.")
        if columns is None:
            return table
        missing = [name for name in columns if name not in table.column_names]
        if missing:
            raise NotJudged(f"The training snapshot has no column {missing[0]}.")
        return table.select(list(columns))

    def ask(self, rows: pa.Table, as_given: bool = False) -> Predictions:
        """Return the version's predictions for any rows, within the limits of a call."""
        return self._model().predict(rows, as_given=as_given)

    def time_requests(self, rows: pa.Table, request_rows: int, requests: int) -> NDArray[np.float64]:
        """Return how long each of some requests takes in the sandbox, in milliseconds."""
        return self._model().time_requests(rows, request_rows, requests)

    def give_up(self, error: ScoringError) -> None:
        """Take it that the artefact cannot be asked: whoever asks for predictions gets this error."""
        self._given_up = error

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox = None
        self._opened.close()

    def _model(self) -> SandboxedModel:
        if not self.can_be_asked:
            raise NotJudged(f"The artefact ({self.version.artefact_format}) cannot be asked.")
        self._stop_if_given_up()
        self._look_up()
        if self._sandbox is None:
            try:
                self._sandbox = self._opened.enter_context(open_model(self.workspace, self.version))
            except ScoringError as error:
                self._given_up = error
                raise
        return self._sandbox

    def _stop_if_given_up(self) -> None:
        if self._given_up is not None:
            raise self._given_up

    def _read(self, snapshot: Snapshot) -> pa.Table:
        try:
            return read_snapshot(self.workspace, snapshot)
        except (NotFound, InvalidInput, WarehouseError) as error:
            raise NotJudged(f"{snapshot.table_name}@{snapshot.version} cannot be read: {error}.") from error
