"""The registry by the API: versions, their tests, and their comparisons."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool

from mlops_core.api.handover import CardGiven, register_upload, snapshot_named
from mlops_core.api.jobs import JobShown, shown_jobs
from mlops_core.api.registry_shapes import (
    VERSION_FORM,
    ComparisonLine,
    ComparisonShown,
    ComparisonWish,
    FeatureShown,
    MetricShown,
    RegisteredShown,
    SnapshotShown,
    TestRunShown,
    TestShown,
    TestsWish,
    VersionShown,
)
from mlops_core.api.uploads import received
from mlops_core.comparison import read_comparison
from mlops_core.domain import Comparison, Model, ModelVersion, TestResult, TestRun
from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import JobState, TestStatus
from mlops_core.jobs import enqueue
from mlops_core.registry import find_model, find_version
from mlops_core.registry.version_view import VersionView, read_version
from mlops_core.version_tests import latest_run, results_of
from mlops_core.workspace import Workspace, actor_named

__all__ = ["registry_router"]

_UPLOADS = "uploads"


def registry_router(workspace: Workspace, actor: str, enqueued: Callable[[int], None]) -> APIRouter:
    """Return the routes of versions, tests and comparisons.

    Parameters
    ----------
    actor
        Name of the actor who registers and asks for jobs.
    enqueued
        Called with the id of a job that was asked for.
    """
    router = APIRouter(tags=["registry"])

    def ask(name: str, model: str, number: int, arguments: dict[str, Any]) -> JobShown:
        job = enqueue(workspace, actor_named(workspace, actor), name, f"{model}:{number}", arguments)
        enqueued(job.id)
        return shown_jobs(workspace, [job])[0]

    @router.get("/models/{model}/versions/{number}")
    def version(model: str, number: int) -> VersionShown:
        return _shown(workspace, read_version(workspace, model, number))

    @router.post("/models/{model}/versions", status_code=201, openapi_extra=VERSION_FORM)
    async def register(request: Request, response: Response, model: str) -> RegisteredShown:
        """Register a version; 200 where the same artefact and training data were registered before."""
        folder = workspace.settings.artefact_root / _UPLOADS
        async with received(request, folder, workspace.settings.upload_bytes) as upload:

            def store() -> RegisteredShown:
                made = register_upload(workspace, actor_named(workspace, actor), model, upload)
                shown = _shown(workspace, read_version(workspace, model, made.version.number))
                return RegisteredShown(
                    **shown.model_dump(),
                    is_new=made.is_new,
                    measured={name: value for name, (value, _) in made.metrics.items()},
                    notes=list(made.notes),
                )

            registered = await run_in_threadpool(store)
        if not registered.is_new:
            response.status_code = 200
        return registered

    @router.post("/models/{model}/versions/{number}/tests", status_code=202)
    def test(model: str, number: int, wish: TestsWish | None = None) -> JobShown:
        """Ask for the tests of a version; the same wish while it waits or runs is the same job."""
        kind = "judge_version" if wish is not None and wish.compare else "test_version"
        return ask(kind, model, number, {"model": model, "number": number})

    @router.get("/models/{model}/versions/{number}/tests")
    def tests(model: str, number: int) -> TestRunShown:
        """Return the newest run of a version's tests, with what is known so far."""
        view = read_version(workspace, model, number)
        run = _tests(workspace, view)
        if run is None:
            raise NotFound(f"{model}:{number} was never tested: POST to the same address asks for its tests")
        return run

    @router.get("/test-runs/{run_id}")
    def test_run(run_id: int) -> TestRunShown:
        with workspace.store.read() as session:
            run = session.get(TestRun, run_id)
            if run is None:
                raise NotFound(f"there is no test run {run_id}")
            found = session.get_one(ModelVersion, run.model_version_id)
            label = session.get_one(Model, found.model_id).name, found.number
        return _run(*label, run, results_of(workspace, run.id))

    @router.post("/models/{model}/comparisons", status_code=202)
    def compare(model: str, wish: ComparisonWish) -> JobShown:
        """Ask for a comparison of two versions."""
        chosen = None if wish.snapshot is None else snapshot_named(workspace, wish.snapshot).id
        arguments = {"model": model, "challenger": wish.challenger, "champion": wish.champion}
        return ask("compare_versions", model, wish.challenger, {**arguments, "snapshot_id": chosen})

    @router.get("/models/{model}/comparisons")
    def comparisons(
        model: str,
        challenger: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 20,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> list[ComparisonLine]:
        """Return the newest comparisons of a model's versions."""
        with workspace.store.read() as session:
            found = find_model(session, model)
            wanted = (
                select(Comparison)
                .join(ModelVersion, col(ModelVersion.id) == col(Comparison.challenger_id))
                .where(ModelVersion.model_id == found.id)
                .order_by(col(Comparison.id).desc())
            )
            if challenger is not None:
                wanted = wanted.where(Comparison.challenger_id == find_version(session, found, challenger).id)
            rows = session.exec(wanted.offset(offset).limit(limit)).all()
        return [ComparisonLine.model_validate(row) for row in rows]

    @router.get("/comparisons/{comparison_id}")
    def comparison(comparison_id: int) -> ComparisonShown:
        return ComparisonShown(id=comparison_id, report=read_comparison(workspace, comparison_id))

    return router


def _shown(workspace: Workspace, view: VersionView) -> VersionShown:
    version = view.version
    with workspace.store.read() as session:
        compared = session.exec(
            select(Comparison)
            .where(Comparison.challenger_id == version.id)
            .order_by(col(Comparison.id).desc())
            .limit(1)
        ).first()
    return VersionShown(
        model=view.model.name,
        **version.model_dump(include=set(VersionShown.model_fields) & set(ModelVersion.model_fields)),
        is_champion=view.is_champion,
        champion=view.champion,
        owner=view.owner,
        author=view.author,
        entered_stage=view.entered_stage,
        tags=list(view.tags),
        card=None
        if view.card is None
        else CardGiven(
            intended_use=view.card.intended_use,
            limits=view.card.limits,
            protected_attributes=list(view.card.protected_attributes),
            considerations=view.card.considerations,
        ),
        metrics=[MetricShown.model_validate(metric) for metric in view.metrics],
        training=[_snapshot(one) for one in view.training],
        evaluation=None if view.evaluation is None else _snapshot(view.evaluation),
        features=[FeatureShown.model_validate(feature) for feature in view.features],
        used_by=list(view.used_by),
        tests=_tests(workspace, view),
        comparison=None if compared is None else ComparisonLine.model_validate(compared),
    )


def _snapshot(snapshot: Any) -> SnapshotShown:
    return SnapshotShown(
        name=f"{snapshot.table_name}@{snapshot.version}", rows=snapshot.rows, digest=snapshot.digest
    )


def _tests(workspace: Workspace, view: VersionView) -> TestRunShown | None:
    with workspace.store.read() as session:
        run = latest_run(session, view.version)
    if run is None:
        return None
    return _run(view.model.name, view.version.number, run, results_of(workspace, run.id))


def _run(model: str, number: int, run: TestRun, results: list[TestResult]) -> TestRunShown:
    sound = (TestStatus.PASSED, TestStatus.SKIPPED)
    return TestRunShown(
        **run.model_dump(include=set(TestRunShown.model_fields) & set(TestRun.model_fields)),
        model=model,
        version=number,
        all_passed=run.state == JobState.SUCCEEDED
        and all(one.status in sound for one in results)
        and any(one.status == TestStatus.PASSED for one in results),
        results=[TestShown.model_validate(one) for one in results],
    )
