"""The engineering page against the audit log, the runs and the measurements in plain SQL."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.conftest import MOVED_COLUMN
from tests.pages.screen import headline, numbers, open_page, parts, table, table_with

ROUTINE = "action IN ('predictions.logged', 'outcomes.logged', 'features.written')"


def total(screen: AppTest) -> int:
    """The number of events that the page says there are, 0 when it says none."""
    captions = [one.value for one in screen.caption if one.value.endswith("events")]
    return int(numbers(captions[0])[0]) if captions else 0


def test_the_audit_log_counts_everything_but_routine(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page("engineering")

    assert total(screen) == demo_facts.one(f"SELECT count(*) FROM audit_event WHERE NOT {ROUTINE}")  # noqa: S608 - our own words


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("Versions", "regexp_matches(action, '^(version|model|test)[.]')"),
        ("Jobs", "action LIKE 'job.%'"),
        ("Monitors and calendar", "action LIKE 'monitors.%' OR action LIKE 'calendar.%'"),
        ("Routine", ROUTINE),
    ],
)
def test_a_kind_of_events_counts_what_the_store_holds(
    console: Workspace, demo_facts: Facts, kind: str, condition: str
) -> None:
    screen = open_page("engineering", events=kind)

    assert total(screen) == demo_facts.one(f"SELECT count(*) FROM audit_event WHERE {condition}")  # noqa: S608 - our own words


def test_the_kinds_together_hold_every_event(console: Workspace, demo_facts: Facts) -> None:
    kinds = open_page("engineering").button_group(key="events").options

    counted = sum(total(open_page("engineering", events=kind)) for kind in kinds)

    assert counted == demo_facts.one("SELECT count(*) FROM audit_event")


def test_the_pages_of_the_log_hold_each_event_once_newest_first(
    console: Workspace, demo_facts: Facts
) -> None:
    screen = open_page("engineering", events="People and settings")
    found = table_with(screen, "summary")["summary"].tolist()
    while len(found) < total(screen):
        screen.get_by_key("page").set_value(len(found) // 15 + 1)
        screen.run()
        found += table_with(screen, "summary")["summary"].tolist()

    stored = demo_facts.rows(
        "SELECT summary FROM audit_event WHERE regexp_matches(action, '^(actor|setting|workspace)[.]') "
        "ORDER BY id DESC"
    )
    assert found == [summary for (summary,) in stored]


def test_finding_an_event_searches_summary_and_subject(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page("engineering")

    screen.text_input(key="find_event").set_value("CHURN").run()

    assert total(screen) == demo_facts.one(
        f"SELECT count(*) FROM audit_event WHERE (summary ILIKE '%churn%' OR subject ILIKE '%churn%') "  # noqa: S608 - our own words
        f"AND NOT {ROUTINE}"
    )


def test_a_search_for_a_percent_sign_is_no_wildcard(console: Workspace) -> None:
    screen = open_page("engineering", find_event="%")

    assert total(screen) == 0


def test_the_monitors_and_runs_are_those_of_the_store(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page("engineering")

    monitors = float(demo_facts.one("SELECT count(*) FROM monitor"))
    reporting = float(demo_facts.one("SELECT count(DISTINCT monitor_id) FROM measurement"))
    assert [reporting, monitors] in [numbers(line) for line in parts(screen).splitlines()]
    messages = [row[0] for row in demo_facts.rows("SELECT message FROM job_run ORDER BY id DESC")]
    assert table_with(screen, "message")["message"].tolist() == messages


def test_the_queue_names_each_finding_with_its_model_worst_first(
    eventful_console: Workspace, outside: dict[str, set[str]]
) -> None:
    screen = open_page("engineering")

    queue = table(screen, "queue")
    with eventful_console.store.engine.connect() as connection:
        newest = connection.exec_driver_sql(
            """
            SELECT level FROM measurement AS m
            JOIN (SELECT monitor_id, max(window_start) AS window_start FROM measurement GROUP BY monitor_id)
                USING (monitor_id, window_start)
            WHERE level IN ('warning', 'critical')
            """
        ).fetchall()
    levels = sorted(level for (level,) in newest)  # critical comes before warning
    assert len(queue) == len(levels)
    assert float(len(levels)) in numbers(headline(screen))
    assert {model.split()[0] for model in queue["model"]} == set().union(*outside.values())
    assert any(MOVED_COLUMN in text for text in queue["what"])
    symbols = queue["status"].str[0].tolist()
    assert [symbols.index(one) for one in symbols] == sorted(symbols.index(one) for one in symbols)
