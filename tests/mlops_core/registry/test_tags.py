import pytest
from sqlmodel import select

from mlops_core.domain import AuditEvent
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import Role
from mlops_core.registry import find_model, tag_model, tags_of, untag_model
from mlops_core.registry.tags import every_tag
from tests.factories import new_model, person


def tags(workspace, name="churn-risk"):
    with workspace.store.read() as session:
        return tags_of(session, find_model(session, name))


def test_a_tag_is_given_once_and_can_be_taken_again(workspace, scientist):
    new_model(workspace), new_model(workspace, "basket-value")
    for tag in ("weekly", "crm", "weekly"):
        tag_model(workspace, scientist, "churn-risk", tag)
    tag_model(workspace, scientist, "basket-value", "crm")
    assert tags(workspace) == ["crm", "weekly"]
    untag_model(workspace, scientist, "churn-risk", "crm")
    assert (tags(workspace), tags(workspace, "basket-value")) == (["weekly"], ["crm"])
    with workspace.store.read() as session:
        assert every_tag(session) == ["crm", "weekly"]
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.action, event.subject, event.details) == ("model.untagged", "churn-risk", {"tag": "crm"})
    with pytest.raises(NotFound, match="has no tag 'crm'; it has weekly"):
        untag_model(workspace, scientist, "churn-risk", "crm")


@pytest.mark.parametrize("tag", ["a", "crm-2", "v1.5", "team_a", "größe", "a" * 40])
def test_a_lower_case_word_can_be_a_tag(workspace, scientist, tag):
    new_model(workspace)
    tag_model(workspace, scientist, "churn-risk", tag)
    assert tags(workspace) == [tag]


@pytest.mark.parametrize("tag", ["", "CRM", "cRm", "two words", "-crm", "crm-", "a,b", "a\n", "a" * 41])
def test_anything_else_cannot(workspace, scientist, tag):
    new_model(workspace)
    with pytest.raises(InvalidInput, match="cannot be a tag"):
        tag_model(workspace, scientist, "churn-risk", tag)


def test_who_only_looks_on_may_not_tag(workspace):
    new_model(workspace)
    for action in (tag_model, untag_model):
        with pytest.raises(NotPermitted):
            action(workspace, person(workspace, Role.DIRECTOR), "churn-risk", "crm")
