"""A version that comes by the API: what is said of it as JSON, its artefact and its rows as files."""

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from sqlmodel import select

from mlops_core.api.uploads import Upload
from mlops_core.domain import Actor, Model, ModelVersion, Snapshot
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Stage
from mlops_core.features import store_training_data
from mlops_core.registry import (
    Card,
    CommitState,
    NewVersion,
    find_model,
    read_snapshot,
    register_version,
    store_evaluation_data,
)
from mlops_core.registry.artefacts import SKOPS, check_file, store_file
from mlops_core.registry.cards import check_card
from mlops_core.registry.columns import OUTCOME, PREDICTED_AT, PREDICTION, SCORE
from mlops_core.registry.models import MAKERS
from mlops_core.scoring import open_model
from mlops_core.workspace import Workspace, require_role

__all__ = ["CardGiven", "VersionGiven", "register_upload", "snapshot_named"]

_FILES = ("artefact", "training", "evaluation", "reference", "predictions")
_AS_OF = "as_of"


class MetricGiven(BaseModel):
    """A figure, and on how many rows it was measured."""

    model_config = ConfigDict(extra="forbid")

    value: FiniteFloat
    rows: int = Field(ge=0)


class CardGiven(BaseModel):
    """What a version is for, and where it must not be used."""

    model_config = ConfigDict(extra="forbid")

    intended_use: str = ""
    limits: str = ""
    protected_attributes: list[str] = []
    considerations: str = ""


class VersionGiven(BaseModel):
    """The form field `version`: what is said of a new version beside its files."""

    model_config = ConfigDict(extra="forbid")

    columns: list[str] = Field(min_length=1, description="Its input, in order")
    metrics: dict[str, MetricGiven] = {}
    metrics_data: str = "held-out"
    training: str | None = Field(default=None, description="table@version, where no file 'training' comes")
    evaluation: str | None = Field(default=None, description="table@version, where no such file comes")
    git_commit: str = ""
    git_dirty: bool = False
    hyper_parameters: dict[str, Any] | None = None
    environment: dict[str, str] | None = None
    importance: dict[str, float] | None = None
    card: CardGiven | None = None


def register_upload(workspace: Workspace, actor: Actor, model_name: str, upload: Upload) -> ModelVersion:
    """Register what came by the API; see `mlops_core.registry.register_version`.

    Where no file `reference` came, the artefact scores the evaluation rows (in a process of its own), and
    these are the reference.

    Raises
    ------
    InvalidInput, NotFound, NotPermitted, ScoringError, ArtefactUnwritable
        Nothing was registered.
    """
    given = _given(upload)
    files = upload.files
    unknown = sorted({*files, *upload.fields} - {*_FILES, "version"})
    if unknown:
        raise InvalidInput(f"the form has a part '{unknown[0]}': send version and {', '.join(_FILES)}")
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    tables = {name: _table(files[name], name) for name in _FILES[1:] if name in files}
    _check_before_storing(actor, given, files.get("artefact"), tables)
    if "training" in tables:
        snapshot = store_training_data(workspace, actor, model_name, tables["training"])
    elif given.training is not None:
        snapshot = snapshot_named(workspace, given.training)
    else:
        raise InvalidInput("the training data are missing: send a file 'training', or name a snapshot")
    evaluation = None
    if "evaluation" in tables:
        evaluation = store_evaluation_data(workspace, actor, model_name, tables["evaluation"])
    elif given.evaluation is not None:
        evaluation = snapshot_named(workspace, given.evaluation)
    reference = tables.get("reference")
    if reference is None:
        reference = _scored(
            workspace, model, given, files.get("artefact"), evaluation, tables.get("predictions")
        )
    return register_version(
        workspace,
        actor,
        model_name,
        NewVersion(
            estimator=None,
            artefact=files.get("artefact"),
            columns=given.columns,
            snapshot=snapshot,
            metrics={name: (metric.value, metric.rows) for name, metric in given.metrics.items()},
            metrics_data=given.metrics_data,
            reference=reference,
            commit=CommitState(given.git_commit, given.git_dirty),
            importance=given.importance,
            evaluation=evaluation,
            environment=given.environment,
            hyper_parameters=given.hyper_parameters,
            predictions=tables.get("predictions"),
            card=None if given.card is None else _card(given.card),
        ),
    )


def _given(upload: Upload) -> VersionGiven:
    text = upload.fields.get("version")
    if text is None and "version" in upload.files:  # as `curl -F version=@version.json` sends it
        text = upload.files.pop("version").read_text(encoding="utf-8", errors="replace")
    if text is None:
        raise InvalidInput("the form lacks the field 'version': JSON with at least 'columns'")
    try:
        return VersionGiven.model_validate_json(text)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidInput(f"the field 'version' cannot be used ({found})") from error


