"""What versions can be filtered by: who owns a model, its tags, the features that are used."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from mlops_core.domain import Actor, Feature, FeatureUse, Model
from mlops_core.registry.tags import every_tag
from mlops_core.workspace import Workspace

__all__ = ["Facets", "version_facets"]


@dataclass(frozen=True, slots=True)
class Facets:
    """The owners of models by full name, tags, and features that a version was trained on; all sorted."""

    owners: Sequence[str]
    tags: Sequence[str]
    features: Sequence[str]


def version_facets(workspace: Workspace) -> Facets:
    """Return what there is to filter versions by."""
    with workspace.store.read() as session:
        owners = session.exec(
            select(Actor.full_name).where(col(Actor.id).in_(select(Model.owner_id))).distinct()
        ).all()
        tags = every_tag(session)
        features = session.exec(
            select(Feature.name).where(col(Feature.id).in_(select(FeatureUse.feature_id)))
        ).all()
    return Facets(sorted(set(owners)), tags, sorted(features))
