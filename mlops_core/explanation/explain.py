"""Why a model drifted: the columns that moved, what in them, where, since when, and whether it mattered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import select

from mlops_core.domain import Model, ModelVersion, StoredSlice
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Origin
from mlops_core.explanation.headline import headline_of
from mlops_core.explanation.movement import Movement, measure_movements
from mlops_core.explanation.moves import Part
from mlops_core.explanation.performance import measure_performance
from mlops_core.explanation.ranking import OUTPUTS, rank_columns, relative_importance
from mlops_core.explanation.results import ColumnMovement, Event, Explanation, Shares
from mlops_core.explanation.segments import explain_by_segment, read_segments
from mlops_core.explanation.sentences import describe_move
from mlops_core.explanation.wording import Setting, span_text
from mlops_core.monitoring.levels import FEWEST_ROWS
from mlops_core.monitoring.reading import read_reference, read_slices
from mlops_core.monitoring.windows import Window, windows_around
from mlops_core.registry.models import champion_of, find_model
from mlops_core.slices import Grids, Slice
from mlops_core.statistics import DRIFT_STATISTICS, binned_shares
from mlops_core.workspace import Workspace

__all__ = ["explain_model"]

_FOUR_WEEKS: Final = timedelta(weeks=4)
_MOST_WEEKS: Final = 26
_MOST_BY_SEGMENT: Final = 5
_EVENTS_UNTIL: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, with all that was looked up about it."""

    workspace: Workspace
    model: Model
    version: ModelVersion
    days: Sequence[datetime]
    segments: Sequence[str]
    window: Window
    reference: Window | None
    segment: str
    statistic: str


@dataclass(frozen=True, slots=True)
class _Data:
    """The counts of both windows, and week by week."""

    grids: Grids
    before: Slice
    after: Slice
    weeks: Sequence[Window]
    by_week: Sequence[Slice]


def explain_model(
    workspace: Workspace,
    name: str,
    *,
    window: Window | None = None,
    reference: Window | None = None,
    segment: str = "",
    statistic: str = "psi",
) -> Explanation:
    """Say why a window of a model's champion differs from its reference, or from another window.

    Parameters
    ----------
    window
        None takes the newest 4 weeks in which it has predicted.
    reference
        None takes the version's own reference window.
    segment
        `column=value`, or empty for all rows; it holds for both windows.
    statistic
        A key of `DRIFT_STATISTICS`.

    Raises
    ------
    NotFound
        The model or the segment does not exist.
    InvalidInput
        The statistic does not exist, a window has no predictions, or the two overlap.
    """
    asked = _look_up(workspace, name, window, reference, segment, statistic)
    data = _read(asked)
    columns, notes = _comparable(asked.version, data)
    movements = measure_movements(
        statistic, columns, data.grids, data.before, data.after, asked.window, data.weeks, data.by_week
    )
    importance, unknown = _importance(asked, columns)
    ranked = rank_columns(movements, importance, statistic)
    shown = _describe(asked, data, ranked, importance)
    performance, untold = measure_performance(
        workspace, asked.model, asked.version, asked.window, min(asked.days), segment
    )
    explanation = Explanation(
        model=name,
        version=asked.version.number,
        window=asked.window,
        reference=reference,
        segment=segment,
        statistic=statistic,
        rows=data.after.rows,
        reference_rows=data.before.rows,
        headline=headline_of(
            name,
            ranked,
            rows=data.after.rows,
            window=asked.window,
            reference=reference,
            segment=segment,
            statistic=statistic,
        ),
        columns=shown,
        weeks=data.weeks,
        performance=performance,
        events=[],
        notes=[*notes, *_notes_on_rows(asked, data), *unknown, *untold],
        shares={one.column: _shares(one.column, data) for one in ranked},
    )
    return replace(explanation, events=_events(asked, explanation))


def _look_up(
    workspace: Workspace,
    name: str,
    window: Window | None,
    reference: Window | None,
    segment: str,
    statistic: str,
) -> _Question:
    if statistic not in DRIFT_STATISTICS:
        raise InvalidInput(f"there is no statistic '{statistic}': choose from {', '.join(DRIFT_STATISTICS)}")
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = champion_of(session, model)
        rows = session.exec(
            select(StoredSlice.start, StoredSlice.segment, StoredSlice.origin)
            .where(StoredSlice.model_version_id == version.id)
            .distinct()
        ).all()
    segments = sorted({found for _, found, _ in rows if found})
    days = sorted({start for start, found, origin in rows if not found and origin == Origin.PRODUCTION})
    if segment and segment not in segments:
        known = f"choose one of {', '.join(segments[:20])}" if segments else "it has none"
        raise NotFound(f"model '{name}' has no segment '{segment}': {known}")
    if not days:
        raise InvalidInput(f"model '{name}' has not predicted yet: log predictions, then ask again")
    if window is None:
        end = windows_around([days[-1]], 7)[0].end
        window = Window(end - _FOUR_WEEKS, end)
    _check_windows(name, window, reference)
    return _Question(workspace, model, version, days, segments, window, reference, segment, statistic)


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


