"""What happened near a date: versions, upstream models, features, thresholds, and the calendar."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from sqlmodel import Session, col, select

from mlops_core.domain import (
    Actor,
    AuditEvent,
    CalendarEvent,
    Feature,
    FeatureInput,
    FeatureTable,
    FeatureUse,
    Model,
    ModelVersion,
    StageChange,
)
from mlops_core.domain.errors import Conflict, InvalidInput
from mlops_core.domain.states import Role, Stage
from mlops_core.explanation.results import Event
from mlops_core.registry.models import champion_of, find_model
from mlops_core.store import Store, UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["BEFORE", "KEEPERS", "add_calendar_event", "events_between", "events_near"]

BEFORE: Final = timedelta(days=14)
"""How long before a date something may have happened and still be the reason for what began there."""

KEEPERS: Final = (Role.DIRECTOR, Role.LEAD, Role.DATA_SCIENTIST, Role.ML_ENGINEER)
"""Who may note an event in the calendar."""

_LONGEST_TITLE: Final = 120
_ROUTINE: Final = ("features.written", "feature_table.created", "monitors.created")
"""What is recorded in the ordinary course of things and explains no drift."""


def events_near(workspace: Workspace, version: ModelVersion, since: datetime, until: datetime) -> list[Event]:
    """Return what happened from 14 days before `since` up to `until`, what is nearest to `since` first.

    Looked for are: another version of the model in production, or one that was taken out of it; a version of
    a model whose predictions are features of this one; changes of the features it uses and of their
    tables, as the audit log has them; its thresholds; and the events of the calendar that concern every
    model or this one. An event of the calendar that has an end is there twice: as it began, and as it ended.

    Parameters
    ----------
    since, until
        Aware; `until` is not included.
    """
    found = _within(workspace, version, since - BEFORE, until, endings=True)
    return sorted(found, key=lambda event: (abs(event.at - since), event.at, event.kind, event.title))


def events_between(workspace: Workspace, name: str, start: datetime, end: datetime) -> list[Event]:
    """Return what happened to a model's version in production in a span of time, oldest first.

    The same is looked for as by `events_near`, but an event of the calendar is there once, as it began.

    Raises
    ------
    NotFound
        There is no such model, or none of its versions is in production.
    """
    with workspace.store.read() as session:
        version = champion_of(session, find_model(session, name))
        found = _within(workspace, version, start, end, endings=False)
    return sorted(found, key=lambda event: (event.at, event.kind, event.title))


def add_calendar_event(
    workspace: Workspace,
    actor: Actor,
    *,
    title: str,
    start: datetime,
    end: datetime | None = None,
    model_name: str | None = None,
) -> CalendarEvent:
    """Note something that may move data: a campaign, a holiday, a new price list.

    Parameters
    ----------
    title
        What it is called, one line of at most 120 characters: `Campaign 18`.
    start, end
        Aware; it lasts until `end`, which is not included. None: it happened at `start`.
    model_name
        The only model that it concerns; None for all.

    Raises
    ------
    InvalidInput
        The title is empty, too long or more than a line, a time has no zone, or it would end before it began.
    Conflict
        It is noted already.
    NotFound
        There is no such model.
    NotPermitted
    """
    require_role(actor, "note an event", *KEEPERS)
    title = title.strip()
    _check_title(title)
    start = _aware(title, "start", start)
    end = None if end is None else _aware(title, "end", end)
    if end is not None and end <= start:
        raise InvalidInput(
            f"event '{title}' would end on {end:%d %b %Y %H:%M}, and begin on {start:%d %b %Y %H:%M}: "
            "give an end after the start, or none"
        )

    def work(unit: UnitOfWork) -> CalendarEvent:
        model = find_model(unit.session, model_name) if model_name else None
        model_id = model.id if model else None
        same = unit.session.exec(
            select(CalendarEvent).where(
                CalendarEvent.title == title,
                CalendarEvent.start == start,
                col(CalendarEvent.model_id).is_(None)
                if model_id is None
                else CalendarEvent.model_id == model_id,
            )
        ).first()
        whom = f"for model {model.name}" if model else "for every model"
        if same is not None:
            raise Conflict(f"event '{title}' on {start:%d %b %Y} is noted already {whom}")
        event = unit.add(
            CalendarEvent(
                title=title, start=start, end=end, model_id=model_id, actor_id=actor.id, at=unit.now
            )
        )
        unit.record(
            "calendar.noted",
            "calendar event",
            title,
            f"Event {title} was noted {_when(start, end)} {whom}",
            start=start.isoformat(),
            end=end.isoformat() if end else None,
            model=model.name if model else None,
        )
        return event

    return workspace.store.write(actor, work)


def _within(
    workspace: Workspace, version: ModelVersion, first: datetime, until: datetime, *, endings: bool
) -> list[Event]:
    store = workspace.store
    found = _all_events(store, version.id, store.revision(), endings)
    return [event for event in found if first <= event.at < until]


@lru_cache(maxsize=256)
def _all_events(store: Store, version_id: int, revision: int, endings: bool) -> Sequence[Event]:
    """Look up all that ever happened, once for each revision of the store: windows change more often."""
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
        model = session.get_one(Model, version.model_id)
        return [
            *_stage_changes(session, model),
            *_upstream_changes(session, version),
            *_recorded_changes(session, model, version),
            *_calendar(session, model, endings=endings),
        ]


def _stage_changes(session: Session, model: Model) -> Iterator[Event]:
    """Yield promotions of the model's own versions, and what left production without a successor."""
    changes = session.exec(
        select(StageChange, ModelVersion.number, Actor.full_name)
        .join(ModelVersion, col(ModelVersion.id) == col(StageChange.model_version_id))
        .join(Actor, col(Actor.id) == col(StageChange.actor_id))
        .where(ModelVersion.model_id == model.id)
        .order_by(col(StageChange.id))
    ).all()
    promoted = {change.at for change, _, _ in changes if change.stage == Stage.PRODUCTION}
    served: set[int] = set()
    for change, number, who in changes:
        again = number in served
        if change.stage == Stage.PRODUCTION:
            served.add(number)
        if change.stage == Stage.PRODUCTION:
            how = "put back into production" if again else "promoted"
            yield Event(change.at, "version", f"Version {number} was {how} by {who}")
        elif change.stage == Stage.ARCHIVED and again and change.at not in promoted:
            yield Event(change.at, "version", f"Version {number} was taken out of production by {who}")


