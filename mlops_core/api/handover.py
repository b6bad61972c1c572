"""A version that comes by the API: what is said of it as JSON, its artefact and its rows as files."""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from sqlmodel import select

from mlops_core.api.uploads import Upload
from mlops_core.domain import Actor, Snapshot
from mlops_core.domain.errors import BigboardError, InvalidInput, NotFound
from mlops_core.registry import Card, CommitState, read_snapshot
from mlops_core.registry.columns import OUTCOME
from mlops_core.workspace import Workspace

if TYPE_CHECKING:
    from mlops_core.scoring.registering import Registered, TableName

__all__ = ["CardGiven", "VersionGiven", "register_upload", "snapshot_named"]

_ROWS = ("training", "evaluation", "reference", "predictions")


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

    columns: list[str] = Field(default=[], description="Its input, in order; else what the artefact knows")
    outcome: str = Field(default="outcome", description="Column of the evaluation rows: what came true")
    timestamp: str | None = Field(default=None, description="Column: when a row was, or would be, predicted")
    metrics: dict[str, FiniteFloat] = Field(default={}, description="Beside those measured here")
    training: str | None = Field(default=None, description="table, or table@version, where no file comes")
    evaluation: str | None = Field(default=None, description="table@version, where no such file comes")
    git_commit: str = ""
    git_dirty: bool = False
    hyper_parameters: dict[str, Any] | None = None
    environment: dict[str, str] | None = Field(default=None, description="None where it is not known")
    card: CardGiven | None = None


def register_upload(workspace: Workspace, actor: Actor, model_name: str, upload: Upload) -> "Registered":
    """Register what came by the API.

    Raises
    ------
    InvalidInput, NotFound, NotPermitted, ScoringError, ArtefactUnwritable
        As `register_files`; nothing was registered.
    """
    try:
        return _registered(workspace, actor, model_name, upload)
    except BigboardError as error:  # the sender knows no path of the server
        raise type(error)(str(error).replace(f"{upload.folder}/", "")) from error


def _registered(workspace: Workspace, actor: Actor, model_name: str, upload: Upload) -> "Registered":
    from mlops_core.scoring.registering import TrainedModel, register_files

    given, files = _given(upload), upload.files
    unknown = sorted({*files, *upload.fields} - {"version", "artefact", *_ROWS})
    if unknown:
        raise InvalidInput(
            f"the form has a part '{unknown[0]}': send version, artefact and {', '.join(_ROWS)}"
        )
    # A path is taken from a file that was sent, never from what the form says: it would be the server's own.
    rows: dict[str, Any] = {name: str(files[name]) for name in _ROWS if name in files}
    if "training" not in rows:
        if given.training is None:
            raise InvalidInput("the training data are missing: send a file 'training', or name a snapshot")
        rows["training"] = _training(workspace, given.training)
    if "evaluation" not in rows:
        if given.evaluation is None:
            raise InvalidInput(
                "the evaluation data are missing: send a file 'evaluation', or name a snapshot"
            )
        stored = read_snapshot(workspace, snapshot_named(workspace, given.evaluation))
        rows["evaluation"] = _with_outcome_called(stored, given.outcome)
    return register_files(
        workspace,
        actor,
        model_name,
        TrainedModel(
            artefact=files.get("artefact"),
            columns=given.columns,
            outcome=given.outcome,
            timestamp=given.timestamp,
            metrics=given.metrics,
            card=None if given.card is None else _card(given.card),
            commit=CommitState(given.git_commit, given.git_dirty),
            hyper_parameters=given.hyper_parameters,
            environment=given.environment or {},
            **rows,
        ),
    )


def _training(workspace: Workspace, label: str) -> "Snapshot | TableName":
    """Return the snapshot that is called so, or the table of the warehouse that one is to be taken of."""
    from mlops_core.scoring.registering import TableName

    try:
        return snapshot_named(workspace, label)
    except NotFound as error:
        table = PurePosixPath(label.partition("@")[0])
        inside = not table.is_absolute() and ".." not in table.parts
        if inside and workspace.warehouse.exists(str(table)):
            return TableName(label)
        raise NotFound(f"there is no snapshot {label}, and no file or table of that name") from error


def _with_outcome_called(rows: pa.Table, name: str) -> pa.Table:
    """Return stored rows, whose outcome has its standard name, as the files beside them call it."""
    if name in rows.column_names:
        return rows
    return rows.rename_columns([name if one == OUTCOME else one for one in rows.column_names])


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
        raise NotFound(f"there is no snapshot {label}: give its number, or table@version")
    return found


def _given(upload: Upload) -> VersionGiven:
    text = upload.fields.get("version")
    if text is None and "version" in upload.files:  # as `curl -F version=@version.json` sends it
        text = upload.files.pop("version").read_text(encoding="utf-8", errors="replace")
    try:
        return VersionGiven.model_validate_json("{}" if text is None else text)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidInput(f"the field 'version' cannot be used ({found})") from error


def _card(given: CardGiven) -> Card:
    return Card(given.intended_use, given.limits, tuple(given.protected_attributes), given.considerations)
