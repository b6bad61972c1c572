"""Put a version into production, and the version before it into the archive."""

from sqlmodel import Session

from mlops_core.domain import Actor, Alias, Model, ModelVersion, StageChange
from mlops_core.domain.errors import Conflict, NotFound
from mlops_core.domain.states import Stage
from mlops_core.registry.models import CHAMPION, champion_of, find_model, find_version
from mlops_core.registry.stages import check_transition
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace

__all__ = ["move_version", "promote_version"]


def move_version(
    workspace: Workspace, actor: Actor, model_name: str, number: int, stage: Stage
) -> ModelVersion:
    """Move a version to another stage; into production it goes by `promote_version` alone.

    Raises
    ------
    NotFound, Conflict, NotPermitted
    """
    if stage == Stage.PRODUCTION:
        raise Conflict(f"{model_name}:{number} cannot be moved into production: promote it")

    def work(unit: UnitOfWork) -> ModelVersion:
        model = find_model(unit.session, model_name)
        version = find_version(unit.session, model, number)
        _enter_stage(unit, model, version, stage)
        return version

    return workspace.store.write(actor, work)


def promote_version(workspace: Workspace, actor: Actor, model_name: str, number: int) -> ModelVersion:
    """Make a version the champion: it enters production, the prior one is archived.

    The next monitoring run gives it its monitors.

    Raises
    ------
    NotFound, Conflict, NotPermitted
    """

    def work(unit: UnitOfWork) -> ModelVersion:
        model = find_model(unit.session, model_name)
        version = find_version(unit.session, model, number)
        prior = _champion_or_none(unit.session, model)
        _enter_stage(unit, model, version, Stage.PRODUCTION)
        if prior is not None and prior.id != version.id:
            _enter_stage(unit, model, prior, Stage.ARCHIVED)
        unit.add(Alias(model_id=model.id, name=CHAMPION, model_version_id=version.id, at=unit.now))
        return version

    return workspace.store.write(actor, work)


def _champion_or_none(session: Session, model: Model) -> ModelVersion | None:
    try:
        return champion_of(session, model)
    except NotFound:
        return None


def _enter_stage(unit: UnitOfWork, model: Model, version: ModelVersion, stage: Stage) -> None:
    label = f"{model.name}:{version.number}"
    check_transition(unit.actor, label, Stage(version.stage), stage)
    version.stage = stage
    unit.session.add(version)
    unit.add(StageChange(model_version_id=version.id, stage=stage, at=unit.now, actor_id=unit.actor.id))
    unit.record(
        f"version.{stage}", "model version", label, f"{model.name} version {version.number} entered {stage}"
    )
