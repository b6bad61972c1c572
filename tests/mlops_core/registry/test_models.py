import pytest

from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import ProblemType, Role
from mlops_core.registry import create_model, find_model, list_models
from tests.factories import new_model, person


def create(workspace, actor, **changes):
    asked = {
        "name": "churn-risk",
        "description": "Who will leave",
        "owner": actor,
        "problem_type": ProblemType.BINARY,
        "primary_metric": "roc_auc",
        "latency_objective_ms": 50.0,
        "cadence_hours": 24.0,
    }
    return create_model(workspace, actor, **(asked | changes))


def test_a_model_is_found_by_its_name(workspace, lead):
    created = create(workspace, lead, segment_columns=["region"])
    with workspace.store.read() as session:
        found = find_model(session, "churn-risk")
        assert [model.name for model in list_models(session)] == ["churn-risk"]
    assert found == created
    assert (found.problem_type, found.segment_columns, found.owner_id) == ("binary", ["region"], lead.id)


def test_a_model_that_does_not_exist_is_reported(workspace):
    with workspace.store.read() as session, pytest.raises(NotFound, match="no model 'none'"):
        find_model(session, "none")


@pytest.mark.parametrize(
    "name", ["", "Churn", "churn risk", "churn_risk", "-churn", "churn--risk", "a/b", "../x"]
)
def test_a_name_that_is_not_lower_case_words_joined_by_hyphens_is_refused(workspace, lead, name):
    with pytest.raises(InvalidInput, match="lower-case words"):
        create(workspace, lead, name=name)


@pytest.mark.parametrize("wrong", [{"latency_objective_ms": 0.0}, {"cadence_hours": -1.0}])
def test_an_objective_that_is_not_above_zero_is_refused(workspace, lead, wrong):
    with pytest.raises(InvalidInput, match="above zero"):
        create(workspace, lead, **wrong)


@pytest.mark.parametrize(
    ("problem", "metric", "fitting"),
    [
        (ProblemType.BINARY, "rmse", "roc_auc"),
        (ProblemType.REGRESSION, "roc_auc", "rmse"),
        (ProblemType.BINARY, "nonsense", "roc_auc"),
        (ProblemType.CLUSTERING, "rmse", "no metric"),
    ],
)
def test_a_metric_that_does_not_fit_the_problem_is_refused(workspace, lead, problem, metric, fitting):
    with pytest.raises(InvalidInput, match=f"cannot be judged by '{metric}'.*{fitting}"):
        create(workspace, lead, problem_type=problem, primary_metric=metric)


def test_a_name_that_is_taken_is_refused(workspace, lead):
    new_model(workspace)
    with pytest.raises(Conflict, match="already a model 'churn-risk'"):
        create(workspace, lead)


@pytest.mark.parametrize("role", [Role.DIRECTOR, Role.EXECUTIVE])
def test_who_only_looks_on_may_not_create_a_model(workspace, role):
    with pytest.raises(NotPermitted, match="may not create a model"):
        create(workspace, person(workspace, role))
