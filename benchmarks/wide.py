"""Compare two windows of 356,251 rows and 797 columns: the case that is said never to end elsewhere.

The size is that of evidentlyai/evidently issue 763. A bare scan is DuckDB reading the same columns of both
files: `sum` of each number, `max` of each text. Run it alone: ``python benchmarks/wide.py [--repeats 3]``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import child_peak, compare, peak_megabytes

from mlops_core.analysis.drift import drift

ROWS, NUMBERS, TEXTS = 356_251, 757, 40
PART = 65_536


def write(path: Path, seed: int) -> None:
    """Write one window, a part at a time."""
    rng = np.random.default_rng(seed)
    words = pa.array([f"value {i}" for i in range(60)])
    writer = None
    for start in range(0, ROWS, PART):
        n = min(PART, ROWS - start)
        data: dict[str, pa.Array] = {}
        for i in range(NUMBERS):
            values = (rng.standard_normal, rng.standard_exponential)[i % 2](n, dtype=np.float32)
            values = values.astype(np.float64) if i % 5 else np.round(values * 4.0)
            data[f"x{i:03d}"] = pa.array(values, mask=rng.random(n, dtype=np.float32) < 0.01)
        for i in range(TEXTS):
            codes = pa.array(rng.integers(0, 3 + i, n, dtype=np.int32))
            data[f"c{i:02d}"] = pa.DictionaryArray.from_arrays(codes, words).cast(pa.string())
        table = pa.table(data)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def files() -> tuple[Path, Path]:
    """Return both windows, written on first use into the temporary folder."""
    paths = [Path(tempfile.gettempdir()) / f"bigboard-benchmark-wide-{window}.parquet" for window in (1, 2)]
    for seed, path in enumerate(paths):
        if not path.exists():
            partial = path.with_suffix(".partial")
            write(partial, seed)
            partial.rename(path)
    return paths[0], paths[1]


def main() -> None:
    """Print the ratio and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="compare once and print the peak memory in MB")
    options = parser.parse_args()
    first, second = files()
    if options.memory:
        drift(first, second)
        print(f"{peak_megabytes():.0f}")
        return
    names = pq.read_schema(first).names
    select = ", ".join(f"{'max' if name.startswith('c') else 'sum'}({name})" for name in names)
    connection = duckdb.connect()

    def scan() -> None:
        for path in (first, second):
            connection.sql(f"SELECT {select} FROM '{path}'").fetchall()  # noqa: S608 - our own names

    pair = compare(scan, lambda: drift(first, second), options.repeats)
    print(pair.line(f"2 x {ROWS:,} rows x {len(names)} columns: drift"))
    print(f"peak memory {child_peak('--memory'):.0f} MB")


if __name__ == "__main__":
    main()
