"""Build the weekly slices of a year, and say how many bare scans of the same columns that costs.

20 columns on reference grids of about 1,000 cells, moments included. A bare scan is DuckDB reading the same
columns of the same file: `sum` of each number, `max` of each text. Run it alone:
``python benchmarks/slices.py [--rows 1000000 10000000] [--repeats 7] [--memory ROWS]``.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import child_peak, compare, peak_megabytes, seconds

from data import CATEGORICAL, COLUMNS, NUMERIC, TIME, log_file
from mlops_core.slices import SlicePlan, build_slices, decode_slice, encode_slice, grids_from_table

SCAN = ", ".join([*(f"sum({name})" for name in NUMERIC), *(f"max({name})" for name in CATEGORICAL)])


def read(path: Path) -> Iterator[pa.RecordBatch]:
    """Hand out the batches of the file."""
    file = pq.ParquetFile(path, read_dictionary=CATEGORICAL, pre_buffer=False)
    return file.iter_batches(batch_size=131_072, columns=[TIME, *COLUMNS])


def plan_of(path: Path, segments: tuple[str, ...] = ()) -> SlicePlan:
    """Return the plan of weekly slices, with grids from the first 100,000 rows."""
    first = pa.Table.from_batches([next(read(path)).slice(0, 100_000)])
    return SlicePlan(TIME, "week", grids_from_table(first, COLUMNS), segments)


def codec_line(path: Path) -> str:
    """Return what a weekly slice takes to encode and to decode, and its size."""
    slices = list(build_slices(read(path), plan_of(path)).values())
    encoded = [encode_slice(part) for part in slices]
    encode = seconds(lambda: [encode_slice(part) for part in slices]) / len(slices)
    decode = seconds(lambda: [decode_slice(payload) for payload in encoded]) / len(slices)
    size = statistics.median(len(payload) for payload in encoded)
    return f"a weekly slice: encode {encode * 1e3:.2f} ms, decode {decode * 1e3:.2f} ms, {size:.0f} bytes"


def main() -> None:
    """Print one ratio a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory", type=int, help="build once and print the peak memory in MB")
    options = parser.parse_args()
    if options.memory:
        path = log_file(options.memory)
        build_slices(read(path), plan_of(path))
        print(f"{peak_megabytes():.0f}")
        return
    connection = duckdb.connect()
    built = {}
    for rows in options.rows:
        path = log_file(rows)
        plain, segmented = plan_of(path), plan_of(path, ("c1",))
        query = f"SELECT {SCAN} FROM '{path}'"  # noqa: S608 - our own names
        repeats = options.repeats if rows < 5_000_000 else max(3, options.repeats // 2)

        def scan(query: str = query) -> None:
            connection.sql(query).fetchall()

        def build(path: Path = path, plan: SlicePlan = plain) -> None:
            build_slices(read(path), plan)

        pair = compare(scan, build, repeats)
        built[rows] = pair.ours
        print(pair.line(f"{rows:,} rows: all weekly slices"))
        factor = compare(build, lambda path=path, plan=segmented: build_slices(read(path), plan), repeats)
        print(factor.line(f"{rows:,} rows: one segment column of 5 values", "times without"))
        print(f"{rows:,} rows: peak memory {child_peak('--memory', str(rows)):.0f} MB")
    print(codec_line(log_file(options.rows[0])))
    first, last = options.rows[0], options.rows[-1]
    if first != last:
        growth = (built[last] / built[first]) / (last / first)
        print(f"a row of {last:,} costs {growth:.2f} of a row of {first:,}")


if __name__ == "__main__":
    main()
