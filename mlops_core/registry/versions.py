"""Register a model version with everything that it was made from."""

from typing import Final

from sqlmodel import col, func, select

from mlops_core.domain import (
    Actor,
    Feature,
    FeatureUse,
    Metric,
    Model,
    ModelVersion,
    Snapshot,
    StageChange,
    VersionSnapshot,
)
from mlops_core.domain.states import SnapshotUse, Stage
from mlops_core.registry.artefacts import Artefact, store_estimator, store_file
from mlops_core.registry.cards import add_card, card_of
from mlops_core.registry.evaluation_data import evaluation_of
from mlops_core.registry.importance import (
    Importance,
    add_importance,
    check_importance,
    permutation_importance,
)
from mlops_core.registry.models import MAKERS, find_model
from mlops_core.registry.new_version import CheckedVersion, NewVersion, check_new_version
from mlops_core.registry.predictions import store_predictions
from mlops_core.registry.reference import add_reference, count_reference
from mlops_core.registry.reference_sample import store_reference_sample
from mlops_core.registry.surrogate import surrogate_importance
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["NewVersion", "register_version"]

_ELSEWHERE: Final = Artefact(digest="", format="none", size=0)


def register_version(workspace: Workspace, actor: Actor, model_name: str, new: NewVersion) -> ModelVersion:
    """Register a version in stage `development`; the same artefact and snapshot give the same version.

    A version that is registered again keeps its metrics; an evaluation snapshot or a card that it did not
    have is added to it. Everything is checked before anything is stored, and the rows of the store come
    together or not at all; the file of an artefact may stay behind without a version when the store fails.

    Raises
    ------
    NotFound
        There is no such model.
    InvalidInput
        Something that was handed over cannot be used; see `NewVersion` and `check_new_version`.
    ArtefactUnwritable
        The folder of the artefacts cannot be written.
    NotPermitted
    """
    require_role(actor, "register a version", *MAKERS)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    checked = check_new_version(workspace, model, new)
    counted = count_reference(model, new)
    importance, trouble = _importance(model, new)
    artefact = _store_artefact(workspace, new)
    sample = store_reference_sample(workspace, new.reference)
    predictions = _store_predictions(workspace, checked)

    def work(unit: UnitOfWork) -> ModelVersion:
        known = _known(unit, model, new, artefact, predictions)
        if known is not None:
            _add_to_known(unit, known, new, predictions)
            unit.record(
                "version.registered_again",
                "model version",
                f"{model.name}:{known.number}",
                f"The same artefact and snapshot were registered before as {model.name}:{known.number}",
            )
            return known
        version = _add_version(unit, model, new, checked, artefact)
        version.predictions_digest = predictions
        add_reference(unit, version, new.reference, counted, sample)
        if importance is not None:
            add_importance(unit, version, importance)
        unit.record(
            "version.registered",
            "model version",
            f"{model.name}:{version.number}",
            f"{model.name} version {version.number} was registered",
            artefact=artefact.digest,
            snapshot=new.snapshot.id,
            **({"importance": trouble} if trouble else {}),
            **({"warnings": checked.warnings} if checked.warnings else {}),
        )
        return version

    return workspace.store.write(actor, work)


def _store_artefact(workspace: Workspace, new: NewVersion) -> Artefact:
    if new.estimator is not None:
        return store_estimator(workspace, new.estimator)
    return store_file(workspace, new.artefact) if new.artefact is not None else _ELSEWHERE


def _store_predictions(workspace: Workspace, checked: CheckedVersion) -> str | None:
    return None if checked.predictions is None else store_predictions(workspace, checked.predictions)


def _importance(model: Model, new: NewVersion) -> tuple[Importance | None, str]:
    """Return the importance of the columns; None, and why, where the estimator cannot tell."""
    if new.importance is not None:
        return check_importance(new.columns, new.importance), ""
    try:
        if new.estimator is None:
            return surrogate_importance(new.columns, new.reference), ""
        return permutation_importance(new.estimator, model, new.columns, new.reference), ""
    except Exception as error:  # the estimator is not ours, and a version without importance is of use
        return None, f"unknown: {error}"[:500]


