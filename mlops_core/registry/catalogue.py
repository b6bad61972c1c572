"""What the registry lists: search among the versions of all models, page by page, in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import col, func, select

from mlops_core.domain import Actor, ModelVersion, StageChange
from mlops_core.domain.states import Stage
from mlops_core.registry.version_lines import ComparisonSummary, TestSummary, VersionLine, version_lines
from mlops_core.registry.version_query import ORDERS, VersionQuery, check_query, matching_versions
from mlops_core.workspace import Workspace

__all__ = [
    "ORDERS",
    "ComparisonSummary",
    "StageStep",
    "TestSummary",
    "VersionLine",
    "VersionPage",
    "VersionQuery",
    "list_versions",
    "search_versions",
    "stage_history",
]


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One page of versions.

    Attributes
    ----------
    total
        How many match.
    counts
        How many would match in each stage, whichever stages are asked for.
    """

    lines: Sequence[VersionLine]
    total: int
    counts: Mapping[Stage, int]


@dataclass(frozen=True, slots=True)
class StageStep:
    """A version entering a stage."""

    stage: Stage
    at: datetime
    actor: str


def search_versions(workspace: Workspace, query: VersionQuery | None = None) -> VersionPage:
    """Return a page of the versions that match, found and sorted in the store.

    Raises
    ------
    InvalidInput
        The page is not one, or the order, the tests or the kind is none of those there are.
    """
    query = query or VersionQuery()
    check_query(query)
    with workspace.store.read() as session:
        matching = matching_versions(replace(query, stages=(), order="model")).subquery()
        counts = {
            Stage(stage): number
            for stage, number in session.execute(
                select(matching.c.stage, func.count()).group_by(matching.c.stage)
            ).all()
        }
        total = sum(number for stage, number in counts.items() if not query.stages or stage in query.stages)
        ids: Sequence[int] = []
        if query.offset < total and query.limit:
            page = matching_versions(query).limit(query.limit).offset(query.offset)
            ids = [row.id for row in session.execute(page)]
        return VersionPage(version_lines(session, ids), total, counts)


def list_versions(workspace: Workspace) -> list[VersionLine]:
    """Return every version of every model, the last moved first."""
    with workspace.store.read() as session:
        lines = version_lines(session, session.exec(select(ModelVersion.id)).all())
    return sorted(lines, key=lambda line: (-line.entered_stage.timestamp(), line.model, -line.number))


def stage_history(workspace: Workspace, version_id: int) -> list[StageStep]:
    """Return the stages that a version went through, oldest first."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(StageChange, Actor.full_name)
            .join(Actor, col(Actor.id) == col(StageChange.actor_id))
            .where(StageChange.model_version_id == version_id)
            .order_by(col(StageChange.id))
        ).all()
    return [StageStep(Stage(change.stage), change.at, name) for change, name in rows]
