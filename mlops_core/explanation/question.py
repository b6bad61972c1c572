"""What is asked for an explanation, checked, and the counts that answer it, each read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel import select

from mlops_core.domain import Model, ModelVersion, ReferenceProfile
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.explanation.history import History, read_history, reference_slice
from mlops_core.explanation.ranking import OUTPUTS
from mlops_core.explanation.spans import segments_of
from mlops_core.explanation.wording import span_text
from mlops_core.monitoring.windows import Window, windows_around
from mlops_core.registry.models import champion_of, find_model
from mlops_core.slices import Grids, Slice
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.workspace import Workspace

__all__ = ["Data", "Question", "look_up", "read_data"]

_FOUR_WEEKS: Final = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and of which version.

    Attributes
    ----------
    days
        The days with predictions of the version, in order, at least one.
    """

    workspace: Workspace
    model: Model
    version: ModelVersion
    days: Sequence[datetime]
    window: Window
    reference: Window | None
    segment: str
    statistic: str


@dataclass(frozen=True, slots=True)
class Data:
    """The counts of both windows, neither without rows, and week by week.

    Attributes
    ----------
    history
        What the weeks are of: it keeps their trends.
    columns
        Inputs and outputs that both windows hold.
    notes
        Words on those that one of them lacks.
    """

    history: History
    grids: Grids
    before: Slice
    after: Slice
    weeks: Sequence[Window]
    by_week: Sequence[Slice]
    columns: Sequence[str]
    notes: Sequence[str]


def look_up(
    workspace: Workspace,
    name: str,
    window: Window | None,
    reference: Window | None,
    segment: str,
    statistic: str,
) -> Question:
    """Find the champion and the window, and check what is asked.

    Raises
    ------
    NotFound, InvalidInput
        See `explain_model`.
    """
    if statistic not in DRIFT_STATISTICS:
        raise InvalidInput(f"there is no statistic '{statistic}': choose from {', '.join(DRIFT_STATISTICS)}")
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = champion_of(session, model)
    if segment and segment not in (segments := segments_of(workspace, name)):
        known = f"choose one of {', '.join(segments[:20])}" if segments else "it has none"
        raise NotFound(f"model '{name}' has no segment '{segment}': {known}")
    days = read_history(workspace, version).days
    if not days:
        raise InvalidInput(f"model '{name}' has not predicted yet: log predictions, then ask again")
    if window is None:
        end = windows_around([days[-1]], 7)[0].end
        window = Window(end - _FOUR_WEEKS, end)
    _check_windows(name, window, reference)
    window = _whole_days(window)
    reference = _whole_days(reference) if reference is not None else None
    return Question(workspace, model, version, days, window, reference, segment, statistic)


def _check_windows(name: str, window: Window, reference: Window | None) -> None:
    for one in (window, reference):
        if one is not None and one.start >= one.end:
            raise InvalidInput(
                f"a window from {one.start:%Y-%m-%d} to {one.end:%Y-%m-%d} is empty: the end must be later"
            )
    if reference is not None and reference.start < window.end and window.start < reference.end:
        raise InvalidInput(
            f"the window of '{name}' ({_days_text(window)}) and its reference ({_days_text(reference)}) "
            "overlap, so that rows would be compared with themselves: choose a reference that ends before "
            "the window begins"
        )


def _whole_days(window: Window) -> Window:
    """Return the window from midnight to midnight that holds the same days: those that begin in it."""
    start, end = (_midnight_from(moment) for moment in (window.start, window.end))
    if start >= end:
        raise InvalidInput(
            f"no day begins between {window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M} UTC: "
            "predictions are counted by whole days, choose one"
        )
    return Window(start, end)


def _midnight_from(moment: datetime) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if midnight == moment or midnight.date() == date.max:
        return midnight
    return midnight + timedelta(days=1)


def read_data(asked: Question) -> Data:
    """Read both windows and the weeks.

    Raises
    ------
    InvalidInput
        If either window has no predictions.
    """
    history = read_history(asked.workspace, asked.version, asked.segment)
    grids, before = reference_slice(asked.workspace, asked.version, asked.segment)
    after = history.slice_of(asked.window)
    _check_rows(asked, history, after, asked.window)
    if asked.reference is not None:
        before = history.slice_of(asked.reference)
        _check_rows(asked, history, before, asked.reference)
    elif not before.rows:
        raise InvalidInput(
            f"the reference of '{asked.model.name}' has no rows with {asked.segment}: compare with an "
            "earlier window"
        )
    columns, notes = _comparable(asked.version, grids, before, after)
    if asked.reference is None:
        notes += _overlap(asked, history.days)
    return Data(history, grids, before, after, history.weeks, history.weekly(columns), columns, notes)


def _check_rows(asked: Question, history: History, found: Slice, window: Window) -> None:
    if found.rows:
        return
    rows = f" with {asked.segment}" if asked.segment else ""
    if not history.days:
        raise InvalidInput(f"model '{asked.model.name}' has made no prediction{rows} yet: choose other rows")
    text, days = _days_text(window), history.days
    earlier = [day for day in days if day < window.start]
    later = [day for day in days if day >= window.end]
    choose = f"days between {days[0]:%Y-%m-%d} and {days[-1]:%Y-%m-%d}"
    if earlier and later:
        choose = f"other days, of which {earlier[-1]:%Y-%m-%d} and {later[0]:%Y-%m-%d} are nearest"
    raise InvalidInput(
        f"model '{asked.model.name}' made no prediction{rows} {'in' if ' to ' in text else 'on'} {text}: "
        f"choose {choose}"
    )


def _overlap(asked: Question, days: Sequence[datetime]) -> list[str]:
    """Return a note where whole days of the window lie in the span of the version's own reference."""
    with asked.workspace.store.read() as session:
        start, end = session.exec(
            select(ReferenceProfile.start, ReferenceProfile.end).where(
                ReferenceProfile.model_version_id == asked.version.id
            )
        ).one()
    shared = [
        day for day in days if asked.window.holds(day) and start <= day and day + timedelta(days=1) <= end
    ]
    if not shared:
        return []
    return [
        f"the window and the version's reference ({_days_text(Window(start, end))}) share "
        f"{len(shared):,} {'day' if len(shared) == 1 else 'days'} with predictions: rows that are in both "
        "are compared with themselves"
    ]


def _comparable(
    version: ModelVersion, grids: Grids, before: Slice, after: Slice
) -> tuple[list[str], list[str]]:
    columns, notes = [], []
    for name in dict.fromkeys((*version.columns, *OUTPUTS)):
        if name in grids and name in before.columns and name in after.columns:
            columns.append(name)
            rows = after.columns[name].rows
            if rows < after.rows:
                notes.append(
                    f"{name} was logged in {rows:,} of the window's {after.rows:,} predictions: the others "
                    "do not count for it"
                )
        elif name not in grids or name not in before.columns:
            if name not in OUTPUTS:
                notes.append(f"{name} is not in the reference: it cannot be compared")
        else:
            notes.append(f"{name} was not logged in this window: it cannot be compared")
    return columns, notes


def _days_text(window: Window) -> str:
    return span_text(window.start, window.end, 0)
