import pytest
from sqlmodel import func, select

from mlops_core.domain import AuditEvent
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.models import ModelCard
from mlops_core.domain.states import Role
from mlops_core.registry import Card, card_of, write_card
from tests.factories import new_model, new_version, person


@pytest.fixture
def version(workspace):
    return new_version(workspace, new_model(workspace), rows=60).version


def test_the_newest_card_holds_and_the_one_before_stays(workspace, scientist, version):
    with workspace.store.read() as session:
        assert card_of(session, version) is None
    first = Card("Whom to call")
    second = Card("Whom to call", "Not for children", ("region", "age"), "Age is legal to use")
    write_card(workspace, scientist, "churn-risk", 1, first)
    write_card(workspace, scientist, "churn-risk", 1, second)
    with workspace.store.read() as session:
        assert card_of(session, version) == second
        assert session.exec(select(func.count()).select_from(ModelCard)).one() == 2
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.action, event.subject) == ("version.card_written", "churn-risk:1")


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (Card(), "is empty"),
        (Card("x", protected_attributes=("sex", "sex")), "each once"),
        (Card("x", protected_attributes=(" ",)), "names of columns"),
    ],
)
def test_a_card_that_says_nothing_or_names_an_attribute_wrongly_is_refused(
    workspace, scientist, version, card, words
):
    with pytest.raises(InvalidInput, match=words):
        write_card(workspace, scientist, "churn-risk", 1, card)


def test_a_card_needs_a_version_and_somebody_who_may_write_it(workspace, scientist, version):
    with pytest.raises(NotFound, match="no version 7"):
        write_card(workspace, scientist, "churn-risk", 7, Card("x"))
    with pytest.raises(NotPermitted, match="may not write a model card"):
        write_card(workspace, person(workspace, Role.EXECUTIVE), "churn-risk", 1, Card("x"))
