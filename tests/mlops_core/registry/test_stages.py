import itertools

import pytest
from sqlmodel import select

from mlops_core.domain import ModelVersion, StageChange
from mlops_core.domain.errors import Conflict, NotPermitted
from mlops_core.domain.states import Role, Stage
from mlops_core.registry import move_version, promote_version
from mlops_core.registry.stages import TRANSITIONS, check_transition
from tests.factories import new_model, new_version, person, system, workspace_in

EVERY_PAIR = list(itertools.product(Stage, Stage))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One workspace with one version, which each test puts where it needs it."""
    workspace = workspace_in(tmp_path_factory.mktemp("stages"))
    version = new_version(workspace, new_model(workspace), rows=60).version
    yield workspace, version, {role: person(workspace, role) for role in Role}
    workspace.close()


def go(workspace, actor, model, number, stage):
    """Send a version to a stage by the call that is meant for it."""
    if stage == Stage.PRODUCTION:
        return promote_version(workspace, actor, model, number)
    return move_version(workspace, actor, model, number, stage)


@pytest.fixture
def version(workspace):
    return new_version(workspace, new_model(workspace), rows=60).version


@pytest.mark.parametrize(("origin", "wanted"), EVERY_PAIR, ids=lambda stage: str(stage))
def test_a_version_goes_where_the_table_says_and_by_whom_it_says(shared, origin, wanted):
    workspace, version, people = shared
    allowed = TRANSITIONS.get((origin, wanted))

    def put_back(unit):
        unit.session.get(ModelVersion, version.id).stage = origin

    def stage_now():
        with workspace.store.read() as session:
            return session.get(ModelVersion, version.id).stage

    for role, actor in people.items():
        workspace.store.bookkeep(system(workspace), put_back)
        if allowed is None:
            with pytest.raises(Conflict):
                go(workspace, actor, "churn-risk", 1, wanted)
            assert stage_now() == origin
        elif role not in allowed and role != Role.ADMIN:
            with pytest.raises(NotPermitted, match=f"may not move churn-risk:1 to {wanted}"):
                go(workspace, actor, "churn-risk", 1, wanted)
            assert stage_now() == origin
        else:
            assert go(workspace, actor, "churn-risk", 1, wanted).stage == wanted
            assert stage_now() == wanted


def test_every_stage_can_be_reached_from_development():
    reached = {Stage.DEVELOPMENT}
    for _ in Stage:
        reached |= {wanted for origin, wanted in TRANSITIONS if origin in reached}
    assert reached == set(Stage)


def test_nothing_reaches_production_without_having_been_approved():
    into = {origin for origin, wanted in TRANSITIONS if wanted == Stage.PRODUCTION}
    assert into == {Stage.APPROVED, Stage.SCHEDULED, Stage.ARCHIVED}
    assert {origin for origin, wanted in TRANSITIONS if wanted == Stage.SCHEDULED} == {Stage.APPROVED}


def test_the_maker_of_a_version_may_propose_it_but_not_judge_it(workspace):
    scientist = person(workspace, Role.DATA_SCIENTIST)
    check_transition(scientist, "m:1", Stage.DEVELOPMENT, Stage.CANDIDATE)
    for wanted in (Stage.APPROVED, Stage.REJECTED):
        with pytest.raises(NotPermitted, match="lead or ml engineer or admin"):
            check_transition(scientist, "m:1", Stage.CANDIDATE, wanted)


def test_a_rejected_version_is_final(workspace):
    with pytest.raises(Conflict, match="possible: nothing: it is final"):
        check_transition(system(workspace), "m:1", Stage.REJECTED, Stage.CANDIDATE)


def test_a_conflict_lists_what_is_possible(workspace):
    with pytest.raises(Conflict, match=r"in stage 'approved' .* possible: scheduled, production, rejected"):
        check_transition(system(workspace), "m:1", Stage.APPROVED, Stage.CANDIDATE)


def test_the_history_keeps_every_stage_with_who_sent_it_there(workspace, version):
    lead, scientist = person(workspace, Role.LEAD), person(workspace, Role.DATA_SCIENTIST)
    move_version(workspace, scientist, "churn-risk", 1, Stage.CANDIDATE)
    move_version(workspace, lead, "churn-risk", 1, Stage.REJECTED)
    with workspace.store.read() as session:
        found = session.exec(select(StageChange).order_by(StageChange.id)).all()
    assert [(change.stage, change.actor_id) for change in found] == [
        ("development", scientist.id),
        ("candidate", scientist.id),
        ("rejected", lead.id),
    ]
