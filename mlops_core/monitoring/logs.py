"""The two logs of a production model: what it predicted, and what turned out to be true."""

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.domain import Actor, Model
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import LogKind, ProblemType
from mlops_core.registry.columns import LATENCY, PREDICTED_AT, PREDICTION
from mlops_core.registry.models import find_model, find_version
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

__all__ = [
    "KNOWN_AT",
    "OUTCOME",
    "PREDICTION_ID",
    "VERSION",
    "log_outcomes",
    "log_predictions",
    "log_table",
]

PREDICTION_ID = "prediction_id"
VERSION = "model_version"
OUTCOME = "outcome"
KNOWN_AT = "known_at"


def log_table(model: Model, log: LogKind) -> str:
    """Return the warehouse table that holds a model's log."""
    return f"{log}/{model.name}"


def log_predictions(workspace: Workspace, actor: Actor, model_name: str, number: int, rows: pa.Table) -> int:
    """Append predictions of one version to the model's prediction log; return the table version.

    Parameters
    ----------
    rows
        `prediction_id` (string, unique), the entity's key, `predicted_at` (UTC), `prediction`,
        `latency_ms` (response time of the request that carried it), and every column and segment
        column of the version.

    Raises
    ------
    InvalidInput, SchemaMismatch
        A column is missing or of another type; nothing was stored.
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        version = find_version(session, model, number)
    needed = {PREDICTION_ID, PREDICTED_AT, PREDICTION, LATENCY, *version.columns, *model.segment_columns}
    _check_columns(f"predictions of {model_name}", rows, needed)
    rows = rows.append_column(VERSION, pa.array([number] * rows.num_rows, pa.int32()))
    return _append(workspace, actor, model, LogKind.PREDICTIONS, rows)


def log_outcomes(workspace: Workspace, actor: Actor, model_name: str, rows: pa.Table) -> int:
    """Append outcomes to the model's outcome log; return the table version.

    Parameters
    ----------
    rows
        `prediction_id`, `outcome` (a number; 0 or 1 for a binary model) and `known_at` (UTC). An outcome
        that is logged again replaces the one before.

    Raises
    ------
    InvalidInput, SchemaMismatch
        A column is missing or a binary outcome is neither 0 nor 1; nothing was stored.
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    _check_columns(f"outcomes of {model_name}", rows, {PREDICTION_ID, OUTCOME, KNOWN_AT})
    if model.problem_type == ProblemType.CLUSTERING:
        raise InvalidInput(f"model '{model_name}' is a clustering: it has no outcomes to log")
    outcome = pc.cast(rows[OUTCOME], pa.float64())
    if model.problem_type == ProblemType.BINARY:
        strange = pc.unique(pc.filter(outcome, pc.invert(pc.is_in(outcome, pa.array([0.0, 1.0])))))
        if pc.any(pc.is_valid(strange)).as_py():
            raise InvalidInput(
                f"outcomes of '{model_name}' must be 0 or 1, got {strange.drop_null()[0]}: nothing was stored"
            )
    rows = rows.set_column(rows.column_names.index(OUTCOME), OUTCOME, outcome)
    return _append(workspace, actor, model, LogKind.OUTCOMES, rows)


def _check_columns(what: str, rows: pa.Table, needed: set[str]) -> None:
    missing = sorted(needed - set(rows.column_names))
    if missing:
        raise InvalidInput(f"the {what} lack {', '.join(missing)}: nothing was stored")
    if PREDICTION_ID in needed and rows[PREDICTION_ID].null_count:
        raise InvalidInput(f"the {what} have rows without prediction_id: nothing was stored")


def _append(workspace: Workspace, actor: Actor, model: Model, log: LogKind, rows: pa.Table) -> int:
    version = workspace.warehouse.append(log_table(model, log), rows, actor=actor.name)

    def work(unit: UnitOfWork) -> None:
        unit.record(
            f"{log}.logged",
            "model",
            model.name,
            f"{rows.num_rows:,} {log} of {model.name} were logged",
            rows=rows.num_rows,
            version=version,
        )

    workspace.store.write(actor, work)
    return version
