"""The two logs of a production model: what it predicted, and what turned out to be true."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import select

from mlops_core.domain import Actor, Model, ModelVersion
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import LogKind, ProblemType
from mlops_core.monitoring.log_rows import (
    as_labels,
    check_columns,
    check_kind,
    check_moments,
    check_values,
    fitted,
    without_repeats,
)
from mlops_core.monitoring.reading import read_grids
from mlops_core.registry.columns import LATENCY, OUTCOME, PREDICTED_AT, PREDICTION, SCORE
from mlops_core.registry.models import champion_of, find_model, find_version
from mlops_core.slices import Grid, Grids, NumericGrid
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

__all__ = [
    "KNOWN_AT",
    "OUTCOME",
    "PREDICTION_ID",
    "VERSION",
    "LogShape",
    "Logged",
    "log_outcomes",
    "log_predictions",
    "log_table",
    "outcome_shape",
    "prediction_shape",
]

PREDICTION_ID = "prediction_id"
VERSION = "model_version"
KNOWN_AT = "known_at"
_KEYS = {
    LogKind.PREDICTIONS: (PREDICTION_ID,),
    LogKind.OUTCOMES: (PREDICTION_ID, OUTCOME, KNOWN_AT),
}
"""What makes a row of a log the same row."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What became of a batch.

    Attributes
    ----------
    received, stored, duplicates
        How many rows came, how many of them are new, and how many were there before or came twice.
    version
        The table version that holds them all; None when nothing was ever logged.
    """

    received: int
    stored: int
    duplicates: int
    version: int | None


@dataclass(frozen=True, slots=True)
class LogShape:
    """What the rows of a log must look like.

    Attributes
    ----------
    model, number
        Whose log, and of which version (None: outcomes, which have none).
    grids
        By column, what it is counted on; empty for outcomes.
    needed, optional
        Columns that every batch must have, and those that one may leave out.
    table
        The columns of the log as it stands, None before the first batch.
    """

    model: Model
    number: int | None
    grids: Grids
    needed: frozenset[str]
    optional: frozenset[str]
    table: pa.Schema | None


def log_table(model: Model, log: LogKind) -> str:
    """Return the warehouse table that holds a model's log."""
    return f"{log}/{model.name}"


def prediction_shape(workspace: Workspace, model_name: str, number: int | None) -> LogShape:
    """Return what predictions of a version (None: the champion) must look like.

    Raises
    ------
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        version = champion_of(session, model) if number is None else find_version(session, model, number)
        of_all = session.exec(select(ModelVersion.columns).where(ModelVersion.model_id == model.id)).all()
    grids = read_grids(workspace, version)
    return LogShape(
        model=model,
        number=version.number,
        grids=grids,
        needed=frozenset({PREDICTION_ID, PREDICTED_AT, PREDICTION, *grids, *version.columns}),
        optional=frozenset({SCORE, LATENCY, *(column for columns in of_all for column in columns)}),
        table=_table_schema(workspace, log_table(model, LogKind.PREDICTIONS)),
    )


def outcome_shape(workspace: Workspace, model_name: str) -> LogShape:
    """Return what outcomes of a model must look like.

    Raises
    ------
    InvalidInput
        It is a clustering.
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    if model.problem_type == ProblemType.CLUSTERING:
        raise InvalidInput(f"model '{model_name}' is a clustering: it has no outcomes to log")
    needed = frozenset({PREDICTION_ID, OUTCOME, KNOWN_AT})
    table = _table_schema(workspace, log_table(model, LogKind.OUTCOMES))
    return LogShape(model, None, {}, needed, frozenset(), table)


def log_predictions(
    workspace: Workspace, actor: Actor, model_name: str, number: int | None, rows: pa.Table
) -> Logged:
    """Append predictions of one version to the model's prediction log, each prediction once.

    A prediction whose id was logged before adds nothing, whatever else its row says: the first one stands.
    So a batch may be logged again when it is not known whether it arrived.

    Parameters
    ----------
    number
        The version; None for the champion.
    rows
        `prediction_id` (string, unique), the entity's key, `predicted_at` (UTC), `prediction` (of a binary
        model, the probability of outcome 1; of a multiclass one, the label), `latency_ms` (response time of
        the request that carried it), and every column and segment column of the version. Where the version's
        reference has a `score`, that is the probability and a binary `prediction` the label 0 or 1; where it
        has no `latency_ms`, that may be left out.

    Raises
    ------
    InvalidInput, SchemaMismatch
        A column is missing or of another type, a value cannot be, or two rows of the batch have the same id
        and differ; nothing was stored.
    NotFound
    """
    shape = prediction_shape(workspace, model_name, number)
    model, grids = shape.model, shape.grids
    what = f"predictions of {model_name}"
    check_columns(what, rows, set(shape.needed), key=PREDICTION_ID, times=PREDICTED_AT)
    check_moments(what, PREDICTED_AT, rows[PREDICTED_AT], workspace.clock.now())
    given = rows.num_rows
    labelled = model.problem_type == ProblemType.MULTICLASS and not _is_number(grids.get(PREDICTION))
    if labelled:
        rows = as_labels(what, rows, PREDICTION)
    elif pa.types.is_boolean(rows.schema.field(PREDICTION).type) and _is_number(grids[PREDICTION]):
        place = rows.column_names.index(PREDICTION)
        rows = rows.set_column(place, PREDICTION, pc.cast(rows[PREDICTION], pa.int64()))
    for column, grid in grids.items():
        check_kind(what, rows.schema.field(column), is_number=isinstance(grid, NumericGrid))
    if model.problem_type == ProblemType.BINARY and _is_number(grids[PREDICTION]):
        if SCORE in grids:
            check_values(what, PREDICTION, rows[PREDICTION], "0 or 1", _is_zero_or_one)
        else:
            check_values(what, PREDICTION, rows[PREDICTION], "between 0 and 1", _is_share)
    if SCORE in grids and model.problem_type in (ProblemType.BINARY, ProblemType.MULTICLASS):
        check_values(what, SCORE, rows[SCORE], "between 0 and 1", _is_share)
    rows = without_repeats(what, _with_text_ids(rows), [PREDICTION_ID])
    rows = rows.append_column(VERSION, pa.array([shape.number] * rows.num_rows, pa.int32()))
    return _append(workspace, actor, shape, LogKind.PREDICTIONS, rows, given)


