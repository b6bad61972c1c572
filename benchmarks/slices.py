"""Measure how much slower building slices is than merely scanning the same Parquet file.

1 M rows of 20 columns (16 numeric, 4 categorical) over 52 weeks. The scan and the build take turns in the
same process; what is printed is the median of the ratios of neighbours, which no load of the machine can
shift much. Run it alone: ``python benchmarks/slices.py [--rows 1000000] [--repeats 7]``.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mlops_core.slices import SlicePlan, build_slices, decode_slice, encode_slice, grids_from_table

COLUMNS = [f"x{i}" for i in range(16)] + [f"c{i}" for i in range(4)]
CATEGORICAL = COLUMNS[16:]
SECONDS = 52 * 7 * 86_400


def make_table(rows: int, in_order: bool, nulls: float = 0.0) -> pa.Table:
    """Return a prediction log of many shapes: normal, log-normal, prices, counts, mostly zero."""
    rng = np.random.default_rng(7)
    seconds = rng.integers(0, SECONDS, rows)
    times = np.datetime64("2025-01-01", "us") + (np.sort(seconds) if in_order else seconds).astype("m8[s]")
    data: dict[str, pa.Array] = {"scored_at": pa.array(times, pa.timestamp("us", tz="UTC"))}
    shapes: list[Callable[[], np.ndarray]] = [
        lambda: rng.normal(size=rows),
        lambda: rng.lognormal(3, 1, rows),
        lambda: np.round(rng.lognormal(2, 1, rows), 2),
        lambda: rng.poisson(4, rows).astype(float),
    ]
    for place, name in enumerate(COLUMNS[:16]):
        mask = rng.random(rows) < nulls if nulls else None
        data[name] = pa.array(shapes[place % 4](), mask=mask)
    for place, name in enumerate(CATEGORICAL):
        words = np.array([f"value {i}" for i in range(5 * 4**place)])
        codes = rng.integers(0, len(words), rows).astype(np.int32)
        data[name] = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words))
    return pa.table(data)


def read(path: Path) -> Iterator[pa.RecordBatch]:
    """Hand out the batches of the file, decoded by all processors."""
    return pq.ParquetFile(path, read_dictionary=CATEGORICAL, memory_map=True).iter_batches(batch_size=131_072)


def scan(path: Path) -> None:
    """Decode every value and do nothing with it."""
    for _ in read(path):
        pass


def codec_line(table: pa.Table) -> str:
    """Return how long a slice of about 2,000 rows and all columns takes to encode and to decode."""
    grids = grids_from_table(table.slice(0, 100_000), COLUMNS)
    slices = list(
        build_slices(
            table.slice(0, 2 * len(table) // 10).to_batches(), SlicePlan("scored_at", "day", grids)
        ).values()
    )
    encoded = [encode_slice(part) for part in slices]
    encode = seconds(lambda: [encode_slice(part) for part in slices]) / len(slices)
    decode = seconds(lambda: [decode_slice(payload) for payload in encoded]) / len(slices)
    size = statistics.median(len(payload) for payload in encoded)
    rows = statistics.median(part.rows for part in slices)
    times = f"encode {encode * 1e3:.2f} ms, decode {decode * 1e3:.2f} ms"
    return f"a slice of {rows:.0f} rows and 20 columns: {times}, {size:.0f} bytes"


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Print one ratio for each kind of data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        cases = [
            ("rows in order of time, daily", True, 0.0, ()),
            ("rows in random order, daily", False, 0.0, ()),
            ("in order, 5 % nulls", True, 0.05, ()),
            ("in order, one segment column of 5", True, 0.0, ("c0",)),
        ]
        for title, in_order, nulls, segments in cases:
            table = make_table(options.rows, in_order, nulls)
            pq.write_table(table, path, row_group_size=131_072)
            grids = grids_from_table(table.slice(0, 100_000), COLUMNS)
            if title == cases[0][0]:
                print(codec_line(table))
            del table
            plan = SlicePlan("scored_at", "day", grids, segments)
            scan(path), build_slices(read(path), plan)
            pairs = [
                (seconds(lambda: scan(path)), seconds(lambda plan=plan: build_slices(read(path), plan)))
                for _ in range(options.repeats)
            ]
            ratio = statistics.median(build / bare for bare, build in pairs)
            bare, build = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{title:36s} {ratio:5.2f} bare scans ({build * 1e3:.0f} ms against {bare * 1e3:.0f} ms)")


if __name__ == "__main__":
    main()
