"""Evaluation snapshots: the rows with their outcomes on which a version is tested and compared."""

from collections.abc import Container, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mlops_core.domain import Actor, Model, ModelVersion, Snapshot, VersionSnapshot
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType, SnapshotUse
from mlops_core.registry.columns import OUTCOME
from mlops_core.registry.models import MAKERS, find_model
from mlops_core.registry.snapshots import check_snapshot, name_of, read_snapshot, store_rows
from mlops_core.workspace import Workspace, require_role

__all__ = [
    "FEWEST_ROWS",
    "check_evaluation",
    "evaluation_of",
    "prepared_rows",
    "read_snapshot",
    "store_evaluation_data",
    "training_of",
]

FEWEST_ROWS: Final = 30
"""With fewer rows an evaluation snapshot is taken with a warning: nothing can be told apart on them."""


def store_evaluation_data(workspace: Workspace, actor: Actor, model_name: str, rows: pa.Table) -> Snapshot:
    """Store the rows that versions of a model are evaluated on, and return their snapshot.

    The outcome is stored as 0 or 1 (int64), as a label (string) or as a number (float64), by the problem
    type. The same rows, stored again, are the same snapshot.

    Parameters
    ----------
    rows
        One a case: every input column, the model's segment columns, protected attributes, `outcome`, and
        whatever else is wanted.

    Raises
    ------
    InvalidInput
        There are no rows, a segment column is missing, or an outcome is missing or does not fit the
        problem type.
    NotFound, NotPermitted, WarehouseError
    """
    require_role(actor, "store evaluation data", *MAKERS)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    return store_rows(workspace, actor, f"evaluation/{model.name}", prepared_rows(model, rows))


def prepared_rows(model: Model, rows: pa.Table) -> pa.Table:
    """Return rows as an evaluation snapshot of a model has them.

    Raises
    ------
    InvalidInput
        As in `store_evaluation_data`.
    """
    where = f"the evaluation data of model '{model.name}'"
    _check_columns(where, rows.column_names, _needed(model, ()))
    if not rows.num_rows:
        raise InvalidInput(f"{where} have no rows: hand over cases with their outcomes")
    if model.problem_type == ProblemType.CLUSTERING:
        return rows
    outcome = _canonical_outcome(model, where, rows[OUTCOME])
    return rows.set_column(rows.column_names.index(OUTCOME), OUTCOME, outcome)


def check_evaluation(
    workspace: Workspace,
    model: Model,
    snapshot: Snapshot,
    columns: Sequence[str],
    protected_attributes: Sequence[str] = (),
) -> list[str]:
    """Check that a version with these input columns can be evaluated on a snapshot; return warnings.

    Raises
    ------
    InvalidInput
        A column is missing, an outcome does not fit, there are no rows, or they are no longer there.
    NotFound
        Its table is not in the warehouse.
    """
    where = f"evaluation snapshot {name_of(snapshot)} of model '{model.name}'"
    _check_columns(where, snapshot.columns, _needed(model, columns))
    check_snapshot(workspace, snapshot)
    if not snapshot.rows:
        raise InvalidInput(f"{where} has no rows: hand over cases with their outcomes")
    warnings = []
    if snapshot.rows < FEWEST_ROWS:
        warnings.append(f"{where} has {snapshot.rows} rows alone: hardly anything can be told apart on them")
    if model.problem_type != ProblemType.CLUSTERING:
        outcome = read_snapshot(workspace, snapshot, [OUTCOME])[OUTCOME]
        outcome = _canonical_outcome(model, where, outcome)
        if pc.count_distinct(outcome).as_py() < 2:
            shared = outcome[0].as_py()
            warnings.append(f"every outcome of {where} is {shared}: most metrics are not defined on them")
    missing = [name for name in protected_attributes if name not in snapshot.columns]
    if missing:
        warnings.append(f"{where} lacks the protected attributes {', '.join(missing)}: bias is not tested")
    return warnings


def evaluation_of(session: Session, version: ModelVersion) -> Snapshot | None:
    """Return the evaluation snapshot that a version was given last, None where it has none."""
    return session.exec(_snapshots(version, SnapshotUse.EVALUATION).limit(1)).first()


def training_of(session: Session, version: ModelVersion) -> list[Snapshot]:
    """Return the snapshots that a version was trained on, the main one first."""
    others = session.exec(_snapshots(version, SnapshotUse.TRAINING)).all()
    return [session.get_one(Snapshot, version.snapshot_id), *reversed(others)]


def _snapshots(version: ModelVersion, use: SnapshotUse) -> SelectOfScalar[Snapshot]:
    return (
        select(Snapshot)
        .join(VersionSnapshot, col(VersionSnapshot.snapshot_id) == col(Snapshot.id))
        .where(VersionSnapshot.model_version_id == version.id, VersionSnapshot.use == use)
        .order_by(col(VersionSnapshot.id).desc())
    )


def _needed(model: Model, columns: Sequence[str]) -> list[str]:
    outcome = [] if model.problem_type == ProblemType.CLUSTERING else [OUTCOME]
    return list(dict.fromkeys([*columns, *model.segment_columns, *outcome]))


def _check_columns(where: str, present: Container[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in present]
    if missing:
        raise InvalidInput(
            f"{where} lacks {', '.join(missing)}: it needs every input column, every segment column and "
            f"the column '{OUTCOME}'"
        )


def _canonical_outcome(model: Model, where: str, outcome: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return outcomes as int64 (binary), string (multiclass) or float64 (regression)."""
    if outcome.null_count:
        raise InvalidInput(f"{where}: {outcome.null_count:,} rows have no outcome: leave them out")
    if model.problem_type == ProblemType.MULTICLASS:
        return outcome.cast(pa.string())
    kind = outcome.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise InvalidInput(f"{where}: the outcome of a {model.problem_type} model is a number, not {kind}")
    numbers = outcome.cast(pa.int64()) if pa.types.is_boolean(kind) else outcome.cast(pa.float64())
    values = numbers.to_numpy()
    if model.problem_type == ProblemType.BINARY:
        strange = values[~np.isin(values, (0, 1))]
        if len(strange):
            raise InvalidInput(f"{where}: an outcome of a binary model is 0 or 1, not {strange[0]:g}")
        return numbers.cast(pa.int64())
    if not np.isfinite(values).all():
        raise InvalidInput(f"{where}: an outcome is not a finite number: leave that row out")
    return numbers
