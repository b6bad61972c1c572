"""The alias `challenger`: the version that is tried against the champion, whom promotion alone sets."""

from collections.abc import Sequence
from typing import Final

from sqlmodel import Session, col, func, select

from mlops_core.domain import Actor, Alias, Model, ModelVersion
from mlops_core.domain.errors import Conflict
from mlops_core.domain.states import Stage
from mlops_core.registry.models import CHAMPION, MAKERS, find_model, find_version
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["CHALLENGER", "ON_THEIR_WAY", "challenger_of", "challengers", "set_alias"]

CHALLENGER: Final = "challenger"
ON_THEIR_WAY: Final = (Stage.DEVELOPMENT, Stage.CANDIDATE, Stage.APPROVED, Stage.SCHEDULED)
"""Stages of a version that is not decided on yet, or waits for its time."""


def set_alias(
    workspace: Workspace, actor: Actor, model_name: str, number: int, alias: str = CHALLENGER
) -> ModelVersion:
    """Let the alias `challenger` point at a version; who may register a version may do that.

    A challenger that enters production, or is archived or rejected, is none any more.

    Raises
    ------
    Conflict
        The version is not on its way to production, or the alias is not `challenger`.
    NotFound, NotPermitted
    """
    require_role(actor, "name a challenger", *MAKERS)
    if alias == CHAMPION:
        raise Conflict(f"{model_name}:{number} cannot be made champion by its alias: promote it")
    if alias != CHALLENGER:
        raise Conflict(f"there is no alias '{alias}': choose {CHALLENGER}, or promote the version")

    def work(unit: UnitOfWork) -> ModelVersion:
        model = find_model(unit.session, model_name)
        version = find_version(unit.session, model, number)
        if version.stage not in ON_THEIR_WAY:
            raise Conflict(
                f"{model_name}:{number} is in stage '{version.stage}' and cannot be the challenger: choose a "
                "version on its way to production"
            )
        unit.add(Alias(model_id=model.id, name=CHALLENGER, model_version_id=version.id, at=unit.now))
        unit.record(
            "version.challenger",
            "model version",
            f"{model_name}:{number}",
            f"{model_name} version {number} became the challenger",
        )
        return version

    return workspace.store.write(actor, work)


def challenger_of(session: Session, model: Model) -> ModelVersion | None:
    """Return the version that is tried against a model's champion, None where there is none."""
    return challengers(session, [model.id]).get(model.id)


def challengers(session: Session, model_ids: Sequence[int] | None = None) -> dict[int, ModelVersion]:
    """Return the challenger of each model that has one, by model id; of some models, or of all."""
    newest = select(func.max(Alias.id)).where(Alias.name == CHALLENGER).group_by(col(Alias.model_id))
    if model_ids is not None:
        newest = newest.where(col(Alias.model_id).in_(model_ids))
    versions = session.exec(
        select(ModelVersion)
        .join(Alias, col(Alias.model_version_id) == col(ModelVersion.id))
        .where(col(Alias.id).in_(newest), col(ModelVersion.stage).in_(ON_THEIR_WAY))
    )
    return {version.model_id: version for version in versions}
