"""What the features page lists: every feature with its lineage of one step and its users."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from mlops_core.domain import (
    Actor,
    AuditEvent,
    Entity,
    Feature,
    FeatureInput,
    FeatureTable,
    FeatureUse,
    Model,
    ModelVersion,
)
from mlops_core.domain.states import FeatureKind, FeatureStatus, Stage
from mlops_core.workspace import Workspace

__all__ = ["FeatureLine", "NewsItem", "feature_news", "search_features"]


@dataclass(frozen=True, slots=True)
class FeatureLine:
    """One feature as a line of the catalogue.

    Attributes
    ----------
    sources
        Source columns, or the model whose output it is: one step upstream.
    used_by
        Names of the models whose production version was trained on it.
    """

    name: str
    table: str
    entity: str
    dtype: str
    kind: FeatureKind
    status: FeatureStatus
    description: str
    owner: str
    sources: Sequence[str]
    used_by: Sequence[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewsItem:
    """Something that changed in the feature store."""

    at: datetime
    actor: str
    table: str
    summary: str


def search_features(workspace: Workspace, text: str = "") -> list[FeatureLine]:
    """Return features whose name, description, table or source holds every word of a text, by name.

    Parameters
    ----------
    text
        Words in any order and case; empty finds all.
    """
    with workspace.store.read() as session:
        owners = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
        models = {model.id: model.name for model in session.exec(select(Model))}
        sources: dict[int, list[str]] = defaultdict(list)
        for one in session.exec(select(FeatureInput).order_by(col(FeatureInput.id))):
            sources[one.feature_id].append(one.source_column or f"model {models[one.model_id or 0]}")
        users: dict[int, set[str]] = defaultdict(set)
        for feature_id, model_id in session.exec(
            select(FeatureUse.feature_id, ModelVersion.model_id)
            .join(ModelVersion, col(ModelVersion.id) == col(FeatureUse.model_version_id))
            .where(ModelVersion.stage == Stage.PRODUCTION)
        ):
            users[feature_id].add(models[model_id])
        rows = session.exec(
            select(Feature, FeatureTable, Entity)
            .join(FeatureTable, col(FeatureTable.id) == col(Feature.feature_table_id))
            .join(Entity, col(Entity.id) == col(FeatureTable.entity_id))
            .order_by(col(Feature.name))
        ).all()
    lines = [
        FeatureLine(
            name=feature.name,
            table=table.name,
            entity=entity.name,
            dtype=feature.dtype,
            kind=FeatureKind(feature.kind),
            status=FeatureStatus(feature.status),
            description=feature.description,
            owner=owners[table.owner_id],
            sources=sources[feature.id],
            used_by=sorted(users[feature.id]),
            created_at=feature.created_at,
        )
        for feature, table, entity in rows
    ]
    words = text.lower().split()
    return [line for line in lines if all(word in _searched(line) for word in words)]


def feature_news(workspace: Workspace, *, limit: int = 8) -> list[NewsItem]:
    """Return what changed in the feature store, newest first; routine writes of rows are no news."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(AuditEvent, Actor.full_name)
            .join(Actor, col(Actor.id) == col(AuditEvent.actor_id))
            .where(
                col(AuditEvent.subject_kind).in_(["feature", "feature table", "entity"]),
                AuditEvent.action != "features.written",
            )
            .order_by(col(AuditEvent.id).desc())
            .limit(limit)
        ).all()
    return [NewsItem(event.at, name, event.subject, event.summary) for event, name in rows]


def _searched(line: FeatureLine) -> str:
    return " ".join([line.name, line.description, line.table, line.kind, *line.sources]).lower()
