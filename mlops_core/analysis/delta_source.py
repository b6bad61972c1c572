"""A Delta table as a source of rows: its file list, read as Parquet."""

from pathlib import Path

from mlops_core.analysis.memory_source import ArrowSource
from mlops_core.analysis.parquet_source import ParquetSource
from mlops_core.analysis.source import Source
from mlops_core.domain.errors import InvalidInput

__all__ = ["is_delta_table", "source_of_delta_table"]


def is_delta_table(path: Path) -> bool:
    """Return whether a folder is a Delta table."""
    return (path / "_delta_log").is_dir()


def source_of_delta_table(path: Path) -> Source:
    """Return the rows of the newest version of a Delta table.

    Raises
    ------
    InvalidInput
        If the table cannot be read, is partitioned, or has features that only other engines read.
    """
    # Imported here because a command that reads plain files does without it.
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = DeltaTable(str(path))
        partitions = table.metadata().partition_columns
        features = set(table.protocol().reader_features or ())
        files = sorted(table.file_uris())
        schema = table.schema()
    except (DeltaError, OSError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InvalidInput(f"{path} cannot be read as a Delta table: {first}") from error
    if partitions:
        raise InvalidInput(
            f"{path} is partitioned by {', '.join(partitions)}, and its files lack those columns: "
            "write the rows that you need to one Parquet file"
        )
    if features & {"deletionVectors", "columnMapping"}:
        raise InvalidInput(
            f"{path} uses {', '.join(sorted(features))}, which its files alone do not show: "
            "run REORG TABLE ... APPLY (PURGE) in the engine that wrote it, or write a Parquet file"
        )
    if not files:
        import pyarrow as pa

        return ArrowSource(pa.schema(schema.to_arrow()).empty_table(), str(path))
    return ParquetSource(files, str(path))
