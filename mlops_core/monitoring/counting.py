"""Count what the logs have gained into slices: predictions once, outcomes where they arrive."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.dataset as ds
from sqlmodel import Session, col, select

from mlops_core.domain import (
    Actor,
    LogProgress,
    Model,
    ModelVersion,
    OutcomeSlice,
    ReferenceProfile,
    StoredSlice,
)
from mlops_core.domain.states import LogKind, Origin, ProblemType
from mlops_core.monitoring.logs import KNOWN_AT, OUTCOME, PREDICTION_ID, VERSION, log_table
from mlops_core.registry.columns import PREDICTED_AT, PREDICTION
from mlops_core.slices import (
    OutcomePlan,
    Slice,
    SliceKey,
    SlicePlan,
    build_outcome_slices,
    build_slices,
    decode_grids,
    decode_slice,
    encode_outcomes,
    encode_slice,
    merge_slices,
)
from mlops_core.store import UnitOfWork
from mlops_core.warehouse import quoted, warehouse_sql
from mlops_core.workspace import Workspace

__all__ = ["advance", "count_logs", "progress_of"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Gain:
    """What a log has gained since it was last counted."""

    version: int
    files: list[str]


def count_logs(workspace: Workspace, actor: Actor, model: Model) -> None:
    """Count the predictions and outcomes that a model's logs have gained since the last time.

    Predictions are merged into the slices of their day in the transaction that moves the log's progress,
    so that a run that dies counts nothing twice. Days touched by late outcomes are counted anew.
    """
    versions = _versions(workspace, model)
    predictions = _gain(workspace, model, LogKind.PREDICTIONS)
    outcomes = _gain(workspace, model, LogKind.OUTCOMES)
    if predictions.files:
        _count_predictions(workspace, actor, model, versions, predictions)
    if outcomes.files:
        touched = _touched_by_outcomes(workspace, model, outcomes.files)
        _count_outcomes(workspace, actor, model, versions, touched, outcomes.version)
    if predictions.files and outcomes.version >= 0:
        # An outcome may have been logged before its prediction: the join above could not see it.
        early = _touched_by_early_outcomes(workspace, model, predictions.files)
        _count_outcomes(workspace, actor, model, versions, early, outcomes.version)


def _versions(workspace: Workspace, model: Model) -> dict[int, ModelVersion]:
    with workspace.store.read() as session:
        found = session.exec(select(ModelVersion).where(ModelVersion.model_id == model.id))
        return {version.number: version for version in found}


def _gain(workspace: Workspace, model: Model, log: LogKind) -> _Gain:
    table = log_table(model, log)
    if not workspace.warehouse.exists(table):
        return _Gain(-1, [])
    with workspace.store.read() as session:
        progress = progress_of(session, model, log)
    version, files = workspace.warehouse.files_since(table, progress.version if progress else -1)
    return _Gain(version, files)


def progress_of(session: Session, model: Model, log: LogKind) -> LogProgress | None:
    """Return how far a model's log has been counted, None when it never was."""
    return session.exec(
        select(LogProgress).where(LogProgress.model_id == model.id, LogProgress.log == log)
    ).first()


def advance(unit: UnitOfWork, model: Model, log: LogKind, version: int) -> bool:
    """Move a log's progress forward; False when somebody else has already counted as far."""
    progress = progress_of(unit.session, model, log)
    if progress is None:
        unit.session.add(LogProgress(model_id=model.id, log=log, version=version))
        return True
    if progress.version >= version:
        return False
    progress.version = version
    return True


def _count_predictions(
    workspace: Workspace, actor: Actor, model: Model, versions: dict[int, ModelVersion], gain: _Gain
) -> None:
    source = ds.dataset(gain.files)
    latest = _latest_by_day(gain.files)
    counted: dict[int, dict[SliceKey, Slice]] = {}
    for number in {number for number, _ in latest}:
        plan = _slice_plan(workspace, model, versions[number])
        columns = list(dict.fromkeys([PREDICTED_AT, *plan.grids, *plan.segment_columns]))
        batches = source.to_batches(columns=columns, filter=ds.field(VERSION) == number)
        counted[number] = build_slices(batches, plan)

    def work(unit: UnitOfWork) -> None:
        if advance(unit, model, LogKind.PREDICTIONS, gain.version):
            for number, slices in counted.items():
                days = {day: at for (of, day), at in latest.items() if of == number}
                _merge_into_store(unit, versions[number], slices, days)

    workspace.store.bookkeep(actor, work)


def _latest_by_day(files: Sequence[str]) -> dict[tuple[int, datetime], datetime]:
    """Return when the last prediction of each version and day in some files was made."""
    query = f"""
SELECT {VERSION}, date_trunc('day', {PREDICTED_AT}) AS day, max({PREDICTED_AT})
FROM read_parquet($files)
GROUP BY ALL
"""
    with warehouse_sql() as connection:
        rows = connection.execute(query, {"files": list(files)}).fetchall()
    return {(number, day.astimezone(UTC)): latest.astimezone(UTC) for number, day, latest in rows}


def _slice_plan(workspace: Workspace, model: Model, version: ModelVersion) -> SlicePlan:
    with workspace.store.read() as session:
        profile = session.exec(
            select(ReferenceProfile).where(ReferenceProfile.model_version_id == version.id)
        ).one()
    return SlicePlan(
        time_column=PREDICTED_AT,
        period="day",
        grids=decode_grids(profile.grids),
        segment_columns=tuple(model.segment_columns),
    )


