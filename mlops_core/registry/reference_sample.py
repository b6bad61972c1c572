"""A sample of the rows of a version's reference, for what counts cannot tell: columns together, losses."""

import io
from functools import lru_cache

import numpy as np
import pyarrow as pa
from sqlmodel import select

from mlops_core.domain import ModelVersion, ReferenceProfile
from mlops_core.registry.artefacts import read_bytes, store_bytes
from mlops_core.registry.columns import PREDICTED_AT
from mlops_core.workspace import Workspace

__all__ = ["MOST_ROWS", "read_reference_sample", "sample_rows", "store_reference_sample"]

MOST_ROWS = 50_000
"""Rows of a sample at most."""

_SUFFIX = "parquet"


def sample_rows(rows: pa.Table, most: int = MOST_ROWS, time_column: str = PREDICTED_AT) -> pa.Table:
    """Return at most `most` rows in order of time, evenly spread over it (systematic sampling)."""
    if rows.num_rows <= most:
        return rows
    order = np.argsort(rows[time_column].cast(pa.int64()).to_numpy(), kind="stable")
    chosen = order[np.arange(most) * rows.num_rows // most]
    return rows.take(pa.array(chosen))


def store_reference_sample(workspace: Workspace, reference: pa.Table) -> str:
    """Keep a sample of a reference as an artefact; return its digest.

    Raises
    ------
    ArtefactUnwritable
        The folder cannot be written.
    """
    from pyarrow import parquet

    sink = io.BytesIO()
    parquet.write_table(sample_rows(reference).combine_chunks(), sink, compression="zstd")
    return store_bytes(workspace, sink.getvalue(), _SUFFIX)


def read_reference_sample(workspace: Workspace, version: ModelVersion) -> pa.Table | None:
    """Return the kept sample: every column, prediction, score, outcome and `predicted_at`.

    Returns
    -------
    pa.Table or None
        At most 50,000 rows. None for a version that was registered before samples were kept.

    Raises
    ------
    NotFound
        The artefact's file is not in the workspace.
    InvalidInput
        Its bytes have changed.
    """
    with workspace.store.read() as session:
        digest = session.exec(
            select(ReferenceProfile.sample_digest).where(ReferenceProfile.model_version_id == version.id)
        ).first()
    return _read(workspace, digest) if digest else None


@lru_cache(maxsize=8)
def _read(workspace: Workspace, digest: str) -> pa.Table:
    from pyarrow import parquet

    return parquet.read_table(io.BytesIO(read_bytes(workspace, digest, _SUFFIX)))
