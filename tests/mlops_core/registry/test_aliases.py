import pytest
from sqlmodel import select

from mlops_core.domain import AuditEvent
from mlops_core.domain.errors import Conflict, NotFound, NotPermitted
from mlops_core.domain.states import Role, Stage
from mlops_core.registry import find_model, move_version, promote_version
from mlops_core.registry.aliases import challenger_of, challengers, set_alias
from tests.factories import champion, new_version, person


@pytest.fixture
def trained(workspace):
    """A champion and two versions in development."""
    first = champion(workspace)
    return [first, *(new_version(workspace, first.model, seed=seed, rows=60) for seed in (2, 3))]


def challenger(workspace):
    with workspace.store.read() as session:
        model = find_model(session, "churn-risk")
        found = challenger_of(session, model)
        assert challengers(session) == ({model.id: found} if found else {})
        return found.number if found else None


def test_the_challenger_is_the_version_that_was_named_last(workspace, scientist, trained):
    assert challenger(workspace) is None
    set_alias(workspace, scientist, "churn-risk", 2)
    set_alias(workspace, scientist, "churn-risk", 3)
    assert challenger(workspace) == 3
    with workspace.store.read() as session:
        event = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (event.action, event.subject, event.actor_id) == (
        "version.challenger",
        "churn-risk:3",
        scientist.id,
    )


@pytest.mark.parametrize("end", [Stage.ARCHIVED, Stage.PRODUCTION, Stage.REJECTED])
def test_a_challenger_that_is_decided_on_is_none_any_more(workspace, scientist, lead, trained, end):
    set_alias(workspace, scientist, "churn-risk", 2)
    move_version(workspace, lead, "churn-risk", 2, Stage.CANDIDATE)
    assert challenger(workspace) == 2
    if end == Stage.PRODUCTION:
        move_version(workspace, lead, "churn-risk", 2, Stage.APPROVED)
        promote_version(workspace, lead, "churn-risk", 2)
    else:
        move_version(workspace, lead, "churn-risk", 2, end)
    assert challenger(workspace) is None
    with pytest.raises(Conflict, match="cannot be the challenger"):
        set_alias(workspace, scientist, "churn-risk", 2)


def test_the_champion_is_set_by_promotion_alone(workspace, lead, trained):
    with pytest.raises(Conflict, match="promote it"):
        set_alias(workspace, lead, "churn-risk", 2, "champion")
    with pytest.raises(Conflict, match="no alias 'best'"):
        set_alias(workspace, lead, "churn-risk", 2, "best")


def test_an_alias_needs_a_version_and_somebody_who_may_name_it(workspace, lead, trained):
    with pytest.raises(NotFound, match="no version 9"):
        set_alias(workspace, lead, "churn-risk", 9)
    with pytest.raises(NotPermitted, match="may not name a challenger"):
        set_alias(workspace, person(workspace, Role.EXECUTIVE), "churn-risk", 2)
