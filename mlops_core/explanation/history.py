"""The slices of a version over all its time, added up into at most 26 windows and kept in memory.

A change of statistic or of column needs no reading then, a change of window only of the days at its ends.
Trends depend on the reference and the statistic, not on the window: those asked for last are kept, too.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Final, TypeAlias

from sqlmodel import col, func, select

from mlops_core.domain import ModelVersion, StoredSlice
from mlops_core.domain.states import Origin
from mlops_core.explanation.latest import Latest
from mlops_core.monitoring.reading import read_reference, read_slices
from mlops_core.monitoring.windows import Window, windows_around
from mlops_core.slices import Grids, NumericCounts, Slice, merge_encoded, merge_slices
from mlops_core.statistics.many_windows import drift_of_windows
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = ["MOST_WINDOWS", "History", "Trends", "read_history", "reference_slice"]

Trends: TypeAlias = Mapping[str, Sequence[float | None]]
"""A value for each of the weeks of a history, by column."""

MOST_WINDOWS: Final = 26
"""Of how many windows a trend consists at most."""

_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_MOST_BYTES: Final = 256 * 2**20
_MOST_SUMS: Final = 8
_MOST_TRENDS: Final = 24


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a version has predicted in one segment.

    Attributes
    ----------
    days
        Midnight UTC of every day with predictions, in order.
    weeks
        Calendar weeks with predictions, oldest first; of more than 26, runs of so many weeks each that no
        more than 26 are left, the newest whole.
    slices
        The counts of each of the weeks.
    """

    workspace: Workspace
    version: ModelVersion
    segment: str
    days: Sequence[datetime]
    weeks: Sequence[Window]
    slices: Sequence[Slice]
    _sums: Latest[Window, Slice] = field(default_factory=lambda: Latest(_MOST_SUMS), init=False, repr=False)
    _trends: Latest[tuple[str, int], tuple[Slice, Trends]] = field(
        default_factory=lambda: Latest(_MOST_TRENDS), init=False, repr=False
    )

    def slice_of(self, window: Window) -> Slice:
        """Return the counts of the days that begin in a window; the same object for the latest windows."""
        found = self._sums.find(window)
        if found is None:
            found = self._sum_of(window)
            self._sums.put(window, found)
        return found

    def parts_of(self, window: Window) -> tuple[list[int], list[Window]]:
        """Return the numbers of the weeks whose days a window holds, and runs of its other days."""
        first, end = (self.days[0], self.days[-1] + _DAY) if self.days else (window.start, window.end)
        whole = [
            number
            for number, week in enumerate(self.weeks)
            if window.start <= max(week.start, first) and min(week.end, end) <= window.end
        ]
        covered = [self.weeks[number] for number in whole]
        rest = [
            day for day in self.days if window.holds(day) and not any(week.holds(day) for week in covered)
        ]
        return whole, [Window(begin, last + _DAY) for begin, last in _runs(rest, self.days)]

    def _sum_of(self, window: Window) -> Slice:
        whole, rest = self.parts_of(window)
        parts = [*(self.slices[number] for number in whole), *map(self._read, rest)]
        return merge_slices(parts) if len(parts) != 1 else parts[0]

    def weekly(self, columns: Collection[str] | None = None) -> list[Slice]:
        """Return the counts of each of the weeks; `columns` limits them."""
        if columns is None:
            return list(self.slices)
        return [
            Slice(one.rows, {name: one.columns[name] for name in columns if name in one.columns})
            for one in self.slices
        ]

    def trends(self, statistic: str, reference: Slice, columns: Sequence[str], grids: Grids) -> Trends:
        """Return a statistic of each of the weeks against a reference, which is known by its identity.

        See `drift_of_windows` for what is None. Only columns that were not asked for before are computed.
        """
        key = statistic, id(reference)
        kept = self._trends.find(key)
        found = dict(kept[1]) if kept is not None and kept[0] is reference else {}
        new = [name for name in columns if name not in found]
        if new:
            found |= {name: self._trend(statistic, reference, name, grids) for name in new}
            self._trends.put(key, (reference, found))
        return found

    def _trend(self, statistic: str, reference: Slice, name: str, grids: Grids) -> Sequence[float | None]:
        weeks = [week.columns.get(name) for week in self.slices]
        return drift_of_windows(statistic, reference.columns[name], weeks, grids[name])

    @property
    def span(self) -> Window | None:
        """Return from the first to the last day with predictions, None when there is none."""
        return Window(self.days[0], self.days[-1] + _DAY) if self.days else None

    def _read(self, window: Window) -> Slice:
        return read_slices(self.workspace, self.version, window, segment=self.segment)


