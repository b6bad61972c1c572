"""What was read is read again only when the store, or the minute, has changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app import session
from app.cache import until_changed
from mlops_core import monitoring
from mlops_core.clock import FixedClock
from mlops_core.workspace import Workspace, put_setting
from tests import factories
from tests.pages.screen import open_page


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    opened = factories.workspace_in(tmp_path / "workspace")
    monkeypatch.setattr(session, "_served", [opened])
    yield opened
    opened.close()


class Counted:
    """A query that counts how often it is asked."""

    __name__ = "counted"

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def __call__(self, workspace: Workspace, *arguments: object, **named: object) -> int:
        self.asked.append((*arguments, *named.values()))
        return len(self.asked)


def change(workspace: Workspace) -> None:
    put_setting(workspace, factories.system(workspace), "anything", {"is": "changed"}, "A test changed it")


def test_nothing_is_asked_again_while_nothing_has_changed(workspace: Workspace) -> None:
    counted = Counted()
    read = until_changed(counted)

    assert [read("churn"), read("churn"), read("churn")] == [1, 1, 1]


def test_a_change_of_the_store_is_seen_at_once(workspace: Workspace) -> None:
    counted = Counted()
    read = until_changed(counted)
    read()

    change(workspace)

    assert read() == 2
    assert read() == 2


def test_the_next_minute_is_asked_for_anew(workspace: Workspace) -> None:
    counted = Counted()
    read = until_changed(counted)
    read()
    clock = workspace.clock
    assert isinstance(clock, FixedClock)

    clock.at += timedelta(minutes=1)

    assert read() == 2


def test_each_argument_has_an_answer_of_its_own(workspace: Workspace) -> None:
    counted = Counted()
    read = until_changed(counted)

    for _ in range(2):
        read("a", limit=1)
        read("a", limit=2)
        read("b", limit=1)

    assert counted.asked == [("a", 1), ("a", 2), ("b", 1)]


def test_another_workspace_has_answers_of_its_own(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    read = until_changed(counted)
    read()
    other = factories.workspace_in(tmp_path / "other")

    monkeypatch.setattr(session, "_served", [other])

    assert read() == 2
    other.close()


def test_a_page_that_is_run_again_asks_the_store_nothing_that_it_knows(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    original = monitoring.read_board

    def read_board(opened: Workspace) -> object:
        asked.append(opened)
        return original(opened)

    monkeypatch.setattr(monitoring, "read_board", read_board)

    screen = open_page()
    screen.run()

    assert len(asked) == 1
