"""What the registry page reads, kept until the store has changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.cache import until_changed
from app.registry.address import Shown, View
from app.registry.listing import PAGE_ROWS
from mlops_core.comparison import latest_comparison
from mlops_core.domain import ModelVersion, TestResult, TestRun
from mlops_core.domain.states import Stage, Verdict
from mlops_core.registry.catalogue import VersionQuery, search_versions
from mlops_core.registry.facets import version_facets
from mlops_core.registry.side_by_side import side_by_side
from mlops_core.registry.version_activity import version_activity
from mlops_core.registry.version_view import read_version
from mlops_core.version_tests import latest_run, results_of, suite_of
from mlops_core.workspace import Workspace

__all__ = [
    "activity",
    "beside",
    "comparison",
    "counts",
    "facets",
    "query_of",
    "search",
    "suite",
    "tests",
    "version",
]

_WEEK = timedelta(days=7)
_ON_THEIR_WAY = (Stage.DEVELOPMENT, Stage.CANDIDATE, Stage.APPROVED, Stage.SCHEDULED)


def _tests_of(workspace: Workspace, version_id: int) -> tuple[TestRun | None, Sequence[TestResult]]:
    with workspace.store.read() as session:
        found = session.get(ModelVersion, version_id)
        run = latest_run(session, found) if found is not None else None
    return run, results_of(workspace, run.id) if run else []


search = until_changed(search_versions)
version = until_changed(read_version)
activity = until_changed(version_activity)
beside = until_changed(side_by_side)
comparison = until_changed(latest_comparison)
tests = until_changed(_tests_of)
suite = until_changed(suite_of)
facets = until_changed(version_facets)


def query_of(view: View, now: datetime) -> VersionQuery:
    """Return what the list asks the store for."""
    query = VersionQuery(
        text=view.find,
        owner=view.owner,
        tag=view.tag,
        stages=(Stage(view.stage),) if view.stage else (),
        tests=view.tests or "any",
        verdict=Verdict(view.verdict) if view.verdict else None,
        metric_least=view.least,
        metric_most=view.most,
        feature=view.feature,
        order=view.order,
        limit=PAGE_ROWS,
        offset=(view.page - 1) * PAGE_ROWS,
    )
    stages = query.stages or _ON_THEIR_WAY
    match view.show:
        case Shown.DEVELOPMENT:
            return replace(query, stages=stages)
        case Shown.UPDATES:
            return replace(query, stages=stages, kind="update")
        case Shown.PASSED:
            return replace(query, stages=stages, tests="passed")
        case Shown.FAILED:
            return replace(query, stages=stages, tests="failed")
        case Shown.PROMOTED:
            return replace(query, stages=(Stage.PRODUCTION,), entered_since=now - _WEEK)
    return query


def total(view: View, now: datetime) -> int:
    """Return how many versions a view would list."""
    return search(replace(query_of(view, now), limit=0)).total


def counts(now: datetime) -> dict[Shown, int]:
    """Return how many versions each of the counts above the list stands for."""
    return {one: total(View(show=one), now) for one in Shown}
