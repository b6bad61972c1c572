"""Models, their versions, and what is known about each version."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import count, document, identity, payload, utc_time

__all__ = [
    "Alias",
    "ColumnImportance",
    "Metric",
    "Model",
    "ModelCard",
    "ModelTag",
    "ModelVersion",
    "ReferenceProfile",
    "StageChange",
    "VersionSnapshot",
]


class Model(SQLModel, table=True):
    """A named model; its versions come and go, the name stays."""

    __tablename__ = "model"

    id: int = identity("model")
    name: str = Field(unique=True)
    description: str
    owner_id: int = Field(foreign_key="actor.id")
    problem_type: str
    primary_metric: str | None = None
    latency_objective_ms: float
    cadence_hours: float
    segment_columns: list[str] = document(list)
    created_at: datetime = utc_time()


class ModelTag(SQLModel, table=True):
    """A word by which models are found."""

    __tablename__ = "model_tag"
    __table_args__ = (UniqueConstraint("model_id", "tag", name="model_tag_model_id_tag_key"),)

    id: int = identity("model_tag")
    model_id: int = Field(foreign_key="model.id")
    tag: str


class ModelVersion(SQLModel, table=True):
    """One trained state of a model, numbered from 1 within it.

    `environment` maps `python` and the packages that matter to their versions, None in versions older than
    that. `snapshot_id` is what it was trained on first of all; `VersionSnapshot` has the others.
    `predictions_digest` names the artefact with the predictions for its evaluation snapshot that were handed
    over with a version whose own artefact cannot be asked.
    """

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model_id", "number", name="model_version_model_id_number_key"),)

    id: int = identity("model_version")
    model_id: int = Field(foreign_key="model.id")
    number: int
    stage: str
    author_id: int = Field(foreign_key="actor.id")
    snapshot_id: int = Field(foreign_key="snapshot.id")
    artefact_digest: str
    artefact_format: str
    artefact_bytes: int = count()
    git_commit: str
    git_dirty: bool
    estimator: str
    hyper_parameters: dict[str, Any] = document()
    columns: list[str] = document(list)
    created_at: datetime = utc_time()
    environment: dict[str, str] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    predictions_digest: str | None = None


class VersionSnapshot(SQLModel, table=True):
    """Data that a version was made or measured with; `use` is a `SnapshotUse`."""

    __tablename__ = "version_snapshot"
    __table_args__ = (
        UniqueConstraint(
            "model_version_id",
            "snapshot_id",
            "use",
            name="version_snapshot_model_version_id_snapshot_id_use_key",
        ),
    )

    id: int = identity("version_snapshot")
    model_version_id: int = Field(foreign_key="model_version.id")
    snapshot_id: int = Field(foreign_key="snapshot.id")
    use: str


class ModelCard(SQLModel, table=True):
    """What a version is for, where it must not be used, whom it was checked on; the newest row holds."""

    __tablename__ = "model_card"

    id: int = identity("model_card")
    model_version_id: int = Field(foreign_key="model_version.id")
    intended_use: str
    limits: str
    protected_attributes: list[str] = document(list)
    considerations: str
    actor_id: int = Field(foreign_key="actor.id")
    at: datetime = utc_time()


class StageChange(SQLModel, table=True):
    """A version entering a stage: the history behind `ModelVersion.stage`."""

    __tablename__ = "stage_change"

    id: int = identity("stage_change")
    model_version_id: int = Field(foreign_key="model_version.id")
    stage: str
    at: datetime = utc_time()
    actor_id: int = Field(foreign_key="actor.id")


class Alias(SQLModel, table=True):
    """A name that points at a version from a moment on; the newest row of a name holds."""

    __tablename__ = "alias"

    id: int = identity("alias")
    model_id: int = Field(foreign_key="model.id")
    name: str
    model_version_id: int = Field(foreign_key="model_version.id")
    at: datetime = utc_time()


class Metric(SQLModel, table=True):
    """A figure measured on a named part of the data when the version was registered.

    `snapshot_id` is that data, None where it was not handed over.
    """

    __tablename__ = "metric"

    id: int = identity("metric")
    model_version_id: int = Field(foreign_key="model_version.id")
    name: str
    data: str
    value: float
    rows: int = count()
    snapshot_id: int | None = None


class ReferenceProfile(SQLModel, table=True):
    """The version's reference window and the grid of cells that its slices are counted on.

    `sample_digest` names the artefact that holds a sample of its rows, None in versions older than that.
    """

    __tablename__ = "reference_profile"

    id: int = identity("reference_profile")
    model_version_id: int = Field(foreign_key="model_version.id", unique=True)
    start: datetime = utc_time()
    end: datetime = utc_time()
    rows: int = count()
    grids: bytes = payload()
    sample_digest: str | None = None


class ColumnImportance(SQLModel, table=True):
    """How much a version depends on one of its columns, 0 and up; `method` says how that was found."""

    __tablename__ = "column_importance"
    __table_args__ = (
        UniqueConstraint("model_version_id", "column", name="column_importance_model_version_id_column_key"),
    )

    id: int = identity("column_importance")
    model_version_id: int = Field(foreign_key="model_version.id")
    column: str
    value: float
    method: str
    rows: int = count()
