"""Versions as lines of the registry: each with its model, its figures, its tests and its last comparison."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import defer
from sqlmodel import Session, col, func, select

from mlops_core.domain import (
    Actor,
    Alias,
    Comparison,
    FeatureUse,
    Metric,
    Model,
    ModelTag,
    ModelVersion,
    Snapshot,
    TestResult,
    TestRun,
)
from mlops_core.domain.states import JobState, Stage, TestStatus, Verdict
from mlops_core.registry.aliases import CHALLENGER, ON_THEIR_WAY
from mlops_core.registry.models import CHAMPION
from mlops_core.registry.version_query import activity_of
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = ["ComparisonSummary", "TestSummary", "VersionLine", "first_champions", "version_lines"]


_REPORT: Any = Comparison.report
_DOCUMENTS: tuple[Any, ...] = (
    ModelVersion.hyper_parameters,
    ModelVersion.columns,
    ModelVersion.environment,
    Snapshot.columns,
)
_UNREAD: Final = tuple(map(defer, _DOCUMENTS))


@dataclass(frozen=True, slots=True)
class TestSummary:
    """A version's newest test run: how it stands, and how many tests ended in which way.

    `at` is when it finished, or started while it runs.
    """

    __test__ = False

    run_id: int
    state: JobState
    passed: int
    failed: int
    errors: int
    skipped: int
    at: datetime

    @property
    def all_passed(self) -> bool:
        """Return whether the run ended, a test passed, and none failed or could not be carried out."""
        return self.state == JobState.SUCCEEDED and bool(self.passed) and not self.failed and not self.errors


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """A version's newest comparison with the present champion of its model.

    Attributes
    ----------
    champion
        Number of the champion.
    segment
        The one that verdict `worse_in_segment` names, empty otherwise.
    difference, lower, upper
        This version's metric minus the champion's, with its 95 % interval; None where it cannot be told.
    """

    id: int
    champion: int
    verdict: Verdict
    segment: str
    metric: str
    higher_is_better: bool
    challenger_value: float | None
    champion_value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    rows: int
    at: datetime


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version as a line of the registry.

    Attributes
    ----------
    is_update
        Whether its model had a champion when it was registered: an updated version, not a new model.
    primary
        The primary metric on held-out data, None where the model has none.
    entered_stage
        When it came to the stage it is in.
    last_activity
        The newest of: registered, moved to another stage, tested, compared with another version.
    """

    model: str
    number: int
    stage: Stage
    is_champion: bool
    is_challenger: bool
    is_update: bool
    description: str
    tags: tuple[str, ...]
    owner: str
    author: str
    estimator: str
    primary_metric: str | None
    primary: float | None
    metrics: dict[str, float]
    metric_rows: int
    features: int
    snapshot: str
    snapshot_rows: int
    snapshot_digest: str
    git_commit: str
    git_dirty: bool
    artefact_digest: str
    artefact_bytes: int
    created_at: datetime
    entered_stage: datetime
    last_activity: datetime
    tests: TestSummary | None
    comparison: ComparisonSummary | None
    version_id: int

    @property
    def aliases(self) -> tuple[str, ...]:
        """Return the names that point at it."""
        named = (("champion", self.is_champion), ("challenger", self.is_challenger))
        return tuple(name for name, holds in named if holds)


def version_lines(session: Session, version_ids: Sequence[int]) -> list[VersionLine]:
    """Return versions as lines, in the order of their ids as given."""
    if not version_ids:
        return []
    rows = session.exec(
        select(ModelVersion, Model, Snapshot)
        .join(Model, col(Model.id) == col(ModelVersion.model_id))
        .join(Snapshot, col(Snapshot.id) == col(ModelVersion.snapshot_id))
        .where(col(ModelVersion.id).in_(version_ids))
        .options(*_UNREAD)
    ).all()
    found = _Found(session, [version for version, _, _ in rows])
    lines = {version.id: found.line(version, model, snapshot) for version, model, snapshot in rows}
    return [lines[one] for one in version_ids if one in lines]


def first_champions(session: Session) -> dict[int, tuple[datetime, int]]:
    """Return when each model got its first champion, and that version's id, by model id.

    A version is an update where this lies before its own (`created_at`, `id`): of what happens at one
    instant, earlier versions come first.
    """
    is_champion = Alias.name == CHAMPION
    first = select(func.min(Alias.id)).where(is_champion).group_by(col(Alias.model_id))
    rows = session.exec(select(Alias).where(col(Alias.id).in_(first)))
    return {alias.model_id: (alias.at, alias.model_version_id) for alias in rows}


@dataclass(slots=True)
class _Aliases:
    """Who bears a model's aliases, by number and id, and when it had its first champion."""

    first_champion: tuple[datetime, int] | None = None
    champion: tuple[int, int] | None = None
    challenger: tuple[int, int] | None = None


