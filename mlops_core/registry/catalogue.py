"""What the registry page lists: models and versions with their stages and metrics."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from mlops_core.domain import (
    Actor,
    FeatureUse,
    Metric,
    Model,
    ModelVersion,
    Snapshot,
    StageChange,
)
from mlops_core.domain.states import Stage
from mlops_core.registry.models import champions
from mlops_core.workspace import Workspace

__all__ = ["StageStep", "VersionLine", "list_versions", "stage_history"]


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version as a line of the registry.

    Attributes
    ----------
    primary
        The primary metric on held-out data, None where the model has none.
    entered_stage
        When it came to the stage it is in.
    """

    model: str
    number: int
    stage: Stage
    is_champion: bool
    description: str
    owner: str
    author: str
    estimator: str
    primary_metric: str | None
    primary: float | None
    metrics: dict[str, float]
    metric_rows: int
    features: int
    snapshot: str
    snapshot_rows: int
    snapshot_digest: str
    git_commit: str
    git_dirty: bool
    artefact_digest: str
    artefact_bytes: int
    created_at: datetime
    entered_stage: datetime
    version_id: int


@dataclass(frozen=True, slots=True)
class StageStep:
    """A version entering a stage."""

    stage: Stage
    at: datetime
    actor: str


def list_versions(workspace: Workspace) -> list[VersionLine]:
    """Return every version of every model, the last moved first."""
    with workspace.store.read() as session:
        champion_ids = {version.id for version in champions(session).values()}
        names = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
        metrics: dict[int, list[Metric]] = defaultdict(list)
        for metric in session.exec(select(Metric)):
            metrics[metric.model_version_id].append(metric)
        features = dict(
            session.exec(
                select(FeatureUse.model_version_id, func.count()).group_by(col(FeatureUse.model_version_id))
            ).all()
        )
        entered = dict(
            session.exec(
                select(StageChange.model_version_id, func.max(StageChange.at)).group_by(
                    col(StageChange.model_version_id)
                )
            ).all()
        )
        rows = session.exec(
            select(ModelVersion, Model, Snapshot)
            .join(Model, col(Model.id) == col(ModelVersion.model_id))
            .join(Snapshot, col(Snapshot.id) == col(ModelVersion.snapshot_id))
        ).all()
    lines = [
        _line(
            version,
            model,
            snapshot,
            names,
            metrics[version.id],
            features.get(version.id, 0),
            entered[version.id],
            version.id in champion_ids,
        )
        for version, model, snapshot in rows
    ]
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


def _line(
    version: ModelVersion,
    model: Model,
    snapshot: Snapshot,
    names: dict[int, str],
    metrics: Sequence[Metric],
    features: int,
    entered: datetime,
    is_champion: bool,
) -> VersionLine:
    values = {metric.name: metric.value for metric in metrics}
    return VersionLine(
        model=model.name,
        number=version.number,
        stage=Stage(version.stage),
        is_champion=is_champion,
        description=model.description,
        owner=names[model.owner_id],
        author=names[version.author_id],
        estimator=version.estimator,
        primary_metric=model.primary_metric,
        primary=values.get(model.primary_metric or ""),
        metrics=values,
        metric_rows=max((metric.rows for metric in metrics), default=0),
        features=features,
        snapshot=f"{snapshot.table_name}@{snapshot.version}",
        snapshot_rows=snapshot.rows,
        snapshot_digest=snapshot.digest,
        git_commit=version.git_commit,
        git_dirty=version.git_dirty,
        artefact_digest=version.artefact_digest,
        artefact_bytes=version.artefact_bytes,
        created_at=version.created_at,
        entered_stage=entered,
        version_id=version.id,
    )