def _known(
    unit: UnitOfWork, model: Model, new: NewVersion, artefact: Artefact, predictions: str | None
) -> ModelVersion | None:
    """Return the version with this artefact and training snapshot, if there is one.

    Of models that run elsewhere the predictions are all that tells one from another.
    """
    found = select(ModelVersion).where(
        ModelVersion.model_id == model.id,
        ModelVersion.artefact_digest == artefact.digest,
        ModelVersion.snapshot_id == new.snapshot.id,
    )
    if not artefact.digest and predictions is not None:
        found = found.where(ModelVersion.predictions_digest == predictions)
    return unit.session.exec(found.order_by(col(ModelVersion.id))).first()


def _add_to_known(unit: UnitOfWork, known: ModelVersion, new: NewVersion, predictions: str | None) -> None:
    """Give a version what it did not have when it was registered first."""
    if new.evaluation is not None:
        _use_snapshot(unit, known, new.evaluation, SnapshotUse.EVALUATION)
        newest = evaluation_of(unit.session, known)
        if predictions is not None and newest is not None and newest.id == new.evaluation.id:
            known.predictions_digest = predictions
            unit.session.add(known)
    if new.card is not None and card_of(unit.session, known) != new.card:
        add_card(unit, known, new.card)


def _use_snapshot(unit: UnitOfWork, version: ModelVersion, snapshot: Snapshot, use: SnapshotUse) -> None:
    """Record that a version was made or is measured with a snapshot, once."""
    known = unit.session.exec(
        select(VersionSnapshot).where(
            VersionSnapshot.model_version_id == version.id,
            VersionSnapshot.snapshot_id == snapshot.id,
            VersionSnapshot.use == use,
        )
    ).first()
    if known is None:
        unit.add(VersionSnapshot(model_version_id=version.id, snapshot_id=snapshot.id, use=use))


def _add_version(
    unit: UnitOfWork, model: Model, new: NewVersion, checked: CheckedVersion, artefact: Artefact
) -> ModelVersion:
    highest = unit.session.exec(
        select(func.max(ModelVersion.number)).where(ModelVersion.model_id == model.id)
    ).one()
    version = unit.add(
        ModelVersion(
            model_id=model.id,
            number=(highest or 0) + 1,
            stage=Stage.DEVELOPMENT,
            author_id=unit.actor.id,
            snapshot_id=new.snapshot.id,
            artefact_digest=artefact.digest,
            artefact_format=artefact.format,
            artefact_bytes=artefact.size,
            git_commit=new.commit.commit,
            git_dirty=new.commit.dirty,
            estimator=checked.estimator,
            hyper_parameters=checked.hyper_parameters,
            columns=list(new.columns),
            created_at=unit.now,
            environment=checked.environment,
        )
    )
    unit.add(
        StageChange(model_version_id=version.id, stage=Stage.DEVELOPMENT, at=unit.now, actor_id=unit.actor.id)
    )
    for snapshot in new.more_snapshots:
        if snapshot.id != new.snapshot.id:
            _use_snapshot(unit, version, snapshot, SnapshotUse.TRAINING)
    if new.evaluation is not None:
        _use_snapshot(unit, version, new.evaluation, SnapshotUse.EVALUATION)
    if new.card is not None:
        add_card(unit, version, new.card)
    for name, (value, rows) in new.metrics.items():
        unit.session.add(
            Metric(
                model_version_id=version.id,
                name=name,
                data=new.metrics_data,
                value=value,
                rows=rows,
                snapshot_id=new.evaluation.id if new.evaluation is not None else None,
            )
        )
    used = unit.session.exec(select(Feature).where(col(Feature.name).in_(list(new.columns)))).all()
    unit.session.add_all(
        FeatureUse(
            model_version_id=version.id,
            feature_id=feature.id,
            definition_version=feature.definition_version,
        )
        for feature in used
    )
    return version
