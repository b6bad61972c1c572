"""What the scripts here share: both halves of the year, loaded before the clock starts, and one JSON line.

Runs in a peer's own environment, so it needs nothing but pandas, numpy and pyarrow.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data import CATEGORICAL, COLUMNS, NUMERIC, TIME

__all__ = ["CATEGORICAL", "COLUMNS", "HALF", "NUMERIC", "TIME", "frames", "measure", "tables"]

HALF = datetime(2024, 7, 1, tzinfo=UTC)
"""The Monday between the two halves: the reference is before it, the current rows are from it on."""


def tables(path: str) -> tuple[pa.Table, pa.Table]:
    """Load the reference and the current rows; text is dictionary-encoded."""
    table = pq.read_table(path, columns=[TIME, *COLUMNS], read_dictionary=CATEGORICAL).unify_dictionaries()
    first = pc.sum(pc.less(table[TIME], pa.scalar(HALF, table.schema.field(TIME).type))).as_py()
    return table.slice(0, first), table.slice(first)


def frames(path: str, text: str = "category", time_column: bool = False):
    """Load both as DataFrames: text as ``"category"``, or as ``"object"``, which some peers need."""
    names = [TIME, *COLUMNS] if time_column else COLUMNS
    loaded = [table.select(names).to_pandas(self_destruct=True) for table in tables(path)]
    for frame in loaded:
        if text != "category":
            frame[CATEGORICAL] = frame[CATEGORICAL].astype(text)
        if time_column:
            frame[TIME] = frame[TIME].dt.tz_localize(None)
    return loaded


def measure(compute: Callable[[], object], repeats: int = 1, warm_up: bool = False) -> None:
    """Print, of each call, the seconds by the clock and of all processors, and the peak memory in MB.

    The peak is what the process has had at most, loading included.
    """
    if warm_up:
        compute()
    seconds, processors = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        compute()
        seconds.append(round(time.perf_counter() - start, 4))
        processors.append(round(time.process_time() - busy, 4))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(json.dumps({"seconds": seconds, "processor_seconds": processors, "peak_mb": round(peak)}))
