"""Where rows come from: files, globs, Delta tables and what a notebook holds, all behind one way in."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from mlops_core.analysis.csv_source import CSV_ENDINGS, CsvSource
from mlops_core.analysis.delta_source import is_delta_table, source_of_delta_table
from mlops_core.analysis.memory_source import ArrowSource, source_of_frame
from mlops_core.analysis.parquet_source import ParquetSource, reading
from mlops_core.analysis.source import Source
from mlops_core.domain.errors import InvalidInput

__all__ = ["Data", "Source", "open_source"]

Data: TypeAlias = Any
"""A path, a glob pattern or a list of them, a pandas DataFrame, an Arrow table or record batch, a Source."""


def open_source(data: Data, name: str | None = None) -> Source:
    """Open rows for reading, whatever holds them.

    Parameters
    ----------
    data
        The path of a Parquet or CSV file (``.csv``, ``.tsv``, ``.txt``, each also with ``.gz``), a glob
        pattern, a list of these, the folder of a Delta table, a pandas DataFrame, an Arrow table or record
        batch, or a `Source`, which is returned as it is.
    name
        What messages call data in memory.

    Raises
    ------
    InvalidInput
        If nothing is there, or it cannot be read; the message names the file.
    SchemaMismatch
        If files of one list do not fit each other.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return ArrowSource(data, name or "the Arrow table")
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc"):
        if not hasattr(data, "columns"):
            data = data.to_frame()
        return source_of_frame(data, name or "the DataFrame")
    if isinstance(data, str | os.PathLike):
        return _open_files([os.fspath(data)])
    if isinstance(data, Sequence) and data and all(isinstance(one, str | os.PathLike) for one in data):
        return _open_files([os.fspath(one) for one in data])
    raise InvalidInput(
        f"rows cannot be read from {type(data).__name__}: "
        "give a path, a list of paths, a DataFrame or an Arrow table"
    )


def _open_files(paths: list[str]) -> Source:
    files: list[str] = []
    for path in paths:
        files.extend(_found(path))
    name = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    if len(files) == 1 and Path(files[0]).is_dir():
        return source_of_delta_table(Path(files[0]))
    for file in files:
        _check_file(file)
    csv = [file for file in files if _is_csv(file)]
    if csv and len(csv) < len(files):
        other = next(file for file in files if file not in csv)
        raise InvalidInput(f"{csv[0]} is CSV and {other} is not: name files of one format")
    return CsvSource(files, name) if csv else ParquetSource(files, name)


def _found(path: str) -> list[str]:
    if os.path.exists(path):
        if Path(path).is_dir() and not is_delta_table(Path(path)):
            raise InvalidInput(
                f"{path} is a folder but no Delta table (it has no _delta_log): "
                f"name files in it, for example '{path.rstrip('/')}/*.parquet'"
            )
        return [path]
    if not glob.has_magic(path):
        raise InvalidInput(f"{path} does not exist: check the path")
    found = sorted(file for file in glob.glob(path, recursive=True) if Path(file).is_file())
    if not found:
        raise InvalidInput(f"no file matches {path}: check the pattern")
    return found


def _check_file(file: str) -> None:
    if Path(file).is_dir():
        raise InvalidInput(f"{file} is a folder: name Delta tables one at a time, or list their files")
    with reading(file, "a file"), open(file, "rb"):
        if os.path.getsize(file) == 0:
            raise InvalidInput(f"{file} is empty (0 bytes): write it again")


def _is_csv(file: str) -> bool:
    return file.lower().removesuffix(".gz").endswith(CSV_ENDINGS)
