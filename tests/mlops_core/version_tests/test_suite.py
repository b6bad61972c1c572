import pytest
from sqlmodel import select

from mlops_core.domain import AuditEvent, TestSetting
from mlops_core.domain.errors import InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import ProblemType, Role
from mlops_core.registry import create_model
from mlops_core.version_tests import Outcome, Parameter, set_test, suite_of, version_test
from tests.factories import new_model, person


@pytest.fixture
def churn(workspace):
    return new_model(workspace)


def in_suite(workspace, model, test):
    return {one.name: one for one in suite_of(workspace, model.name)}[test]


def test_a_suite_has_the_tests_of_the_problem_type(workspace, lead, churn):
    clusters = create_model(
        workspace,
        lead,
        name="segments",
        description="",
        owner=lead,
        problem_type=ProblemType.CLUSTERING,
        primary_metric=None,
        latency_objective_ms=50.0,
        cadence_hours=24.0,
    )
    binary = {test.name for test in suite_of(workspace, churn.name)}
    assert binary >= {"artefact", "evaluation_data", "calibration", "bias", "baseline", "latency"}
    assert binary - {test.name for test in suite_of(workspace, clusters.name)} == {
        "minimum_metrics",
        "baseline",
        "calibration",
        "bias",
        "single_feature",
    }
    for test in suite_of(workspace, churn.name):
        assert test.enabled
        assert test.title
        assert test.summary.endswith(".")
        assert test.changed == []
        assert all(parameter.meaning for parameter in test.declared)


def test_a_setting_holds_over_the_default_and_the_newest_over_the_others(workspace, lead, churn):
    set_test(workspace, lead, churn.name, "latency", parameters={"requests": 40})
    found = set_test(workspace, lead, churn.name, "latency", parameters={"request_rows": 8})
    assert found == in_suite(workspace, churn, "latency")
    assert found.parameters == {"request_rows": 8, "requests": 100, "objective_ms": None}
    assert (found.changed, found.set_by, found.enabled) == (["request_rows"], lead.full_name, True)
    set_test(workspace, lead, churn.name, "latency")
    assert in_suite(workspace, churn, "latency").changed == []
    with workspace.store.read() as session:
        assert len(session.exec(select(TestSetting)).all()) == 3
        last = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (last.action, last.subject) == ("test.set", churn.name)


def test_switching_a_test_off_is_audited_as_such(workspace, lead, churn):
    found = set_test(workspace, lead, churn.name, "bias", enabled=False)
    assert not found.enabled
    with workspace.store.read() as session:
        last = session.exec(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert (last.action, last.summary) == ("test.switched_off", "Test bias of churn-risk was switched off")


def test_an_unknown_test_is_refused_with_those_there_are(workspace, lead, churn):
    with pytest.raises(InvalidInput, match=r"no test 'speed': there is artefact, evaluation_data, .*latency"):
        set_test(workspace, lead, churn.name, "speed")


@pytest.mark.parametrize(
    ("test", "parameters", "message"),
    [
        ("latency", {"rows": 3}, "no parameter 'rows': there is request_rows, requests, objective_ms"),
        ("latency", {"requests": 1}, "between 20 and 10000"),
        ("latency", {"requests": 20.5}, "whole number"),
        ("latency", {"requests": "many"}, "give a number"),
        ("latency", {"requests": True}, "give a number"),
        ("calibration", {"error": float("nan")}, "between 0 and 1"),
        ("missing_values", {"may_refuse": 1}, "true or false"),
        ("minimum_metrics", {"bounds": "recall"}, "'recall' is no bound"),
        ("minimum_metrics", {"bounds": "beauty=0.5"}, "with the metrics"),
    ],
)
def test_a_parameter_is_checked_before_it_is_kept(department, test, parameters, message):
    lead = person(department, Role.LEAD)
    with department.store.read() as session:
        before = len(session.exec(select(TestSetting)).all())
    with pytest.raises(InvalidInput, match=message):
        set_test(department, lead, "churn-risk", test, parameters=parameters)
    with department.store.read() as session:
        assert len(session.exec(select(TestSetting)).all()) == before


def test_the_owner_may_set_the_tests_and_another_scientist_may_not(workspace, lead, scientist, churn):
    own = create_model(
        workspace,
        lead,
        name="own-model",
        description="",
        owner=scientist,
        problem_type=ProblemType.BINARY,
        primary_metric="roc_auc",
        latency_objective_ms=50.0,
        cadence_hours=24.0,
    )
    assert not set_test(workspace, scientist, own.name, "bias", enabled=False).enabled
    with pytest.raises(NotPermitted, match="does not own model 'churn-risk'"):
        set_test(workspace, scientist, churn.name, "bias", enabled=False)
    with pytest.raises(NotPermitted, match="may not set a model's tests"):
        set_test(workspace, person(workspace, Role.EXECUTIVE), churn.name, "bias", enabled=False)
    set_test(workspace, person(workspace, Role.ML_ENGINEER), churn.name, "bias", enabled=False)


def test_the_suite_of_a_model_that_does_not_exist_is_not_found(workspace, lead):
    with pytest.raises(NotFound):
        suite_of(workspace, "nobody")
    with pytest.raises(NotFound):
        set_test(workspace, lead, "nobody", "bias")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "Row Order"}, "lower-case words"),
        ({"name": "mine", "problem_types": ["triage"]}, "triage"),
        ({"name": "mine", "parameters": [Parameter("a", 1, ""), Parameter("a", 2, "")]}, "twice"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(InvalidInput, match=message):
        version_test(**({"title": "Mine"} | given))(lambda context: Outcome.judged(True, "Yes."))
