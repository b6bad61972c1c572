"""A workspace with a model of each problem type, shared by the tests of one module."""

from collections.abc import Iterator

import pytest

from mlops_core.workspace import Workspace
from tests.factories import workspace_in
from tests.mlops_core.version_tests.candidates import add_models


@pytest.fixture(scope="module")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    opened = workspace_in(tmp_path_factory.mktemp("department") / "workspace")
    add_models(opened)
    yield opened
    opened.close()
