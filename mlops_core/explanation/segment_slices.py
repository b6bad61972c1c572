"""The slices of every segment of a version, added up over a window.

A short window is read as it is. Of a long one, as a reference may be, the weeks are kept added up for the
columns that were asked for: another window needs only the days at its ends then.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from sqlmodel import Session, col, func, select

from mlops_core.domain import ModelVersion, StoredSlice
from mlops_core.domain.states import Origin
from mlops_core.explanation.history import History, read_history
from mlops_core.explanation.latest import Latest
from mlops_core.monitoring.windows import Window
from mlops_core.slices import Slice, merge_groups, merge_slices
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = ["LONG", "MOST_COLUMNS", "read_segments"]

LONG: Final = timedelta(weeks=12)
"""The weeks of longer windows are kept."""

MOST_COLUMNS: Final = 20
"""Of how many columns the weeks of segments are read."""

_MOST_KEPT: Final = 2 * MOST_COLUMNS
"""Of how many they are kept, those that drifted and those that matter most: ten segments fill 80 MB then."""

_State = tuple[int, int]
"""The latest revision of a version's slices of segments, and how many there are: changes when they do."""


def read_segments(
    workspace: Workspace,
    version: ModelVersion,
    window: Window | None,
    *,
    origin: Origin,
    columns: Sequence[str],
) -> Mapping[str, Slice]:
    """Return the added-up slices of every segment, by segment.

    What was read last is kept until the slices change: another statistic needs no reading. A segment without
    rows in the window is left out; a slice may hold more columns than were asked for.
    """
    with workspace.store.read() as session:
        state = _state_of(session, version, origin)
    wanted = tuple(sorted(columns))
    is_long = window is not None and window.end - window.start > LONG
    if window is None or not is_long or origin != Origin.PRODUCTION or len(wanted) > MOST_COLUMNS:
        read = _read if len(wanted) <= MOST_COLUMNS else _read_wide
        return read(workspace.store, version.id, window, origin, wanted, state)
    history = read_history(workspace, version)
    weeks = _weeks_of(history, wanted, state)
    whole, rest = history.parts_of(window)
    parts = [
        *(weeks.slices[number] for number in whole),
        *(_read(workspace.store, version.id, one, origin, weeks.columns, state) for one in rest),
    ]
    segments: dict[str, list[Slice]] = defaultdict(list)
    for part in parts:
        for segment, found in part.items():
            segments[segment].append(found)
    return {segment: merge_slices(found) for segment, found in segments.items()}


def _state_of(session: Session, version: ModelVersion, origin: Origin) -> _State:
    revision, rows = session.exec(
        select(func.max(StoredSlice.revision), func.count()).where(
            StoredSlice.model_version_id == version.id,
            StoredSlice.origin == origin,
            StoredSlice.segment != "",
        )
    ).one()
    return revision or 0, rows


def _sum(
    store: Store,
    version_id: int,
    window: Window | None,
    origin: Origin,
    columns: tuple[str, ...],
    state: _State,
) -> Mapping[str, Slice]:
    stored = _stored(store, version_id, window, origin)
    return merge_groups(((segment, payload) for segment, _, payload in stored), columns)


_read = lru_cache(maxsize=32)(_sum)
_read_wide = lru_cache(maxsize=4)(_sum)  # of 200 columns, ten segments fill 11 MB


def _stored(
    store: Store, version_id: int, window: Window | None, origin: Origin
) -> Sequence[tuple[str, datetime, bytes]]:
    inside = [col(StoredSlice.start) >= window.start, col(StoredSlice.start) < window.end] if window else []
    with store.read() as session:
        return session.exec(
            select(StoredSlice.segment, StoredSlice.start, StoredSlice.payload).where(
                StoredSlice.model_version_id == version_id,
                StoredSlice.origin == origin,
                StoredSlice.segment != "",
                *inside,
            )
        ).all()


@dataclass(frozen=True, slots=True)
class _Weeks:
    """Some columns of every segment in each of the weeks of a history."""

    history: History
    state: _State
    columns: tuple[str, ...]
    slices: Sequence[Mapping[str, Slice]]


_kept: Final[Latest[tuple[int, int], _Weeks]] = Latest(4)


def _weeks_of(history: History, columns: Collection[str], state: _State) -> _Weeks:
    """Return the weeks with these columns and those that were asked for before, if they are not too many."""
    store, version_id = history.workspace.store, history.version.id
    key = (id(store), version_id)
    known = _kept.find(key)
    if known is not None and (known.history is not history or known.state != state):
        known = None
    if known is not None and not {*columns} - {*known.columns}:
        return known
    union = {*columns, *(known.columns if known is not None else ())}
    chosen = tuple(sorted(union if len(union) <= _MOST_KEPT else {*columns}))
    payloads: list[list[tuple[str, bytes]]] = [[] for _ in history.weeks]
    for segment, start, payload in _stored(store, version_id, None, Origin.PRODUCTION):
        for number, week in enumerate(history.weeks):
            if week.holds(start):
                payloads[number].append((segment, payload))
                break
    slices = [merge_groups(week, chosen) for week in payloads]
    found = _Weeks(history, state, chosen, slices)
    _kept.put(key, found)
    return found
