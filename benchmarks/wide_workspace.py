"""A workspace of one wide model: many columns and weeks, ten segments, drift that accuracy follows.

The rows of a few weeks are counted by the real kernel and stored again and again as the slices of other
weeks, for counting two years of rows would measure nothing here. Ten columns move in the last eight weeks;
accuracy falls in the last six.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from mlops_core.clock import FixedClock
from mlops_core.domain import Actor, ModelVersion, OutcomeSlice, StoredSlice
from mlops_core.domain.states import Origin, ProblemType, Stage
from mlops_core.features import store_training_data
from mlops_core.monitoring.reading import read_grids
from mlops_core.monitoring.run import run_monitoring
from mlops_core.registry import (
    CommitState,
    NewVersion,
    create_model,
    move_version,
    promote_version,
    register_version,
)
from mlops_core.settings import Settings
from mlops_core.slices import (
    OutcomePlan,
    SliceKey,
    SlicePlan,
    build_outcome_slices,
    build_slices,
    encode_outcomes,
    encode_slice,
)
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, actor_named, open_workspace, set_clock

__all__ = ["MODEL", "SEGMENTS", "Size", "build_workspace", "open_built"]

MODEL: Final = "wide"
SEGMENTS: Final = tuple(f"{name}={name} {number}" for name in ("region", "channel") for number in range(5))

_FIRST = datetime(2023, 1, 2, tzinfo=UTC)  # a Monday
_REFERENCE_WEEKS = 12
_DISTINCT = 4  # weeks of each kind that are counted
_MOVED_WEEKS, _WRONG_WEEKS, _MOVED_COLUMNS = 8, 6, 10
_WEEKS_AT_ONCE = 13
_CATEGORIES = (3, 5, 10, 25, 80, 200)
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Size:
    """How large the workspace is; `daily` has a slice for each day, else the model predicts on Mondays."""

    columns: int = 200
    weeks: int = 104
    rows: int = 5_000
    daily: bool = False


def build_workspace(folder: Path, size: Size) -> None:
    """Build the workspace, with its monitors and what they have measured."""
    end = _FIRST + _WEEK * (_REFERENCE_WEEKS + size.weeks)
    workspace = open_workspace(_settings(folder), create=True, clock=FixedClock(end))
    actor = actor_named(workspace, "system")
    version = _champion(workspace, actor, size)
    rows = _stored_rows(workspace, version, size)
    for first in range(0, size.weeks, _WEEKS_AT_ONCE):

        def store(unit: UnitOfWork, first: int = first) -> None:
            for week in range(first, min(first + _WEEKS_AT_ONCE, size.weeks)):
                for row in rows(week):
                    row.revision = unit.revision
                    unit.session.add(row)

        workspace.store.bookkeep(actor, store)
    set_clock(workspace, actor, end)
    run_monitoring(workspace, actor)
    workspace.close()


def open_built(folder: Path) -> Workspace:
    """Open a workspace that was built."""
    return open_workspace(_settings(folder))


def _settings(folder: Path) -> Settings:
    return Settings(workspace=folder, database_url="", warehouse="", actor="system")


def _champion(workspace: Workspace, actor: Actor, size: Size) -> ModelVersion:
    create_model(
        workspace,
        actor,
        name=MODEL,
        description=f"A model of {size.columns} columns",
        owner=actor,
        problem_type=ProblemType.BINARY,
        primary_metric="roc_auc",
        latency_objective_ms=100.0,
        cadence_hours=168.0,
        segment_columns=("region", "channel"),
    )
    weeks = [_week(week, week, size, moved=False, wrong=False) for week in range(_REFERENCE_WEEKS)]
    reference = pa.concat_tables(weeks)
    names = _columns(size)
    version = register_version(
        workspace,
        actor,
        MODEL,
        NewVersion(
            estimator=None,
            columns=names,
            snapshot=store_training_data(workspace, actor, MODEL, reference.slice(0, 1_000)),
            metrics={"roc_auc": (0.83, 10_000)},
            reference=reference,
            commit=CommitState("", dirty=False),
            importance={name: 1.0 / (place + 1) for place, name in enumerate(names)},
        ),
    )
    for stage in (Stage.CANDIDATE, Stage.APPROVED):
        move_version(workspace, actor, MODEL, version.number, stage)
    return promote_version(workspace, actor, MODEL, version.number)


def _stored_rows(
    workspace: Workspace, version: ModelVersion, size: Size
) -> Callable[[int], Iterator[StoredSlice | OutcomeSlice]]:
    """Return a function that hands out the rows of a week; the weeks of a kind repeat."""
    grids = read_grids(workspace, version)
    plan = SlicePlan("predicted_at", "day", dict(grids), ("region", "channel"))
    outcome_plan = OutcomePlan(
        "predicted_at", "day", "binary", "prediction", "outcome", segment_columns=("region", "channel")
    )
    counted: dict[tuple[str, int], list[tuple[type, SliceKey, int, bytes]]] = {}
    for seed, kind in enumerate(("calm", "moved", "wrong")):
        for number in range(_DISTINCT):
            table = _week(1_000 + 10 * seed + number, 0, size, moved=kind != "calm", wrong=kind == "wrong")
            slices = build_slices(table.to_batches(), plan)
            outcomes = build_outcome_slices(table.to_batches(), outcome_plan)
            counted[kind, number] = [
                (StoredSlice, key, found.rows, encode_slice(found)) for key, found in slices.items()
            ] + [(OutcomeSlice, key, found.rows, encode_outcomes(found)) for key, found in outcomes.items()]

    def rows(week: int) -> Iterator[StoredSlice | OutcomeSlice]:
        left = size.weeks - week
        kind = "calm" if left > _MOVED_WEEKS else "moved" if left > _WRONG_WEEKS else "wrong"
        for table, key, n, payload in counted[kind, week % _DISTINCT]:
            start = key.start + _WEEK * (_REFERENCE_WEEKS + week)
            common = {"origin": Origin.PRODUCTION, "start": start, "segment": key.segment, "rows": n}
            latest = {"latest": start + timedelta(hours=23)} if table is StoredSlice else {}
            yield table(model_version_id=version.id, payload=payload, **common, **latest)

    return rows


def _columns(size: Size) -> list[str]:
    """Return the names: 7 of 10 columns are numbers."""
    return [f"{'x' if place % 10 < 7 else 'c'}{place:04d}" for place in range(size.columns)]


def _week(seed: int, week: int, size: Size, *, moved: bool, wrong: bool) -> pa.Table:
    """Return the rows of a week since the first: on its Monday, or on all of its days."""
    rng = np.random.default_rng(seed)
    n = size.rows
    seconds = np.sort(rng.integers(0, (7 if size.daily else 1) * 86_400 - 3_600, n))
    start = np.datetime64(_FIRST.replace(tzinfo=None), "us") + np.timedelta64(7 * week, "D")
    score = rng.beta(2, 2, n)
    truth = rng.random(n) < np.clip(score * 2 - 0.5, 0, 1)
    if wrong:
        truth = np.where(rng.random(n) < 0.6, rng.random(n) < 0.5, truth)
    data: dict[str, pa.Array] = {
        "predicted_at": pa.array(start + seconds.astype("m8[s]"), pa.timestamp("us", tz="UTC")),
        "prediction": pa.array(score),
        "outcome": pa.array(truth.astype(float)),
    }
    for name in ("region", "channel"):
        data[name] = _words(name, rng.choice(5, n, p=[0.4, 0.25, 0.2, 0.1, 0.05]), 5)
    for place, name in enumerate(_columns(size)):
        shift = 0.5 if moved and place % (size.columns // _MOVED_COLUMNS) == 0 else 0.0
        data[name] = _values(rng, place, n, shift)
    return pa.table(data)


def _values(rng: np.random.Generator, place: int, n: int, shift: float) -> pa.Array:
    if place % 10 >= 7:
        size = _CATEGORIES[place % len(_CATEGORIES)]
        return _words("value", np.minimum(rng.geometric(min(0.5, 4.0 / size), n) - 1, size - 1), size)
    values = rng.normal(shift, 1, n)
    match place % 5:
        case 1:
            values = np.round(np.exp(values), 2)
        case 2:
            values = np.floor(4 * np.exp(values / 2))
        case 3:
            values = np.where(rng.random(n) < 0.6, 0.0, np.exp(values))
    return pa.array(values, mask=rng.random(n) < 0.01)


def _words(name: str, codes: np.ndarray, size: int) -> pa.Array:
    words = pa.array([f"{name} {number}" for number in range(size)])
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), words).cast(pa.string())