def log_outcomes(workspace: Workspace, actor: Actor, model_name: str, rows: pa.Table) -> Logged:
    """Append outcomes to the model's outcome log; what was logged before adds nothing.

    Parameters
    ----------
    rows
        `prediction_id`, `outcome` (a number; 0 or 1 for a binary model; a label for a multiclass one) and
        `known_at` (UTC). An outcome that is logged again with a later `known_at` replaces the one that was
        known earlier.

    Raises
    ------
    InvalidInput, SchemaMismatch
        A column is missing, an outcome cannot be, or two rows of the batch tell different outcomes of one
        prediction at the same time; nothing was stored.
    NotFound
    """
    shape = outcome_shape(workspace, model_name)
    what = f"outcomes of {model_name}"
    check_columns(what, rows, set(shape.needed), key=PREDICTION_ID, times=KNOWN_AT)
    check_moments(what, KNOWN_AT, rows[KNOWN_AT], workspace.clock.now())
    given = rows.num_rows
    if shape.model.problem_type == ProblemType.MULTICLASS:
        rows = as_labels(what, rows, OUTCOME)
    else:
        try:
            outcome = pc.cast(rows[OUTCOME], pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInput(f"the {what} must be numbers: nothing was stored") from error
        if shape.model.problem_type == ProblemType.BINARY:
            check_values(what, OUTCOME, outcome, "0 or 1", _is_zero_or_one)
        else:
            check_values(what, OUTCOME, outcome, "finite", pc.is_finite)
        rows = rows.set_column(rows.column_names.index(OUTCOME), OUTCOME, outcome)
    rows = without_repeats(what, _with_text_ids(rows), [PREDICTION_ID, KNOWN_AT])
    return _append(workspace, actor, shape, LogKind.OUTCOMES, rows, given)


def _is_number(grid: Grid | None) -> bool:
    return isinstance(grid, NumericGrid)


def _is_share(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 1))


def _is_zero_or_one(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.equal(values, 0), pc.equal(values, 1))


def _with_text_ids(rows: pa.Table) -> pa.Table:
    """Return the rows with plain text for ids: the same prediction has the same id, however it was typed."""
    if rows.schema.field(PREDICTION_ID).type == pa.string():
        return rows
    ids = pc.cast(rows[PREDICTION_ID], pa.string())
    return rows.set_column(rows.column_names.index(PREDICTION_ID), PREDICTION_ID, ids)


def _table_schema(workspace: Workspace, table: str) -> pa.Schema | None:
    return workspace.warehouse.schema(table) if workspace.warehouse.exists(table) else None


def _append(
    workspace: Workspace, actor: Actor, shape: LogShape, log: LogKind, rows: pa.Table, given: int
) -> Logged:
    table = log_table(shape.model, log)
    if not given:
        known = shape.table is not None
        return Logged(0, 0, 0, workspace.warehouse.version(table) if known else None)
    appended = workspace.warehouse.append_new(
        table, fitted(rows, shape.table), key=_KEYS[log], actor=actor.name, optional=shape.optional
    )
    logged = Logged(given, appended.rows, given - appended.rows, appended.version)
    if logged.stored:
        summary = f"{logged.stored:,} {log} of {shape.model.name} were logged"
    else:
        summary = f"{given:,} {log} of {shape.model.name} came again and added nothing"

    def work(unit: UnitOfWork) -> None:
        again = {"duplicates": logged.duplicates} if logged.duplicates else {}
        unit.record(
            f"{log}.logged",
            "model",
            shape.model.name,
            summary,
            rows=logged.stored,
            version=logged.version,
            **again,
        )

    workspace.store.write(actor, work)
    return logged
