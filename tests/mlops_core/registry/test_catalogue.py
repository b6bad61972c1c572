"""The search of the registry against a plain walk over the rows of the store."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import insert
from sqlmodel import select

from mlops_core.domain import (
    Actor,
    Alias,
    Comparison,
    Metric,
    Model,
    ModelTag,
    ModelVersion,
    Snapshot,
    StageChange,
    TestResult,
    TestRun,
)
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import JobState, ProblemType, Stage, TestStatus, Verdict
from mlops_core.registry.activity import Kinds, activity
from mlops_core.registry.catalogue import VersionQuery, list_versions, search_versions
from mlops_core.statistics import PERFORMANCE_STATISTICS
from tests.factories import champion, new_model, new_version, promote, workspace_in

NOW = datetime(2025, 3, 10, 12, tzinfo=UTC)
COLUMNS = ("income", "age", "100%_used", "größe")
METRICS = ("roc_auc", "log_loss", "rmse")


@pytest.fixture(scope="module", params=["duckdb", "postgresql"])
def registry(request, tmp_path_factory):
    """A store with the rows of a random registry, and these rows as plain dictionaries."""
    url, drop = "", None
    if request.param == "postgresql":
        from tests.postgres_server import create_database, drop_database

        server = request.getfixturevalue("postgres_url")
        url = create_database(server, "registry_search")
        drop = partial(drop_database, server, "registry_search")
    workspace = workspace_in(tmp_path_factory.mktemp("registry") / "workspace", url)
    rows = random_rows(random.Random(11))  # noqa: S311 - made up rows
    with workspace.store.engine.begin() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)
    yield workspace, rows
    workspace.close()
    if drop:
        drop()


def random_rows(rng):
    """Rows of every table that the search looks at; times repeat, so that order is put to the test."""
    times = [NOW - timedelta(hours=6 * n) for n in range(40)]
    rows = defaultdict(list)
    for n in range(3):
        rows[Actor].append(
            dict(id=50 + n, name=f"p{n}", full_name=f"Pat {n}_x", role="lead", email="", created_at=NOW)
        )
    rows[Snapshot].append(
        dict(id=1, table_name="t", version=0, rows=9, columns={}, digest="d", created_at=NOW)
    )
    run_id = result_id = comparison_id = metric_id = change_id = alias_id = version_id = 0
    for m in range(1, 11):
        metric = rng.choice(METRICS)
        rows[Model].append(
            dict(
                id=m,
                name=f"model-{m}",
                description=rng.choice(["Who Leaves", "what they buy"]),
                owner_id=50 + rng.randrange(3),
                problem_type=ProblemType.BINARY,
                primary_metric=rng.choice([metric, metric, None]),
                latency_objective_ms=50.0,
                cadence_hours=24.0,
                segment_columns=[],
                created_at=NOW,
            )
        )
        for t, tag in enumerate(rng.sample(["daily", "team_a", "teamxa"], rng.randrange(3))):
            rows[ModelTag].append(dict(id=10 * m + t, model_id=m, tag=tag))
        own = []
        for number in range(1, rng.randrange(2, 8)):
            version_id += 1
            own.append(version_id)
            at = rng.choice(times)
            rows[ModelVersion].append(
                dict(
                    id=version_id,
                    model_id=m,
                    number=number,
                    stage=rng.choice(list(Stage)),
                    author_id=50 + rng.randrange(3),
                    snapshot_id=1,
                    artefact_digest=f"{version_id}",
                    artefact_format="skops",
                    artefact_bytes=1,
                    git_commit="",
                    git_dirty=False,
                    estimator=rng.choice(["LogisticRegression", "Ridge"]),
                    hyper_parameters={},
                    columns=rng.sample(COLUMNS, rng.randrange(1, 4)),
                    created_at=at,
                    environment=None,
                    predictions_digest=None,
                )
            )
            for _ in range(rng.randrange(1, 4)):
                change_id += 1
                rows[StageChange].append(
                    dict(
                        id=change_id,
                        model_version_id=version_id,
                        stage=rng.choice(list(Stage)),
                        at=rng.choice(times),
                        actor_id=50,
                    )
                )
            for name in rng.sample(METRICS, rng.randrange(3)):
                metric_id += 1
                rows[Metric].append(
                    dict(
                        id=metric_id,
                        model_version_id=version_id,
                        name=name,
                        data="held-out",
                        value=round(rng.random(), 2),
                        rows=9,
                        snapshot_id=None,
                    )
                )
            for _ in range(rng.randrange(3)):
                run_id += 1
                started = rng.choice(times)
                state = rng.choice(
                    [JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.RUNNING, JobState.FAILED]
                )
                rows[TestRun].append(
                    dict(
                        id=run_id,
                        model_version_id=version_id,
                        actor_id=50,
                        state=state,
                        started_at=started,
                        finished_at=None if state == JobState.RUNNING else started + timedelta(hours=7),
                        message="",
                    )
                )
                for test in range(rng.randrange(4)):
                    result_id += 1
                    rows[TestResult].append(
                        dict(
                            id=result_id,
                            test_run_id=run_id,
                            test=f"test-{test}",
                            status=rng.choice([*TestStatus, TestStatus.PASSED, TestStatus.PASSED]),
                            sentence="",
                            evidence={},
                            seconds=0.1,
                            at=NOW,
                        )
                    )
        for _ in range(rng.randrange(4)):
            alias_id += 1
            rows[Alias].append(
                dict(
                    id=alias_id,
                    model_id=m,
                    name=rng.choice(["champion", "champion", "challenger"]),
                    model_version_id=rng.choice(own),
                    at=rng.choice(times),
                )
            )
        if rng.random() < 0.7:  # otherwise hardly a model would have a champion in production
            bearer = rng.choice(own)
            next(v for v in rows[ModelVersion] if v["id"] == bearer)["stage"] = Stage.PRODUCTION
            alias_id += 1
            rows[Alias].append(
                dict(id=alias_id, model_id=m, name="champion", model_version_id=bearer, at=NOW)
            )
        for _ in range(3 * len(own)):
            comparison_id += 1
            known = rng.random() < 0.8
            rows[Comparison].append(
                dict(
                    id=comparison_id,
                    challenger_id=rng.choice(own),
                    champion_id=rng.choice([*own, *[bearer for _ in own]] if rows[Alias] else own),
                    snapshot_id=1,
                    actor_id=50,
                    metric=metric,
                    challenger_value=0.5,
                    champion_value=0.5,
                    difference=round(rng.uniform(-1, 1), 1) if known else None,
                    lower=None,
                    upper=None,
                    rows=9,
                    verdict=rng.choice(list(Verdict)),
                    segment="",
                    report={},
                    at=rng.choice(times),
                )
            )
            if rows[Comparison][-1]["champion_id"] not in own:
                rows[Comparison][-1]["champion_id"] = own[0]
    return rows


class Facts:
    """What is known of one version, found by walking over all rows."""

    def __init__(self, rows, version):
        def of(table, **wanted):
            return [row for row in rows[table] if all(row[name] == value for name, value in wanted.items())]

        self.version = version
        (self.model,) = of(Model, id=version["model_id"])
        people = {row["id"]: row for row in rows[Actor]}
        self.owner, self.author = people[self.model["owner_id"]], people[version["author_id"]]
        self.tags = {row["tag"] for row in of(ModelTag, model_id=self.model["id"])}
        champions = of(Alias, model_id=self.model["id"], name="champion")
        challengers = of(Alias, model_id=self.model["id"], name="challenger")
        stages = {row["id"]: row["stage"] for row in rows[ModelVersion]}
        self.champion = champions[-1]["model_version_id"] if champions else None
        if self.champion is not None and stages[self.champion] != Stage.PRODUCTION:
            self.champion = None
        self.is_champion = self.champion == version["id"]
        self.is_challenger = (
            bool(challengers)
            and challengers[-1]["model_version_id"] == version["id"]
            and version["stage"] in ("development", "candidate", "approved", "scheduled")
        )
        self.is_update = bool(champions) and (
            champions[0]["at"] < version["created_at"]
            or (
                champions[0]["at"] == version["created_at"]
                and champions[0]["model_version_id"] < version["id"]
            )
        )
        self.primary = None
        for row in of(Metric, model_version_id=version["id"], name=self.model["primary_metric"]):
            self.primary = row["value"]
        runs = of(TestRun, model_version_id=version["id"])
        self.run = runs[-1] if runs else None
        self.results = of(TestResult, test_run_id=self.run["id"]) if self.run else []
        bad = [row for row in self.results if row["status"] in ("failed", "error")]
        self.tests = "untested"
        if self.run:
            self.tests = "neither"
            if bad or self.run["state"] == JobState.FAILED:
                self.tests = "failed"
            elif self.run["state"] == JobState.SUCCEEDED and any(
                row["status"] == "passed" for row in self.results
            ):
                self.tests = "passed"
        with_champion = of(Comparison, challenger_id=version["id"], champion_id=self.champion)
        self.comparison = with_champion[-1] if with_champion else None
        changes = [row["at"] for row in of(StageChange, model_version_id=version["id"])]
        self.entered = max(changes)
        self.last = max(
            [
                version["created_at"],
                *changes,
                *(row["finished_at"] or row["started_at"] for row in runs),
                *(row["at"] for row in of(Comparison, challenger_id=version["id"])),
            ]
        )

    def matches(self, query):
        texts = [
            self.model["name"],
            self.model["description"],
            self.version["estimator"],
            self.owner["full_name"],
            self.author["full_name"],
            *self.tags,
        ]
        return (
            all(any(word in text.lower() for text in texts) for word in query.text.lower().split())
            and query.model in ("", self.model["name"])
            and query.owner in ("", self.owner["name"], self.owner["full_name"])
            and (not query.tag or query.tag in self.tags)
            and (not query.stages or self.version["stage"] in query.stages)
            and (query.kind == "any" or (query.kind == "update") == self.is_update)
            and query.tests in ("any", self.tests)
            and (
                query.verdict is None
                or (self.comparison is not None and self.comparison["verdict"] == query.verdict)
            )
            and (
                query.metric_least is None
                or (self.primary is not None and self.primary >= query.metric_least)
            )
            and (
                query.metric_most is None or (self.primary is not None and self.primary <= query.metric_most)
            )
            and (not query.feature or query.feature in self.version["columns"])
            and (query.active_since is None or self.last >= query.active_since)
            and (query.entered_since is None or self.entered >= query.entered_since)
        )

    def place(self, order):
        """The key that the lines are sorted by."""
        first = ()
        if order == "activity":
            first = (-self.last.timestamp(),)
        elif order == "registered":
            first = (-self.version["created_at"].timestamp(),)
        elif order == "metric":
            first = better(self.model["primary_metric"], self.primary)
        elif order == "difference":
            found = self.comparison
            first = better(found["metric"], found["difference"]) if found else (1, 0)
        return (*first, self.model["name"], -self.version["number"])


def better(metric, value):
    if value is None:
        return (1, 0)
    return (0, -value if PERFORMANCE_STATISTICS[metric].higher_is_better else value)


def random_query(rng):
    query = VersionQuery(order=rng.choice(["activity", "registered", "model", "metric", "difference"]))
    options = {
        "text": ["leaves", "RIDGE", "pat 1", "model-1", "team_a", "0_x who", "%", "nothing"],
        "model": ["model-3", "none"],
        "owner": ["p1", "Pat 2_x", "P1"],
        "tag": ["daily", "team_a", "team"],
        "stages": [[Stage.CANDIDATE], [Stage.PRODUCTION, Stage.REJECTED], list(Stage)],
        "kind": ["update", "new"],
        "tests": ["passed", "failed", "untested"],
        "verdict": list(Verdict),
        "metric_least": [0.2, 0.5],
        "metric_most": [0.5, 0.9],
        "feature": [*COLUMNS, "inc", "100%"],
        "active_since": [NOW - timedelta(days=1), NOW - timedelta(days=3)],
        "entered_since": [NOW - timedelta(days=2), NOW - timedelta(days=5)],
    }
    for name in rng.sample(sorted(options), rng.randrange(4)):
        query = replace(query, **{name: rng.choice(options[name])})
    return query


def test_the_search_finds_and_sorts_what_a_walk_over_all_rows_finds(registry):
    workspace, rows = registry
    facts = [Facts(rows, version) for version in rows[ModelVersion]]
    rng = random.Random(3)  # noqa: S311 - made up questions
    sizes = set()
    for _ in range(60):
        query = replace(random_query(rng), limit=7, offset=rng.choice([0, 0, 3, 14]))
        expected = sorted(
            (one for one in facts if one.matches(query)), key=lambda one: one.place(query.order)
        )
        page = search_versions(workspace, query)
        assert [line.version_id for line in page.lines] == [
            one.version["id"] for one in expected[query.offset : query.offset + 7]
        ], query
        assert page.total == len(expected), query
        counts = defaultdict(int)
        for one in facts:
            if one.matches(replace(query, stages=())):
                counts[one.version["stage"]] += 1
        assert page.counts == counts, query
        sizes.add(len(expected))
    assert len(sizes) > 8  # the questions were not all answered by everything or nothing


def test_a_line_tells_what_the_rows_tell(registry):
    workspace, rows = registry
    lines = {line.version_id: line for line in search_versions(workspace, VersionQuery(limit=1000)).lines}
    assert len(lines) == len(rows[ModelVersion])
    compared = 0
    for version in rows[ModelVersion]:
        line, facts = lines[version["id"]], Facts(rows, version)
        assert (line.model, line.number, line.stage) == (
            facts.model["name"],
            version["number"],
            version["stage"],
        )
        assert (line.is_champion, line.is_challenger) == (facts.is_champion, facts.is_challenger)
        assert (line.is_update, line.primary) == (facts.is_update, facts.primary)
        assert (line.owner, line.author) == (facts.owner["full_name"], facts.author["full_name"])
        assert set(line.tags) == facts.tags
        assert (line.entered_stage, line.last_activity) == (facts.entered, facts.last)
        assert (line.tests is None) == (facts.run is None)
        if line.tests is not None:
            found = (line.tests.passed, line.tests.failed, line.tests.errors, line.tests.skipped)
            statuses = [row["status"] for row in facts.results]
            assert found == tuple(map(statuses.count, ("passed", "failed", "error", "skipped")))
            assert line.tests.run_id == facts.run["id"]
            assert line.tests.all_passed == (facts.tests == "passed")
        assert (line.comparison is None) == (facts.comparison is None)
        if line.comparison is not None:
            compared += 1
            assert line.comparison.id == facts.comparison["id"]
            assert (line.comparison.verdict, line.comparison.difference) == (
                facts.comparison["verdict"],
                facts.comparison["difference"],
            )
    assert compared > 3


def test_the_pages_together_are_everything_once(registry):
    workspace, rows = registry
    for order in ("activity", "metric", "difference"):
        query = VersionQuery(order=order, limit=5)
        found = [
            line.version_id
            for offset in range(0, len(rows[ModelVersion]) + 5, 5)
            for line in search_versions(workspace, replace(query, offset=offset)).lines
        ]
        assert sorted(found) == [version["id"] for version in rows[ModelVersion]]


def test_the_activity_counts_who_entered_which_stage_in_which_period(registry):
    workspace, rows = registry
    since, until = NOW - timedelta(days=8), NOW - timedelta(days=1)
    facts = {version["id"]: Facts(rows, version) for version in rows[ModelVersion]}
    found = activity(workspace, since, until, period=timedelta(days=3))
    assert [(one.start, one.end) for one in found.periods] == [
        (since, since + timedelta(days=3)),
        (since + timedelta(days=3), since + timedelta(days=6)),
        (since + timedelta(days=6), until),
    ]
    models = {True: set(), False: set()}
    for one in found.periods:
        for stage in Stage:
            entered = [
                facts[row["model_version_id"]]
                for row in rows[StageChange]
                if one.start <= row["at"] < one.end and row["stage"] == stage
            ]
            updates = sum(fact.is_update for fact in entered)
            assert one.entered[stage] == Kinds(updates, len(entered) - updates)
            if stage == Stage.DEVELOPMENT:
                for fact in entered:
                    models[fact.is_update].add(fact.model["name"])
    assert found.updated_models == sorted(models[True])
    assert found.new_models == sorted(models[False])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"limit": 1001}, "at most 1000"),
        ({"limit": -1}, "cannot be shown"),
        ({"offset": -1}, "cannot be shown"),
        ({"order": "size"}, "choose activity, registered, model, metric, difference"),
        ({"tests": "good"}, "choose any, passed, failed, untested"),
        ({"kind": "old"}, "choose any, update, new"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(workspace, wrong, words):
    with pytest.raises(InvalidInput, match=words):
        search_versions(workspace, VersionQuery(**wrong))


def test_a_registry_without_versions_has_an_empty_page(workspace):
    page = search_versions(workspace)
    assert (list(page.lines), page.total, dict(page.counts)) == ([], 0, {})


def test_a_version_of_a_model_in_production_is_an_update_and_one_of_a_new_model_is_not(workspace):
    first = champion(workspace)
    promote(workspace, new_version(workspace, first.model, seed=2))
    new_version(workspace, new_model(workspace, "basket-value"))
    kinds = {(line.model, line.number): line.is_update for line in list_versions(workspace)}
    assert kinds == {("churn-risk", 1): False, ("churn-risk", 2): True, ("basket-value", 1): False}
    with workspace.store.read() as session:  # all of it at one instant of the clock that stands
        assert len(set(session.exec(select(ModelVersion.created_at)).all())) == 1


def test_a_span_without_time_has_no_activity(workspace):
    with pytest.raises(InvalidInput, match="no time between"):
        activity(workspace, NOW, NOW)
    with pytest.raises(InvalidInput, match="time zone"):
        activity(workspace, NOW.replace(tzinfo=None), NOW)
