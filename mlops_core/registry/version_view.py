"""One version as its page shows it: what it is, what it was made from, and what uses what it predicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mlops_core.domain import (
    Actor,
    ColumnImportance,
    Feature,
    FeatureInput,
    FeatureTable,
    FeatureUse,
    Metric,
    Model,
    ModelCard,
    ModelVersion,
    Snapshot,
    StageChange,
)
from mlops_core.domain.states import FeatureStatus, Stage
from mlops_core.registry.evaluation_data import evaluation_of, training_of
from mlops_core.registry.models import champions, find_model, find_version
from mlops_core.registry.snapshots import name_of
from mlops_core.registry.tags import tags_of
from mlops_core.workspace import Workspace

__all__ = [
    "CardView",
    "MeasuredMetric",
    "UsedFeature",
    "VersionChoice",
    "VersionView",
    "read_version",
    "version_choices",
]


@dataclass(frozen=True, slots=True)
class VersionChoice:
    """A version of the same model, to be chosen."""

    number: int
    stage: Stage
    is_champion: bool


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """A figure that came with the version, and the data that it was measured on.

    `snapshot` is `table@version`, None where the data were not handed over.
    """

    name: str
    value: float
    rows: int
    data: str
    snapshot: str | None


@dataclass(frozen=True, slots=True)
class UsedFeature:
    """A feature that the version was trained on.

    Attributes
    ----------
    definition_version, newest_definition
        The version of its definition that was used, and the one that holds now.
    predicted_by
        The models whose predictions it is; empty for all others.
    importance
        How much the version depends on it, from 0 up; None where that is not known.
    """

    name: str
    table: str
    status: FeatureStatus
    definition_version: int
    newest_definition: int
    predicted_by: Sequence[str]
    importance: float | None

    @property
    def has_changed(self) -> bool:
        """Return whether it is defined otherwise now than the version knows it."""
        return self.newest_definition > self.definition_version


@dataclass(frozen=True, slots=True)
class CardView:
    """The newest model card of a version, and who wrote it."""

    intended_use: str
    limits: str
    protected_attributes: Sequence[str]
    considerations: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version with one step of its lineage.

    Attributes
    ----------
    champion
        The number of the version in production, None where there is none.
    choices
        All versions of the model, the newest first.
    training
        What it was trained on, the first one first.
    evaluation
        What it is tested and compared on, None where it has no such snapshot.
    features
        The most important first, then by name.
    plain_columns
        Input columns that no feature of the catalogue provides.
    used_by
        Models whose production version is trained on this model's predictions.
    """

    model: Model
    version: ModelVersion
    owner: str
    author: str
    entered_stage: datetime
    champion: int | None
    choices: Sequence[VersionChoice]
    tags: Sequence[str]
    card: CardView | None
    metrics: Sequence[MeasuredMetric]
    training: Sequence[Snapshot]
    evaluation: Snapshot | None
    features: Sequence[UsedFeature]
    plain_columns: Sequence[str]
    used_by: Sequence[str]

    @property
    def stage(self) -> Stage:
        """Return where it stands."""
        return Stage(self.version.stage)

    @property
    def is_champion(self) -> bool:
        """Return whether it is the one in production."""
        return self.champion == self.version.number

    @property
    def label(self) -> str:
        """Return `churn-risk:5`."""
        return f"{self.model.name}:{self.version.number}"


def read_version(workspace: Workspace, model_name: str, number: int) -> VersionView:
    """Return one version with what it was made from and what is made from it.

    Raises
    ------
    NotFound
        There is no such model, or it has no such version.
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        version = find_version(session, model, number)
        names = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
        champion = champions(session).get(model.id)
        features = _features(session, version)
        entered = session.exec(
            select(StageChange.at)
            .where(StageChange.model_version_id == version.id)
            .order_by(col(StageChange.id).desc())
            .limit(1)
        ).first()
        return VersionView(
            model=model,
            version=version,
            owner=names[model.owner_id],
            author=names[version.author_id],
            entered_stage=entered or version.created_at,
            champion=champion.number if champion else None,
            choices=_choices(session, model, champion),
            tags=tags_of(session, model),
            card=_card(session, version, names),
            metrics=_metrics(session, version),
            training=training_of(session, version),
            evaluation=evaluation_of(session, version),
            features=features,
            plain_columns=sorted(set(version.columns) - {one.name for one in features}),
            used_by=_used_by(session, model),
        )


def version_choices(workspace: Workspace, model_name: str) -> list[VersionChoice]:
    """Return all versions of a model, the newest first.

    Raises
    ------
    NotFound
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        return _choices(session, model, champions(session).get(model.id))