class _Found:
    """What the store knows of some versions, read with one question for each kind of thing."""

    def __init__(self, session: Session, versions: Sequence[ModelVersion]) -> None:
        ids = [version.id for version in versions]
        models = list({version.model_id for version in versions})
        self._names = dict(session.exec(select(Actor.id, Actor.full_name)).all())
        self._aliases = _aliases(session, models)
        self._tags: dict[int, list[str]] = defaultdict(list)
        for tag in session.exec(
            select(ModelTag).where(col(ModelTag.model_id).in_(models)).order_by(col(ModelTag.tag))
        ):
            self._tags[tag.model_id].append(tag.tag)
        self._metrics: dict[int, list[Metric]] = defaultdict(list)
        for metric in session.exec(select(Metric).where(col(Metric.model_version_id).in_(ids))):
            self._metrics[metric.model_version_id].append(metric)
        used = col(FeatureUse.model_version_id)
        self._features = dict(
            session.exec(select(used, func.count()).where(used.in_(ids)).group_by(used)).all()
        )
        self._moments: dict[int, tuple[datetime, datetime]] = {
            one: (entered, last) for one, entered, last in session.execute(activity_of(ids)).all()
        }
        self._tests = _tests(session, ids)
        self._compared: dict[int, list[Comparison]] = defaultdict(list)
        for comparison in _comparisons(session, ids):
            self._compared[comparison.challenger_id].append(comparison)

    def line(self, version: ModelVersion, model: Model, snapshot: Snapshot) -> VersionLine:
        """Return one version as a line."""
        metrics = self._metrics[version.id]
        values = {metric.name: metric.value for metric in metrics}
        entered, last = self._moments[version.id]
        aliases = self._aliases[model.id]
        return VersionLine(
            model=model.name,
            number=version.number,
            stage=Stage(version.stage),
            is_champion=aliases.champion == (version.number, version.id),
            is_challenger=aliases.challenger == (version.number, version.id),
            is_update=aliases.first_champion is not None
            and aliases.first_champion < (version.created_at, version.id),
            description=model.description,
            tags=tuple(self._tags[model.id]),
            owner=self._names[model.owner_id],
            author=self._names[version.author_id],
            estimator=version.estimator,
            primary_metric=model.primary_metric,
            primary=values.get(model.primary_metric or ""),
            metrics=values,
            metric_rows=max((metric.rows for metric in metrics), default=0),
            features=self._features.get(version.id, 0),
            snapshot=f"{snapshot.table_name}@{snapshot.version}",
            snapshot_rows=snapshot.rows,
            snapshot_digest=snapshot.digest,
            git_commit=version.git_commit,
            git_dirty=version.git_dirty,
            artefact_digest=version.artefact_digest,
            artefact_bytes=version.artefact_bytes,
            created_at=version.created_at,
            entered_stage=entered,
            last_activity=last,
            tests=self._tests.get(version.id),
            comparison=self._comparison(version, aliases.champion),
            version_id=version.id,
        )

    def _comparison(
        self, version: ModelVersion, champion: tuple[int, int] | None
    ) -> ComparisonSummary | None:
        """Return the newest comparison with the present champion."""
        if champion is None:
            return None
        number, champion_id = champion
        found = [one for one in self._compared[version.id] if one.champion_id == champion_id]
        return _summary(max(found, key=lambda one: one.id), number) if found else None


def _aliases(session: Session, models: Sequence[int]) -> dict[int, _Aliases]:
    """Return the aliases of models; the newest row of a name holds while its version's stage allows it."""
    found: dict[int, _Aliases] = defaultdict(_Aliases)
    rows = session.exec(
        select(Alias, ModelVersion.number, ModelVersion.stage)
        .join(ModelVersion, col(ModelVersion.id) == col(Alias.model_version_id))
        .where(col(Alias.model_id).in_(models))
        .order_by(col(Alias.id))
    )
    for alias, number, stage in rows:
        of_model, bearer = found[alias.model_id], (number, alias.model_version_id)
        if alias.name == CHAMPION:
            of_model.first_champion = of_model.first_champion or (alias.at, alias.model_version_id)
            of_model.champion = bearer if stage == Stage.PRODUCTION else None
        elif alias.name == CHALLENGER:
            of_model.challenger = bearer if stage in ON_THEIR_WAY else None
    return found


def _tests(session: Session, ids: Sequence[int]) -> dict[int, TestSummary]:
    of_version = col(TestRun.model_version_id)
    newest = select(func.max(TestRun.id)).where(of_version.in_(ids)).group_by(of_version)
    runs = session.exec(select(TestRun).where(col(TestRun.id).in_(newest))).all()
    counts: dict[tuple[int, str], int] = {
        (run_id, status): number
        for run_id, status, number in session.exec(
            select(TestResult.test_run_id, TestResult.status, func.count())
            .where(col(TestResult.test_run_id).in_([run.id for run in runs]))
            .group_by(col(TestResult.test_run_id), col(TestResult.status))
        )
    }
    return {
        run.model_version_id: TestSummary(
            run_id=run.id,
            state=JobState(run.state),
            passed=counts.get((run.id, TestStatus.PASSED), 0),
            failed=counts.get((run.id, TestStatus.FAILED), 0),
            errors=counts.get((run.id, TestStatus.ERROR), 0),
            skipped=counts.get((run.id, TestStatus.SKIPPED), 0),
            at=run.finished_at or run.started_at,
        )
        for run in runs
    }


def _comparisons(session: Session, ids: Sequence[int]) -> Sequence[Comparison]:
    """Return the newest comparison of each pair, without its report."""
    challenger, champion = col(Comparison.challenger_id), col(Comparison.champion_id)
    newest = select(func.max(Comparison.id)).where(challenger.in_(ids)).group_by(challenger, champion)
    return session.exec(
        select(Comparison).where(col(Comparison.id).in_(newest)).options(defer(_REPORT))
    ).all()


def _summary(found: Comparison, champion: int) -> ComparisonSummary:
    statistic = PERFORMANCE_STATISTICS.get(found.metric)
    return ComparisonSummary(
        id=found.id,
        champion=champion,
        verdict=Verdict(found.verdict),
        segment=found.segment,
        metric=found.metric,
        higher_is_better=statistic is None or statistic.higher_is_better,
        challenger_value=found.challenger_value,
        champion_value=found.champion_value,
        difference=found.difference,
        lower=found.lower,
        upper=found.upper,
        rows=found.rows,
        at=found.at,
    )
