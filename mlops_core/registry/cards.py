"""Model cards: what a version is for, where it must not be used, whom it was checked on."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from mlops_core.domain import Actor, ModelCard, ModelVersion
from mlops_core.domain.errors import InvalidInput
from mlops_core.registry.models import MAKERS, find_model, find_version
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

__all__ = ["Card", "add_card", "card_of", "check_card", "write_card"]


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a version (Mitchell et al., Model cards for model reporting, 2019).

    Attributes
    ----------
    intended_use
        What it is for.
    limits
        Where it must not be used, and what it cannot do.
    protected_attributes
        Columns of the evaluation snapshot by which nobody may be treated worse.
    considerations
        What was weighed about these, and anything else that a reader should know.
    """

    intended_use: str = ""
    limits: str = ""
    protected_attributes: tuple[str, ...] = ()
    considerations: str = ""


def write_card(workspace: Workspace, actor: Actor, model_name: str, number: int, card: Card) -> None:
    """Give a version a card; the one before stays in the history.

    Raises
    ------
    InvalidInput
        The card says nothing, or names an attribute twice or one without a name.
    NotFound, NotPermitted
    """
    require_role(actor, "write a model card", *MAKERS)
    check_card(card)

    def work(unit: UnitOfWork) -> None:
        version = find_version(unit.session, find_model(unit.session, model_name), number)
        add_card(unit, version, card)
        unit.record(
            "version.card_written",
            "model version",
            f"{model_name}:{number}",
            f"The card of {model_name} version {number} was written",
            protected_attributes=list(card.protected_attributes),
        )

    workspace.store.write(actor, work)


def card_of(session: Session, version: ModelVersion) -> Card | None:
    """Return the card of a version, None where it has none."""
    row = session.exec(
        select(ModelCard)
        .where(ModelCard.model_version_id == version.id)
        .order_by(col(ModelCard.id).desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return Card(row.intended_use, row.limits, tuple(row.protected_attributes), row.considerations)


def check_card(card: Card) -> None:
    """Check that a card says something, and each attribute once.

    Raises
    ------
    InvalidInput
    """
    if card == Card():
        raise InvalidInput("the model card is empty: say at least what the version is intended for")
    names = list(card.protected_attributes)
    if any(not name.strip() for name in names) or len(set(names)) < len(names):
        raise InvalidInput(
            f"the model card protects {', '.join(map(repr, names))}: give names of columns, each once"
        )


def add_card(unit: UnitOfWork, version: ModelVersion, card: Card) -> None:
    """Add a card's row within a unit of work."""
    unit.add(
        ModelCard(
            model_version_id=version.id,
            intended_use=card.intended_use,
            limits=card.limits,
            protected_attributes=list(card.protected_attributes),
            considerations=card.considerations,
            actor_id=unit.actor.id,
            at=unit.now,
        )
    )
