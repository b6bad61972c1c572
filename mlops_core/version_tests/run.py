"""Run a version's suite: every result is kept as soon as it is known, so that a run can go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Final

from sqlmodel import Session, col, select

from mlops_core.domain import Actor, Job, Metric, Model, ModelVersion, Snapshot, TestResult, TestRun
from mlops_core.domain.errors import Cancelled
from mlops_core.domain.progress import Progress, unheard
from mlops_core.domain.states import JobState, Role, TestStatus
from mlops_core.registry.cards import Card, card_of
from mlops_core.registry.evaluation_data import evaluation_of, training_of
from mlops_core.registry.models import MAKERS, champions, find_model, find_version
from mlops_core.store import UnitOfWork
from mlops_core.version_tests.builtin.catalogue import BUILT_IN
from mlops_core.version_tests.carrying import carry_out
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.outcome import Outcome, plain
from mlops_core.version_tests.project import project_tests
from mlops_core.version_tests.project_process import run_project_test
from mlops_core.version_tests.source import WorkspaceSource
from mlops_core.version_tests.suite import SuiteTest, suite_of
from mlops_core.workspace import Workspace, require_role

__all__ = ["close_interrupted_test_runs", "latest_run", "results_of", "run_tests"]

_OVER: Final = (JobState.SUCCEEDED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a run is about, as it was when it began."""

    model: Model
    version: ModelVersion
    champion: ModelVersion | None
    card: Card | None
    evaluation: Snapshot | None
    training: Sequence[Snapshot]
    metrics: Sequence[tuple[str, float, int | None]]

    @property
    def label(self) -> str:
        return f"{self.model.name}:{self.version.number}"


def run_tests(
    workspace: Workspace,
    actor: Actor,
    model_name: str,
    number: int,
    *,
    progress: Progress = unheard,
    job_id: int | None = None,
) -> TestRun:
    """Put a version to its model's tests, and keep what each of them found.

    A test that raises ends as `error`, and the next one is carried out. The run itself is `succeeded` when
    every test was carried out or tried, whatever they found.

    Parameters
    ----------
    progress
        Told before each test, and whenever an artefact is asked; when it raises `Cancelled`, the run is
        marked `cancelled`, its results are kept, and `Cancelled` goes on to the caller.
    job_id
        The job that does it. A run that the same job has begun is gone on with: what it has found is kept
        and not found out again. A run that it has ended is returned as it is.

    Raises
    ------
    NotFound, NotPermitted, Cancelled
    """
    require_role(actor, "test a version", *MAKERS, Role.DIRECTOR)
    with workspace.store.read() as session:
        begun = _run_of_job(session, job_id)
        subject = _subject(session, model_name, number, begun)
    if begun is not None and begun.state in _OVER:
        return begun
    run = _begin(workspace, actor, subject, begun, job_id)
    try:
        _carry_out(workspace, actor, subject, run, progress)
    except Cancelled as error:
        _finish(workspace, actor, subject, run, JobState.CANCELLED, str(error))
        raise
    except (KeyboardInterrupt, SystemExit):
        _finish(workspace, actor, subject, run, JobState.INTERRUPTED, "the process that ran it was ended")
        raise
    except Exception as error:
        _finish(workspace, actor, subject, run, JobState.FAILED, f"{type(error).__name__}: {error}")
        raise
    return _finish(workspace, actor, subject, run, JobState.SUCCEEDED, "")


def latest_run(session: Session, version: ModelVersion) -> TestRun | None:
    """Return the newest run of a version's tests, whatever its state; None where it was never tested."""
    return session.exec(
        select(TestRun)
        .where(TestRun.model_version_id == version.id)
        .order_by(col(TestRun.id).desc())
        .limit(1)
    ).first()


def results_of(workspace: Workspace, run_id: int) -> list[TestResult]:
    """Return what a run has found so far, in the order in which it was found."""
    with workspace.store.read() as session:
        return list(
            session.exec(
                select(TestResult).where(TestResult.test_run_id == run_id).order_by(col(TestResult.id))
            )
        )


def close_interrupted_test_runs(workspace: Workspace, actor: Actor) -> int:
    """Mark the runs that nobody goes on with as interrupted; return how many there were.

    Those without a job, whose process is gone when a server starts, and those whose job is over.
    """

    def work(unit: UnitOfWork) -> int:
        closed = 0
        for run in unit.session.exec(select(TestRun).where(TestRun.state == JobState.RUNNING)).all():
            job = unit.session.get(Job, run.job_id) if run.job_id is not None else None
            if job is not None and not JobState(job.state).is_over:
                continue
            run.state, run.finished_at = JobState.INTERRUPTED, unit.now
            run.message = "the process that ran it ended"
            closed += 1
        return closed

    return workspace.store.bookkeep(actor, work)


def _run_of_job(session: Session, job_id: int | None) -> TestRun | None:
    if job_id is None:
        return None
    return session.exec(
        select(TestRun).where(TestRun.job_id == job_id).order_by(col(TestRun.id).desc()).limit(1)
    ).first()


def _subject(session: Session, model_name: str, number: int, begun: TestRun | None) -> _Subject:
    model = find_model(session, model_name)
    version = find_version(session, model, number)
    if begun is not None:
        chosen = begun.evaluation_snapshot_id
        evaluation = session.get(Snapshot, chosen) if chosen is not None else None
    else:
        evaluation = evaluation_of(session, version)
    metrics = session.exec(select(Metric).where(Metric.model_version_id == version.id)).all()
    return _Subject(
        model=model,
        version=version,
        champion=champions(session).get(model.id),
        card=card_of(session, version),
        evaluation=evaluation,
        training=training_of(session, version),
        metrics=[(metric.name, metric.value, metric.snapshot_id) for metric in metrics],
    )


