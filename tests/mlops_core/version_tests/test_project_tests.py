"""Tests that a project adds: each runs in a process of its own, and whatever it does, the run goes on."""

import os
from dataclasses import replace
from textwrap import dedent

import pytest

from mlops_core.domain.errors import Cancelled, InvalidInput
from mlops_core.domain.states import ProblemType, Role
from mlops_core.version_tests import results_of, run_tests, set_test, suite_of
from mlops_core.version_tests.project import project_tests
from tests.factories import person
from tests.mlops_core.version_tests.candidates import NAMES, add_version, honest

BINARY = ProblemType.BINARY
NAME = NAMES[BINARY]
HEAD = """
import os, time
from mlops_core.version_tests import NotJudged, Outcome, Parameter, version_test
"""
TESTS = (
    HEAD
    + '''
limit = Parameter("most", 0.5, "share of rows that may be called", lowest=0, highest=1)

@version_test("few_calls", title="Does not call everybody", problem_types=["binary"], parameters=[limit])
def few_calls(context):
    """Count the rows that would be called."""
    share = float((context.predictions.prediction >= 0.5).mean())
    rows = context.training(["income"]).num_rows
    asked = context.ask(context.rows.slice(0, 5)).prediction
    return Outcome.judged(
        share <= context.number("most"),
        f"{share:.0%} would be called.",
        figure=share,
        limit=context.number("most"),
        evidence={"facts": {"training rows": rows, "asked": asked, "process": os.getpid()}},
    )

@version_test("raises", title="Raises")
def raises(context):
    raise LookupError("no such thing")

@version_test("hangs", title="Hangs", seconds=6)
def hangs(context):
    while True:
        time.sleep(0.1)

@version_test("ends", title="Ends its process")
def ends(context):
    os._exit(3)

@version_test("wants_the_store", title="Wants the store")
def wants_the_store(context):
    context.workspace_source

@version_test("amounts", title="For regressions", problem_types=["regression"])
def amounts(context):
    return Outcome.judged(True, "Yes.")
'''
)


@pytest.fixture(scope="module")
def number(department):
    return add_version(department, BINARY, honest(BINARY))


@pytest.fixture
def lead(department):
    return person(department, Role.LEAD)


def with_tests(workspace, named):
    settings = workspace.settings.model_copy(update={"tests": str(named)})
    return replace(workspace, settings=settings)


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "our_tests.py"
    path.write_text(TESTS)
    return path


def test_whatever_a_projects_test_does_it_has_a_result_and_the_run_goes_on(department, lead, number, module):
    workspace = with_tests(department, module)
    suite = suite_of(workspace, NAME)
    own = [test.name for test in suite if test.is_project]
    assert own == ["few_calls", "raises", "hangs", "ends", "wants_the_store"]
    assert suite[-len(own)].parameters == {"most": 0.5}
    assert suite[-len(own)].summary == "Count the rows that would be called."
    set_test(workspace, lead, NAME, "few_calls", parameters={"most": 0.01})
    run = run_tests(workspace, lead, NAME, number)
    results = {one.test: one for one in results_of(workspace, run.id)}
    assert run.state == "succeeded"
    assert {name: results[name].status for name in own} == {
        "few_calls": "failed",
        "raises": "error",
        "hangs": "error",
        "ends": "error",
        "wants_the_store": "skipped",
    }
    calls = results["few_calls"]
    assert (calls.limit, calls.evidence["facts"]["training rows"]) == (0.01, 2_000)
    assert len(calls.evidence["facts"]["asked"]) == 5
    assert calls.evidence["facts"]["process"] != os.getpid()
    assert results["raises"].sentence == "The test raised LookupError: no such thing."
    assert results["raises"].evidence["trace"][-1] == "LookupError: no such thing"
    assert results["hangs"].sentence == "The test did not end within 6 s and was stopped."
    assert results["ends"].sentence == "The test ended its process (exit code 3)."


def test_a_projects_test_can_be_cancelled_while_it_runs(department, lead, number, tmp_path):
    path = tmp_path / "sleepers.py"
    path.write_text(
        HEAD
        + dedent("""
        @version_test("sleeps", title="Sleeps", seconds=300)
        def sleeps(context):
            time.sleep(300)
    """)
    )
    workspace = with_tests(department, path)
    looks = []

    def cancel(done, total, doing):
        looks.append(doing)
        if looks.count("Sleeps") == 4:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run_tests(workspace, lead, NAME, number, progress=cancel)


def test_a_module_that_cannot_be_read_shows_as_an_error_in_every_run(department, lead, number, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(HEAD + "\nraise RuntimeError('not today')\n")
    workspace = with_tests(department, path)
    last = suite_of(workspace, NAME)[-1]
    assert last.name == "project_tests"
    assert "cannot be imported: RuntimeError: not today (line 5)" in last.trouble
    with pytest.raises(InvalidInput, match=r"there is artefact.*; and BIGBOARD_TESTS"):
        set_test(workspace, lead, NAME, "few_calls")
    run = run_tests(workspace, lead, NAME, number)
    result = results_of(workspace, run.id)[-1]
    assert (result.test, result.status) == ("project_tests", "error")
    assert "not today" in result.sentence


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "holds no test"),
        (HEAD + "@version_test('bias', title='Mine')\ndef mine(context): ...", "which Bigboard has already"),
        (
            HEAD + "@version_test('a', title='A')\ndef a(context): ...\n"
            "@version_test('a', title='A')\ndef b(context): ...",
            "twice",
        ),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(tmp_path, source, message):
    path = tmp_path / "wrong.py"
    path.write_text(source)
    with pytest.raises(InvalidInput, match=message):
        project_tests(str(path))


def test_a_module_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(InvalidInput, match="there is no such file"):
        project_tests(str(tmp_path / "nowhere.py"))
    with pytest.raises(InvalidInput, match="no such module on the path"):
        project_tests("nothing_here.tests")
    assert project_tests("") == {}


def test_a_file_that_has_changed_is_read_again(module):
    assert "few_calls" in project_tests(str(module))
    module.write_text(TESTS.replace('"few_calls"', '"fewer_calls"'))
    assert "fewer_calls" in project_tests(str(module))
