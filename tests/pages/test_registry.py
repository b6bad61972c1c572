"""The registry against the store in plain SQL, and against what the real calls found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.registry import listing, reading
from app.registry.address import Shown, View, parameters_of, read_view
from app.registry.listing import PAGE_ROWS
from mlops_core.comparison import latest_comparison
from mlops_core.domain.states import JobState, Role, Stage, TestStatus
from mlops_core.jobs import recent_jobs
from mlops_core.workspace import Workspace
from tests import factories
from tests.demo_workspace import Facts
from tests.pages.conftest import WAITING, shown
from tests.pages.judged import BETTER, CARD, MODEL, NEW_MODEL, SAME, UNKNOWN, WORSE, judge
from tests.pages.screen import headline, instructions, numbers, open_page, parts, table

LEAD, DIRECTOR = f"a-{Role.LEAD}", f"a-{Role.DIRECTOR}"


@pytest.fixture(scope="module")
def judged_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = factories.workspace_in(tmp_path_factory.mktemp("judged") / "workspace")
    judge(workspace)
    factories.person(workspace, Role.DIRECTOR)
    yield workspace
    workspace.close()


@pytest.fixture
def judged(judged_once: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The pages show versions that were tested and compared by the real calls."""
    return shown(judged_once, monkeypatch)


@pytest.fixture
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """One model of more versions than a page holds, where a page holds two."""
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    monkeypatch.setattr(reading, "PAGE_ROWS", 2)
    workspace = factories.workspace_in(tmp_path / "workspace")
    model = factories.new_model(workspace)
    for seed in range(5):
        factories.new_version(workspace, model, seed=seed, rows=30)
    yield shown(workspace, monkeypatch)
    workspace.close()


def rows_of(workspace: Workspace, query: str, *values: object) -> list[tuple[Any, ...]]:
    with workspace.store.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query, values).fetchall()]


def keys(lines: Any) -> list[tuple[str, str]]:
    return list(zip(lines["model"], lines["version"], strict=True))


def expander(screen: AppTest, title: str) -> Any:
    return next(one for one in screen.expander if title in one.label)


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


def test_every_version_has_a_line(console: Workspace, demo_facts: Facts) -> None:
    lines = table(open_page("registry"), "versions--1-activity")

    stored = demo_facts.rows(
        "SELECT m.name, 'v' || v.number, a.full_name FROM model_version AS v "
        "JOIN model AS m ON m.id = v.model_id JOIN actor AS a ON a.id = m.owner_id"
    )
    shown = lines[["model", "version", "owner"]].itertuples(index=False, name=None)
    assert set(shown) <= set(stored)
    assert len(lines) == min(len(stored), PAGE_ROWS)


def test_the_key_metric_of_a_version_that_was_not_compared_is_the_registered_one(
    console: Workspace, demo_facts: Facts
) -> None:
    lines = table(open_page("registry"), "versions--1-activity")

    stored = {
        (model, f"v{number}"): value
        for model, number, value in demo_facts.rows(
            "SELECT m.name, v.number, x.value FROM metric AS x JOIN model_version AS v "
            "ON v.id = x.model_version_id JOIN model AS m ON m.id = v.model_id AND m.primary_metric = x.name "
            "WHERE v.id NOT IN (SELECT challenger_id FROM comparison)"
        )
    }
    found = [(key, line) for key, line in zip(keys(lines), lines["metric"], strict=True) if key in stored]
    assert found
    for key, line in found:
        assert numbers(line) == [pytest.approx(stored[key], rel=0.01, abs=0.0005)]


@pytest.mark.parametrize("stage", list(Stage))
def test_a_link_to_a_stage_shows_as_many_versions_as_are_in_it(
    eventful_console: Workspace, stage: Stage
) -> None:
    stored = dict(rows_of(eventful_console, "SELECT stage, count(*) FROM model_version GROUP BY stage"))

    screen = open_page("registry", stage=stage)

    count = stored.get(stage, 0)
    assert screen.selectbox(key="registry_stage").value == stage
    if count:
        assert set(table(screen, "versions--1-activity")["model"]) <= {
            name for (name,) in rows_of(eventful_console, STAGED, stage)
        }
        assert [float(count)] in [numbers(line)[:1] for line in parts(screen).splitlines()]
    else:
        assert instructions(screen)


