"""Register what is in hand after training: an artefact, training rows, held-out rows with their outcomes.

What can be found out is found out: the held-out rows are scored by the artefact itself, in a process of its
own; metrics and the reference are made from that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sqlmodel import func, select

from mlops_core.analysis.sources import Data
from mlops_core.domain import Actor, Model, ModelVersion, Snapshot
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.progress import Progress, unheard
from mlops_core.domain.states import ProblemType, Stage
from mlops_core.registry.artefacts import (
    SKOPS,
    Artefact,
    check_file,
    format_of,
    store_estimator,
    store_file,
)
from mlops_core.registry.cards import Card, check_card
from mlops_core.registry.columns import OUTCOME, PREDICTION, SCORE
from mlops_core.registry.evaluation_data import prepared_rows, store_evaluation_data
from mlops_core.registry.models import MAKERS, find_model
from mlops_core.registry.new_version import NewVersion, check_metrics
from mlops_core.registry.snapshots import store_rows, take_snapshot
from mlops_core.registry.source_control import CommitState
from mlops_core.registry.versions import register_version
from mlops_core.scoring.first_metrics import measure, reference_rows, settle_metrics
from mlops_core.scoring.handed_over import read_rows, with_times
from mlops_core.scoring.limits import Limits
from mlops_core.scoring.sandbox import can_be_asked, open_model
from mlops_core.workspace import Workspace, require_role

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["Registered", "TableName", "TrainedModel", "register_files"]

_NO_COMMIT: Final = CommitState("", dirty=False)


class TableName(str):
    """A table of the warehouse, perhaps with `@version`: never a path, whatever files there are."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What is in hand after training.

    Attributes
    ----------
    artefact
        The file of the artefact, or a fitted scikit-learn estimator; None for a model that runs elsewhere.
    training
        The rows that it was trained on: whatever `open_source` reads, the name of a warehouse table (perhaps
        with `@version`), or a snapshot.
    evaluation
        Rows that it was not trained on, with their outcomes.
    reference
        Rows of the reference window; None takes those of `evaluation`.
    predictions
        What it predicts for the rows of `evaluation`, in their order, for an artefact that cannot be asked:
        rows with `prediction` and perhaps `score`. None looks for these columns in `evaluation`.
    columns
        Its input columns, in order; empty where the artefact knows them.
    outcome
        What the outcome's column is called in the rows.
    timestamp
        Column that says when a row was, or would have been, predicted; None looks for a usual name.
    metrics
        By name; they go before those that are measured on `evaluation`.
    environment
        See `NewVersion`: None stands for this process, an empty one for what is not known.
    """

    artefact: "Path | BaseEstimator | None"
    training: Data
    evaluation: Data
    reference: Data | None = None
    predictions: Data | None = None
    columns: Sequence[str] = ()
    outcome: str = OUTCOME
    timestamp: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    card: Card | None = None
    commit: CommitState = _NO_COMMIT
    hyper_parameters: Mapping[str, Any] | None = None
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A version, whether it is a new one, and what was found out or assumed on the way."""

    version: ModelVersion
    is_new: bool
    metrics: Mapping[str, tuple[float, int]]
    notes: Sequence[str]