def _upstream_changes(session: Session, version: ModelVersion) -> Iterator[Event]:
    """Yield promotions of the models whose predictions are features of the version."""
    given = session.exec(
        select(Feature.name, Model)
        .select_from(FeatureUse)
        .join(Feature, col(Feature.id) == col(FeatureUse.feature_id))
        .join(FeatureInput, col(FeatureInput.feature_id) == col(Feature.id))
        .join(Model, col(Model.id) == col(FeatureInput.model_id))
        .where(FeatureUse.model_version_id == version.id, Model.id != version.model_id)
        .order_by(col(Feature.name))
    ).all()
    upstream = {model.id: model.name for _, model in given}
    if not upstream:
        return
    changes = session.exec(
        select(StageChange, ModelVersion, Actor.full_name)
        .join(ModelVersion, col(ModelVersion.id) == col(StageChange.model_version_id))
        .join(Actor, col(Actor.id) == col(StageChange.actor_id))
        .where(
            col(ModelVersion.model_id).in_(list(upstream)),
            StageChange.stage == Stage.PRODUCTION,
        )
    )
    for change, promoted, who in changes:
        features = ", ".join(feature for feature, model in given if model.id == promoted.model_id)
        yield Event(
            change.at,
            "upstream",
            f"{upstream[promoted.model_id]} version {promoted.number} was promoted by {who}, "
            f"which gives {features}",
        )


def _recorded_changes(session: Session, model: Model, version: ModelVersion) -> Iterator[Event]:
    """Yield what the audit log has about the version's features, their tables, and its thresholds."""
    used = session.exec(
        select(Feature.name, FeatureTable.name)
        .join(FeatureUse, col(FeatureUse.feature_id) == col(Feature.id))
        .join(FeatureTable, col(FeatureTable.id) == col(Feature.feature_table_id))
        .where(FeatureUse.model_version_id == version.id)
    ).all()
    kinds = {
        "feature": ("feature", {feature for feature, _ in used}),
        "feature table": ("feature", {table for _, table in used}),
        "model version": ("threshold", {f"{model.name}:{version.number}"}),
    }
    rows = session.exec(
        select(AuditEvent, Actor.full_name)
        .join(Actor, col(Actor.id) == col(AuditEvent.actor_id))
        .where(
            col(AuditEvent.subject_kind).in_(list(kinds)),
            col(AuditEvent.subject).in_(sorted(set.union(*(names for _, names in kinds.values())))),
            col(AuditEvent.action).not_in(_ROUTINE),
        )
        .order_by(col(AuditEvent.id))
    )
    for row, who in rows:
        kind, subjects = kinds[row.subject_kind]
        about_monitors = row.action.startswith("monitor")
        if row.subject in subjects and (kind == "feature" or about_monitors):
            yield Event(row.at, kind, f"{row.summary[:1].upper()}{row.summary[1:]} (by {who})")


def _calendar(session: Session, model: Model, *, endings: bool) -> Iterator[Event]:
    rows = session.exec(
        select(CalendarEvent)
        .where(col(CalendarEvent.model_id).is_(None) | (CalendarEvent.model_id == model.id))
        .order_by(col(CalendarEvent.id))
    )
    for row in rows:
        title = f"{row.title} began" if row.end else row.title
        yield Event(row.start, "calendar", title, row.end)
        if row.end is not None and endings:
            ended = row.end - timedelta(microseconds=1)  # what lasts until midnight ends the day before
            yield Event(ended, "calendar", f"{row.title} ended")


def _check_title(title: str) -> None:
    if not title:
        raise InvalidInput("an event needs a title, such as 'Campaign 18'")
    if len(title) > _LONGEST_TITLE:
        raise InvalidInput(
            f"the title '{title[:40]}…' has {len(title)} characters: give at most {_LONGEST_TITLE}"
        )
    if not title.isprintable():
        raise InvalidInput(f"the title {title!r} holds line breaks or unprintable characters: give one line")


def _aware(title: str, what: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidInput(f"the {what} of event '{title}', {moment}, has no time zone: give it in UTC")
    return moment.astimezone(UTC)


def _when(start: datetime, end: datetime | None) -> str:
    first = f"{start:%d %b %Y}"
    if end is None:
        return f"on {first}"
    return f"from {first} to {end - timedelta(microseconds=1):%d %b %Y}"
