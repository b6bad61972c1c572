import pytest

from mlops_core.domain.states import ProblemType, Role
from mlops_core.version_tests import results_of, run_tests, suite_of
from tests.factories import person
from tests.mlops_core.version_tests.candidates import NAMES, add_version, honest, not_passed

BINARY = ProblemType.BINARY


@pytest.fixture(scope="module")
def number(department):
    return add_version(department, BINARY, honest(BINARY))


@pytest.fixture
def engineer(department):
    return person(department, Role.ML_ENGINEER)


def test_a_sound_version_passes_every_test(department, engineer, number):
    told = []
    run = run_tests(department, engineer, NAMES[BINARY], number, progress=lambda *report: told.append(report))
    results = results_of(department, run.id)
    suite = suite_of(department, NAMES[BINARY])
    assert run.state == "succeeded"
    assert not_passed(results) == {}
    assert [one.test for one in results] == [test.name for test in suite]
    assert all(one.sentence.endswith(".") and one.seconds >= 0 for one in results)
    assert told[0] == (0, len(suite), suite[0].title)
    assert told[-1] == (len(suite), len(suite), "")
    assert {total for _, total, _ in told} == {len(suite)}
