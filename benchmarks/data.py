"""The data of the benchmarks: a prediction log of a year, as a Parquet file sorted by time.

14 numeric columns with skew, ties and 1 % nulls, 6 categorical ones of 3 to 200 values, 52 weeks.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["CATEGORICAL", "COLUMNS", "NUMERIC", "TIME", "log_file", "write_log"]

TIME = "scored_at"
NUMERIC = [f"x{i:02d}" for i in range(14)]
CATEGORICAL = [f"c{i}" for i in range(6)]
COLUMNS = [*NUMERIC, *CATEGORICAL]

_SIZES = (3, 5, 10, 25, 80, 200)
_SECONDS = 52 * 7 * 86_400
_MONDAY = np.datetime64("2024-01-01", "us")
_ROWS_AT_ONCE = 1_000_000
_NULLS = 0.01
_SHAPES: tuple[Callable[[np.random.Generator, int], np.ndarray], ...] = (
    lambda rng, n: rng.normal(size=n),
    lambda rng, n: rng.lognormal(3.0, 1.0, n),
    lambda rng, n: np.round(rng.lognormal(2.0, 1.0, n), 2),
    lambda rng, n: rng.poisson(4.0, n).astype(np.float64),
    lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.exponential(20.0, n)),
    lambda rng, n: rng.gamma(2.0, 15.0, n),
    lambda rng, n: rng.pareto(2.5, n),
)


def write_log(path: Path, rows: int, seed: int = 7) -> None:
    """Write the file, a million rows at a time."""
    rng = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, _ROWS_AT_ONCE):
        n = min(_ROWS_AT_ONCE, rows - start)
        table = _part(rng, n, start / rows, (start + n) / rows)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=131_072)
    if writer:
        writer.close()


def log_file(rows: int) -> Path:
    """Return the file of so many rows, written on first use into the temporary folder."""
    path = Path(tempfile.gettempdir()) / f"bigboard-benchmark-{rows}.parquet"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write_log(partial, rows)
        partial.rename(path)
    return path


def _part(rng: np.random.Generator, n: int, begin: float, end: float) -> pa.Table:
    seconds = np.sort(rng.uniform(begin * _SECONDS, end * _SECONDS, n)).astype("m8[s]")
    data: dict[str, pa.Array] = {TIME: pa.array(_MONDAY + seconds, pa.timestamp("us", tz="UTC"))}
    for place, name in enumerate(NUMERIC):
        values = _SHAPES[place % len(_SHAPES)](rng, n)
        data[name] = pa.array(values, mask=rng.random(n) < _NULLS)
    for name, size in zip(CATEGORICAL, _SIZES, strict=True):
        words = pa.array([f"{name} value {i}" for i in range(size)])
        codes = np.minimum(rng.geometric(min(0.5, 4.0 / size), n) - 1, size - 1).astype(np.int32)
        data[name] = pa.DictionaryArray.from_arrays(pa.array(codes), words).cast(pa.string())
    return pa.table(data)