def _merge_into_store(
    unit: UnitOfWork,
    version: ModelVersion,
    slices: dict[SliceKey, Slice],
    latest: dict[datetime, datetime],
) -> None:
    starts = {key.start for key in slices}
    rows = unit.session.exec(
        select(StoredSlice).where(
            StoredSlice.model_version_id == version.id,
            StoredSlice.origin == Origin.PRODUCTION,
            col(StoredSlice.start).in_(starts),
        )
    )
    stored = {SliceKey(row.start, row.segment): row for row in rows}
    for key, counted in slices.items():
        row = stored.get(key)
        if row is None:
            unit.session.add(
                StoredSlice(
                    model_version_id=version.id,
                    origin=Origin.PRODUCTION,
                    start=key.start,
                    segment=key.segment,
                    rows=counted.rows,
                    latest=latest[key.start],
                    revision=unit.revision,
                    payload=encode_slice(counted),
                )
            )
        else:
            merged = merge_slices([decode_slice(row.payload), counted])
            row.rows, row.revision, row.payload = merged.rows, unit.revision, encode_slice(merged)
            row.latest = max(latest[key.start], row.latest or latest[key.start])


def _touched_by_outcomes(
    workspace: Workspace, model: Model, outcome_files: Sequence[str]
) -> dict[int, set[datetime]]:
    """Return the days, by version, whose predictions the outcomes of some files belong to."""
    predictions = workspace.warehouse.files(log_table(model, LogKind.PREDICTIONS))
    return _touched(predictions, outcome_files)


def _touched_by_early_outcomes(
    workspace: Workspace, model: Model, prediction_files: Sequence[str]
) -> dict[int, set[datetime]]:
    """Return the days, by version, of predictions in some files whose outcome is logged already."""
    return _touched(prediction_files, workspace.warehouse.files(log_table(model, LogKind.OUTCOMES)))


def _touched(predictions: Sequence[str], outcomes: Sequence[str]) -> dict[int, set[datetime]]:
    query = f"""
SELECT DISTINCT p.{VERSION}, date_trunc('day', p.{PREDICTED_AT}) AS day
FROM read_parquet($predictions) AS p
SEMI JOIN read_parquet($outcomes) AS o USING ({PREDICTION_ID})
"""
    with warehouse_sql() as connection:
        rows = connection.execute(
            query, {"predictions": list(predictions), "outcomes": list(outcomes)}
        ).fetchall()
    touched: dict[int, set[datetime]] = defaultdict(set)
    for number, day in rows:
        touched[number].add(day.astimezone(UTC))
    return touched


def _count_outcomes(
    workspace: Workspace,
    actor: Actor,
    model: Model,
    versions: dict[int, ModelVersion],
    touched: dict[int, set[datetime]],
    log_version: int,
) -> None:
    plan = OutcomePlan(
        time_column=PREDICTED_AT,
        period="day",
        problem_type="binary" if model.problem_type == ProblemType.BINARY else "regression",
        prediction_column=PREDICTION,
        outcome_column=OUTCOME,
        segment_columns=tuple(model.segment_columns),
    )
    counted = {
        number: build_outcome_slices(_joined(workspace, model, number, days), plan)
        for number, days in touched.items()
    }

    def work(unit: UnitOfWork) -> None:
        advance(unit, model, LogKind.OUTCOMES, log_version)
        for number, slices in counted.items():
            rows = unit.session.exec(
                select(OutcomeSlice).where(
                    OutcomeSlice.model_version_id == versions[number].id,
                    OutcomeSlice.origin == Origin.PRODUCTION,
                    col(OutcomeSlice.start).in_(touched[number]),
                )
            )
            stored = {SliceKey(row.start, row.segment): row for row in rows}
            for key, outcomes in slices.items():
                row = stored.get(key)
                if row is None:
                    unit.session.add(
                        OutcomeSlice(
                            model_version_id=versions[number].id,
                            origin=Origin.PRODUCTION,
                            start=key.start,
                            segment=key.segment,
                            rows=outcomes.rows,
                            revision=unit.revision,
                            payload=encode_outcomes(outcomes),
                        )
                    )
                else:
                    row.rows, row.revision = outcomes.rows, unit.revision
                    row.payload = encode_outcomes(outcomes)

    workspace.store.bookkeep(actor, work)


def _joined(
    workspace: Workspace, model: Model, number: int, days: Iterable[datetime]
) -> list[pa.RecordBatch]:
    """Return the predictions of some days whose outcome is known, with the outcome known last."""
    days = sorted(days)
    segments = "".join(f", p.{quoted(column)}" for column in model.segment_columns)
    query = f"""
SELECT p.{PREDICTED_AT}, p.{PREDICTION}, o.{OUTCOME}{segments}
FROM read_parquet($predictions) AS p
JOIN (
    SELECT {PREDICTION_ID}, arg_max({OUTCOME}, {KNOWN_AT}) AS {OUTCOME}
    FROM read_parquet($outcomes)
    GROUP BY {PREDICTION_ID}
) AS o USING ({PREDICTION_ID})
WHERE p.{VERSION} = $number
    AND p.{PREDICTED_AT} >= $start AND p.{PREDICTED_AT} < $end
    AND list_contains($days, date_trunc('day', p.{PREDICTED_AT}))
"""
    with warehouse_sql() as connection:
        table: pa.Table = connection.execute(
            query,
            {
                "predictions": workspace.warehouse.files(log_table(model, LogKind.PREDICTIONS)),
                "outcomes": workspace.warehouse.files(log_table(model, LogKind.OUTCOMES)),
                "number": number,
                "start": days[0],
                "end": days[-1] + _DAY,
                "days": days,
            },
        ).to_arrow_table()
    return table.to_batches()
