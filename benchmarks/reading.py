"""Read what slices tell: the drift statistics of 20 columns in a window and segment, and a board of models.

A year of daily slices of 20 columns, all rows and one segment. The physical limit is decompressing the same
slices, each as one zstd frame, in the same run. The board is that of 25 small models in a workspace of its
own, or of ``--workspace``, beside one query of the same store.

Run it alone: ``python benchmarks/reading.py [--rows 1000000] [--repeats 20] [--workspace FOLDER]``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from sqlmodel import select

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data import CATEGORICAL, COLUMNS, TIME, log_file
from mlops_core.domain import Model
from mlops_core.monitoring import log_predictions, read_board, run_monitoring
from mlops_core.slices import (
    Grids,
    NumericGrid,
    Slice,
    SlicePlan,
    build_slices,
    encode_slice,
    grids_from_table,
    merge_encoded,
)
from mlops_core.slices.codec import arrow_stream
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.workspace import Workspace, open_workspace
from tests.factories import champion, population, settings_in, system, workspace_in

_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_MODELS = 25


@dataclass(frozen=True)
class _Stored:
    """Daily slices by segment, in order of time, and what they are compared with."""

    grids: Grids
    payloads: dict[str, list[tuple[datetime, bytes]]]
    reference: Slice


def main() -> None:
    """Print the least processor time of windows and of the board, and their ratios to the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--workspace", type=Path, help="measure the board of this workspace")
    options = parser.parse_args()
    _measure_windows(_store(options.rows), options.repeats)
    if options.workspace:
        _measure_board(open_workspace(settings_in(options.workspace)), options.repeats)
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure_board(_small_models(Path(folder)), options.repeats)


def _store(rows: int) -> _Stored:
    table = pq.read_table(log_file(rows), columns=[TIME, *COLUMNS], read_dictionary=CATEGORICAL)
    grids = grids_from_table(table.slice(0, 100_000), COLUMNS)
    days = build_slices(table.to_batches(), SlicePlan(TIME, "day", grids, ("c1",)))
    payloads: dict[str, list[tuple[datetime, bytes]]] = {}
    for key, part in sorted(days.items(), key=lambda found: found[0].start):
        payloads.setdefault(key.segment, []).append((key.start, encode_slice(part)))
    return _Stored(grids, payloads, merge_encoded(payload for _, payload in payloads[""]))


def _measure_windows(stored: _Stored, repeats: int) -> None:
    for weeks in (1, 4, 13, 26, 52):
        for segment in sorted(stored.payloads)[:2]:
            end = _FIRST + timedelta(weeks=weeks)
            chosen = [payload for start, payload in stored.payloads[segment] if start < end]

            def read(payloads: list[bytes] = chosen) -> int:
                return _statistics(stored, merge_encoded(payloads))

            limit = _least(_bare(chosen), repeats)
            ours, adding = (_least(way, repeats) for way in (read, lambda p=chosen: merge_encoded(p)))
            print(
                f"{read()} statistics, {weeks:2d} weeks, {segment or 'all rows':12s} {ours:6.1f} ms "
                f"({adding:.1f} ms of it adding up), {ours / limit:.1f} x decompressing {len(chosen)} slices"
            )


def _least(function: Callable[[], object], repeats: int) -> float:
    """Return the least milliseconds of processor time of a call: what an idle machine takes."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent) * 1e3


def _statistics(stored: _Stored, window: Slice) -> int:
    """Compute every statistic of every column; return how many there are."""
    found = [
        chosen.compute(stored.reference.columns[name], window.columns[name], grid)
        for name, grid in stored.grids.items()
        for chosen in DRIFT_STATISTICS.values()
        if ("numeric" if isinstance(grid, NumericGrid) else "categorical") in chosen.kinds
    ]
    return len(found)


def _bare(payloads: list[bytes]) -> Callable[[], object]:
    return lambda: [arrow_stream(payload) for payload in payloads]


def _small_models(folder: Path) -> Workspace:
    workspace = workspace_in(folder)
    for number in range(_MODELS):
        trained = champion(workspace, f"model-{number:02d}")
        frame = population(500, start=workspace.clock.now() - timedelta(days=14), days=14, seed=number)
        log_predictions(workspace, system(workspace), trained.model.name, None, trained.predictions(frame))
    run_monitoring(workspace, system(workspace))
    return workspace


def _measure_board(workspace: Workspace, repeats: int) -> None:
    def query() -> object:
        with workspace.store.read() as session:
            return session.exec(select(Model)).all()

    limit, ours = _least(query, repeats), _least(lambda: read_board(workspace), repeats)
    board = read_board(workspace)
    print(
        f"board of {len(board.rows)} models, {board.monitors} monitors, {board.reporting} reporting: "
        f"{ours:.1f} ms, {ours / limit:.1f} x one query"
    )


if __name__ == "__main__":
    main()
