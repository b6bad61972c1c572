"""The registry against the store in plain SQL."""

from __future__ import annotations

import pytest

from mlops_core.domain.states import Stage
from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.conftest import WAITING, shown
from tests.pages.screen import instructions, numbers, open_page, parts, table


def test_every_version_has_a_line_with_its_figures(console: Workspace, demo_facts: Facts) -> None:
    lines = table(open_page("registry"), "versions")

    stored = demo_facts.rows(
        """
        SELECT m.name, 'v' || v.number, s.rows, count(u.id), v.estimator, a.full_name
        FROM model_version AS v
        JOIN model AS m ON m.id = v.model_id
        JOIN snapshot AS s ON s.id = v.snapshot_id
        JOIN actor AS a ON a.id = m.owner_id
        LEFT JOIN feature_use AS u ON u.model_version_id = v.id
        GROUP BY ALL
        """
    )
    shown = lines[["model", "version", "rows", "features", "estimator", "owner"]]
    assert sorted(shown.itertuples(index=False, name=None)) == sorted(stored)


def test_the_held_out_metric_of_a_version_is_the_stored_one(console: Workspace, demo_facts: Facts) -> None:
    lines = table(open_page("registry"), "versions").set_index("model")

    stored = demo_facts.rows(
        "SELECT m.name, x.value FROM metric AS x JOIN model_version AS v ON v.id = x.model_version_id "
        "JOIN model AS m ON m.id = v.model_id AND m.primary_metric = x.name"
    )
    assert len(stored) > 20
    for model, value in stored:
        assert numbers(lines.loc[model, "metric"]) == [pytest.approx(value, abs=0.0005)]


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_filter_shows_as_many_versions_as_are_in_that_stage(
    eventful_console: Workspace, stage: Stage
) -> None:
    with eventful_console.store.engine.connect() as connection:
        stored = dict(
            connection.exec_driver_sql("SELECT stage, count(*) FROM model_version GROUP BY stage").fetchall()
        )

    screen = open_page("registry")
    screen.button_group(key="stage").set_value(stage).run()

    count = stored.get(stage, 0)
    label = screen.button_group(key="stage").options[list(Stage).index(stage)]
    assert numbers(label) == [count]
    assert len(table(screen, "versions")) == count if count else instructions(screen)


def test_a_link_to_a_stage_holds_when_other_versions_have_come(
    console: Workspace, eventful: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = open_page("registry")
    screen.button_group(key="stage").set_value(Stage.CANDIDATE).run()
    link = screen.query_params["stage"]

    shown(eventful, monkeypatch)

    assert open_page("registry", stage=link).button_group(key="stage").value == Stage.CANDIDATE


def test_a_filter_keeps_the_model_on_its_way_and_its_history(eventful_console: Workspace) -> None:
    screen = open_page("registry")
    everything = len(table(screen, "versions"))

    screen.button_group(key="stage").set_value(Stage.CANDIDATE).run()

    assert table(screen, "versions")["model"].tolist() == [WAITING]
    assert [1.0, float(everything)] in [numbers(line) for line in parts(screen).splitlines()]
    history = next(one.value for one in screen.markdown if one.value.startswith("| Stage"))
    assert history.count("\n| ") == 2  # development, then candidate


def test_searching_an_estimator_keeps_its_versions(console: Workspace, demo_facts: Facts) -> None:
    estimator, count = demo_facts.rows(
        "SELECT estimator, count(*) AS n FROM model_version GROUP BY estimator ORDER BY n LIMIT 1"
    )[0]

    screen = open_page("registry", find_version=estimator.lower())

    assert set(table(screen, "versions")["estimator"]) == {estimator}
    assert len(table(screen, "versions")) == count


def test_a_link_opens_one_version_with_what_it_was_made_of(console: Workspace, demo_facts: Facts) -> None:
    digest, rows, commit = demo_facts.rows(
        "SELECT s.digest, s.rows, v.git_commit FROM model_version AS v JOIN snapshot AS s "
        "ON s.id = v.snapshot_id JOIN model AS m ON m.id = v.model_id WHERE m.name = 'spend-forecast'"
    )[0]

    text = parts(open_page("registry", version="spend-forecast:1"))

    assert digest[:12] in text
    assert f"{rows:,} rows" in text
    assert commit[:10] in text


def test_the_last_moved_version_stands_first(eventful_console: Workspace) -> None:
    assert table(open_page("registry"), "versions")["model"][0] == WAITING