STAGED = "SELECT m.name FROM model m JOIN model_version v ON v.model_id = m.id WHERE v.stage = ?"


def test_a_filter_is_part_of_the_link(eventful_console: Workspace) -> None:
    screen = open_page("registry")

    screen.selectbox(key="registry_stage").set_value(Stage.CANDIDATE).run()

    assert screen.query_params["stage"] == Stage.CANDIDATE
    assert keys(table(screen, "versions--1-activity")) == [(WAITING, "v1")]
    screen.button(key="registry_clear").click().run()
    assert "stage" not in screen.query_params
    assert len(table(screen, "versions--1-activity")) > 1


def test_searching_an_estimator_keeps_its_versions(console: Workspace, demo_facts: Facts) -> None:
    estimator, count = demo_facts.rows(
        "SELECT estimator, count(*) AS n FROM model_version GROUP BY estimator ORDER BY n LIMIT 1"
    )[0]

    screen = open_page("registry", find=estimator.lower())

    assert len(table(screen, "versions--1-activity")) == count


def test_only_a_page_of_versions_is_drawn_at_a_time(crowded: Workspace) -> None:
    pages = [open_page("registry", page=f"{number}") for number in (1, 2, 3)]
    beyond = open_page("registry", page="99")

    shown = [
        keys(table(screen, f"versions--{number}-activity")) for number, screen in enumerate(pages, start=1)
    ]
    assert [len(one) for one in shown] == [2, 2, 1]
    assert len({one for page in shown for one in page}) == 5
    assert keys(table(beyond, "versions--3-activity")) == shown[2]


# ── counts and verdicts ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("show", "versions"),
    [
        (
            Shown.DEVELOPMENT,
            {(MODEL, BETTER), (MODEL, WORSE), (MODEL, SAME), (MODEL, UNKNOWN), (NEW_MODEL, 1)},
        ),
        (Shown.UPDATES, {(MODEL, BETTER), (MODEL, WORSE), (MODEL, SAME), (MODEL, UNKNOWN)}),
        (Shown.PASSED, {(MODEL, BETTER), (NEW_MODEL, 1)}),
        (Shown.FAILED, {(MODEL, WORSE)}),
        (Shown.PROMOTED, {(MODEL, 1)}),
    ],
)
def test_a_click_on_a_count_keeps_what_it_counts(
    judged: Workspace, show: Shown, versions: set[tuple[str, int]]
) -> None:
    screen = open_page("registry")
    button = screen.button(key=f"registry_show_{show}")
    assert numbers(button.label.replace("*", "")) == [len(versions)]

    button.click().run()

    lines = table(screen, f"versions-{show}-1-activity")
    assert set(keys(lines)) == {(model, f"v{number}") for model, number in versions}
    screen.button(key=f"registry_show_{show}").click().run()
    assert len(table(screen, "versions--1-activity")) == 6


def test_the_first_line_says_how_many_are_sound_and_how_many_are_better(judged: Workspace) -> None:
    assert numbers(headline(open_page("registry"))) == [5, 2, 1, 1]


def test_a_line_shows_the_difference_from_the_champion_and_draws_it(judged: Workspace) -> None:
    lines = table(open_page("registry"), "versions--1-activity").set_index(["model", "version"])

    for number, lower, upper, difference in rows_of(
        judged,
        "SELECT v.number, c.lower, c.upper, c.difference FROM comparison c "
        "JOIN model_version v ON v.id = c.challenger_id",
    ):
        line = lines.loc[(MODEL, f"v{number}")]
        assert numbers(line["difference"]) == pytest.approx([difference, lower, upper], abs=0.0006)
        assert line["picture"].startswith("data:image/svg+xml")
    assert lines.loc[(NEW_MODEL, "v1")]["picture"] == ""
    words = {number: lines.loc[(MODEL, f"v{number}")]["verdict"] for number in (BETTER, WORSE, SAME, UNKNOWN)}
    assert [re.sub(r"\W+", " ", one).strip() for one in words.values()] == [
        "Better",
        "Worse",
        "No evidence",
        "Not compared",
    ]


