"""Predictions that were handed over with a version whose artefact cannot be asked."""

import io
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.domain import Model, ModelVersion, Snapshot
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.registry.artefacts import read_bytes, store_bytes
from mlops_core.registry.columns import PREDICTION, SCORE
from mlops_core.registry.snapshots import name_of
from mlops_core.workspace import Workspace

__all__ = ["check_predictions", "predictions_of", "store_predictions"]

_SUFFIX: Final = "parquet"


def check_predictions(model: Model, snapshot: Snapshot | None, predictions: pa.Table) -> pa.Table:
    """Return the columns `prediction` and, if there, `score`, after a check against the evaluation snapshot.

    Raises
    ------
    InvalidInput
        There is no such snapshot, it has another number of rows, or a value cannot be a prediction of the
        model.
    """
    where = f"the predictions handed over for model '{model.name}'"
    if snapshot is None:
        raise InvalidInput(f"{where} belong to no data: hand over the evaluation snapshot, too")
    if PREDICTION not in predictions.column_names:
        raise InvalidInput(f"{where} lack the column '{PREDICTION}'")
    if predictions.num_rows != snapshot.rows:
        raise InvalidInput(
            f"{where} are {predictions.num_rows:,} rows, evaluation snapshot {name_of(snapshot)} has "
            f"{snapshot.rows:,}: give one prediction a row, in their order"
        )
    names = [name for name in (PREDICTION, SCORE) if name in predictions.column_names]
    kept = predictions.select(names).combine_chunks()
    for name in names:
        if kept[name].null_count:
            raise InvalidInput(f"{where}: {kept[name].null_count:,} of column '{name}' are missing")
    problem = ProblemType(model.problem_type)
    if problem in (ProblemType.BINARY, ProblemType.REGRESSION):
        _check_numbers(where, PREDICTION, kept[PREDICTION], between=problem == ProblemType.BINARY)
    if SCORE in names:
        _check_numbers(where, SCORE, kept[SCORE], between=True)
    return kept


def store_predictions(workspace: Workspace, predictions: pa.Table) -> str:
    """Keep predictions as an artefact; return its digest."""
    from pyarrow import parquet

    sink = io.BytesIO()
    parquet.write_table(predictions, sink, compression="zstd")
    return store_bytes(workspace, sink.getvalue(), _SUFFIX)


def predictions_of(workspace: Workspace, version: ModelVersion) -> pa.Table | None:
    """Return the predictions that were handed over with a version, in the order of its evaluation snapshot.

    Returns
    -------
    pa.Table or None
        Columns `prediction` and perhaps `score`; None where none were handed over.

    Raises
    ------
    NotFound
        The artefact's file is not in the workspace.
    InvalidInput
        Its bytes have changed.
    """
    return _read(workspace, version.predictions_digest) if version.predictions_digest else None


def _check_numbers(where: str, name: str, column: pa.ChunkedArray, *, between: bool) -> None:
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise InvalidInput(f"{where}: column '{name}' holds {kind}, not numbers")
    values = pc.cast(column, pa.float64()).to_numpy()
    if not np.isfinite(values).all():
        raise InvalidInput(f"{where}: column '{name}' holds {values[~np.isfinite(values)][0]}, no number")
    if between and len(values) and (values.min() < 0 or values.max() > 1):
        span = f"from {values.min():g} to {values.max():g}"
        raise InvalidInput(f"{where}: column '{name}' goes {span}, not from 0 to 1")


@lru_cache(maxsize=8)
def _read(workspace: Workspace, digest: str) -> pa.Table:
    from pyarrow import parquet

    return parquet.read_table(io.BytesIO(read_bytes(workspace, digest, _SUFFIX)))
