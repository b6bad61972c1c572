"""How much each model is used, week by week, from the slices of its predictions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import select

from mlops_core.domain import Actor, Model, ModelVersion, StoredSlice
from mlops_core.domain.states import Origin
from mlops_core.monitoring.windows import window_at
from mlops_core.workspace import Workspace

__all__ = ["UsageLine", "UsageView", "read_usage"]

_WEEK = 7


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One model: what it is for, and its predictions in each week of the view."""

    model: str
    description: str
    owner: str
    weekly: Sequence[int]

    @property
    def total(self) -> int:
        """Return the predictions of the whole view."""
        return sum(self.weekly)


@dataclass(frozen=True, slots=True)
class UsageView:
    """Every model that has predicted, the most used first.

    Attributes
    ----------
    weeks
        The Monday of each week, oldest first.
    """

    weeks: Sequence[datetime]
    lines: Sequence[UsageLine]

    @property
    def weekly(self) -> list[int]:
        """Return the predictions of all models in each week."""
        return [sum(line.weekly[i] for line in self.lines) for i in range(len(self.weeks))]

    @property
    def total(self) -> int:
        """Return the predictions of all models in the whole view."""
        return sum(line.total for line in self.lines)


def read_usage(workspace: Workspace) -> UsageView:
    """Return the predictions of every model in every week in which any was made."""
    with workspace.store.read() as session:
        owners = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
        models = {model.id: model for model in session.exec(select(Model))}
        versions = {version.id: version.model_id for version in session.exec(select(ModelVersion))}
        rows = session.exec(
            select(StoredSlice.model_version_id, StoredSlice.start, StoredSlice.rows).where(
                StoredSlice.origin == Origin.PRODUCTION, StoredSlice.segment == ""
            )
        ).all()
    counts: dict[int, dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
    for version_id, start, count in rows:
        counts[versions[version_id]][window_at(start, _WEEK).start] += count
    weeks = _every_week({week for found in counts.values() for week in found})
    lines = [
        UsageLine(
            model=models[model_id].name,
            description=models[model_id].description,
            owner=owners[models[model_id].owner_id],
            weekly=[found.get(week, 0) for week in weeks],
        )
        for model_id, found in counts.items()
    ]
    return UsageView(weeks, sorted(lines, key=lambda line: (-line.total, line.model)))


def _every_week(found: set[datetime]) -> list[datetime]:
    if not found:
        return []
    first, last = min(found), max(found)
    return [first + timedelta(weeks=n) for n in range((last - first).days // _WEEK + 1)]