def test_a_line_counts_its_tests(judged: Workspace) -> None:
    lines = table(open_page("registry"), "versions--1-activity").set_index(["model", "version"])

    counts = {
        (number, status): count
        for number, status, count in rows_of(
            judged,
            "SELECT v.number, r.status, count(*) FROM test_result r JOIN test_run t ON t.id = r.test_run_id "
            "JOIN model_version v ON v.id = t.model_version_id JOIN model m ON m.id = v.model_id "
            "WHERE m.name = ? GROUP BY ALL",
            MODEL,
        )
    }
    passed = counts[BETTER, TestStatus.PASSED]
    failed = counts[WORSE, TestStatus.FAILED]
    assert numbers(lines.loc[(MODEL, f"v{BETTER}")]["tests"]) == [passed]
    assert numbers(lines.loc[(MODEL, f"v{WORSE}")]["tests"]) == [
        failed,
        failed + counts[WORSE, TestStatus.PASSED],
    ]


# ── one version ──────────────────────────────────────────────────────────────────────────────────


def test_a_link_opens_one_version_with_what_it_was_made_of(console: Workspace, demo_facts: Facts) -> None:
    digest, rows, commit = demo_facts.rows(
        "SELECT s.digest, s.rows, v.git_commit FROM model_version AS v JOIN snapshot AS s "
        "ON s.id = v.snapshot_id JOIN model AS m ON m.id = v.model_id "
        "WHERE m.name = 'spend-forecast' AND v.number = 1"
    )[0]

    text = parts(open_page("registry", version="spend-forecast:1", tab="origin"))

    assert digest[:12] in text
    assert f"{rows:,} rows" in text
    assert commit[:10] in text


@pytest.mark.parametrize(
    ("number", "verdict", "tests"),
    [
        (BETTER, "better than v1", "passed"),
        (WORSE, "worse than v1", "1 test failed"),
        (SAME, "no evidence", "not tested"),
    ],
)
def test_the_first_line_of_a_version_says_whether_it_is_better_and_sound(
    judged: Workspace, number: int, verdict: str, tests: str
) -> None:
    line = headline(open_page("registry", version=f"{MODEL}:{number}"))

    assert verdict in line
    assert tests in line


def test_the_charts_of_a_comparison_show_what_is_stored(judged: Workspace) -> None:
    report = latest_comparison(judged, MODEL, BETTER)
    assert report is not None
    screen = open_page("registry", version=f"{MODEL}:{BETTER}")

    metrics, segments, calibration, agreement, fairness = figures(screen)

    (auc,) = [one for one in metrics["data"] if "AUC" in one["hovertemplate"]]
    primary = report.primary
    assert primary.difference is not None
    assert primary.champion
    assert auc["x"] == [pytest.approx(100 * primary.difference / primary.champion)]
    assert len(segments["data"]) == len(report.segments)
    worst = report.segments[0]
    assert segments["layout"]["yaxis"]["ticktext"][0] == worst.segment.replace("=", " is ")
    assert segments["data"][0]["x"] == [pytest.approx(worst.difference.difference)]
    assert [len(one["x"]) for one in calibration["data"][1:]] == [
        len(report.champion_calibration),
        len(report.challenger_calibration),
    ]
    assert report.agreement is not None
    cells = agreement["data"][0]["z"]
    assert sum(map(sum, cells)) == pytest.approx(100)
    assert sum(cells[place][place] for place in range(len(cells))) == pytest.approx(
        100 * report.agreement.share
    )
    assert len(fairness["data"]) == len(report.fairness)


