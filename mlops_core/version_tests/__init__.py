"""Automated tests of model versions: each model has a suite, of built-in tests and those of the project."""

from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, VersionTest, version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome
from mlops_core.version_tests.run import close_interrupted_test_runs, latest_run, results_of, run_tests
from mlops_core.version_tests.suite import SuiteTest, set_test, suite_of

__all__ = [
    "NotJudged",
    "Outcome",
    "Parameter",
    "SuiteTest",
    "TestContext",
    "VersionTest",
    "close_interrupted_test_runs",
    "latest_run",
    "results_of",
    "run_tests",
    "set_test",
    "suite_of",
    "version_test",
]