def register_files(
    workspace: Workspace,
    actor: Actor,
    model_name: str,
    trained: TrainedModel,
    *,
    limits: Limits | None = None,
    progress: Progress = unheard,
) -> Registered:
    """Register a version of a model from what is in hand after training.

    The rows are stored only after the artefact has scored them: what cannot be registered leaves nothing
    behind but, perhaps, the artefact's file.

    Raises
    ------
    NotFound
        There is no such model, or no such warehouse table.
    InvalidInput
        Something cannot be read or does not fit; see `NewVersion`.
    ArtefactRefused, OutOfTime, OutOfMemory, ScoringError
        The artefact did not score the rows.
    ArtefactUnwritable, WarehouseError, NotPermitted
    """
    require_role(actor, "register a version", *MAKERS)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        highest = session.exec(select(func.max(ModelVersion.id))).one() or 0
    if trained.card is not None:
        check_card(trained.card)
    columns = _columns(trained)
    progress(0, 4, "Reading the rows")
    held_out = _evaluation_rows(model, trained)
    check_metrics(f"a version of '{model.name}'", _given(trained, held_out.num_rows))
    _check_has(held_out, columns, "the evaluation rows")
    training = _training_rows(workspace, trained)
    reference = _rows_of_reference(trained)
    notes: list[str] = []
    handed_over = _handed_over(trained, held_out, notes)
    progress(1, 4, "Storing the artefact")
    version = _unregistered(model, actor, columns, _store(workspace, trained))
    progress(2, 4, f"Scoring {held_out.num_rows:,} rows")
    scoring = _Scoring(workspace, version, limits)
    predictions = scoring.of(held_out) if handed_over is None else handed_over
    scored = _with_predictions(held_out, predictions)
    metrics = settle_metrics(measure(model, scored), _given(trained, held_out.num_rows), notes)
    if reference is None:
        reference = scored
    elif PREDICTION not in reference.column_names:
        reference = _with_predictions(reference, scoring.of(reference))
    reference, when = with_times(reference, trained.timestamp, workspace.clock.now())
    notes.append(f"reference: {reference.num_rows:,} rows, {when}")
    progress(3, 4, "Registering the version")
    new = NewVersion(
        estimator=None if isinstance(trained.artefact, Path) else trained.artefact,
        artefact=trained.artefact if isinstance(trained.artefact, Path) else None,
        columns=columns,
        snapshot=_training_snapshot(workspace, actor, model, training),
        metrics=metrics,
        reference=reference_rows(model, columns, reference),
        commit=trained.commit,
        metrics_data="evaluation",
        evaluation=store_evaluation_data(workspace, actor, model.name, held_out),
        card=trained.card,
        predictions=handed_over,
        hyper_parameters=trained.hyper_parameters,
        environment=trained.environment,
    )
    registered = register_version(workspace, actor, model.name, new)
    progress(4, 4, "Registered")
    return Registered(registered, registered.id > highest, metrics, notes)


class _Scoring:
    """Rows scored by the artefact of a version that is not registered yet."""

    def __init__(self, workspace: Workspace, version: ModelVersion, limits: Limits | None) -> None:
        self._workspace, self._version, self._limits = workspace, version, limits

    def of(self, rows: pa.Table) -> pa.Table:
        """Return the columns `prediction` and perhaps `score` for some rows."""
        if not can_be_asked(self._version):
            raise InvalidInput(
                f"an artefact of the format '{self._version.artefact_format}' is kept and never loaded, so "
                "its predictions must come with it: as columns 'prediction' (and 'score') of the rows, or in "
                "a file of their own. An estimator of scikit-learn can be saved with skops.io.dump instead"
            )
        with open_model(self._workspace, self._version, limits=self._limits) as opened:
            found = opened.predict(rows)
        columns = {PREDICTION: pa.array(found.prediction.tolist())}
        if found.score is not None:
            columns[SCORE] = pa.array(found.score.tolist(), pa.float64())
        return pa.table(columns)


def _columns(trained: TrainedModel) -> list[str]:
    """Return the input columns, in order."""
    if trained.columns:
        return list(trained.columns)
    known: Sequence[str] | None = None
    if isinstance(trained.artefact, Path):
        described = check_file(trained.artefact)
        known = described.columns if described is not None else None
    elif trained.artefact is not None:
        names = getattr(trained.artefact, "feature_names_in_", None)
        known = None if names is None else [str(name) for name in names]
    if known is None:
        raise InvalidInput(
            "the artefact does not know the names of its input columns: name them, in order (--columns a,b,c)"
        )
    return list(known)


def _evaluation_rows(model: Model, trained: TrainedModel) -> pa.Table:
    rows = read_rows(trained.evaluation, trained.outcome, "the evaluation rows")
    if OUTCOME not in rows.column_names and model.problem_type != ProblemType.CLUSTERING:
        raise InvalidInput(
            f"the evaluation rows have no column '{trained.outcome}': name the column of outcomes "
            f"(--outcome COL), one of {', '.join(rows.column_names)}"
        )
    return prepared_rows(model, rows)


