"""Compare the feeders on the same Parquet file: pyarrow, DuckDB's Arrow reader, Spark in local mode.

All weekly slices of 20 columns over 52 weeks. The feeders take turns in one process; what is printed is the
median of the ratios to pyarrow of the same turn. Spark, where it is installed, is started before: its start
is printed apart. ``python benchmarks/feeders.py [--rows 1000000 10000000] [--repeats 5]``.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.data import CATEGORICAL, COLUMNS, TIME, log_file
from mlops_core.domain.errors import EngineError
from mlops_core.feeders import ParquetFiles, SqlQuery, count_slices
from mlops_core.settings import Settings
from mlops_core.slices import SlicePlan, grids_from_table

LOCAL, SPARK = Settings(engine="local"), Settings(engine="spark")


def plan_for(file: str) -> SlicePlan:
    """Return a plan of weekly slices whose grids come from the first row groups."""
    head = next(pq.ParquetFile(file).iter_batches(batch_size=100_000, columns=COLUMNS))
    return SlicePlan(TIME, "week", grids_from_table(head, COLUMNS))


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each feeder and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    by_value = len(CATEGORICAL)
    print(f"{os.cpu_count()} processors, {len(COLUMNS)} columns ({by_value} by value), 52 weekly slices")
    small = str(log_file(1_000))
    spark = find_spec("pyspark") is not None
    if spark:
        try:
            start = seconds(lambda: count_slices(ParquetFiles([small]), plan_for(small), SPARK))
            print(f"Spark starts and counts 1,000 rows in {start:.1f} s")
        except EngineError as error:
            spark = False
            print(error)
    for rows in options.rows:
        file = str(log_file(rows))
        plan = plan_for(file)
        query = SqlQuery("FROM read_parquet($file)", {"file": file})
        feeders = {
            "pyarrow": lambda file=file, plan=plan: count_slices(ParquetFiles([file]), plan, LOCAL),
            "DuckDB": lambda query=query, plan=plan: count_slices(query, plan, LOCAL),
        }
        if spark:
            feeders["Spark"] = lambda file=file, plan=plan: count_slices(ParquetFiles([file]), plan, SPARK)
        turns = [{name: seconds(feed) for name, feed in feeders.items()} for _ in range(options.repeats)]
        for name in feeders:
            ratio = statistics.median(turn[name] / turn["pyarrow"] for turn in turns)
            median = statistics.median(turn[name] for turn in turns)
            print(f"{rows:>11,} rows, {name:8s} {ratio:5.2f} x pyarrow ({median:.2f} s)")


if __name__ == "__main__":
    main()
