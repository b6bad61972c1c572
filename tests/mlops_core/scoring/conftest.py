"""Versions whose artefacts are anything, also what no registration would take."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from skops import io as skops_io

from mlops_core.domain import Model, ModelVersion
from mlops_core.domain.states import ProblemType, Role
from mlops_core.registry import create_model
from mlops_core.registry.artefacts import store_bytes
from mlops_core.scoring import SandboxedModel, open_model, sandbox
from mlops_core.workspace import Workspace
from tests import factories
from tests.mlops_core.scoring.hostile import Hostile

COLUMNS = ("income", "age")


METRICS = {ProblemType.BINARY: "roc_auc", ProblemType.MULTICLASS: "accuracy", ProblemType.REGRESSION: "rmse"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace for all tests of a module: they store artefacts there, and little else."""
    opened = factories.workspace_in(tmp_path_factory.mktemp("scoring") / "workspace")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def models(workspace: Workspace) -> dict[ProblemType, Model]:
    lead = factories.person(workspace, Role.LEAD)
    return {
        problem: create_model(
            workspace,
            lead,
            name=f"a-{problem}",
            description=f"A {problem} model",
            owner=lead,
            problem_type=problem,
            primary_metric=METRICS.get(problem),
            latency_objective_ms=50,
            cadence_hours=24,
        )
        for problem in ProblemType
    }


@pytest.fixture
def version_of(workspace: Workspace, models: dict[ProblemType, Model]) -> Callable[..., ModelVersion]:
    """Makes versions of bytes, or of estimators; they are in no store."""

    def make(
        artefact: Any,
        *,
        problem: ProblemType = ProblemType.REGRESSION,
        columns: Sequence[str] = COLUMNS,
        suffix: str = "skops",
    ) -> ModelVersion:
        data = artefact if isinstance(artefact, bytes) else skops_io.dumps(artefact)
        return ModelVersion(
            id=1,
            model_id=models[problem].id,
            number=1,
            artefact_digest=store_bytes(workspace, data, suffix),
            artefact_format=suffix,
            artefact_bytes=len(data),
            columns=list(columns),
        )

    return make


@pytest.fixture
def hostile(
    workspace: Workspace, version_of: Callable[..., ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., SandboxedModel]]:
    """Opens an estimator that does a deed whenever it is asked."""
    monkeypatch.setattr(sandbox, "_ALSO_TRUSTED", ("tests.",))
    opened = []

    def open_hostile(deed: str, argument: object = "", **limits: Any) -> SandboxedModel:
        version = version_of(Hostile(deed, str(argument)).fit(None))
        opening = open_model(workspace, version, limits=sandbox.Limits(**limits))
        opened.append(opening)
        return opening.__enter__()

    yield open_hostile
    for opening in opened:
        opening.__exit__(None, None, None)