def _check_has(rows: pa.Table, columns: Sequence[str], what: str) -> None:
    missing = [name for name in columns if name not in rows.column_names]
    if missing:
        raise InvalidInput(f"{what} lack the input columns {', '.join(missing)}")


def _given(trained: TrainedModel, rows: int) -> dict[str, tuple[float, int]]:
    return {name: (value, rows) for name, value in trained.metrics.items()}


def _training_rows(workspace: Workspace, trained: TrainedModel) -> "pa.Table | str | Snapshot":
    """Return the training rows, or what they are already: a snapshot, or a table of the warehouse."""
    data = trained.training
    if isinstance(data, Snapshot | TableName):
        return data
    if (
        isinstance(data, str)
        and not Path(data).exists()
        and workspace.warehouse.exists(data.partition("@")[0])
    ):
        return data
    return read_rows(data, trained.outcome, "the training rows")


def _training_snapshot(
    workspace: Workspace, actor: Actor, model: Model, training: "pa.Table | str | Snapshot"
) -> Snapshot:
    if isinstance(training, Snapshot):
        return training
    if not isinstance(training, str):
        return store_rows(workspace, actor, f"training/{model.name}", training)
    table, _, version = training.partition("@")
    if version and not version.isdigit():
        raise InvalidInput(f"'{training}' names no version of a table: give a number, like {table}@3")
    return take_snapshot(workspace, actor, table, version=int(version) if version else None)


def _rows_of_reference(trained: TrainedModel) -> pa.Table | None:
    if trained.reference is None:
        return None
    return read_rows(trained.reference, trained.outcome, "the reference rows")


def _handed_over(trained: TrainedModel, held_out: pa.Table, notes: list[str]) -> pa.Table | None:
    """Return the predictions that came with a version whose artefact cannot be asked, None for others."""
    rows = held_out
    if trained.predictions is not None:
        rows = read_rows(trained.predictions, trained.outcome, "the predictions")
    names = [name for name in (PREDICTION, SCORE) if name in rows.column_names]
    if _format_of(trained) == SKOPS:
        if names:
            notes.append("the artefact scored the rows itself: predictions that came with it were not used")
        return None
    if trained.predictions is None and not names:
        return None
    if PREDICTION not in names or rows.num_rows != held_out.num_rows:
        raise InvalidInput(
            f"the predictions are {rows.num_rows:,} rows of {', '.join(rows.column_names)}: give a column "
            f"'{PREDICTION}' with one row for each of the {held_out.num_rows:,} evaluation rows"
        )
    return rows.select(names)


def _format_of(trained: TrainedModel) -> str:
    if isinstance(trained.artefact, Path):
        return format_of(trained.artefact)
    return SKOPS if trained.artefact is not None else ""


def _store(workspace: Workspace, trained: TrainedModel) -> Artefact:
    if trained.artefact is None:
        return Artefact(digest="", format="none", size=0)
    if isinstance(trained.artefact, Path):
        return store_file(workspace, trained.artefact)
    return store_estimator(workspace, trained.artefact)


def _unregistered(model: Model, actor: Actor, columns: Sequence[str], artefact: Artefact) -> ModelVersion:
    """Return what the sandbox needs to know of a version that has no number yet."""
    return ModelVersion(
        model_id=model.id,
        number=0,
        stage=Stage.DEVELOPMENT,
        author_id=actor.id,
        snapshot_id=0,
        artefact_digest=artefact.digest,
        artefact_format=artefact.format,
        artefact_bytes=artefact.size,
        git_commit="",
        git_dirty=False,
        estimator="",
        columns=list(columns),
        created_at=datetime.now(UTC),
    )


def _with_predictions(rows: pa.Table, predictions: pa.Table) -> pa.Table:
    rows = rows.drop_columns([name for name in (PREDICTION, SCORE) if name in rows.column_names])
    for name in predictions.column_names:
        rows = rows.append_column(name, predictions[name])
    return rows
