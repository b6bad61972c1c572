"""Count what the logs have gained into slices: predictions once, outcomes where they arrive."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pyarrow as pa
from sqlmodel import col, select

from mlops_core.domain import (
    Actor,
    Model,
    ModelVersion,
    OutcomeSlice,
    StoredSlice,
)
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import LogKind, Origin, ProblemType
from mlops_core.feeders import ParquetFiles, count_slices
from mlops_core.monitoring.log_queries import (
    Days,
    days_with_outcomes,
    known_outcomes,
    latest_by_day,
    outcomes_that_arrived,
)
from mlops_core.monitoring.logs import VERSION, log_table
from mlops_core.monitoring.progress import NEVER, Progress
from mlops_core.monitoring.reading import read_grids
from mlops_core.registry.columns import PREDICTED_AT, PREDICTION, SCORE
from mlops_core.registry.reference import outcome_plan
from mlops_core.slices import (
    Grids,
    Outcomes,
    Slice,
    SliceKey,
    SlicePlan,
    build_outcome_slices,
    decode_outcomes,
    decode_slice,
    encode_outcomes,
    encode_slice,
    merge_outcomes,
    merge_slices,
)
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

__all__ = ["count_logs"]

_Row = TypeVar("_Row", StoredSlice, OutcomeSlice)


@dataclass(frozen=True, slots=True)
class _Gain:
    """What a log has gained since it was last counted.

    Attributes
    ----------
    since, version
        The table version that was counted last, and the one that stands now.
    new, all
        The files between the two, and all files up to now.
    """

    since: int
    version: int
    new: list[str]
    all: list[str]

    @property
    def old(self) -> list[str]:
        """Return the files that have been counted."""
        new = set(self.new)
        return [file for file in self.all if file not in new]


@dataclass(frozen=True, slots=True)
class _Counted:
    """The slices of one version that have to be added, and those of outcomes that have to be replaced."""

    predictions: Mapping[SliceKey, Slice]
    latest: Mapping[datetime, datetime]
    arrived: Mapping[SliceKey, Outcomes]
    replaced: Mapping[SliceKey, Outcomes]


def count_logs(workspace: Workspace, actor: Actor, model: Model) -> None:
    """Count the predictions and outcomes that a model's logs have gained since the last time.

    Predictions, and outcomes that are known for the first time, are merged into the slices of their day; days
    with an outcome that was logged before are counted anew. All of it is stored in the one transaction that
    moves the progress of both logs: a run that dies, or that another one overtakes, stores nothing, and
    the next run makes up for it.
    """
    with workspace.store.read() as session:
        progress = Progress(session, model)
    predictions = _gain(workspace, progress, LogKind.PREDICTIONS)
    outcomes = _gain(workspace, progress, LogKind.OUTCOMES)
    if predictions.since == predictions.version and outcomes.since == outcomes.version:
        return
    try:
        _store(workspace, actor, model, predictions, outcomes, afresh=False)
    except InvalidInput:  # an older release counted on other score cells
        _store(workspace, actor, model, predictions, outcomes, afresh=True)


def _store(
    workspace: Workspace, actor: Actor, model: Model, predictions: _Gain, outcomes: _Gain, *, afresh: bool
) -> None:
    counted = _count(workspace, model, predictions, outcomes, afresh=afresh)

    def work(unit: UnitOfWork) -> None:
        gains = ((LogKind.PREDICTIONS, predictions), (LogKind.OUTCOMES, outcomes))
        now = Progress(unit.session, model)
        if any(now.of(log) != gain.since for log, gain in gains):
            return
        for log, gain in gains:
            now.put(log, gain.version)
        for version_id, slices in counted.items():
            _merge_predictions(unit, version_id, slices)
            _put_outcomes(unit, version_id, slices)

    workspace.store.bookkeep(actor, work)


def _gain(workspace: Workspace, progress: Progress, log: LogKind) -> _Gain:
    table = log_table(progress.model, log)
    if not workspace.warehouse.exists(table):
        return _Gain(NEVER, NEVER, [], [])
    since = progress.of(log)
    version, new = workspace.warehouse.files_since(table, since)
    return _Gain(since, version, new, workspace.warehouse.files(table, version=version))


def _count(
    workspace: Workspace, model: Model, predictions: _Gain, outcomes: _Gain, *, afresh: bool
) -> dict[int, _Counted]:
    """Return what has to be stored, by version id.

    Parameters
    ----------
    afresh
        Whether every day that an outcome touches is counted anew.
    """
    latest = latest_by_day(predictions.new) if predictions.new else {}
    late = days_with_outcomes(predictions.old, outcomes.new)
    early = days_with_outcomes(predictions.new, outcomes.all)
    again = (
        _together(late, early) if afresh else days_with_outcomes(predictions.old, outcomes.new, outcomes.old)
    )
    with workspace.store.read() as session:
        versions = {
            version.number: version
            for version in session.exec(select(ModelVersion).where(ModelVersion.model_id == model.id))
        }
    plans = {number: _slice_plan(workspace, model, versions[number]) for number in latest}
    counted = {}
    for number in latest.keys() | late.keys() | early.keys():
        version = versions[number]
        counter = _OutcomeCounter(model, version, read_grids(workspace, version))
        days = again.get(number, set())
        arrived = []
        if late.get(number, set()) - days:
            arrived += outcomes_that_arrived(predictions.old, outcomes.new, number, days, counter.columns)
        if early.get(number, set()) - days:
            arrived += known_outcomes(
                predictions.new, outcomes.all, number, early[number] - days, counter.columns
            )
        repeated = (
            known_outcomes(predictions.all, outcomes.all, number, days, counter.columns) if days else []
        )
        plan = plans.get(number)
        counted[version.id] = _Counted(
            predictions=_count_predictions(workspace, predictions, number, plan) if plan else {},
            latest=latest.get(number, {}),
            arrived=counter.count(arrived),
            replaced=counter.count(repeated),
        )
    return counted


def _together(first: Days, second: Days) -> Days:
    days: Days = defaultdict(set)
    for part in (first, second):
        for number, found in part.items():
            days[number] |= found
    return days


def _slice_plan(workspace: Workspace, model: Model, version: ModelVersion) -> SlicePlan:
    return SlicePlan(
        time_column=PREDICTED_AT,
        period="day",
        grids=read_grids(workspace, version),
        segment_columns=tuple(model.segment_columns),
    )


def _count_predictions(
    workspace: Workspace, gain: _Gain, number: int, plan: SlicePlan
) -> dict[SliceKey, Slice]:
    return count_slices(ParquetFiles(gain.new, where={VERSION: number}), plan, workspace.settings)


class _OutcomeCounter:
    """Counts the outcomes of one version.

    Attributes
    ----------
    columns
        Those of the prediction log that it needs beside the time.
    """

    def __init__(self, model: Model, version: ModelVersion, grids: Grids) -> None:
        scored = model.problem_type == ProblemType.BINARY and SCORE in grids
        self._plan = outcome_plan(model, scored=scored)
        self.columns = [PREDICTION, *([SCORE] if scored else []), *model.segment_columns]

    def count(self, rows: Sequence[pa.RecordBatch]) -> dict[SliceKey, Outcomes]:
        return build_outcome_slices(rows, self._plan)


def _merge_predictions(unit: UnitOfWork, version_id: int, counted: _Counted) -> None:
    stored = _stored(unit, StoredSlice, version_id, counted.predictions)
    for key, found in counted.predictions.items():
        row = stored.get(key)
        latest = counted.latest[key.start]
        if row is not None:
            found = merge_slices([decode_slice(row.payload), found])
            latest = max(latest, row.latest or latest)
        row = _put(unit, StoredSlice, version_id, key, row, found.rows, encode_slice(found))
        row.latest = latest


def _put_outcomes(unit: UnitOfWork, version_id: int, counted: _Counted) -> None:
    stored = _stored(unit, OutcomeSlice, version_id, {**counted.arrived, **counted.replaced})
    for key, found in counted.replaced.items():
        _put(unit, OutcomeSlice, version_id, key, stored.get(key), found.rows, encode_outcomes(found))
    for key, found in counted.arrived.items():
        row = stored.get(key)
        if row is not None:
            found = merge_outcomes([decode_outcomes(row.payload), found])
        _put(unit, OutcomeSlice, version_id, key, row, found.rows, encode_outcomes(found))


def _stored(
    unit: UnitOfWork, table: type[_Row], version_id: int, keys: Iterable[SliceKey]
) -> dict[SliceKey, _Row]:
    """Return the rows of production that stand in the days of some keys."""
    rows = unit.session.exec(
        select(table).where(
            table.model_version_id == version_id,
            table.origin == Origin.PRODUCTION,
            col(table.start).in_({key.start for key in keys}),
        )
    )
    return {SliceKey(row.start, row.segment): row for row in rows}


def _put(
    unit: UnitOfWork,
    table: type[_Row],
    version_id: int,
    key: SliceKey,
    row: _Row | None,
    rows: int,
    payload: bytes,
) -> _Row:
    """Give the row of a slice its new counts, or add one."""
    if row is None:
        row = table(
            model_version_id=version_id,
            origin=Origin.PRODUCTION,
            start=key.start,
            segment=key.segment,
            rows=rows,
            revision=unit.revision,
            payload=payload,
        )
        unit.session.add(row)
    else:
        row.rows, row.revision, row.payload = rows, unit.revision, payload
    return row