def _read(asked: _Question) -> _Data:
    """Read both windows and the weeks, each once.

    Raises
    ------
    InvalidInput
        If either window has no predictions.
    """
    workspace, version, segment = asked.workspace, asked.version, asked.segment
    grids, before = read_reference(workspace, version)
    if asked.reference is not None:
        before = read_slices(workspace, version, asked.reference, segment=segment)
    elif segment:
        before = read_slices(workspace, version, None, origin=Origin.REFERENCE, segment=segment)
    after = read_slices(workspace, version, asked.window, segment=segment)
    here = f"with {segment} " if segment else ""
    first, last = asked.days[0], asked.days[-1]
    for rows, what in ((after, asked.window), (before, asked.reference)):
        if not rows.rows and what is not None:
            raise InvalidInput(
                f"model '{asked.model.name}' made no prediction {here}in {_days_text(what)}: choose a window "
                f"between {first:%Y-%m-%d} and {last:%Y-%m-%d}"
            )
    weeks = windows_around(asked.days, 7)[-_MOST_WEEKS:]
    columns = _wanted(version)
    by_week = [read_slices(workspace, version, week, segment=segment, columns=columns) for week in weeks]
    return _Data(grids, before, after, weeks, by_week)


def _wanted(version: ModelVersion) -> list[str]:
    return list(dict.fromkeys((*version.columns, *OUTPUTS)))


def _comparable(version: ModelVersion, data: _Data) -> tuple[list[str], list[str]]:
    """Return the columns that both windows hold, and words on those that one of them lacks."""
    columns, notes = [], []
    for name in _wanted(version):
        in_grid = name in data.grids
        if in_grid and name in data.before.columns and name in data.after.columns:
            columns.append(name)
        elif name in OUTPUTS and not in_grid:
            continue
        elif name not in data.before.columns:
            notes.append(f"{name} is not in the reference: it cannot be compared")
        else:
            notes.append(f"{name} was not logged in this window: it cannot be compared")
    return columns, notes


def _importance(asked: _Question, columns: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """Return the relative importance of the inputs, and a note where it is not known."""
    from mlops_core.registry.importance import importance_of

    found = importance_of(asked.workspace, asked.version)
    relative = relative_importance(found.values) if found is not None else {}
    if not relative:
        return {}, [
            f"how important each column is to version {asked.version.number} is not known: they are ranked "
            "by movement alone"
        ]
    unknown = [name for name in columns if name not in relative and name not in OUTPUTS]
    if unknown:
        return relative, [
            f"the importance of {', '.join(unknown[:5])}{' and others' if len(unknown) > 5 else ''} is not "
            "known: ranked by movement alone"
        ]
    return relative, []


def _describe(
    asked: _Question, data: _Data, ranked: Sequence[Movement], importance: dict[str, float]
) -> list[ColumnMovement]:
    shown: list[ColumnMovement] = []
    parts: dict[str, Part] = {}
    for one in ranked:
        setting = Setting(asked.window.end.year, one.since, asked.segment)
        described = describe_move(
            one.column,
            data.grids[one.column],
            data.before.columns[one.column],
            data.after.columns[one.column],
            setting,
            drifted=one.level.is_outside,
        )
        if described is not None:
            parts[one.column] = described[0]
        shown.append(
            ColumnMovement(
                column=one.column,
                is_categorical=one.is_categorical,
                value=one.value,
                adjusted_p_value=one.adjusted_p_value,
                importance=importance.get(one.column),
                trend=one.trend,
                level=one.level,
                since=one.since,
                move=described[1] if described is not None else None,
            )
        )
    return _with_segments(asked, data, shown, parts)


def _with_segments(
    asked: _Question, data: _Data, shown: list[ColumnMovement], parts: dict[str, Part]
) -> list[ColumnMovement]:
    """Say of the first columns that drifted in which segments they did.

    Inside a segment that cannot be told: slices are kept apart by one segment at a time.
    """
    drifted = [one.column for one in shown if one.drifted and one.column in parts][:_MOST_BY_SEGMENT]
    if not drifted or asked.segment or not asked.segments:
        return shown
    workspace, version = asked.workspace, asked.version
    before = read_segments(
        workspace,
        version,
        asked.reference,
        origin=Origin.PRODUCTION if asked.reference is not None else Origin.REFERENCE,
        columns=drifted,
    )
    after = read_segments(workspace, version, asked.window, origin=Origin.PRODUCTION, columns=drifted)
    result = []
    for one in shown:
        if one.column in drifted:
            segments, sentence = explain_by_segment(
                one.column,
                parts[one.column],
                data.grids[one.column],
                asked.statistic,
                asked.model.segment_columns,
                before,
                after,
            )
            one = replace(one, segments=segments, segments_sentence=sentence)
        result.append(one)
    return result


def _shares(name: str, data: _Data) -> Shares:
    bins = binned_shares(data.before.columns[name], data.after.columns[name], data.grids[name])
    return Shares(labels=bins.labels, reference=bins.reference, current=bins.current)


def _notes_on_rows(asked: _Question, data: _Data) -> list[str]:
    notes = []
    if data.after.rows < FEWEST_ROWS:
        notes.append(
            f"the window has {data.after.rows:,} predictions, fewer than {FEWEST_ROWS}: nothing is judged"
        )
    if data.before.rows < FEWEST_ROWS:
        notes.append(
            f"the reference has {data.before.rows:,} rows, fewer than {FEWEST_ROWS}: only what cannot be "
            "chance is judged"
        )
    if asked.segment:
        notes.append("segments are counted one by one: inside a segment there is no smaller one to look at")
    return notes


def _events(asked: _Question, explanation: Explanation) -> list[Event]:
    from mlops_core.explanation.events import events_near

    since = explanation.since or asked.window.start
    return events_near(asked.workspace, asked.version, since, since + _EVENTS_UNTIL)


def _days_text(window: Window) -> str:
    return span_text(window.start, window.end, 0)
