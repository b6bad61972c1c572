"""Compare the whole command `bigboard drift` with a Python process that does nothing but the bare scan.

Two halves of a million rows of 20 columns; start, imports and output included on both sides. Run it alone:
``python benchmarks/command.py [--repeats 7]``.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import compare

from data import CATEGORICAL, COLUMNS, NUMERIC, log_file

SCAN = ", ".join([*(f"sum({name})" for name in NUMERIC), *(f"max({name})" for name in CATEGORICAL)])


def halves(path: Path) -> tuple[Path, Path]:
    """Return the files of both halves, written on first use beside the whole."""
    parts = (path.with_suffix(".first.parquet"), path.with_suffix(".second.parquet"))
    if not parts[1].exists():
        table = pq.read_table(path, columns=COLUMNS)
        middle = len(table) // 2
        for part, start in zip(parts, (0, middle), strict=True):
            pq.write_table(table.slice(start, middle), part, row_group_size=131_072)
    return parts


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    files = [str(path) for path in halves(log_file(1_000_000))]
    script = f'import duckdb; duckdb.sql("SELECT {SCAN} FROM read_parquet({files})").fetchall()'  # noqa: S608
    command = [str(Path(sys.executable).with_name("bigboard")), "drift", *files, "--json"]

    def run(*arguments: str) -> None:
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own programs

    pair = compare(lambda: run(sys.executable, "-c", script), lambda: run(*command), options.repeats)
    print(pair.line("bigboard drift on halves of 1,000,000 rows", "processes with a bare scan"))


if __name__ == "__main__":
    main()
