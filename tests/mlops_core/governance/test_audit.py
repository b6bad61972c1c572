from datetime import UTC, datetime, timedelta

import pytest

from mlops_core.clock import FixedClock
from mlops_core.governance import audit_events
from mlops_core.workspace import put_setting
from tests.factories import NOW, champion, system


@pytest.fixture
def written(workspace):
    """Thirty settings, a minute apart, after the workspace itself was created."""
    for number in range(30):
        workspace.store.clock = FixedClock(NOW + timedelta(minutes=number))
        put_setting(workspace, system(workspace), f"s{number}", {}, f"Setting {number} is 50 % off_hand")
    return workspace


def test_the_log_is_read_newest_first_a_page_at_a_time(written):
    first, second = audit_events(written), audit_events(written, page=2)
    assert [page.total for page in (first, second)] == [31, 31]
    subjects = [line.subject for line in (*first.lines, *second.lines)]
    assert subjects == [f"s{number}" for number in range(29, -1, -1)] + ["workspace"]
    assert len(first.lines) == 25


def test_a_page_beyond_the_last_is_empty(written):
    assert audit_events(written, page=9).lines == []


def test_a_line_names_who_did_what_and_when(written):
    line = audit_events(written, page_size=1).lines[0]
    assert (line.actor, line.action, line.subject) == ("Bigboard itself", "setting.changed", "s29")
    assert line.at == datetime(2025, 3, 10, 12, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "count"),
    [("setting 7", 1), ("SETTING", 30), ("s29", 1), ("50 %", 30), ("%", 30), ("_", 30), ("x%", 0)],
)
def test_text_is_looked_for_as_it_stands_in_any_case(written, text, count):
    assert audit_events(written, containing=text).total == count


def test_actions_are_chosen_by_their_beginning(workspace):
    champion(workspace)
    versions = audit_events(workspace, actions=["version."])
    assert [line.action for line in versions.lines] == [
        "version.production",
        "version.approved",
        "version.candidate",
        "version.registered",
    ]
    both = audit_events(workspace, actions=["version.", "model."])
    assert {line.action.partition(".")[0] for line in both.lines} == {"version", "model"}
    assert audit_events(workspace, actions=["version."], containing="none").total == 0
