"""What a client sends with a new version: files as they are, and what is no file yet as one."""

import glob
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_core.domain.errors import BigboardError, InvalidInput
from mlops_core.rows import Rows, table_of

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["artefact_file", "environment_of", "names_a_table", "opened", "rows_file"]


def artefact_file(artefact: "Path | str | BaseEstimator", folder: Path) -> Path:
    """Return a file with the artefact; an estimator is written to one in the skops format.

    Raises
    ------
    InvalidInput
        The estimator cannot be written so.
    """
    if isinstance(artefact, str | Path):
        return Path(artefact)
    from skops import io as skops_io

    path = folder / "estimator.skops"
    try:
        skops_io.dump(artefact, path)
    except Exception as error:
        raise InvalidInput(
            f"the estimator cannot be sent in the skops format ({error}): give the path of a file"
        ) from error
    return path


def environment_of(artefact: "Path | str | BaseEstimator | None") -> dict[str, str]:
    """Return the packages of this process, with the scikit-learn that wrote the artefact where it says so."""
    from mlops_core.registry.artefacts import check_file
    from mlops_core.registry.environment import this_environment

    found = this_environment()
    if isinstance(artefact, str | Path) and Path(artefact).suffix.lower() == ".skops":
        with suppress(BigboardError):  # the console says what is wrong with it
            described = check_file(Path(artefact))
            if described is not None and described.library_version is not None:
                found["scikit-learn"] = described.library_version
    return found


def names_a_table(text: str) -> bool:
    """Return whether a text is no file or pattern of files, but a table of the warehouse."""
    name, at, _ = text.partition("@")
    return not Path(text).exists() and not glob.has_magic(text) and (bool(at) or not Path(name).suffix)


def rows_file(data: "Rows | Path | str", name: str, folder: Path) -> Path:
    """Return a file with some rows; what is not one file already is written to one.

    Raises
    ------
    InvalidInput
        There is no such file, or the rows cannot be read or written.
    """
    if isinstance(data, str | Path) and Path(data).is_file():
        return Path(data)
    from pyarrow import parquet

    path = folder / f"{name}.parquet"
    try:
        if isinstance(data, str | Path):
            from mlops_core.analysis.sources import open_source

            source = open_source(data, f"the {name} rows")
            names = source.schema.names
            batches = (batch.select(names) for batch in source.batches(names))
            first = next(batches, None)
            if first is None:
                parquet.write_table(source.schema.empty_table(), path)
                return path
            with parquet.ParquetWriter(path, first.schema) as writer:
                for batch in chain([first], batches):
                    writer.write_batch(batch)
        else:
            parquet.write_table(table_of(data), path)
    except pa.ArrowException as error:
        raise InvalidInput(f"the {name} rows cannot be sent ({error})") from error
    return path


@contextmanager
def opened(paths: Mapping[str, Path]) -> Iterator[Any]:
    """Give what opens the files of a form, anew for each attempt to send it."""
    with ExitStack() as files:

        def parts() -> dict[str, Any]:
            files.close()
            try:
                return {
                    "files": {
                        name: (path.name, files.enter_context(path.open("rb")))
                        for name, path in paths.items()
                    }
                }
            except OSError as error:
                raise InvalidInput(f"{error.filename} cannot be read: {error.strerror}") from error

        yield parts
