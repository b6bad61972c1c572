"""A version's predictions for a whole snapshot, made once however many ask."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeAlias

import pyarrow as pa

from mlops_core.domain import Model, ModelVersion, Snapshot
from mlops_core.domain.errors import ArtefactRefused, InvalidInput, NotFound
from mlops_core.domain.progress import Progress, unheard
from mlops_core.registry.columns import PREDICTION, SCORE
from mlops_core.registry.evaluation_data import evaluation_of, read_snapshot
from mlops_core.registry.predictions import predictions_of
from mlops_core.registry.snapshots import name_of
from mlops_core.scoring.limits import Limits
from mlops_core.scoring.predictions import Predictions
from mlops_core.scoring.sandbox import can_be_asked, open_model
from mlops_core.workspace import Workspace

__all__ = ["ScoredSnapshot", "score_snapshot"]

_KEPT: Final = 4
_MOST_KEPT_BYTES: Final = 512 * 1024**2

_Key: TypeAlias = tuple[str, int, int, str]


@dataclass(frozen=True, slots=True)
class ScoredSnapshot:
    """The rows of a snapshot, and what a version says of each."""

    rows: pa.Table
    predictions: Predictions


class _Kept:
    """The snapshots that were scored last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scored: OrderedDict[_Key, ScoredSnapshot] = OrderedDict()

    def get(self, key: _Key) -> ScoredSnapshot | None:
        with self._lock:
            if key in self._scored:
                self._scored.move_to_end(key)
            return self._scored.get(key)

    def put(self, key: _Key, scored: ScoredSnapshot) -> None:
        if scored.rows.nbytes > _MOST_KEPT_BYTES // 2:
            return
        with self._lock:
            self._scored[key] = scored
            while len(self._scored) > _KEPT or self._bytes() > _MOST_KEPT_BYTES:
                self._scored.popitem(last=False)

    def _bytes(self) -> int:
        return sum(one.rows.nbytes for one in self._scored.values())


_kept = _Kept()


def score_snapshot(
    workspace: Workspace,
    version: ModelVersion,
    snapshot: Snapshot,
    *,
    limits: Limits | None = None,
    progress: Progress = unheard,
) -> ScoredSnapshot:
    """Return a version's predictions for a snapshot, in the order of its rows.

    The artefact is asked in a process of its own. Of a version whose artefact cannot be asked, they are the
    predictions that were handed over with it, for the snapshot that it was evaluated on. The snapshots that
    were scored last are kept.

    Raises
    ------
    InvalidInput
        The snapshot lacks input columns, has no rows, or its rows are no longer there.
    NotFound
        Its table is not in the warehouse.
    ArtefactRefused
        The artefact cannot be asked, and there are no predictions for this snapshot.
    OutOfTime, OutOfMemory, ScoringError
        As `SandboxedModel.predict`.
    """
    key = (workspace.settings.store_url, version.id, snapshot.id, version.artefact_digest)
    known = _kept.get(key)
    if known is not None:
        return known
    with workspace.store.read() as session:
        name = f"{session.get_one(Model, version.model_id).name}:{version.number}"
    missing = [column for column in version.columns if column not in snapshot.columns]
    if missing and can_be_asked(version):
        raise InvalidInput(
            f"snapshot {name_of(snapshot)} lacks columns of {name}: {', '.join(missing)}: evaluate it "
            "on rows that have every input column"
        )
    progress(0, 3, f"Reading {snapshot.rows:,} rows of {name_of(snapshot)}")
    rows = read_snapshot(workspace, snapshot)
    if can_be_asked(version):
        progress(1, 3, f"Loading {name} in a process of its own")
        with open_model(workspace, version, limits=limits) as opened:
            progress(2, 3, f"Scoring {rows.num_rows:,} rows with {name}")
            scored = ScoredSnapshot(rows, opened.predict(rows))
    else:
        scored = ScoredSnapshot(rows, _handed_over(workspace, version, name, snapshot))
    progress(3, 3, f"{name} has scored {rows.num_rows:,} rows")
    _kept.put(key, scored)
    return scored


def _handed_over(workspace: Workspace, version: ModelVersion, name: str, snapshot: Snapshot) -> Predictions:
    """Return the predictions that came with a version, for the snapshot that they were made on."""
    with workspace.store.read() as session:
        made_on = evaluation_of(session, version)
    try:
        table = predictions_of(workspace, version)
    except (NotFound, InvalidInput, pa.ArrowException) as error:
        raise ArtefactRefused(f"the predictions of {name} cannot be read: {error}") from error
    if table is None:
        raise ArtefactRefused(
            f"{name} cannot be asked (its artefact has the format '{version.artefact_format}') and came "
            "without predictions: register it with its predictions for the evaluation snapshot"
        )
    if made_on is None or made_on.id != snapshot.id:
        theirs = name_of(made_on) if made_on else "another snapshot"
        raise ArtefactRefused(
            f"{name} cannot be asked, and its predictions are for {theirs}, not {name_of(snapshot)}: "
            "use that one"
        )
    if table.num_rows != snapshot.rows:
        raise ArtefactRefused(
            f"{name} came with {table.num_rows:,} predictions, and {name_of(snapshot)} has {snapshot.rows:,} "
            "rows: register it again with one a row"
        )
    score = table[SCORE].to_numpy() if SCORE in table.column_names else None
    return Predictions(prediction=table[PREDICTION].to_numpy(), score=score)
