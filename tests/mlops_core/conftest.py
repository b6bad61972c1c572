"""Workspaces for the tests of the core."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_core.domain import Actor
from mlops_core.domain.states import Role
from mlops_core.workspace import Workspace
from tests import factories


@pytest.fixture(params=["duckdb", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_database")
    return f"duckdb:///{tmp_path / 'store' / 'bigboard.duckdb'}"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace in a folder, on a clock that stands."""
    opened = factories.workspace_in(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def lead(workspace: Workspace) -> Actor:
    return factories.person(workspace, Role.LEAD)


@pytest.fixture
def scientist(workspace: Workspace) -> Actor:
    return factories.person(workspace, Role.DATA_SCIENTIST)
