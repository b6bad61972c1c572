"""Entities, feature tables, features, where they come from and who uses them; snapshots."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import count, document, identity, utc_time

__all__ = ["Entity", "Feature", "FeatureInput", "FeatureTable", "FeatureUse", "Snapshot"]


class Entity(SQLModel, table=True):
    """What a feature describes, and the column that identifies one of them."""

    __tablename__ = "entity"

    id: int = identity("entity")
    name: str = Field(unique=True)
    key_column: str
    description: str


class FeatureTable(SQLModel, table=True):
    """Features of one entity that are computed together and stored in one warehouse table."""

    __tablename__ = "feature_table"

    id: int = identity("feature_table")
    name: str = Field(unique=True)
    entity_id: int = Field(foreign_key="entity.id")
    description: str
    owner_id: int = Field(foreign_key="actor.id")
    created_at: datetime = utc_time()


class Feature(SQLModel, table=True):
    """One column of a feature table; its name is unique in the workspace.

    `definition_version` counts how often its definition has changed, from 1.
    """

    __tablename__ = "feature"

    id: int = identity("feature")
    feature_table_id: int = Field(foreign_key="feature_table.id")
    name: str = Field(unique=True)
    dtype: str
    kind: str
    status: str
    description: str
    created_at: datetime = utc_time()
    definition_version: int | None = 1


class FeatureInput(SQLModel, table=True):
    """One step of lineage upstream: a source column, or the model whose output this is."""

    __tablename__ = "feature_input"

    id: int = identity("feature_input")
    feature_id: int = Field(foreign_key="feature.id")
    source_column: str | None = None
    model_id: int | None = Field(default=None, foreign_key="model.id")


class FeatureUse(SQLModel, table=True):
    """A model version that was trained on a feature, and on which version of the feature's definition."""

    __tablename__ = "feature_use"
    __table_args__ = (
        UniqueConstraint(
            "model_version_id", "feature_id", name="feature_use_model_version_id_feature_id_key"
        ),
    )

    id: int = identity("feature_use")
    model_version_id: int = Field(foreign_key="model_version.id")
    feature_id: int = Field(foreign_key="feature.id")
    definition_version: int | None = 1


class Snapshot(SQLModel, table=True):
    """A warehouse table as of a version: the exact bytes, for as long as anything refers to it."""

    __tablename__ = "snapshot"
    __table_args__ = (UniqueConstraint("table_name", "version", name="snapshot_table_name_version_key"),)

    id: int = identity("snapshot")
    table_name: str
    version: int
    rows: int = count()
    columns: dict[str, str] = document()
    digest: str
    created_at: datetime = utc_time()
