import pytest
from sqlmodel import select

from mlops_core.domain import Alias, AuditEvent
from mlops_core.domain.errors import Conflict, NotFound
from mlops_core.domain.states import Stage
from mlops_core.registry import (
    champion_of,
    champions,
    find_model,
    find_version,
    move_version,
    promote_version,
)
from mlops_core.registry.catalogue import list_versions, stage_history
from tests.factories import champion, new_model, new_version, promote


def stages(workspace):
    return {line.number: (line.stage, line.is_champion) for line in list_versions(workspace)}


def champion_number(workspace):
    with workspace.store.read() as session:
        model = find_model(session, "churn-risk")
        found = champion_of(session, model)
        assert champions(session) == {model.id: found}
        return found.number


def test_promotion_moves_the_champion_and_archives_the_version_before(workspace):
    first = champion(workspace)
    assert champion_number(workspace) == 1
    promote(workspace, new_version(workspace, first.model, seed=2))
    assert champion_number(workspace) == 2
    assert stages(workspace) == {1: (Stage.ARCHIVED, False), 2: (Stage.PRODUCTION, True)}


def test_the_history_of_the_alias_is_kept(workspace, lead):
    first = champion(workspace)
    promote(workspace, new_version(workspace, first.model, seed=2))
    promote_version(workspace, lead, "churn-risk", 1)  # rolled back
    with workspace.store.read() as session:
        rows = session.exec(select(Alias).order_by(Alias.id)).all()
        numbers = [find_version(session, first.model, n).id for n in (1, 2, 1)]
    assert [row.model_version_id for row in rows] == numbers
    assert stages(workspace) == {1: (Stage.PRODUCTION, True), 2: (Stage.ARCHIVED, False)}


def test_promotion_is_one_unit_of_work_with_an_event_for_each_version_that_it_moves(workspace, lead):
    first = champion(workspace)
    second = new_version(workspace, first.model, seed=2)
    move_version(workspace, lead, "churn-risk", second.version.number, Stage.CANDIDATE)
    move_version(workspace, lead, "churn-risk", second.version.number, Stage.APPROVED)
    before = workspace.store.revision()
    promote_version(workspace, lead, "churn-risk", 2)
    assert workspace.store.revision() == before + 1
    with workspace.store.read() as session:
        events = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(2)).all()
    assert {(event.action, event.subject) for event in events} == {
        ("version.production", "churn-risk:2"),
        ("version.archived", "churn-risk:1"),
    }


def test_the_champion_cannot_be_promoted_again(workspace, lead):
    champion(workspace)
    with pytest.raises(Conflict):
        promote_version(workspace, lead, "churn-risk", 1)


def test_a_version_enters_production_by_promotion_alone(workspace, lead):
    new_version(workspace, new_model(workspace))
    move_version(workspace, lead, "churn-risk", 1, Stage.CANDIDATE)
    move_version(workspace, lead, "churn-risk", 1, Stage.APPROVED)
    with pytest.raises(Conflict, match="promote it"):
        move_version(workspace, lead, "churn-risk", 1, Stage.PRODUCTION)
    assert stages(workspace) == {1: (Stage.APPROVED, False)}


def test_a_model_whose_champion_was_archived_has_none_and_can_get_another(workspace, lead):
    first = champion(workspace)
    move_version(workspace, lead, "churn-risk", 1, Stage.ARCHIVED)
    with pytest.raises(NotFound, match="has no champion"):
        champion_number(workspace)
    assert stages(workspace) == {1: (Stage.ARCHIVED, False)}
    promote(workspace, new_version(workspace, first.model, seed=2))
    assert champion_number(workspace) == 2


def test_a_refused_promotion_moves_nothing(workspace, lead):
    first = champion(workspace)
    new_version(workspace, first.model, seed=2)
    with pytest.raises(Conflict, match="churn-risk:2 is in stage 'development'"):
        promote_version(workspace, lead, "churn-risk", 2)
    assert stages(workspace) == {1: (Stage.PRODUCTION, True), 2: (Stage.DEVELOPMENT, False)}


def test_what_does_not_exist_is_reported(workspace, lead):
    new_model(workspace)
    with pytest.raises(NotFound, match="no model 'none'"):
        promote_version(workspace, lead, "none", 1)
    with pytest.raises(NotFound, match="'churn-risk' has no version 7"):
        promote_version(workspace, lead, "churn-risk", 7)
    with workspace.store.read() as session, pytest.raises(NotFound, match="promote a version first"):
        champion_of(session, find_model(session, "churn-risk"))


def test_the_history_of_a_version_lists_its_stages_in_order(workspace):
    promoted = champion(workspace)
    steps = stage_history(workspace, promoted.version.id)
    assert [step.stage for step in steps] == ["development", "candidate", "approved", "production"]
    assert [step.actor for step in steps] == ["A Data_Scientist", "A Lead", "A Lead", "A Lead"]
