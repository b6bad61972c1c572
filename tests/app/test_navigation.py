"""Every role has a page to call home, and every page has a place in the navigation."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from app import navigation
from app.navigation import HOME, pages
from mlops_core.console_root import console_root
from mlops_core.domain.states import Role
from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.conftest import console
from tests.pages.screen import PAGES, headline, open_page, who

__all__ = ["console"]


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_home_among_the_pages(role: Role) -> None:
    assert HOME[role] in PAGES


def test_every_file_of_the_pages_is_in_the_navigation() -> None:
    assert sorted(pages()) == PAGES


def test_exactly_one_page_opens_by_default() -> None:
    assert [name for name, page in pages().items() if page._default] == ["board"]


def test_pages_have_titles_and_icons_of_their_own() -> None:
    titles, icons = zip(*navigation._PAGES.values(), strict=True)

    assert len(set(titles)) == len(set(icons)) == len(PAGES)


@pytest.mark.parametrize("role", [role for role in Role if HOME[role] != "board"])
def test_choosing_another_actor_opens_the_page_of_that_role(
    console: Workspace, demo_facts: Facts, role: Role
) -> None:
    chosen = demo_facts.one("SELECT min(name) FROM actor WHERE role = ?", role)
    home = headline(open_page(HOME[role], actor=chosen))
    screen = open_page()

    who(screen).set_value(chosen).run()

    assert not screen.exception
    assert headline(screen) == home
    assert who(screen).value == chosen


@pytest.mark.parametrize("page", [page for page in PAGES if page != "registry"])
def test_another_actor_can_be_chosen_on_every_page(console: Workspace, page: str) -> None:
    screen = open_page(page, show="All", of="churn-risk", model="churn-risk", find="churn", search="spend")
    home = headline(open_page("registry"))

    who(screen).set_value("henrik.dahl").run()

    assert not screen.exception
    assert headline(screen) == home


def test_the_configuration_is_read_from_wherever_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit import config

    from app.server import _apply_config

    monkeypatch.chdir(tmp_path)
    _apply_config()

    written = tomllib.loads((console_root() / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config.get_option("theme.dark.backgroundColor") == written["theme"]["dark"]["backgroundColor"]
    assert config.get_option("runner.magicEnabled") is False
