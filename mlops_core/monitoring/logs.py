"""The two logs of a production model: what it predicted, and what turned out to be true."""

from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import select

from mlops_core.domain import Actor, Model, ModelVersion, ReferenceProfile
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import LogKind, ProblemType
from mlops_core.registry.columns import LATENCY, PREDICTED_AT, PREDICTION
from mlops_core.registry.models import find_model, find_version
from mlops_core.slices import NumericGrid, decode_grids
from mlops_core.slices.arrow_columns import is_categorical, is_numeric
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
        `prediction_id` (string, unique), the entity's key, `predicted_at` (UTC), `prediction` (of a binary
        model, the probability of outcome 1), `latency_ms` (response time of the request that carried it),
        and every column and segment column of the version.

    Raises
    ------
    InvalidInput, SchemaMismatch
        A column is missing or of another type, or a value cannot be; nothing was stored.
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        version = find_version(session, model, number)
        all_columns = session.exec(
            select(ModelVersion.columns).where(ModelVersion.model_id == model.id)
        ).all()
        grids = decode_grids(
            session.exec(
                select(ReferenceProfile.grids).where(ReferenceProfile.model_version_id == version.id)
            ).one()
        )
    what = f"predictions of {model_name}"
    needed = {PREDICTION_ID, PREDICTED_AT, PREDICTION, LATENCY, *version.columns, *model.segment_columns}
    _check_columns(what, rows, needed, times=PREDICTED_AT)
    for column in grids:
        _check_kind(what, rows.schema.field(column), is_number=isinstance(grids[column], NumericGrid))
    if model.problem_type == ProblemType.BINARY:
        _check_values(what, rows[PREDICTION], "between 0 and 1", _is_share)
    rows = rows.append_column(VERSION, pa.array([number] * rows.num_rows, pa.int32()))
    optional = {column for columns in all_columns for column in columns}
    return _append(workspace, actor, model, LogKind.PREDICTIONS, rows, optional)


def log_outcomes(workspace: Workspace, actor: Actor, model_name: str, rows: pa.Table) -> int:
    """Append outcomes to the model's outcome log; return the table version.

    Parameters
    ----------
    rows
        `prediction_id`, `outcome` (a number; 0 or 1 for a binary model) and `known_at` (UTC). An outcome
        that is logged again replaces the one that was known earlier.

    Raises
    ------
    InvalidInput, SchemaMismatch
        A column is missing or a binary outcome is neither 0 nor 1; nothing was stored.
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    what = f"outcomes of {model_name}"
    _check_columns(what, rows, {PREDICTION_ID, OUTCOME, KNOWN_AT}, times=KNOWN_AT)
    if model.problem_type == ProblemType.CLUSTERING:
        raise InvalidInput(f"model '{model_name}' is a clustering: it has no outcomes to log")
    try:
        outcome = pc.cast(rows[OUTCOME], pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(f"the {what} must be numbers: nothing was stored") from error
    if model.problem_type == ProblemType.BINARY:
        _check_values(what, outcome, "0 or 1", lambda x: pc.is_in(x, pa.array([0.0, 1.0])))
    else:
        _check_values(what, outcome, "finite", pc.is_finite)
    rows = rows.set_column(rows.column_names.index(OUTCOME), OUTCOME, outcome)
    return _append(workspace, actor, model, LogKind.OUTCOMES, rows)


def _check_columns(what: str, rows: pa.Table, needed: set[str], *, times: str) -> None:
    missing = sorted(needed - set(rows.column_names))
    if missing:
        raise InvalidInput(f"the {what} lack {', '.join(missing)}: nothing was stored")
    for column in (PREDICTION_ID, times):
        if rows[column].null_count:
            raise InvalidInput(f"the {what} have rows without {column}: nothing was stored")
    if not pa.types.is_timestamp(rows.schema.field(times).type):
        kind = rows.schema.field(times).type
        raise InvalidInput(f"column '{times}' of the {what} holds {kind}, not times: nothing was stored")
    _check_kind(what, rows.schema.field(PREDICTION_ID), is_number=False)


def _check_kind(what: str, field: pa.Field, *, is_number: bool) -> None:
    if not (is_numeric(field.type) if is_number else is_categorical(field.type)):
        raise InvalidInput(
            f"column '{field.name}' of the {what} holds {field.type}, not "
            f"{'numbers' if is_number else 'text'}: nothing was stored"
        )


def _is_share(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 1))


def _check_values(
    what: str, values: pa.ChunkedArray, wanted: str, is_right: Callable[[pa.ChunkedArray], pa.ChunkedArray]
) -> None:
    """Check every value that is not null."""
    strange = values.drop_null()
    strange = strange.filter(pc.invert(is_right(strange)))
    if len(strange):
        raise InvalidInput(f"the {what} must be {wanted}, got {strange[0]}: nothing was stored")


def _append(
    workspace: Workspace,
    actor: Actor,
    model: Model,
    log: LogKind,
    rows: pa.Table,
    optional: Collection[str] = frozenset(),
) -> int:
    table = log_table(model, log)
    version = workspace.warehouse.append(table, rows, actor=actor.name, optional=optional)

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