def figures(screen: AppTest) -> list[dict[str, Any]]:
    import json

    return [json.loads(one.proto.spec) for one in screen.get("plotly_chart")]


def test_plotly_knows_every_part_of_the_figures(judged: Workspace) -> None:
    import plotly.graph_objects as go

    for number in (BETTER, WORSE, SAME):
        for figure in figures(open_page("registry", version=f"{MODEL}:{number}")):
            known = go.Figure(figure).to_plotly_json()  # raises ValueError where a name or a value is wrong
            assert known["layout"].keys() == figure["layout"].keys()


def test_what_failed_stands_first_with_its_reason_in_words(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:{WORSE}")

    ((sentence,),) = rows_of(judged, "SELECT sentence FROM test_result WHERE status = 'failed'")
    assert TestStatus.FAILED in screen.expander[0].label
    assert sentence in parts(screen)


def test_a_test_opens_its_evidence(judged: Workspace) -> None:
    ((identity, sentence, evidence),) = rows_of(
        judged,
        "SELECT r.id, r.sentence, r.evidence FROM test_result r JOIN test_run t ON t.id = r.test_run_id "
        "JOIN model_version v ON v.id = t.model_version_id JOIN model m ON m.id = v.model_id "
        "WHERE m.name = ? AND v.number = ? AND r.test = 'calibration'",
        MODEL,
        BETTER,
    )
    screen = open_page("registry", version=f"{MODEL}:{BETTER}")
    assert sentence not in parts(screen)
    closed = len(figures(screen))

    screen.session_state[f"registry_test_{identity}"] = True
    screen.run()

    assert sentence in parts(screen)
    assert '"points"' in str(evidence).replace("'", '"')
    assert len(figures(screen)) == closed + 1


def test_a_card_and_the_lineage_are_shown(judged: Workspace) -> None:
    text = parts(open_page("registry", version=f"{MODEL}:{BETTER}", tab="origin"))

    assert CARD.intended_use in text
    assert CARD.limits in text
    assert f"evaluation/{MODEL}@" in text
    assert f"training/{MODEL}@" in text


def test_a_version_without_a_card_is_told_how_to_get_one(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:{WORSE}", tab="origin")

    assert any("bigboard register" in text for text in instructions(screen))


def test_the_activity_of_a_version_names_who_did_it(judged: Workspace) -> None:
    text = parts(open_page("registry", version=f"{MODEL}:{BETTER}", tab="activity"))

    assert "Compared with v1: better than it" in text
    assert "Registered, in stage development" in text
    assert "A Lead" in text
    assert "A Data_Scientist" in text


def test_two_versions_are_laid_side_by_side(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:{BETTER}", tab="versus", versus=str(WORSE))

    first = next(one.value for one in screen.dataframe if "C" in set(one.value["name"])).iloc[0]
    assert (first["name"], first["first"], first["second"]) == ("C", "0.5", "1.0")
    assert "`income`" in parts(screen)
    assert screen.selectbox(key="registry_other").value == WORSE


def test_choosing_another_version_to_compare_with_is_part_of_the_link(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:{BETTER}")
    assert screen.selectbox(key="registry_other").value == 1  # the champion

    screen.selectbox(key="registry_other").set_value(SAME).run()

    assert screen.query_params["versus"] == str(SAME)
    assert "not compared yet" in headline(screen)


def test_a_click_leads_back_to_the_list_with_its_filters(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:{BETTER}", tests="passed")

    screen.button(key="registry_back").click().run()

    assert "version" not in screen.query_params
    assert len(table(screen, "versions--1-activity")) == 2


# ── asking for tests and comparisons ─────────────────────────────────────────────────────────────


@pytest.fixture
def askable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A champion and a version without evaluation rows, that nobody tests in the background."""
    workspace = factories.workspace_in(tmp_path / "workspace")
    trained = factories.champion(workspace, MODEL)
    factories.new_version(workspace, trained.model, seed=2)
    factories.person(workspace, Role.DIRECTOR)
    yield shown(workspace, monkeypatch)
    workspace.close()


def test_a_click_queues_the_tests_and_shows_that_they_wait(askable: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:2", actor=LEAD)

    screen.button(key="registry_test").click().run()

    (job,) = recent_jobs(askable)
    assert (job.name, job.subject, job.state) == ("test_version", f"{MODEL}:2", JobState.QUEUED)
    assert "queued" in parts(screen)
    assert screen.button(key="registry_test").disabled
    assert any(f"{MODEL}:2" in line for line in parts(open_page("registry", actor=LEAD)).splitlines())


def test_a_job_that_waits_can_be_cancelled_there(askable: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:2", actor=LEAD)
    screen.button(key="registry_test").click().run()
    (job,) = recent_jobs(askable)

    screen.button(key=f"registry_cancel_{job.id}").click().run()

    assert recent_jobs(askable)[0].state == JobState.CANCELLED
    again = open_page("registry", version=f"{MODEL}:2", actor=LEAD)
    assert not again.button(key="registry_test").disabled
    assert "cancelled" in parts(again)


def test_who_may_not_ask_sees_why(askable: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:2", actor=DIRECTOR)

    for key in ("registry_test", "registry_compare"):
        assert screen.button(key=key).disabled
        assert "lead" in screen.button(key=key).help
    assert not recent_jobs(askable)


def test_a_version_without_evaluation_rows_cannot_be_compared_and_is_told_why(askable: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:2", actor=LEAD)

    assert screen.button(key="registry_compare").disabled
    assert "evaluation snapshot" in screen.button(key="registry_compare").help
    assert any("evaluation" in text for text in instructions(screen))


def test_the_champion_is_not_compared_with_itself(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:1", actor=LEAD)

    assert screen.button(key="registry_compare").disabled
    assert "champion" in screen.button(key="registry_compare").help
    assert "in production" in headline(screen)


# ── bad links ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "version", ["gone:1", f"{MODEL}:99", MODEL, f"{MODEL}:one", ":", f"{MODEL}:-1", "x" * 300]
)
def test_a_link_to_a_version_that_is_not_there_is_answered_in_words(judged: Workspace, version: str) -> None:
    screen = open_page("registry", version=version)

    assert "not there" in headline(screen)
    screen.button(key="registry_back").click().run()
    assert len(table(screen, "versions--1-activity")) == 6


@pytest.mark.parametrize(
    "asked",
    [
        {"show": "everything"},
        {"stage": "gone"},
        {"tests": "green"},
        {"verdict": "great"},
        {"order": "size"},
        {"least": "high"},
        {"most": "nan"},
    ],
)
def test_a_filter_that_there_is_not_is_named_and_left_out(judged: Workspace, asked: dict[str, str]) -> None:
    screen = open_page("registry", **asked)

    ((value),) = asked.values()
    assert value in screen.warning[0].value
    assert len(table(screen, "versions--1-activity")) == 6


@pytest.mark.parametrize(
    "asked", [{"owner": "Nobody"}, {"tag": "none"}, {"feature": "shoe size"}, {"find": "%_'"}]
)
def test_a_filter_that_nothing_matches_says_how_to_see_all(judged: Workspace, asked: dict[str, str]) -> None:
    screen = open_page("registry", **asked)

    assert any("Clear" in text for text in instructions(screen))
    assert screen.button(key="registry_clear")


def test_a_version_to_lay_beside_that_is_not_there_is_named(judged: Workspace) -> None:
    screen = open_page("registry", version=f"{MODEL}:{BETTER}", versus="77")

    assert "77" in screen.warning[0].value
    assert screen.selectbox(key="registry_other").value == 1


def test_the_url_of_a_view_asks_for_that_view() -> None:
    view = View(
        show=Shown.FAILED, find="a b", stage="candidate", least=0.71, page=3, version="churn:2", tab="origin"
    )

    assert read_view(parameters_of(view)) == (view, [])
    assert parameters_of(View()) == {}
