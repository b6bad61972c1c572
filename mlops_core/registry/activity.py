"""What happened in the registry, period by period: versions by the stage that they entered."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from mlops_core.domain import Model, ModelVersion, StageChange
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import Stage
from mlops_core.registry.version_lines import first_champions
from mlops_core.workspace import Workspace

__all__ = ["Activity", "ActivityPeriod", "Kinds", "activity"]


@dataclass(frozen=True, slots=True)
class Kinds:
    """A number of versions: updates of models that had had a champion, and versions of new models."""

    updates: int = 0
    new: int = 0

    @property
    def total(self) -> int:
        """Return both together."""
        return self.updates + self.new


@dataclass(frozen=True, slots=True)
class ActivityPeriod:
    """One period, its end left out.

    Attributes
    ----------
    entered
        How many versions entered each stage; whoever enters `development` was registered.
    """

    start: datetime
    end: datetime
    entered: Mapping[Stage, Kinds]


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened in a span of time.

    Attributes
    ----------
    periods
        One after the other; the last one may be shorter.
    updated_models, new_models
        Names of the models of which a version was registered that is an update, or is not; sorted.
    """

    periods: Sequence[ActivityPeriod]
    updated_models: Sequence[str]
    new_models: Sequence[str]


def activity(
    workspace: Workspace, since: datetime, until: datetime, *, period: timedelta = timedelta(days=7)
) -> Activity:
    """Return how many versions entered each stage in each period of [since, until).

    A version that enters a stage twice in a period counts twice.

    Raises
    ------
    InvalidInput
        The span or the period is empty, or a time has no time zone.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise InvalidInput("the activity of the registry is asked for without a time zone: give times in UTC")
    if since >= until or period <= timedelta(0):
        raise InvalidInput(f"there is no time between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M}")
    with workspace.store.read() as session:
        steps = _steps(session, since, until)
    counts: dict[tuple[int, Stage, bool], int] = defaultdict(int)
    models: dict[bool, set[str]] = {True: set(), False: set()}
    for at, stage, name, is_update in steps:
        counts[(at - since) // period, stage, is_update] += 1
        if stage == Stage.DEVELOPMENT:
            models[is_update].add(name)
    periods = [
        ActivityPeriod(
            start=since + number * period,
            end=min(since + (number + 1) * period, until),
            entered={
                stage: Kinds(updates=counts[number, stage, True], new=counts[number, stage, False])
                for stage in Stage
            },
        )
        for number in range(-(-(until - since) // period))
    ]
    return Activity(periods, sorted(models[True]), sorted(models[False]))


def _steps(session: Session, since: datetime, until: datetime) -> list[tuple[datetime, Stage, str, bool]]:
    """Return when a version of which model entered which stage, and whether it is an update."""
    created, version_id = col(ModelVersion.created_at), col(ModelVersion.id)
    question: Any = (
        select(col(StageChange.at), col(StageChange.stage), version_id, created, Model)
        .join(ModelVersion, version_id == col(StageChange.model_version_id))
        .join(Model, col(Model.id) == col(ModelVersion.model_id))
        .where(col(StageChange.at) >= since, col(StageChange.at) < until)
        .order_by(col(StageChange.id))
    )
    rows = session.execute(question).all()
    first = first_champions(session)
    return [
        (at, Stage(stage), model.name, model.id in first and first[model.id] < (created_at, version_id))
        for at, stage, version_id, created_at, model in rows
    ]
