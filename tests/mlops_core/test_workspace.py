from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from mlops_core.clock import FixedClock, SystemClock
from mlops_core.domain import AuditEvent
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted, NoWorkspace, StoreForeign
from mlops_core.domain.states import Role
from mlops_core.workspace import (
    actor_named,
    actors,
    add_actor,
    open_workspace,
    put_setting,
    require_role,
    set_clock,
    setting,
)
from tests.factories import NOW, person, settings_in, system, workspace_in


def summaries(workspace):
    with workspace.store.read() as session:
        return list(session.exec(select(AuditEvent.summary).order_by(AuditEvent.id)))


def test_a_new_workspace_holds_the_system_actor_and_says_that_it_was_created(database_url, tmp_path):
    workspace = workspace_in(tmp_path / "workspace", database_url)
    (only,) = actors(workspace)
    assert (only.name, only.role, only.created_at) == ("system", Role.ADMIN, NOW)
    assert summaries(workspace) == ["The workspace was created"]
    workspace.close()


def test_opening_a_workspace_again_adds_nothing(tmp_path):
    workspace_in(tmp_path).close()
    workspace = workspace_in(tmp_path)
    assert len(actors(workspace)) == len(summaries(workspace)) == 1
    workspace.close()


def test_a_missing_workspace_is_reported_and_nothing_is_made(tmp_path):
    with pytest.raises(NoWorkspace, match="bigboard demo"):
        open_workspace(settings_in(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_in_an_impossible_folder_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(InvalidInput, match="choose another folder"):
        workspace_in(tmp_path / "what?")
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_whose_file_is_something_else_is_refused(tmp_path):
    (tmp_path / "bigboard.duckdb").write_text("my diary")
    with pytest.raises(StoreForeign):
        open_workspace(settings_in(tmp_path))
    assert (tmp_path / "bigboard.duckdb").read_text() == "my diary"


def test_a_workspace_goes_by_the_system_clock_until_it_is_put_on_a_simulated_one(tmp_path):
    workspace = open_workspace(settings_in(tmp_path), create=True)
    assert isinstance(workspace.clock, SystemClock)
    past = datetime(2017, 7, 3, 5, tzinfo=UTC)
    set_clock(workspace, system(workspace), past)
    assert workspace.clock.now() == past
    workspace.close()
    again = open_workspace(settings_in(tmp_path))
    assert again.clock.now() == past
    again.close()
    given = open_workspace(settings_in(tmp_path), clock=FixedClock(NOW))
    assert given.clock.now() == NOW
    given.close()


def test_a_clock_without_a_zone_is_refused(workspace):
    with pytest.raises(InvalidInput, match="time zone"):
        set_clock(workspace, system(workspace), datetime(2017, 7, 3))  # noqa: DTZ001 - that it has no zone is tested
    assert workspace.clock.now() == NOW


def test_a_clock_of_another_zone_is_kept_in_utc(workspace):
    from zoneinfo import ZoneInfo

    set_clock(workspace, system(workspace), datetime(2017, 7, 3, 1, tzinfo=ZoneInfo("America/New_York")))
    assert workspace.clock.now().isoformat() == "2017-07-03T05:00:00+00:00"
    assert workspace.clock.now().utcoffset() == timedelta(0)
    assert summaries(workspace)[-1] == "The clock was put to 03 Jul 2017 05:00 UTC"


# ── people ───────────────────────────────────────────────────────────────────────────────────────


def test_an_added_actor_can_be_found_and_the_log_tells_of_it(workspace):
    added = add_actor(
        workspace, system(workspace), name="ann", full_name="Ann Lee", role=Role.LEAD, email="ann@example.org"
    )
    found = actor_named(workspace, "ann")
    assert (found.id, found.full_name, found.role, found.email) == (
        added.id,
        "Ann Lee",
        "lead",
        "ann@example.org",
    )
    assert summaries(workspace)[-1] == "Ann Lee joined as lead"


@pytest.mark.parametrize("name", ["", "  ", "system"])
def test_an_actor_whose_name_is_empty_or_taken_is_refused(workspace, name):
    with pytest.raises(InvalidInput):
        add_actor(workspace, system(workspace), name=name, full_name="X", role=Role.LEAD)
    assert len(actors(workspace)) == 1


def test_an_unknown_actor_is_reported_with_those_who_are_there(workspace):
    person(workspace, Role.LEAD)
    with pytest.raises(NotFound, match="BIGBOARD_ACTOR to one of system, a-lead"):
        actor_named(workspace, "nobody")


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_only_administrators_add_actors_and_change_settings(workspace, role):
    someone = person(workspace, role)
    with pytest.raises(NotPermitted, match=f"a-{role} .* may not add an actor: ask somebody with role admin"):
        add_actor(workspace, someone, name="x", full_name="X", role=Role.ADMIN)
    with pytest.raises(NotPermitted, match="may not change a setting"):
        put_setting(workspace, someone, "x", {}, "why")
    with pytest.raises(NotPermitted):
        set_clock(workspace, someone, NOW)


def test_an_administrator_may_do_what_any_role_may(workspace):
    require_role(system(workspace), "do a thing", Role.LEAD)
    with pytest.raises(NotPermitted, match="ask somebody with role lead or ml engineer or admin"):
        require_role(person(workspace, Role.EXECUTIVE), "do a thing", Role.LEAD, Role.ML_ENGINEER)


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


def test_a_setting_is_kept_and_its_changes_are_audited(workspace):
    assert setting(workspace, "colour") is None
    for colour in ("red", "blue"):
        put_setting(workspace, system(workspace), "colour", {"is": colour}, f"It became {colour}")
    assert setting(workspace, "colour") == {"is": "blue"}
    assert summaries(workspace)[-2:] == ["It became red", "It became blue"]
