"""Tags: words by which models are found."""

import re
from typing import Final

from sqlmodel import Session, col, select

from mlops_core.domain import Actor, Model, ModelTag
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.registry.models import MAKERS, find_model
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["every_tag", "tag_model", "tags_of", "untag_model"]

_TAG: Final = re.compile(r"[^\W_A-Z](?:[\w.-]{0,38}[^\W_])?")


def tag_model(workspace: Workspace, actor: Actor, model_name: str, tag: str) -> None:
    """Give a model a tag; one that it has already stays.

    Parameters
    ----------
    tag
        Lower-case letters, digits, and hyphens, dots or underscores between them; at most 40 characters.

    Raises
    ------
    InvalidInput, NotFound, NotPermitted
    """
    require_role(actor, "tag a model", *MAKERS)
    if not _TAG.fullmatch(tag) or tag != tag.lower():
        raise InvalidInput(f"'{tag}' cannot be a tag: use one lower-case word of at most 40 characters")

    def work(unit: UnitOfWork) -> None:
        model = find_model(unit.session, model_name)
        if _row(unit.session, model, tag) is None:
            unit.add(ModelTag(model_id=model.id, tag=tag))
        unit.record("model.tagged", "model", model_name, f"Model {model_name} was tagged {tag}", tag=tag)

    workspace.store.write(actor, work)


def untag_model(workspace: Workspace, actor: Actor, model_name: str, tag: str) -> None:
    """Take a tag from a model.

    Raises
    ------
    NotFound
        There is no such model, or it does not have the tag.
    NotPermitted
    """
    require_role(actor, "take a tag from a model", *MAKERS)

    def work(unit: UnitOfWork) -> None:
        model = find_model(unit.session, model_name)
        row = _row(unit.session, model, tag)
        if row is None:
            has = ", ".join(tags_of(unit.session, model)) or "none"
            raise NotFound(f"model '{model_name}' has no tag '{tag}'; it has {has}")
        unit.session.delete(row)
        unit.record("model.untagged", "model", model_name, f"Model {model_name} lost tag {tag}", tag=tag)

    workspace.store.write(actor, work)


def tags_of(session: Session, model: Model) -> list[str]:
    """Return the tags of a model, in alphabetical order."""
    rows = session.exec(select(ModelTag.tag).where(ModelTag.model_id == model.id).order_by(col(ModelTag.tag)))
    return list(rows)


def every_tag(session: Session) -> list[str]:
    """Return every tag that some model has, in alphabetical order."""
    return list(session.exec(select(ModelTag.tag).distinct().order_by(col(ModelTag.tag))))


def _row(session: Session, model: Model, tag: str) -> ModelTag | None:
    return session.exec(select(ModelTag).where(ModelTag.model_id == model.id, ModelTag.tag == tag)).first()
