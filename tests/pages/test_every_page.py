"""What holds on every page: it runs for everybody, in both themes, and helps where there is nothing yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from mlops_core.console_root import console_root
from mlops_core.domain.states import Role
from mlops_core.workspace import Workspace
from tests import factories
from tests.demo_workspace import Facts
from tests.pages.screen import PAGES, headline, instructions, open_page, who

MAIN = console_root() / "app" / "main.py"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("page", PAGES)
def test_a_page_answers_its_question_for_the_actor_of_every_role(
    console: Workspace, demo_facts: Facts, page: str, role: Role
) -> None:
    actor = demo_facts.one("SELECT min(name) FROM actor WHERE role = ? AND name <> 'system'", role)

    screen = open_page(page, actor=actor)

    assert not screen.error
    assert len(headline(screen).removeprefix("###").strip()) > 10
    assert who(screen).value == actor


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_drawn_in_the_dark_theme(console: Workspace, page: str) -> None:
    assert not open_page(page, theme="dark").error


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_where_something_has_happened(eventful_console: Workspace, page: str) -> None:
    assert not open_page(page).error


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_run_again(console: Workspace, page: str) -> None:
    screen = open_page(page)
    first = headline(screen)

    screen.run()

    assert not screen.exception
    assert headline(screen) == first


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_workspace_teaches_what_belongs_on_a_page(empty_console: Workspace, page: str) -> None:
    screen = open_page(page)

    assert not screen.error
    assert any(len(text) > 30 for text in instructions(screen))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_survives_a_link_to_things_that_are_gone(console: Workspace, page: str) -> None:
    gone = dict.fromkeys(
        ["actor", "model", "of", "column", "segment", "statistic", "stage", "version", "feature", "kind"],
        "no-longer-here",
    )

    open_page(page, show="Nothing", events="None", page="99", window="1999-01-01", **gone)


def test_without_a_workspace_the_console_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "_served", [])
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "nothing"))

    screen = AppTest.from_file(MAIN, default_timeout=60).run()

    assert not screen.exception
    (error,) = screen.error
    assert str(tmp_path / "nothing") in error.value
    assert "bigboard demo" in error.value
    assert not screen.dataframe


def test_a_workspace_that_another_process_holds_names_that_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    factories.workspace_in(tmp_path / "held").close()
    monkeypatch.setattr(session, "_served", [])
    monkeypatch.setenv("BIGBOARD_WORKSPACE", str(tmp_path / "held"))

    with factories.running(factories.HOLDER, tmp_path / "held") as holder:
        screen = AppTest.from_file(MAIN, default_timeout=60).run()

    assert not screen.exception
    assert str(holder.pid) in screen.error[0].value
