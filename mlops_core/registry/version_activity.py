"""What has happened to a version: registered, moved, tested, compared, described; who, and when."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, func, select

from mlops_core.domain import Actor, Comparison, ModelCard, ModelVersion, StageChange, TestResult, TestRun
from mlops_core.domain.states import JobState, TestStatus, Verdict
from mlops_core.registry.models import find_model, find_version
from mlops_core.workspace import Workspace

__all__ = ["ActivityKind", "ActivityStep", "version_activity"]

_ENDS = {
    JobState.QUEUED: "are waiting to run",
    JobState.RUNNING: "are running",
    JobState.FAILED: "could not be run",
    JobState.INTERRUPTED: "were interrupted",
    JobState.CANCELLED: "were cancelled",
}
_VERDICTS = {
    Verdict.BETTER: "better than",
    Verdict.WORSE: "worse than",
    Verdict.NO_EVIDENCE: "no evidence that it differs from",
    Verdict.WORSE_IN_SEGMENT: "worse than",
}


class ActivityKind(StrEnum):
    """What kind of thing happened."""

    STAGE = "stage"
    TESTS = "tests"
    COMPARISON = "comparison"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class ActivityStep:
    """One thing that happened to a version, in one sentence without a full stop."""

    at: datetime
    actor: str
    kind: ActivityKind
    sentence: str


def version_activity(workspace: Workspace, model_name: str, number: int) -> list[ActivityStep]:
    """Return what has happened to a version, newest first.

    Raises
    ------
    NotFound
    """
    with workspace.store.read() as session:
        version = find_version(session, find_model(session, model_name), number)
        names = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
        *moved, registered = _stages(session, version, names)
        steps = [  # of one instant, what comes of another stands before it
            *moved,
            *_comparisons(session, version, names),
            *_test_runs(session, version, names),
            *_cards(session, version, names),
            registered,
        ]
    return sorted(steps, key=lambda one: one.at, reverse=True)


def _stages(session: Session, version: ModelVersion, names: dict[int, str]) -> Iterable[ActivityStep]:
    changes = session.exec(
        select(StageChange)
        .where(StageChange.model_version_id == version.id)
        .order_by(col(StageChange.id).desc())
    ).all()
    for place, one in enumerate(changes):
        first = place == len(changes) - 1
        words = f"Registered, in stage {one.stage}" if first else f"Moved to stage {one.stage}"
        yield ActivityStep(one.at, names[one.actor_id], ActivityKind.STAGE, words)


def _test_runs(session: Session, version: ModelVersion, names: dict[int, str]) -> Iterable[ActivityStep]:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for run_id, status, count in session.exec(
        select(TestResult.test_run_id, TestResult.status, func.count())
        .join(TestRun, col(TestRun.id) == col(TestResult.test_run_id))
        .where(TestRun.model_version_id == version.id)
        .group_by(col(TestResult.test_run_id), col(TestResult.status))
    ):
        counts[run_id][status] = count
    runs = session.exec(
        select(TestRun).where(TestRun.model_version_id == version.id).order_by(col(TestRun.id).desc())
    )
    for run in runs:
        found = counts[run.id]
        told = ", ".join(
            f"{found[status]} {words}"
            for status, words in (
                (TestStatus.PASSED, "passed"),
                (TestStatus.FAILED, "failed"),
                (TestStatus.ERROR, "could not be carried out"),
                (TestStatus.SKIPPED, "skipped"),
            )
            if found.get(status)
        )
        end = _ENDS.get(JobState(run.state))
        words = f"Tests {end}{f': {told}' if told else ''}" if end else f"Tested: {told or 'no test applies'}"
        yield ActivityStep(run.finished_at or run.started_at, names[run.actor_id], ActivityKind.TESTS, words)


def _comparisons(session: Session, version: ModelVersion, names: dict[int, str]) -> Iterable[ActivityStep]:
    rows = session.exec(
        select(Comparison, ModelVersion.number)
        .join(ModelVersion, col(ModelVersion.id) == col(Comparison.champion_id))
        .where(Comparison.challenger_id == version.id)
        .order_by(col(Comparison.id).desc())
    )
    for one, champion in rows:
        where = f" where {one.segment.replace('=', ' is ', 1)}" if one.segment else ""
        words = f"Compared with v{champion}: {_VERDICTS[Verdict(one.verdict)]} it{where}"
        yield ActivityStep(one.at, names[one.actor_id], ActivityKind.COMPARISON, words)


def _cards(session: Session, version: ModelVersion, names: dict[int, str]) -> Iterable[ActivityStep]:
    for one in session.exec(select(ModelCard).where(ModelCard.model_version_id == version.id)):
        yield ActivityStep(one.at, names[one.actor_id], ActivityKind.CARD, "Model card written")
