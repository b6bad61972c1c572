"""A prediction log with all that a column may hold, in several Parquet files."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_core.slices import CategoricalGrid, NumericGrid, SlicePlan

ROWS = 50_000
EDGES = np.linspace(-2.0, 2.0, 101)
COLOURS = ("red", "green", "blue")
NUMERIC = ["double", "float", "long", "short", "unsigned", "huge", "money", "tied", "late", "nothing"]
BY_VALUE = ["colour", "shop", "yes", "many", "big"]


@dataclass(frozen=True)
class Log:
    """The files, the same rows as one table, and a plan over all columns."""

    files: list[str]
    table: pa.Table
    plan: SlicePlan


def make_log(folder: Path, rows: int = ROWS) -> Log:
    """Write four files; `late` came with the third, and its rows before are null."""
    table = _table(rows)
    files = []
    for place in range(4):
        part = table.slice(place * rows // 4, rows // 4)
        file = folder / f"part {place} [100%].parquet"  # a name that must not be taken for a pattern
        pq.write_table(part.drop_columns(["late"]) if place < 2 else part, file, row_group_size=3_000)
        files.append(str(file))
    late = table.schema.get_field_index("late")
    early = pa.nulls(rows // 2, pa.float64())
    after = table["late"].slice(rows // 2).combine_chunks()
    table = table.set_column(late, "late", pa.chunked_array([early, after]))
    grids = {
        **{name: NumericGrid(EDGES) for name in NUMERIC},
        "colour": CategoricalGrid(COLOURS),
        "shop": CategoricalGrid(tuple(str(shop) for shop in range(40))),
        "yes": CategoricalGrid(("true", "false")),
        "many": CategoricalGrid(()),
        "big": CategoricalGrid((str(2**64 - 1),)),
    }
    return Log(files, table, SlicePlan("at", "week", grids, ("colour", "shop")))


def _table(rows: int) -> pa.Table:
    rng = np.random.default_rng(11)

    def sometimes_null(values, kind=None):
        return pa.array(values, kind, mask=rng.random(rows) < 0.02)

    double = rng.normal(size=rows)
    for value, share in ((np.nan, 0.01), (np.inf, 0.01), (-np.inf, 0.01), (-0.0, 0.01), (1e308, 0.001)):
        double[rng.random(rows) < share] = value
    colours = np.array([*COLOURS, "Ünseen", "", "(missing)", "red=blue"])
    # Three months around 1970 and a change of summer time; the last microsecond of a week is among them.
    micros = rng.integers(-45 * 86_400, 45 * 86_400, rows) * 1_000_000
    micros[0] = 4 * 86_400 * 1_000_000 - 1
    return pa.table(
        {
            "at": pa.array(micros, pa.timestamp("us", tz="UTC")),
            "at_nanos": pa.array(micros * 1_000 + 999, pa.timestamp("ns", tz="Europe/Berlin")),
            "at_naive": pa.array(micros // 1_000, pa.timestamp("ms")),
            "day": pa.array((micros // 86_400_000_000).astype(np.int32), pa.date32()),
            "version": pa.array(rng.integers(1, 4, rows), pa.int64()),
            "double": sometimes_null(double),
            "float": sometimes_null(rng.normal(size=rows).astype(np.float32)),
            "long": sometimes_null(rng.integers(-(2**60), 2**60, rows)),
            "short": sometimes_null(rng.integers(-3, 4, rows).astype(np.int16)),
            "unsigned": sometimes_null(rng.integers(0, 256, rows).astype(np.uint8)),
            "huge": sometimes_null(rng.integers(0, 2**64 - 1, rows, dtype=np.uint64)),
            "money": sometimes_null([Decimal(int(cents)) / 100 for cents in rng.integers(-300, 300, rows)]),
            "tied": sometimes_null(rng.choice(EDGES, rows)),
            "late": sometimes_null(rng.normal(size=rows)),
            "nothing": pa.nulls(rows, pa.float64()),
            "untyped": pa.nulls(rows),
            "colour": sometimes_null(rng.choice(colours, rows)).dictionary_encode(),
            "shop": sometimes_null(rng.integers(0, 50, rows).astype(np.int32)),
            "yes": sometimes_null(rng.random(rows) < 0.3),
            "many": pa.array([f"id {i % 20_000}" for i in range(rows)], pa.large_string()),
            "big": sometimes_null(rng.choice(np.array([2**64 - 1, 5], dtype=np.uint64), rows)),
        }
    )
