"""Read slices of a version back: added up over a window, the whole reference, or the outcomes."""

from collections.abc import Collection, Sequence
from functools import lru_cache

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from mlops_core.domain import ModelVersion, OutcomeSlice, ReferenceProfile, StoredSlice
from mlops_core.domain.states import Origin
from mlops_core.monitoring.windows import Window
from mlops_core.slices import (
    Grids,
    Outcomes,
    Slice,
    decode_grids,
    decode_outcomes,
    merge_encoded,
    merge_outcomes,
)
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = ["read_grids", "read_outcomes", "read_reference", "read_slices"]

_ALL_ROWS = ""


def read_slices(
    workspace: Workspace,
    version: ModelVersion,
    window: Window | None,
    *,
    origin: Origin = Origin.PRODUCTION,
    segment: str = _ALL_ROWS,
    columns: Collection[str] | None = None,
) -> Slice:
    """Return the added-up slices of a version in a window (None: of all time) and a segment.

    Parameters
    ----------
    segment
        `column=value`, or empty for all rows.
    columns
        Decode these columns alone; None decodes all.
    """
    with workspace.store.read() as session:
        payloads = session.exec(
            select(StoredSlice.payload).where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == origin,
                StoredSlice.segment == segment,
                *_inside(StoredSlice, window),
            )
        ).all()
    return merge_encoded(payloads, columns)


def read_outcomes(
    workspace: Workspace,
    version: ModelVersion,
    window: Window | None,
    *,
    origin: Origin = Origin.PRODUCTION,
    segment: str = _ALL_ROWS,
) -> Outcomes | None:
    """Return the added-up outcomes of a version's predictions in a window, None when none is known.

    Those of the reference (`origin`) are kept as a whole: ask for them with the window None.
    """
    with workspace.store.read() as session:
        payloads = session.exec(
            select(OutcomeSlice.payload).where(
                OutcomeSlice.model_version_id == version.id,
                OutcomeSlice.origin == origin,
                OutcomeSlice.segment == segment,
                *_inside(OutcomeSlice, window),
            )
        ).all()
    return merge_outcomes([decode_outcomes(payload) for payload in payloads]) if payloads else None


def read_reference(workspace: Workspace, version: ModelVersion) -> tuple[Grids, Slice]:
    """Return a version's grids and its whole reference window, which never change."""
    return _reference(workspace.store, workspace, version.id)


def read_grids(workspace: Workspace, version: ModelVersion) -> Grids:
    """Return the grids that a version's slices are counted on."""
    return read_reference(workspace, version)[0]


@lru_cache(maxsize=256)
def _reference(store: Store, workspace: Workspace, version_id: int) -> tuple[Grids, Slice]:
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
        profile = session.exec(
            select(ReferenceProfile).where(ReferenceProfile.model_version_id == version_id)
        ).one()
    return decode_grids(profile.grids), read_slices(workspace, version, None, origin=Origin.REFERENCE)


def _inside(
    table: type[StoredSlice] | type[OutcomeSlice], window: Window | None
) -> Sequence[ColumnElement[bool]]:
    return [col(table.start) >= window.start, col(table.start) < window.end] if window else []
