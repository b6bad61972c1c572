"""A model's suite: the tests that its versions are put to, and how they differ from the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mlops_core.domain import Actor, Model, TestSetting
from mlops_core.domain.errors import InvalidInput, NotPermitted
from mlops_core.domain.states import ProblemType, Role
from mlops_core.registry.models import find_model
from mlops_core.store import UnitOfWork
from mlops_core.version_tests.builtin.catalogue import BUILT_IN
from mlops_core.version_tests.declared import Parameter, ParameterValue, VersionTest
from mlops_core.version_tests.project import PROJECT_TESTS, project_tests
from mlops_core.workspace import Workspace, require_role

__all__ = ["SuiteTest", "broken_project", "set_test", "suite_of", "suite_tests"]


@dataclass(frozen=True, slots=True)
class SuiteTest:
    """One test of a model's suite.

    Attributes
    ----------
    name, title, summary
        Its key, what it asks for in a few words, and how it decides.
    enabled
        Whether versions are put to it.
    parameters
        What it is carried out with.
    declared
        What can be set, with defaults, meanings and bounds.
    is_project
        Whether the project's own module declares it.
    set_by, set_at
        Who set it last, and when; None where the defaults hold.
    trouble
        Why the project's module cannot be used; empty for every real test.
    """

    name: str
    title: str
    summary: str
    enabled: bool
    parameters: Mapping[str, ParameterValue]
    declared: tuple[Parameter, ...]
    is_project: bool
    set_by: str | None = None
    set_at: datetime | None = None
    trouble: str = ""

    @property
    def changed(self) -> list[str]:
        """Return the parameters that differ from their defaults."""
        return [one.name for one in self.declared if self.parameters[one.name] != one.default]


def suite_of(workspace: Workspace, model_name: str) -> list[SuiteTest]:
    """Return the tests of a model's versions in the order in which they are carried out.

    Where the project's module cannot be used, the last one is `project_tests`, and says why.

    Raises
    ------
    NotFound
    """
    known, trouble = _known_tests(workspace)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        settings = _settings(session, model)
        names = {actor.id: actor.full_name for actor in session.exec(select(Actor))}
    suite = [
        _in_suite(test, settings.get(test.name), names)
        for test in suite_tests(known, ProblemType(model.problem_type))
    ]
    return [*suite, broken_project(trouble)] if trouble else suite


def set_test(
    workspace: Workspace,
    actor: Actor,
    model_name: str,
    test: str,
    *,
    enabled: bool = True,
    parameters: Mapping[str, object] | None = None,
) -> SuiteTest:
    """Set one test of a model's suite; what has run keeps its results.

    Leads and machine-learning engineers may, and the data scientist who owns the model.

    Parameters
    ----------
    parameters
        Those that differ from the defaults; the others go back to them. None puts all back.

    Raises
    ------
    InvalidInput
        The suite has no such test, or the test no such parameter; the message lists what there is.
    NotPermitted, NotFound
    """
    known, trouble = _known_tests(workspace)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    _check_may_set(actor, model)
    suite = {found.name: found for found in suite_tests(known, ProblemType(model.problem_type))}
    if test not in suite:
        raise InvalidInput(
            f"the suite of model '{model.name}' has no test '{test}': there is {', '.join(suite)}"
            + (f"; and {trouble}" if trouble else "")
        )
    checked = suite[test].checked(parameters or {})

    def work(unit: UnitOfWork) -> TestSetting:
        setting = unit.add(
            TestSetting(
                model_id=model.id,
                test=test,
                enabled=enabled,
                parameters=checked or None,
                actor_id=unit.actor.id,
                at=unit.now,
            )
        )
        unit.record(
            "test.set" if enabled else "test.switched_off",
            "model",
            model.name,
            _set_sentence(model, test, enabled, checked),
            test=test,
            enabled=enabled,
            parameters=checked,
        )
        return setting

    setting = workspace.store.write(actor, work)
    return _in_suite(suite[test], setting, {actor.id: actor.full_name})


def suite_tests(known: Mapping[str, VersionTest], problem: ProblemType) -> list[VersionTest]:
    """Return the tests that concern a problem type."""
    return [test for test in known.values() if problem in test.problem_types]


def broken_project(trouble: str) -> SuiteTest:
    """Return the test that stands in a suite for a project's module that cannot be used."""
    return SuiteTest(
        name=PROJECT_TESTS,
        title="The project's own tests can be read",
        summary="The module that BIGBOARD_TESTS names is imported for the tests that it declares.",
        enabled=True,
        parameters={},
        declared=(),
        is_project=True,
        trouble=trouble,
    )


def _known_tests(workspace: Workspace) -> tuple[dict[str, VersionTest], str]:
    """Return every test, and why the project's cannot be used."""
    try:
        return {**BUILT_IN, **project_tests(workspace.settings.tests)}, ""
    except InvalidInput as error:
        return dict(BUILT_IN), str(error)


def _settings(session: Session, model: Model) -> dict[str, TestSetting]:
    rows = session.exec(
        select(TestSetting).where(TestSetting.model_id == model.id).order_by(col(TestSetting.id))
    )
    return {row.test: row for row in rows}


def _in_suite(test: VersionTest, setting: TestSetting | None, names: Mapping[int, str]) -> SuiteTest:
    given = (setting.parameters or {}) if setting is not None else {}
    return SuiteTest(
        name=test.name,
        title=test.title,
        summary=test.summary,
        enabled=setting.enabled if setting is not None else True,
        parameters=test.defaults | {name: value for name, value in given.items() if name in test.defaults},
        declared=test.parameters,
        is_project=test.name not in BUILT_IN,
        set_by=names.get(setting.actor_id) if setting is not None else None,
        set_at=setting.at if setting is not None else None,
    )


def _check_may_set(actor: Actor, model: Model) -> None:
    require_role(actor, "set a model's tests", Role.LEAD, Role.ML_ENGINEER, Role.DATA_SCIENTIST)
    if actor.role == Role.DATA_SCIENTIST and actor.id != model.owner_id:
        raise NotPermitted(
            f"{actor.name} (data scientist) does not own model '{model.name}' and may not set its tests: ask "
            "its owner, a lead or an ml engineer"
        )


def _set_sentence(model: Model, test: str, enabled: bool, parameters: Mapping[str, ParameterValue]) -> str:
    if not enabled:
        return f"Test {test} of {model.name} was switched off"
    chosen = ", ".join(f"{name} {value}" for name, value in parameters.items())
    return f"Test {test} of {model.name} was set: {chosen or 'defaults'}"
