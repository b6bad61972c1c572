"""Which versions are asked for, and the question to the store that finds them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Subquery,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from mlops_core.domain import (
    Actor,
    Alias,
    Comparison,
    Metric,
    Model,
    ModelTag,
    ModelVersion,
    StageChange,
    TestResult,
    TestRun,
)
from mlops_core.domain.columns import UtcDateTime
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import JobState, Stage, TestStatus, Verdict
from mlops_core.registry.models import CHAMPION
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = ["KINDS", "ORDERS", "TESTS", "VersionQuery", "activity_of", "check_query", "matching_versions"]

ORDERS: Final = ("activity", "registered", "model", "metric", "difference")
KINDS: Final = ("any", "update", "new")
TESTS: Final = ("any", "passed", "failed", "untested")
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """Which versions are asked for; whatever is left at its default does not narrow them.

    Attributes
    ----------
    text
        Words, each of which the name or description of the model, its owner, a tag, the author or the
        estimator holds, in any case.
    model
        Name of the model.
    owner
        Who owns the model, by short or full name.
    kind
        `update`: its model had a champion when it was registered; `new`: it had none.
    tests
        How the newest test run ended: `passed` (no test failed or could not be carried out), `failed`, or
        `untested` where there is none.
    verdict
        Of the newest comparison with the present champion.
    metric_least, metric_most
        The range of the primary metric, both ends included.
    feature
        Name of an input column.
    active_since, entered_since
        Something happened since, or it came to its stage since.
    order
        The last active first (`activity`), the last `registered` first, by `model` and the newest first,
        the best primary `metric` first, or the greatest `difference` to the champion's first.
    limit, offset
        At most 1,000 lines, after how many.
    """

    text: str = ""
    model: str = ""
    owner: str = ""
    tag: str = ""
    stages: Sequence[Stage] = ()
    kind: str = "any"
    tests: str = "any"
    verdict: Verdict | None = None
    metric_least: float | None = None
    metric_most: float | None = None
    feature: str = ""
    active_since: datetime | None = None
    entered_since: datetime | None = None
    order: str = "activity"
    limit: int = 50
    offset: int = 0


def check_query(query: VersionQuery) -> None:
    """Check that what is asked for can be.

    Raises
    ------
    InvalidInput
        The page is not one, or the order, the tests or the kind is none of those there are.
    """
    for name, value, known in (
        ("order", query.order, ORDERS),
        ("tests", query.tests, TESTS),
        ("kind", query.kind, KINDS),
    ):
        if value not in known:
            raise InvalidInput(f"versions have no {name} '{value}': choose {', '.join(known)}")
    if not 0 <= query.limit <= _MOST or query.offset < 0:
        raise InvalidInput(
            f"a page of {query.limit} versions after {query.offset} cannot be shown: ask for at most {_MOST}"
        )


def matching_versions(query: VersionQuery) -> Select[Any]:
    """Return the question for the `id` and `stage` of the versions that match, in order.

    What only a filter or an order needs is joined only where it is asked for.
    """
    version, model = ModelVersion, Model
    listed: Any = select(col(version.id).label("id"), col(version.stage).label("stage"))
    found: Select[Any] = listed.join(model, col(model.id) == col(version.model_id)).where(
        *_plain_conditions(query)
    )
    if query.kind != "any":
        found = _of_kind(found, query.kind)
    if query.tests != "any":
        found = _with_tests(found, query.tests)
    if query.entered_since is not None:
        entered = _newest(StageChange.model_version_id, StageChange.at)
        found = found.join(entered, entered.c.version == col(version.id)).where(
            entered.c.newest >= query.entered_since
        )
    has_metric = query.metric_least is not None or query.metric_most is not None or query.order == "metric"
    if has_metric:
        found = found.outerjoin(
            Metric,
            and_(
                col(Metric.model_version_id) == col(version.id),
                col(Metric.name) == col(model.primary_metric),
            ),
        )
        if query.metric_least is not None:
            found = found.where(col(Metric.value) >= query.metric_least)
        if query.metric_most is not None:
            found = found.where(col(Metric.value) <= query.metric_most)
    if query.verdict is not None or query.order == "difference":
        found = _with_comparison(found)
        if query.verdict is not None:
            found = found.where(col(Comparison.verdict) == query.verdict)
    found, order = _ordered(found, query)
    return found.order_by(*order, col(model.name), col(version.number).desc())


def _plain_conditions(query: VersionQuery) -> list[ColumnElement[bool]]:
    """Return the conditions on the version, its model and who owns it."""
    conditions: list[ColumnElement[bool]] = []
    if query.model:
        conditions.append(col(Model.name) == query.model)
    if query.stages:
        conditions.append(col(ModelVersion.stage).in_(list(query.stages)))
    if query.owner:
        is_owner = or_(col(Actor.name) == query.owner, col(Actor.full_name) == query.owner)
        owners = select(col(Actor.id)).where(is_owner)
        conditions.append(col(Model.owner_id).in_(owners))
    if query.tag:
        conditions.append(
            col(Model.id).in_(select(col(ModelTag.model_id)).where(col(ModelTag.tag) == query.tag))
        )
    if query.feature:
        columns = cast(col(ModelVersion.columns), String)
        conditions.append(columns.contains(json.dumps(query.feature), autoescape=True))
    conditions += [_holds(word) for word in query.text.lower().split()]
    return conditions


def _holds(word: str) -> ColumnElement[bool]:
    """Return whether one of the texts by which a version is known holds a word."""

    def within(text: Any) -> ColumnElement[bool]:
        return func.lower(col(text)).contains(word, autoescape=True)

    people = select(col(Actor.id)).where(within(Actor.full_name))
    return or_(
        within(Model.name),
        within(Model.description),
        within(ModelVersion.estimator),
        col(Model.owner_id).in_(people),
        col(ModelVersion.author_id).in_(people),
        col(Model.id).in_(select(col(ModelTag.model_id)).where(within(ModelTag.tag))),
    )


def _newest(version: Any, at: Any, ids: Sequence[int] | None = None) -> Subquery:
    """Return the newest time (or highest number) of each version, as `version` and `newest`."""
    newest = select(col(version).label("version"), func.max(at).label("newest"))
    if ids is not None:
        newest = newest.where(col(version).in_(ids))
    return newest.group_by(col(version)).subquery()


def _of_kind(found: Select[Any], kind: str) -> Select[Any]:
    """Keep versions whose model had had a champion when they were registered, or had had none."""
    is_champion = col(Alias.name) == CHAMPION
    first = select(func.min(Alias.id).label("id")).where(is_champion).group_by(col(Alias.model_id)).subquery()
    alias = (
        select(col(Alias.model_id), col(Alias.model_version_id), col(Alias.at))
        .join(first, first.c.id == col(Alias.id))
        .subquery()
    )
    same_instant = and_(
        alias.c.at == col(ModelVersion.created_at), alias.c.model_version_id < col(ModelVersion.id)
    )
    is_update = or_(alias.c.at < col(ModelVersion.created_at), same_instant)
    joined = found.outerjoin(alias, alias.c.model_id == col(Model.id))
    return joined.where(is_update if kind == "update" else or_(alias.c.model_id.is_(None), ~is_update))


def _with_tests(found: Select[Any], wanted: str) -> Select[Any]:
    newest = _newest(TestRun.model_version_id, TestRun.id)
    joined = found.outerjoin(newest, newest.c.version == col(ModelVersion.id))
    if wanted == "untested":
        return joined.where(newest.c.newest.is_(None))
    joined = joined.join(TestRun, col(TestRun.id) == newest.c.newest)
    bad = select(col(TestResult.test_run_id)).where(
        col(TestResult.status).in_([TestStatus.FAILED, TestStatus.ERROR])
    )
    is_bad = col(TestRun.id).in_(bad)
    if wanted == "passed":
        good = select(col(TestResult.test_run_id)).where(col(TestResult.status) == TestStatus.PASSED)
        return joined.where(col(TestRun.state) == JobState.SUCCEEDED, ~is_bad, col(TestRun.id).in_(good))
    return joined.where(or_(is_bad, col(TestRun.state) == JobState.FAILED))


def _with_comparison(found: Select[Any]) -> Select[Any]:
    """Join each version's newest comparison with the present champion of its model."""
    champion = aliased(ModelVersion)
    named = (
        select(func.max(Alias.id).label("id"))
        .where(col(Alias.name) == CHAMPION)
        .group_by(col(Alias.model_id))
        .subquery()
    )
    holders = (
        select(col(champion.id))
        .join(Alias, col(Alias.model_version_id) == col(champion.id))
        .join(named, named.c.id == col(Alias.id))
        .where(col(champion.stage) == Stage.PRODUCTION)
    )
    newest = (
        select(col(Comparison.challenger_id).label("version"), func.max(Comparison.id).label("id"))
        .where(col(Comparison.champion_id).in_(holders))
        .group_by(col(Comparison.challenger_id))
        .subquery()
    )
    return found.outerjoin(newest, newest.c.version == col(ModelVersion.id)).outerjoin(
        Comparison, col(Comparison.id) == newest.c.id
    )