def read_history(workspace: Workspace, version: ModelVersion, segment: str = "") -> History:
    """Return what a version has predicted in a segment; read anew only when its slices have changed."""
    with workspace.store.read() as session:
        revision, rows = session.exec(
            select(func.max(StoredSlice.revision), func.count()).where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == Origin.PRODUCTION,
                StoredSlice.segment == segment,
            )
        ).one()
    return _kept.get(workspace, version, segment, (revision or 0, rows))


def reference_slice(workspace: Workspace, version: ModelVersion, segment: str = "") -> tuple[Grids, Slice]:
    """Return a version's grids and the counts of its whole reference in a segment, which never change.

    A segment that the reference did not have has no rows.
    """
    grids, whole = read_reference(workspace, version)
    if not segment:
        return grids, whole
    return grids, _reference_of_segment(workspace.store, workspace, version.id, segment)


@lru_cache(maxsize=32)
def _reference_of_segment(store: Store, workspace: Workspace, version_id: int, segment: str) -> Slice:
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
    return read_slices(workspace, version, None, origin=Origin.REFERENCE, segment=segment)


def _read(workspace: Workspace, version: ModelVersion, segment: str) -> History:
    with workspace.store.read() as session:
        rows = session.exec(
            select(StoredSlice.start, StoredSlice.payload)
            .where(
                StoredSlice.model_version_id == version.id,
                StoredSlice.origin == Origin.PRODUCTION,
                StoredSlice.segment == segment,
            )
            .order_by(col(StoredSlice.start))
        ).all()
    days = [start for start, _ in rows]
    weeks = _at_most(windows_around(days, 7), MOST_WINDOWS)
    payloads: list[list[bytes]] = [[] for _ in weeks]
    place = 0
    for start, payload in rows:
        while not weeks[place].holds(start):
            place += 1
        payloads[place].append(payload)
    slices = [merge_encoded(part) for part in payloads]
    return History(workspace, version, segment, days, weeks, slices)


def _at_most(weeks: list[Window], most: int) -> list[Window]:
    """Join neighbouring weeks into runs of equal length until there are no more than `most`."""
    if len(weeks) <= most:
        return weeks
    end = weeks[-1].end
    length = -(-((end - weeks[0].start) // _WEEK) // most) * _WEEK
    runs: dict[datetime, Window] = {}
    for week in weeks:
        start = end - length * -(-(end - week.start) // length)
        runs[start] = Window(start, start + length)
    return list(runs.values())


def _runs(chosen: Sequence[datetime], days: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """Return the first and last day of each run of chosen days that no other day interrupts."""
    places = {day: place for place, day in enumerate(days)}
    runs: list[tuple[datetime, datetime]] = []
    for day in chosen:
        if runs and places[day] == places[runs[-1][1]] + 1:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


_Key = tuple[int, int, str]


class _Kept:
    """The histories that were read last, so many that their counts fill no more than 256 MiB."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: OrderedDict[_Key, tuple[tuple[int, int], History, int]] = OrderedDict()

    def get(
        self, workspace: Workspace, version: ModelVersion, segment: str, state: tuple[int, int]
    ) -> History:
        key = (id(workspace.store), version.id, segment)
        with self._lock:
            known = self._found.get(key)
            if known is not None and known[0] == state and known[1].workspace is workspace:
                self._found.move_to_end(key)
                return known[1]
        history = _read(workspace, version, segment)
        with self._lock:
            self._found[key] = (state, history, sum(map(_bytes_of, history.slices)))
            self._found.move_to_end(key)
            while len(self._found) > 1 and sum(size for _, _, size in self._found.values()) > _MOST_BYTES:
                self._found.popitem(last=False)
        return history


def _bytes_of(found: Slice) -> int:
    return sum(
        counts.cells.nbytes if isinstance(counts, NumericCounts) else counts.known.nbytes
        for counts in found.columns.values()
    )


_kept = _Kept()