def _check_before_storing(
    actor: Actor, given: VersionGiven, artefact: Path | None, tables: Mapping[str, pa.Table]
) -> None:
    """Check what can be checked before rows are stored, so that what is refused leaves nothing behind."""
    require_role(actor, "register a version", *MAKERS)
    if artefact is not None:
        check_file(artefact)
    if given.card is not None:
        check_card(_card(given.card))
    for name in ("training", "evaluation", "reference"):
        if name not in tables:
            continue
        missing = [column for column in given.columns if column not in tables[name].column_names]
        if missing:
            raise InvalidInput(f"file '{name}' lacks the input columns {', '.join(missing)}")
        if not tables[name].num_rows:
            raise InvalidInput(f"file '{name}' has no rows")


def _card(given: CardGiven) -> Card:
    return Card(given.intended_use, given.limits, tuple(given.protected_attributes), given.considerations)


def _table(path: Path, name: str) -> pa.Table:
    """Read rows of a Parquet, CSV or Arrow IPC file; the ending of its name says which."""
    from pyarrow import csv, ipc, parquet

    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            return parquet.read_table(path)
        if ending == ".csv":
            return csv.read_csv(path)
        if ending in (".arrow", ".arrows"):
            with pa.memory_map(str(path)) as source:
                if ending == ".arrow":
                    return ipc.open_file(source).read_all()
                return ipc.open_stream(source).read_all()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidInput(f"file '{name}' cannot be read ({reason}): write it again") from error
    raise InvalidInput(f"file '{name}' is called '*{ending}': send .parquet, .csv, .arrow or .arrows")


def snapshot_named(workspace: Workspace, label: int | str) -> Snapshot:
    """Return a snapshot by its number, or by `table@version`.

    Raises
    ------
    NotFound
    """
    table, _, number = str(label).rpartition("@")
    found = None
    with workspace.store.read() as session:
        if number.isdecimal() and not table:
            found = session.get(Snapshot, int(number))
        elif number.isdecimal():
            wanted = select(Snapshot).where(Snapshot.table_name == table, Snapshot.version == int(number))
            found = session.exec(wanted).first()
    if found is None:
        raise NotFound(f"there is no snapshot '{label}': give its number, or table@version")
    return found


def _scored(
    workspace: Workspace,
    model: Model,
    given: VersionGiven,
    artefact: Path | None,
    evaluation: Snapshot | None,
    predictions: pa.Table | None,
) -> pa.Table:
    """Return the evaluation rows as a reference, scored by the artefact or with the predictions given."""
    if evaluation is None:
        raise InvalidInput(
            f"the new version of model '{model.name}' has no reference: send a file 'reference' with scored "
            "rows, or a file 'evaluation'"
        )
    rows = read_snapshot(workspace, evaluation)
    if predictions is None:
        predictions = _asked(workspace, model, given, artefact, rows)
    for name in (PREDICTION, SCORE):
        if name in predictions.column_names and predictions.num_rows == rows.num_rows:
            rows = rows.drop_columns([name]) if name in rows.column_names else rows
            rows = rows.append_column(name, predictions[name])
    if OUTCOME in rows.column_names and pa.types.is_integer(rows[OUTCOME].type):
        rows = rows.set_column(
            rows.column_names.index(OUTCOME), OUTCOME, pc.cast(rows[OUTCOME], pa.float64())
        )
    if PREDICTED_AT not in rows.column_names:
        rows = rows.append_column(PREDICTED_AT, _times(workspace, rows))
    return rows


def _asked(
    workspace: Workspace, model: Model, given: VersionGiven, artefact: Path | None, rows: pa.Table
) -> pa.Table:
    if artefact is None or artefact.suffix.lower() != f".{SKOPS}":
        raise InvalidInput(
            f"the new version of model '{model.name}' cannot be asked: send its predictions for the "
            "evaluation rows as a file 'predictions', or an artefact in the skops format"
        )
    stored = store_file(workspace, artefact)
    version = ModelVersion(
        model_id=model.id,
        number=0,
        stage=Stage.DEVELOPMENT,
        author_id=model.owner_id,
        snapshot_id=0,
        git_commit=given.git_commit,
        git_dirty=given.git_dirty,
        estimator="",
        columns=given.columns,
        artefact_digest=stored.digest,
        artefact_format=stored.format,
        artefact_bytes=stored.size,
    )
    with open_model(workspace, version) as opened:
        found = opened.predict(rows)
    columns = {PREDICTION: pa.array(found.prediction)}
    if found.score is not None:
        columns[SCORE] = pa.array(found.score)
    return pa.table(columns)


def _times(workspace: Workspace, rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    """Return when the rows were as they are: `as_of`, else now."""
    if _AS_OF in rows.column_names and pa.types.is_timestamp(rows[_AS_OF].type):
        known = rows[_AS_OF]
        return known if known.type.tz else pc.assume_timezone(known, "UTC")
    now = pa.scalar(workspace.clock.now().astimezone(UTC), pa.timestamp("us", tz="UTC"))
    return pa.repeat(now, rows.num_rows)
