"""Models as lines: how many versions each has, which is the champion, and which came last."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from mlops_core.domain import Actor, Metric, Model, ModelTag, ModelVersion
from mlops_core.domain.states import ProblemType, Stage
from mlops_core.registry.models import champions
from mlops_core.workspace import Workspace

__all__ = ["ModelLine", "list_model_lines"]


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model as a line of the registry.

    Attributes
    ----------
    champion, champion_value
        Number of the version in production and its primary metric; None where there is none.
    newest, newest_stage, newest_at
        The version that was registered last; None for a model without one.
    """

    name: str
    description: str
    problem_type: ProblemType
    primary_metric: str | None
    owner: str
    tags: tuple[str, ...]
    versions: int
    champion: int | None
    champion_value: float | None
    newest: int | None
    newest_stage: Stage | None
    newest_at: datetime | None
    latency_objective_ms: float
    created_at: datetime


def list_model_lines(
    workspace: Workspace, *, text: str = "", owner: str = "", tag: str = "", problem: str = ""
) -> list[ModelLine]:
    """Return models by name.

    Parameters
    ----------
    text
        Words, each of which the name, the description, the owner or a tag holds, in any case.
    owner
        By short or full name.
    """
    words = text.lower().split()
    with workspace.store.read() as session:
        lines = _lines(session, owner, tag, problem)
    return [
        line
        for line in lines
        if all(
            word in f"{line.name} {line.description} {line.owner} {' '.join(line.tags)}".lower()
            for word in words
        )
    ]


def _lines(session: Session, owner: str, tag: str, problem: str) -> list[ModelLine]:
    tags: dict[int, list[str]] = defaultdict(list)
    for row in session.exec(select(ModelTag).order_by(col(ModelTag.tag))):
        tags[row.model_id].append(row.tag)
    of_model = col(ModelVersion.model_id)
    counted = dict(session.exec(select(of_model, func.count()).group_by(of_model)).all())
    newest_ids = select(func.max(ModelVersion.id)).group_by(of_model)
    newest = {
        model_id: (number, Stage(stage), at)
        for model_id, number, stage, at in session.exec(
            select(of_model, ModelVersion.number, ModelVersion.stage, ModelVersion.created_at).where(
                col(ModelVersion.id).in_(newest_ids)
            )
        )
    }
    in_production = champions(session)
    values = {
        (version_id, name): value
        for version_id, name, value in session.exec(
            select(Metric.model_version_id, Metric.name, Metric.value).where(
                col(Metric.model_version_id).in_([version.id for version in in_production.values()])
            )
        )
    }
    lines = []
    for model, person in session.exec(
        select(Model, Actor).join(Actor, col(Actor.id) == col(Model.owner_id)).order_by(col(Model.name))
    ):
        if owner and owner not in (person.name, person.full_name):
            continue
        if (tag and tag not in tags[model.id]) or (problem and model.problem_type != problem):
            continue
        champion = in_production.get(model.id)
        number, stage, at = newest.get(model.id, (None, None, None))
        lines.append(
            ModelLine(
                name=model.name,
                description=model.description,
                problem_type=ProblemType(model.problem_type),
                primary_metric=model.primary_metric,
                owner=person.full_name,
                tags=tuple(tags[model.id]),
                versions=counted.get(model.id, 0),
                champion=champion.number if champion else None,
                champion_value=values.get((champion.id, model.primary_metric or "")) if champion else None,
                newest=number,
                newest_stage=stage,
                newest_at=at,
                latency_objective_ms=model.latency_objective_ms,
                created_at=model.created_at,
            )
        )
    return lines
