"""Workspaces on each kind of store, and kinds of job for tests."""

import pytest

from mlops_core.domain.states import Role
from mlops_core.jobs import KINDS
from tests import factories
from tests.mlops_core.jobs.slow_work import Gate, register


@pytest.fixture(params=["duckdb", "postgresql"])
def anywhere(request, tmp_path):
    """An empty workspace, on each kind of store in turn."""
    url = request.getfixturevalue("postgres_database") if request.param == "postgresql" else ""
    opened = factories.workspace_in(tmp_path / "workspace", url)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def known_kinds(monkeypatch):
    """Kinds that a test registers are gone after it."""
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture
def gate():
    """Work of the kind `steps`, which waits until it may go on."""
    made = Gate()
    register(made)
    yield made
    made.may_go_on.set()


@pytest.fixture
def engineer(request):
    """Somebody who may ask for jobs, in the workspace of the test."""
    name = "anywhere" if "anywhere" in request.fixturenames else "workspace"
    return factories.person(request.getfixturevalue(name), Role.ML_ENGINEER)
