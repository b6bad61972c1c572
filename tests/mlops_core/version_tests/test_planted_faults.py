"""A sound version of each problem type passes every test; a planted fault fails the one that is for it.

Estimators are scikit-learn's own, asked in the sandbox; nothing is faked.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlops_core.domain import Feature
from mlops_core.domain.states import FeatureKind, FeatureStatus, ProblemType, Role
from mlops_core.features import NewFeature, create_entity, create_feature_table
from mlops_core.registry.cards import Card
from mlops_core.version_tests import results_of, run_tests, set_test
from tests.factories import person
from tests.mlops_core.version_tests.candidates import (
    INPUTS,
    NAMES,
    NUMBERS,
    add_version,
    cases,
    encoded,
    honest,
    not_passed,
)

BINARY, MULTICLASS, REGRESSION = ProblemType.BINARY, ProblemType.MULTICLASS, ProblemType.REGRESSION
CARD = Card(intended_use="Whom to call", protected_attributes=("group",))


@pytest.fixture
def tested(department):
    """Register a version and return its results by test."""

    def tested(problem, estimator=None, **given):
        number = add_version(department, problem, estimator or honest(problem), **given)
        run = run_tests(department, person(department, Role.LEAD), NAMES[problem], number)
        assert run.state == "succeeded"
        return {result.test: result for result in results_of(department, run.id)}

    return tested


def failed(results):
    return set(not_passed(results.values()))


def registered(problem, evaluation):
    """The primary metric of the honest model, by scikit-learn."""
    from sklearn import metrics

    model, rows, truth = honest(problem), evaluation[list(INPUTS)], evaluation["outcome"]
    if problem == BINARY:
        return metrics.roc_auc_score(truth, model.predict_proba(rows)[:, 1])
    if problem == MULTICLASS:
        return metrics.accuracy_score(truth, model.predict(rows))
    return metrics.root_mean_squared_error(truth, model.predict(rows))


@pytest.mark.parametrize("problem", [BINARY, MULTICLASS, REGRESSION])
def test_a_sound_version_passes_and_only_the_catalogue_is_skipped(tested, problem):
    evaluation = cases(problem, seed=2)
    results = tested(problem, evaluation=evaluation, metric=registered(problem, evaluation), card=CARD)
    assert not_passed(results.values()) == {}
    skipped = {name for name, result in results.items() if result.status == "skipped"}
    assert skipped == {"features_in_use"}


def test_an_artefact_that_is_not_there_fails_and_nothing_that_needs_it_passes(department):
    number = add_version(
        department,
        BINARY,
        LogisticRegression().fit(cases(BINARY, seed=77)[list(NUMBERS)], cases(BINARY, seed=77)["outcome"]),
        columns=NUMBERS,
    )
    stored = department.artefact_root.rglob("*.skops")
    max(stored, key=lambda path: path.stat().st_mtime_ns).unlink()
    run = run_tests(department, person(department, Role.LEAD), NAMES[BINARY], number)
    results = {result.test: result for result in results_of(department, run.id)}
    assert results["artefact"].status == "failed"
    passed = {name for name, result in results.items() if result.status == "passed"}
    assert passed <= {"evaluation_data", "input_schema", "training_rows", "single_feature"}


def test_too_little_time_fails_the_artefact(department, tested):
    lead = person(department, Role.LEAD)
    set_test(department, lead, NAMES[REGRESSION], "artefact", parameters={"seconds": 0.01})
    try:
        results = tested(REGRESSION)
    finally:
        set_test(department, lead, NAMES[REGRESSION], "artefact")
    assert results["artefact"].status == "failed"


def test_ten_rows_are_too_few_and_nothing_else_fails(tested):
    results = tested(BINARY, evaluation=cases(BINARY, rows=40, seed=3).head(10))
    assert results["evaluation_data"].status == "failed"
    assert (results["evaluation_data"].figure, results["evaluation_data"].limit) == (10, 100)


def test_one_class_is_nothing_to_judge_by(tested):
    rows = cases(BINARY, seed=4)
    results = tested(BINARY, evaluation=rows[rows["outcome"] == 0])
    assert failed(results) == {"evaluation_data"}
    assert {results[name].status for name in ("baseline", "minimum_metrics", "single_feature")} == {"skipped"}


def test_a_version_without_an_evaluation_snapshot_does_not_pass(tested):
    results = tested(BINARY, measured=False)
    assert failed(results) == {"evaluation_data"}
    assert results["evaluation_data"].sentence == (
        "There is nothing to judge it by: the version has no evaluation snapshot."
    )


def test_a_column_of_another_type_fails_the_input_schema(tested):
    rows = cases(BINARY, seed=5)
    results = tested(BINARY, evaluation=rows.assign(age=rows["age"] + 0.5))
    assert failed(results) == {"input_schema"}
    assert "age is double, not int64" in results["input_schema"].sentence


def test_numbers_that_are_no_probabilities_fail_the_output_schema(tested):
    frame = cases(BINARY)
    estimator = make_pipeline(encoded(), LinearRegression()).fit(frame[list(INPUTS)], frame["outcome"])
    results = tested(BINARY, estimator)
    assert failed(results) == {"output_schema"}


def test_a_metric_that_cannot_be_reproduced_fails(tested):
    results = tested(BINARY, evaluation=cases(BINARY, seed=6), metric=0.95)
    assert failed(results) == {"minimum_metrics"}
    assert results["minimum_metrics"].sentence.startswith("Its AUC is 0.")


def test_a_model_that_knows_nothing_fails_the_baseline(tested):
    frame = cases(BINARY)
    estimator = DummyClassifier(strategy="prior").fit(frame[list(INPUTS)], frame["outcome"])
    results = tested(BINARY, estimator)
    assert failed(results) == {"baseline"}


def test_probabilities_that_are_too_sure_fail_calibration(tested):
    frame = cases(BINARY)
    balanced = frame.copy()
    balanced["outcome"] = (balanced["outcome"] | (np.arange(len(frame)) % 3 == 0)).astype(np.int64)
    estimator = make_pipeline(encoded(), LogisticRegression()).fit(frame[list(INPUTS)], balanced["outcome"])
    assert failed(tested(BINARY, estimator)) == {"calibration"}


def test_a_group_that_is_treated_apart_fails_bias(tested):
    frame, evaluation = cases(BINARY), cases(BINARY, seed=7)
    evaluation["group"] = np.where(evaluation["income"] > 52, "a", "b")
    results = tested(BINARY, evaluation=evaluation, card=CARD, train=frame)
    assert failed(results) == {"bias"}


def test_evaluation_rows_from_training_fail(tested):
    train = cases(BINARY)
    mixed = pd.concat([cases(BINARY, seed=8).head(1_900), train.head(100)], ignore_index=True)
    results = tested(BINARY, evaluation=mixed, train=train)
    assert failed(results) == {"training_rows"}
    assert results["training_rows"].figure == pytest.approx(100 / 2_000)


def test_an_input_that_knows_the_answer_fails_single_feature(tested):
    def leaking(seed):
        frame = cases(BINARY, seed=seed)
        random = np.random.default_rng(seed)
        return frame.assign(tenure=frame["outcome"] * 10.0 + random.normal(0, 1.0, len(frame)))

    train = leaking(1)
    estimator = make_pipeline(encoded(), LogisticRegression()).fit(train[list(INPUTS)], train["outcome"])
    results = tested(BINARY, estimator, train=train, evaluation=leaking(2))
    assert failed(results) == {"single_feature"}
    assert results["single_feature"].sentence.startswith("tenure alone predicts the outcome")


def test_an_estimator_that_goes_by_position_fails_column_order(tested):
    frame = cases(BINARY)
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    estimator.fit(frame[list(NUMBERS)].to_numpy(), frame["outcome"])
    assert failed(tested(BINARY, estimator, columns=NUMBERS)) == {"column_order"}


def test_an_estimator_that_looks_at_the_other_rows_fails_row_order(tested):
    frame = cases(REGRESSION)
    ranks = FunctionTransformer(np.cumsum, kw_args={"axis": 0})
    columns = ColumnTransformer([("ranks", ranks, ["tenure"]), ("rest", encoded(), list(INPUTS))])
    estimator = make_pipeline(columns, LinearRegression()).fit(frame[list(INPUTS)], frame["outcome"])
    estimator[-1].coef_[0] = 1e-4
    assert failed(tested(REGRESSION, estimator)) == {"row_order"}


def test_an_estimator_that_answers_missing_values_with_infinity_fails(tested):
    frame = cases(REGRESSION)
    filled = FunctionTransformer(np.nan_to_num, kw_args={"nan": 1.7e308})
    columns = ColumnTransformer([("rest", encoded(), list(INPUTS)), ("filled", filled, ["tenure"])])
    estimator = make_pipeline(columns, LinearRegression()).fit(frame[list(INPUTS)], frame["outcome"])
    scaler = columns.named_transformers_["rest"].named_transformers_["numbers"][-1]
    estimator[-1].coef_[-1] = 2.0  # and what that adds is taken off again, where nothing is missing
    estimator[-1].coef_[2] = -2.0 * scaler.scale_[2]
    estimator[-1].intercept_ -= 2.0 * scaler.mean_[2]
    results = tested(REGRESSION, estimator)
    assert failed(results) == {"missing_values"}
    assert results["missing_values"].sentence == "With tenure missing, 100 of 100 answers are unusable."


def test_an_estimator_that_explodes_on_extreme_numbers_fails(tested):
    frame, evaluation = cases(REGRESSION), cases(REGRESSION, seed=9)
    for rows in (frame, evaluation):
        rows["outcome"] = 100 * np.exp(0.005 * (rows["outcome"] - 100))
    inner = make_pipeline(encoded(), LinearRegression())
    estimator = TransformedTargetRegressor(inner, func=np.log, inverse_func=np.exp)
    estimator.fit(frame[list(INPUTS)], frame["outcome"])
    results = tested(REGRESSION, estimator, train=frame, evaluation=evaluation)
    assert failed(results) == {"unseen_values"}


def test_a_promise_that_is_not_kept_fails_latency(department, tested):
    lead = person(department, Role.LEAD)
    set_test(department, lead, NAMES[BINARY], "latency", parameters={"objective_ms": 0.001, "requests": 20})
    try:
        results = tested(BINARY)
    finally:
        set_test(department, lead, NAMES[BINARY], "latency", parameters={"requests": 20})
    assert failed(results) == {"latency"}


def test_a_feature_on_its_way_out_fails(department, tested):
    lead = person(department, Role.LEAD)
    create_entity(department, lead, name="customer", key_column="customer", description="A customer")
    create_feature_table(
        department,
        lead,
        name="customer",
        entity="customer",
        description="Of customers",
        owner=lead,
        features=[
            NewFeature(
                name="income", dtype="double", kind=FeatureKind.PRIMARY, description="a year", sources=["s"]
            ),
            NewFeature(
                name="age", dtype="int64", kind=FeatureKind.PRIMARY, description="in years", sources=["s"]
            ),
        ],
    )
    train = cases(BINARY, seed=10)
    assert failed(tested(BINARY, train=train)) == set()

    def retire(unit):
        from sqlmodel import select

        feature = unit.session.exec(select(Feature).where(Feature.name == "age")).one()
        feature.status = FeatureStatus.DEPRECATED

    department.store.bookkeep(lead, retire)
    results = tested(BINARY, train=cases(BINARY, seed=11))
    assert failed(results) == {"features_in_use"}
    assert results["features_in_use"].sentence == "1 of 2 features are on their way out: age is deprecated."