def _begin(
    workspace: Workspace, actor: Actor, subject: _Subject, begun: TestRun | None, job_id: int | None
) -> TestRun:
    def work(unit: UnitOfWork) -> TestRun:
        if begun is not None:
            run = unit.session.get_one(TestRun, begun.id)
            run.state, run.finished_at, run.message = JobState.RUNNING, None, ""
            words = "are run again from where they had stopped"
        else:
            run = unit.add(
                TestRun(
                    model_version_id=subject.version.id,
                    evaluation_snapshot_id=subject.evaluation.id if subject.evaluation else None,
                    job_id=job_id,
                    actor_id=unit.actor.id,
                    state=JobState.RUNNING,
                    started_at=unit.now,
                )
            )
            words = "are run"
        unit.record(
            "version.tests_started",
            "model version",
            subject.label,
            f"The tests of {subject.model.name} version {subject.version.number} {words}",
            run=run.id,
            job=job_id,
        )
        return run

    return workspace.store.write(actor, work)


def _carry_out(
    workspace: Workspace, actor: Actor, subject: _Subject, run: TestRun, progress: Progress
) -> None:
    suite = suite_of(workspace, subject.model.name)
    kept = {result.test for result in results_of(workspace, run.id)}
    done = sum(test.name in kept for test in suite)
    doing = ""

    def look_up() -> None:
        progress(done, len(suite), doing)

    source = WorkspaceSource(
        workspace, subject.model, subject.version, subject.evaluation, subject.training, look_up
    )
    try:
        for test in suite:
            if test.name in kept:
                continue
            doing = test.title
            look_up()
            began = perf_counter()
            outcome = _outcome(workspace, subject, source, test, look_up)
            _keep(workspace, actor, run, test, outcome, perf_counter() - began)
            done += 1
    finally:
        source.close()
    progress(done, len(suite), "")


def _outcome(
    workspace: Workspace,
    subject: _Subject,
    source: WorkspaceSource,
    test: SuiteTest,
    look_up: Callable[[], None],
) -> Outcome:
    if test.trouble:
        return Outcome.error(f"The project's own tests cannot be run: {test.trouble}.")
    if not test.enabled:
        return Outcome.skipped(f"Switched off for this model by {test.set_by}{_on(test.set_at)}.")
    context = TestContext(
        model=subject.model,
        version=subject.version,
        champion=subject.champion,
        card=subject.card,
        evaluation_snapshot=subject.evaluation,
        metrics=subject.metrics,
        parameters=test.parameters,
        source=source,
    )
    if test.is_project:
        named = workspace.settings.tests
        seconds = project_tests(named)[test.name].seconds
        return run_project_test(named, test.name, seconds, context, look_up)
    return carry_out(BUILT_IN[test.name], context)


def _on(at: datetime | None) -> str:
    return "" if at is None else f" on {at:%d %b %Y}"


def _keep(
    workspace: Workspace, actor: Actor, run: TestRun, test: SuiteTest, outcome: Outcome, seconds: float
) -> None:
    def work(unit: UnitOfWork) -> None:
        known = unit.session.exec(
            select(TestResult.id).where(TestResult.test_run_id == run.id, TestResult.test == test.name)
        ).first()
        if known is None:
            unit.session.add(
                TestResult(
                    test_run_id=run.id,
                    test=test.name,
                    status=TestStatus(outcome.status),
                    figure=plain(None if outcome.figure is None else float(outcome.figure)),
                    limit=plain(None if outcome.limit is None else float(outcome.limit)),
                    sentence=outcome.sentence,
                    evidence=plain(dict(outcome.evidence)),
                    seconds=seconds,
                    at=unit.now,
                )
            )

    workspace.store.bookkeep(actor, work)


def _finish(
    workspace: Workspace, actor: Actor, subject: _Subject, run: TestRun, state: JobState, message: str
) -> TestRun:
    found = [TestStatus(result.status) for result in results_of(workspace, run.id)]
    counted = {status: found.count(status) for status in TestStatus}
    summary = ", ".join(
        f"{count} {_WORDS[status]}"
        for status, count in counted.items()
        if count or status == TestStatus.PASSED
    )

    def work(unit: UnitOfWork) -> TestRun:
        ended = unit.session.get_one(TestRun, run.id)
        ended.state, ended.finished_at = state, unit.now
        ended.message = message
        unit.record(
            f"version.tests_{_ENDED[state]}",
            "model version",
            subject.label,
            f"The tests of {subject.model.name} version {subject.version.number} {_SAID[state]}: {summary}",
            run=run.id,
            **{str(status): count for status, count in counted.items()},
        )
        return ended

    return workspace.store.write(actor, work)


_WORDS: Final = {
    TestStatus.PASSED: "passed",
    TestStatus.FAILED: "failed",
    TestStatus.ERROR: "could not be carried out",
    TestStatus.SKIPPED: "skipped",
}
_ENDED: Final = {
    JobState.SUCCEEDED: "finished",
    JobState.CANCELLED: "cancelled",
    JobState.INTERRUPTED: "interrupted",
    JobState.FAILED: "failed",
}
_SAID: Final = {
    JobState.SUCCEEDED: "ended",
    JobState.CANCELLED: "were cancelled",
    JobState.INTERRUPTED: "were interrupted",
    JobState.FAILED: "broke off",
}
