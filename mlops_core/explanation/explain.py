"""Why a model drifted: the columns that moved, what in them, where, since when, and whether it mattered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from sqlmodel import select

from mlops_core.domain import ModelVersion, StoreRevision
from mlops_core.domain.states import Origin
from mlops_core.explanation.events import events_near
from mlops_core.explanation.headline import headline_of
from mlops_core.explanation.in_segments import drift_in_segments
from mlops_core.explanation.movement import Movement, measure_movements
from mlops_core.explanation.moves import Part
from mlops_core.explanation.performance import measure_performance
from mlops_core.explanation.question import Data, Question, look_up, read_data
from mlops_core.explanation.ranking import OUTPUTS, rank_columns, relative_importance
from mlops_core.explanation.results import ColumnMovement, Event, Explanation, SegmentDrift, Shares
from mlops_core.explanation.segment_slices import MOST_COLUMNS, read_segments
from mlops_core.explanation.segments import explain_by_segment
from mlops_core.explanation.sentences import describe_move
from mlops_core.explanation.wording import Setting
from mlops_core.monitoring.levels import FEWEST_ROWS
from mlops_core.monitoring.windows import Window
from mlops_core.registry.importance import importance_of
from mlops_core.statistics import binned_shares
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = ["explain_model"]

_MOST_BY_SEGMENT: Final = 5
_EVENTS_UNTIL: Final = timedelta(days=7)


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
    asked = look_up(workspace, name, window, reference, segment, statistic)
    data = read_data(asked)
    movements = measure_movements(
        statistic,
        data.columns,
        data.grids,
        data.before,
        data.after,
        asked.window,
        data.weeks,
        data.by_week,
        trends=data.history.trends(statistic, data.before, data.columns, data.grids),
    )
    importance, unknown = _importance(asked, data.columns)
    ranked = rank_columns(movements, importance, statistic)
    shown = _describe(asked, data, ranked, importance)
    in_segments, unseen = _inside(asked, data, movements, importance)
    performance, untold = measure_performance(
        workspace,
        asked.model,
        asked.version,
        asked.window,
        first_day=asked.days[0],
        since=min((one.since for one in movements if one.since is not None), default=None),
        segment=segment,
        predictions=data.after.rows,
    )
    explanation = Explanation(
        model=name,
        version=asked.version.number,
        window=asked.window,
        reference=asked.reference,
        segment=segment,
        statistic=statistic,
        rows=data.after.rows,
        reference_rows=data.before.rows,
        headline=headline_of(
            name,
            ranked,
            rows=data.after.rows,
            window=asked.window,
            reference=asked.reference,
            segment=segment,
            statistic=statistic,
            in_segments=in_segments,
        ),
        columns=shown,
        weeks=data.weeks,
        performance=performance,
        events=[],
        notes=[*data.notes, *_notes_on_rows(asked, data), *unknown, *unseen, *untold],
        shares={one.column: _shares(one.column, data) for one in ranked},
        in_segments=in_segments,
    )
    return replace(explanation, events=_events(asked, explanation))


def _importance(asked: Question, columns: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """Return the relative importance of the inputs, and a note where it is not known."""
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
    asked: Question, data: Data, ranked: Sequence[Movement], importance: dict[str, float]
) -> list[ColumnMovement]:
    shown: list[ColumnMovement] = []
    parts: dict[str, Part] = {}
    for one in ranked:
        setting = Setting(asked.window.year, one.since, asked.segment)
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
    asked: Question, data: Data, shown: list[ColumnMovement], parts: dict[str, Part]
) -> list[ColumnMovement]:
    """Say of the first columns that drifted in which segments they did.

    Inside a segment that cannot be told: slices are kept apart by one segment at a time.
    """
    all_drifted = [one.column for one in shown if one.drifted and one.column in parts]
    drifted, read = all_drifted[:_MOST_BY_SEGMENT], all_drifted[:MOST_COLUMNS]  # the order changes often
    if not drifted or asked.segment or not asked.model.segment_columns:
        return shown
    workspace, version = asked.workspace, asked.version
    before = read_segments(
        workspace,
        version,
        asked.reference,
        origin=Origin.PRODUCTION if asked.reference is not None else Origin.REFERENCE,
        columns=read,
    )
    after = read_segments(workspace, version, asked.window, origin=Origin.PRODUCTION, columns=read)
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


def _inside(
    asked: Question, data: Data, movements: Sequence[Movement], importance: dict[str, float]
) -> tuple[list[SegmentDrift], list[str]]:
    """Look into the segments where no input drifted over all rows."""
    if any(one.level.is_outside for one in movements if one.column not in OUTPUTS):
        return [], []
    return drift_in_segments(asked, data, movements, importance)


def _shares(name: str, data: Data) -> Shares:
    bins = binned_shares(data.before.columns[name], data.after.columns[name], data.grids[name])
    return Shares(labels=bins.labels, reference=bins.reference, current=bins.current)


def _notes_on_rows(asked: Question, data: Data) -> list[str]:
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


def _events(asked: Question, explanation: Explanation) -> list[Event]:
    since = explanation.since or asked.window.start
    with asked.workspace.store.read() as session:
        revision = session.exec(select(StoreRevision.revision)).one()
    return list(_events_since(asked.workspace.store, asked.workspace, asked.version.id, since, revision))


@lru_cache(maxsize=256)
def _events_since(
    store: Store, workspace: Workspace, version_id: int, since: datetime, revision: int
) -> Sequence[Event]:
    """Look events up once for each revision of the store."""
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
    return events_near(workspace, version, since, since + _EVENTS_UNTIL)
