"""`bigboard explain`, Python and the page's own call give the same answer."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from typer.testing import CliRunner

import mlops_core
from mlops_core.cli import app
from mlops_core.cli.explain import _number, _show
from mlops_core.cli.output import console
from mlops_core.domain.errors import InvalidInput, NotFound, StoreHeld
from mlops_core.domain.states import Role
from mlops_core.explanation.as_json import to_json
from mlops_core.explanation.events import add_calendar_event
from mlops_core.explanation.explain import explain_model
from mlops_core.workspace import open_workspace
from tests.factories import HOLDER, person, running, settings_in
from tests.mlops_core.explanation.department import DRIFT, START, Department, window


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("department")
    Department(folder).workspace.close()
    return folder


def run(folder, *options):
    return CliRunner().invoke(app, ["explain", *options, "--workspace", str(folder)])


OTHER_WINDOWS = {
    "--from": "2025-02-24",
    "--to": "2025-03-03",
    "--reference-from": "2025-01-27",
    "--reference-to": "2025-02-17",
}
ASKED = [
    ({}, (), {}),
    (
        {"window": window(4), "reference": window(0, 3)},
        [part for option in OTHER_WINDOWS.items() for part in option],
        {
            "start": "2025-02-24",
            "end": date(2025, 3, 3),
            "reference_start": START,
            "reference_end": "2025-02-17T00:00+00:00",
        },
    ),
    (
        {"window": window(1, 4)},  # in which income drifted in the west alone
        ("--from", "2025-02-03", "--to", "2025-03-03"),
        {"start": date(2025, 2, 3), "end": "2025-03-03"},
    ),
    (
        {"segment": "region=west", "statistic": "jensen_shannon"},
        ("--segment", "region=west", "--statistic", "jensen_shannon"),
        {"segment": "region=west", "statistic": "jensen_shannon"},
    ),
]


@pytest.mark.parametrize(("asked", "options", "arguments"), ASKED)
def test_the_page_the_command_and_python_say_the_same(folder, asked, options, arguments):
    workspace = open_workspace(settings_in(folder))
    try:
        shown = explain_model(workspace, "churn-risk", **asked)
        assert mlops_core.explain("churn-risk", workspace=workspace, **arguments) == shown
    finally:
        workspace.close()
    printed = run(folder, "churn-risk", *options, "--json")
    assert printed.exit_code == 0, printed.output
    document = json.loads(printed.stdout)
    assert document == to_json(shown)
    assert mlops_core.explain("churn-risk", workspace=folder, **arguments) == shown
    assert [one["column"] for one in document["columns"]] == [one.column for one in shown.columns]
    assert document["columns"][0]["move"]["sentence"] == shown.columns[0].move.sentence
    assert document["drifted"] == [one.column for one in shown.drifted]
    assert [(one["column"], one["segment"]) for one in document["in_segments"]] == [
        (one.column, one.segment) for one in shown.in_segments
    ]
    assert document["since"] == (shown.since.isoformat() if shown.since else None)

    text = run(folder, "churn-risk", *options)
    assert text.exit_code == 0, text.output
    for said in (
        shown.headline,
        *(one.move.sentence for one in shown.drifted),
        *(one.segments_sentence for one in shown.drifted),
        *(one.sentence for one in shown.in_segments),
        shown.performance.sentence,
        *(event.title for event in shown.events),
        *shown.notes,
    ):
        assert said in text.stdout
    lines = text.stdout.splitlines()
    table = [line.split()[0] for line in lines if line.rstrip().endswith(("critical", "warning", "in range"))]
    assert table == [one.column for one in shown.columns if one.level.severity >= 2]


def test_one_end_of_a_window_is_enough(folder):
    assert mlops_core.explain("churn-risk", start="2025-02-24", workspace=folder).window == window(4, 2)
    assert mlops_core.explain("churn-risk", end="2025-03-03", workspace=folder).window == window(1, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("gone",), "there is no model 'gone'"),
        (("churn-risk", "--from", "yesterday"), "start 'yesterday' is no date: write it like 2026-03-01"),
        (
            ("churn-risk", "--reference-from", "2025-01-27"),
            "has a first day and an end: give both, or neither",
        ),
        (("churn-risk", "--segment", "west"), "no segment 'west': choose one of region=north"),
        (("churn-risk", "--statistic", "guess"), "there is no statistic 'guess'"),
        (("churn-risk", "--from", "2030-01-01", "--to", "2030-02-01"), "made no prediction in 1 Jan 2030"),
        (("churn-risk", "--from", "2030-01-01"), "has made no prediction since 2030-01-01: its newest lie"),
        (("churn-risk", "--to", "0001-01-05"), "made no prediction in 1 Jan 1 to 4 Jan 1: choose days"),
        (("churn-risk", "--from", "0001-01-01T00:00+05:00"), "lies outside the calendar in UTC"),
        (("silent", "--to", "2030-02-01"), "has not predicted yet"),
        (("silent", "--from", "2030-02-01"), "has not predicted yet"),
    ],
)
def test_bad_input_exits_with_2_and_says_why(folder, options, message):
    result = run(folder, *options)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert "Traceback" not in result.output


def test_an_event_is_shown_with_its_last_day_under_the_date_it_is_near(tmp_path):
    department = Department(tmp_path)
    who, noted = person(department.workspace, Role.LEAD), "Trade fair"
    add_calendar_event(department.workspace, who, title=noted, start=DRIFT, end=DRIFT + timedelta(days=2))
    department.workspace.close()
    lines = run(tmp_path, "churn-risk").stdout.splitlines()
    assert "What happened near 24 Feb 2025" in lines
    assert "24 Feb 2025 to 25 Feb 2025  Trade fair began" in lines


def test_the_help_says_what_an_option_is_when_it_is_not_given():
    for command, default in (("explain", "4 weeks before"), ("event", "all]"), ("watch", "the file's]")):
        assert default in CliRunner().invoke(app, [command, "--help"]).stdout


def test_a_distance_in_a_huge_unit_leaves_room_for_the_other_columns():
    assert [_number(one) for one in (None, 0.12345, -1.5, 999_999.0, 3.2e300)] == [
        "", "0.1235", "-1.5000", "999999.0000", "3.2e+300",
    ]  # fmt: skip


def test_a_workspace_that_a_server_holds_or_that_is_none_is_an_error_in_words(folder, tmp_path):
    missing = run(tmp_path / "nowhere", "churn-risk")
    assert (missing.exit_code, "Traceback" in missing.output) == (2, False)
    with running(HOLDER, folder) as process:
        held = run(folder, "churn-risk")
        assert (held.exit_code, str(process.pid) in held.output) == (2, True), held.output
        with pytest.raises(StoreHeld):
            mlops_core.explain("churn-risk", workspace=folder)


def test_the_workspace_is_closed_again_whatever_happens(folder):
    for bad in ({"segment": "west"}, {"statistic": "guess"}):
        with pytest.raises((InvalidInput, NotFound)):
            mlops_core.explain("churn-risk", workspace=folder, **bad)
    open_workspace(settings_in(folder)).close()


def test_a_very_long_name_leaves_room_for_the_figures(folder):
    found = mlops_core.explain("churn-risk", workspace=folder)
    name = "income_" * 30
    columns = [replace(one, column=name) if one.column == "income" else one for one in found.columns]
    with console.capture() as printed:
        _show(replace(found, columns=columns))
    rows = [line for line in printed.get().splitlines() if line.startswith("income_")]
    assert [row.split()[-1] for row in rows if "region=west" in row] == [f"{_number(west_of(found))}"]


def west_of(found):
    (west,) = [one for one in found.columns[0].segments if one.segment == "region=west"]
    return west.value