def _ordered(found: Select[Any], query: VersionQuery) -> tuple[Select[Any], list[ColumnElement[Any]]]:
    """Return the question with what its order needs, and the order."""
    created = col(ModelVersion.created_at)
    order: list[ColumnElement[Any]] = []
    if query.order == "activity" or query.active_since is not None:
        found, last = _with_activity(found)
        if query.active_since is not None:
            found = found.where(last >= query.active_since)
        order = [last.desc()]
    if query.order == "registered":
        order = [created.desc()]
    elif query.order == "model":
        order = []
    elif query.order == "metric":
        order = [_better(col(Model.primary_metric), col(Metric.value)).desc().nulls_last()]
    elif query.order == "difference":
        order = [_better(col(Comparison.metric), col(Comparison.difference)).desc().nulls_last()]
    return found, order


def activity_of(ids: Sequence[int]) -> Select[Any]:
    """Return the question for the `id` of versions, when each came to its stage, and its last activity."""
    listed: Any = select(col(ModelVersion.id))
    found, entered, last = _with_happened(listed.where(col(ModelVersion.id).in_(ids)), ids)
    return found.add_columns(entered, last)


def _with_activity(found: Select[Any]) -> tuple[Select[Any], ColumnElement[datetime]]:
    """Join what has happened to a version; return the newest time with it."""
    joined, _, last = _with_happened(found, None)
    return joined, last


def _with_happened(
    found: Select[Any], ids: Sequence[int] | None
) -> tuple[Select[Any], ColumnElement[datetime], ColumnElement[datetime]]:
    """Join what has happened; return when a version came to its stage, and the newest time of all."""
    ended = func.coalesce(col(TestRun.finished_at), col(TestRun.started_at))
    entered = _newest(StageChange.model_version_id, StageChange.at, ids)
    happened = (
        entered,
        _newest(TestRun.model_version_id, ended, ids),
        _newest(Comparison.challenger_id, Comparison.at, ids),
    )
    for one in happened:
        found = found.outerjoin(one, one.c.version == col(ModelVersion.id))
    last = func.greatest(col(ModelVersion.created_at), *(one.c.newest for one in happened))
    return found, entered.c.newest, type_coerce(last, UtcDateTime())


def _better(metric: Any, value: Any) -> ColumnElement[float]:
    """Return a value whose sign is such that more is better."""
    lower_is_better = [name for name, one in PERFORMANCE_STATISTICS.items() if not one.higher_is_better]
    return case((metric.in_(lower_is_better), -value), else_=value)
