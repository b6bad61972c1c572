"""Who is looking, and at which workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import session
from mlops_core.domain.errors import NoWorkspace
from mlops_core.domain.states import Role
from mlops_core.workspace import SYSTEM, Workspace
from tests import factories
from tests.pages.screen import open_page, who


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    opened = factories.workspace_in(tmp_path / "workspace")
    monkeypatch.setattr(session, "_served", [opened])
    yield opened
    opened.close()


def test_the_url_names_who_is_looking(workspace: Workspace) -> None:
    factories.person(workspace, Role.LEAD)
    chosen = factories.person(workspace, Role.EXECUTIVE)

    assert who(open_page(actor=chosen.name)).value == chosen.name


def test_an_actor_that_nobody_knows_falls_back_to_the_first(workspace: Workspace) -> None:
    first = factories.person(workspace, Role.LEAD)
    factories.person(workspace, Role.EXECUTIVE)

    assert who(open_page(actor="nobody")).value == first.name
    assert who(open_page()).value == first.name


def test_nobody_looks_as_bigboard_itself_once_there_are_people(workspace: Workspace) -> None:
    person = factories.person(workspace, Role.LEAD)

    assert [one.name for one in session.people()] == [person.name]
    assert who(open_page(actor=SYSTEM)).value == person.name


def test_bigboard_itself_looks_where_there_are_no_people(workspace: Workspace) -> None:
    assert who(open_page()).value == SYSTEM


def test_who_was_chosen_stays_when_the_page_is_run_again(workspace: Workspace) -> None:
    for role in (Role.LEAD, Role.EXECUTIVE):
        factories.person(workspace, role)
    screen = open_page()

    who(screen).set_value("a-executive").run()
    screen.run()

    assert who(screen).value == "a-executive"


def test_outside_a_server_the_workspace_of_the_settings_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.workspace_in(tmp_path / "mine").close()
    monkeypatch.setattr(session, "_served", [])
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "mine"))

    opened = session.workspace()

    assert opened.settings.workspace == tmp_path / "mine"
    assert session.workspace() is opened
    opened.close()


def test_without_a_workspace_the_error_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_served", [])
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "nothing"))

    with pytest.raises(NoWorkspace, match="nothing"):
        session.workspace()