def _choices(session: Session, model: Model, champion: ModelVersion | None) -> list[VersionChoice]:
    rows = session.exec(
        select(ModelVersion.id, ModelVersion.number, ModelVersion.stage)
        .where(ModelVersion.model_id == model.id)
        .order_by(col(ModelVersion.number).desc())
    ).all()
    return [
        VersionChoice(number, Stage(stage), champion is not None and champion.id == version_id)
        for version_id, number, stage in rows
    ]


def _metrics(session: Session, version: ModelVersion) -> list[MeasuredMetric]:
    rows = session.exec(
        select(Metric).where(Metric.model_version_id == version.id).order_by(col(Metric.id))
    ).all()
    identities = {one.snapshot_id for one in rows if one.snapshot_id is not None}
    known = session.exec(select(Snapshot).where(col(Snapshot.id).in_(identities))) if identities else ()
    names = {one.id: name_of(one) for one in known}
    return [
        MeasuredMetric(one.name, one.value, one.rows, one.data, names.get(one.snapshot_id or 0))
        for one in rows
    ]


def _features(session: Session, version: ModelVersion) -> list[UsedFeature]:
    importance = dict(
        session.exec(
            select(ColumnImportance.column, ColumnImportance.value).where(
                ColumnImportance.model_version_id == version.id
            )
        ).all()
    )
    rows = session.exec(
        select(FeatureUse, Feature, FeatureTable.name)
        .join(Feature, col(Feature.id) == col(FeatureUse.feature_id))
        .join(FeatureTable, col(FeatureTable.id) == col(Feature.feature_table_id))
        .where(FeatureUse.model_version_id == version.id)
    ).all()
    predicted: dict[int, list[str]] = {}
    for feature_id, name in session.exec(
        select(FeatureInput.feature_id, Model.name)
        .join(Model, col(Model.id) == col(FeatureInput.model_id))
        .where(col(FeatureInput.feature_id).in_([feature.id for _, feature, _ in rows]))
        .order_by(Model.name)
    ):
        predicted.setdefault(feature_id, []).append(name)
    features = [
        UsedFeature(
            name=feature.name,
            table=table,
            status=FeatureStatus(feature.status),
            definition_version=use.definition_version or 1,
            newest_definition=feature.definition_version or 1,
            predicted_by=predicted.get(feature.id, []),
            importance=importance.get(feature.name),
        )
        for use, feature, table in rows
    ]
    return sorted(features, key=lambda one: (-(one.importance or 0.0), one.name))


def _card(session: Session, version: ModelVersion, names: dict[int, str]) -> CardView | None:
    card = session.exec(
        select(ModelCard)
        .where(ModelCard.model_version_id == version.id)
        .order_by(col(ModelCard.id).desc())
        .limit(1)
    ).first()
    if card is None:
        return None
    return CardView(
        card.intended_use,
        card.limits,
        tuple(card.protected_attributes),
        card.considerations,
        names[card.actor_id],
        card.at,
    )


def _used_by(session: Session, model: Model) -> list[str]:
    return sorted(
        set(
            session.exec(
                select(Model.name)
                .join(ModelVersion, col(ModelVersion.model_id) == col(Model.id))
                .join(FeatureUse, col(FeatureUse.model_version_id) == col(ModelVersion.id))
                .join(FeatureInput, col(FeatureInput.feature_id) == col(FeatureUse.feature_id))
                .where(FeatureInput.model_id == model.id, ModelVersion.stage == Stage.PRODUCTION)
            )
        )
    )
