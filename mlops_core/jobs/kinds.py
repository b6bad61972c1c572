"""What a job can be: one line a kind, with what it is given and who may ask for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel import Session

from mlops_core.domain import Actor, Job, Snapshot
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.progress import Progress
from mlops_core.domain.states import Role, TestStatus
from mlops_core.registry.models import MAKERS, champion_of, champions, find_model, find_version
from mlops_core.workspace import Workspace

__all__ = ["KINDS", "Kind", "OneVersion", "TwoVersions", "Wish", "Work", "kind_named"]

Work: TypeAlias = Callable[[Workspace, Actor, Job, Progress], str]
"""Does a job on behalf of who asked for it, and returns what came of it in a sentence.

It may be begun again after a server was killed, so it goes on from what it kept under the job's id.
"""


class Wish(BaseModel):
    """What a kind of job is given; a subclass checks that it exists."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def check(self, session: Session) -> None:
        """Raise NotFound or InvalidInput where the work could not begin."""


class OneVersion(Wish):
    """A version of a model."""

    model: str
    number: int = Field(ge=1)

    def check(self, session: Session) -> None:
        """Check that the version exists."""
        find_version(session, find_model(session, self.model), self.number)


class TwoVersions(Wish):
    """A challenger, and the version to compare it with: the champion of that moment by default."""

    model: str
    challenger: int = Field(ge=1)
    champion: int | None = Field(default=None, ge=1)
    snapshot_id: int | None = None

    def check(self, session: Session) -> None:
        """Check that there are two versions, and the snapshot if one was named."""
        model = find_model(session, self.model)
        find_version(session, model, self.challenger)
        other = self.champion
        if other is None:
            other = champion_of(session, model).number
        find_version(session, model, other)
        if other == self.challenger:
            raise InvalidInput(f"{self.model}:{other} cannot be compared with itself: name another version")
        if self.snapshot_id is not None and session.get(Snapshot, self.snapshot_id) is None:
            raise NotFound(f"there is no snapshot {self.snapshot_id}: leave it out for the version's own")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job.

    Attributes
    ----------
    title
        What it does, as the audit log says it: `Tests of churn-risk:5`.
    wish
        What its arguments are.
    roles
        Who may ask for it, and cancel it.
    """

    name: str
    title: str
    wish: type[Wish]
    roles: tuple[Role, ...]
    work: Work

    def parse(self, arguments: Mapping[str, Any]) -> Wish:
        """Return the arguments as what they should be.

        Raises
        ------
        InvalidInput
            Naming the argument and what is wrong with it.
        """
        try:
            return self.wish.model_validate(dict(arguments))
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise InvalidInput(f"job '{self.name}' cannot be given these arguments ({found})") from error


def _test(workspace: Workspace, actor: Actor, job: Job, progress: Progress) -> str:
    from mlops_core.version_tests import results_of, run_tests

    wish = OneVersion.model_validate(job.arguments)
    run = run_tests(workspace, actor, wish.model, wish.number, progress=progress, job_id=job.id)
    found = [result.status for result in results_of(workspace, run.id)]
    counted = [(found.count(status), status) for status in TestStatus]
    return f"{len(found)} tests: " + ", ".join(f"{count} {status}" for count, status in counted if count)


def _compare(workspace: Workspace, actor: Actor, job: Job, progress: Progress) -> str:
    return _compared(workspace, actor, job, TwoVersions.model_validate(job.arguments), progress)


def _judge(workspace: Workspace, actor: Actor, job: Job, progress: Progress) -> str:
    wish = OneVersion.model_validate(job.arguments)
    with workspace.store.read() as session:
        champion = champions(session).get(find_model(session, wish.model).id)
    if champion is None or champion.number == wish.number:
        return _test(workspace, actor, job, progress)
    tested = _test(workspace, actor, job, _part(progress, 0, 2))
    both = TwoVersions(model=wish.model, challenger=wish.number, champion=champion.number)
    return f"{tested}. {_compared(workspace, actor, job, both, _part(progress, 1, 2))}"


def _compared(workspace: Workspace, actor: Actor, job: Job, wish: TwoVersions, progress: Progress) -> str:
    from mlops_core.comparison import compare_versions

    with workspace.store.read() as session:
        snapshot = None if wish.snapshot_id is None else session.get(Snapshot, wish.snapshot_id)
    return compare_versions(
        workspace,
        actor,
        wish.model,
        wish.challenger,
        wish.champion,
        snapshot=snapshot,
        progress=progress,
        job_id=job.id,
    ).sentence


def _part(progress: Progress, index: int, parts: int) -> Progress:
    """Return what reports the progress of one of several parts, in hundredths of a part."""

    def report(done: int, total: int, doing: str) -> None:
        progress(100 * index + (100 * done // total if total else 0), 100 * parts, doing)

    return report


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("test_version", "Tests", OneVersion, MAKERS, _test),
        Kind("compare_versions", "A comparison", TwoVersions, MAKERS, _compare),
        Kind("judge_version", "Tests and a comparison", OneVersion, MAKERS, _judge),
    )
}
"""Every kind of job by its name."""


def kind_named(name: str) -> Kind:
    """Return a kind of job.

    Raises
    ------
    InvalidInput
        There is none of that name; the message lists those there are.
    """
    if name not in KINDS:
        raise InvalidInput(f"there is no kind of job '{name}': choose {', '.join(KINDS)}")
    return KINDS[name]
