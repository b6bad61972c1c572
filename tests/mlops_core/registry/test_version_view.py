"""One version with its lineage and history, and two versions side by side, as they were put in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from mlops_core.domain import Comparison, Feature, TestResult, TestRun
from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import FeatureKind, FeatureStatus, JobState, Stage, Verdict
from mlops_core.features import NewFeature, create_entity, create_feature_table, store_training_data
from mlops_core.registry import CommitState, NewVersion, move_version, register_version
from mlops_core.registry.cards import Card, write_card
from mlops_core.registry.evaluation_data import store_evaluation_data
from mlops_core.registry.facets import version_facets
from mlops_core.registry.side_by_side import side_by_side
from mlops_core.registry.tags import tag_model
from mlops_core.registry.version_activity import ActivityKind, version_activity
from mlops_core.registry.version_view import read_version
from tests.factories import COLUMNS, champion, new_model, new_version, population, promote

CARD = Card("Whom to call", "Not for new customers", ("region",), "Looked at by region")
START = datetime(2024, 12, 18, tzinfo=UTC)


def declare_features(workspace, scientist, *, predicted_by):
    """`income` as it was bought, and `age` as a model guesses it."""
    create_entity(workspace, scientist, name="customer", key_column="customer", description="Who buys")
    create_feature_table(
        workspace,
        scientist,
        name="customers",
        entity="customer",
        description="What is known of each",
        owner=scientist,
        features=[
            NewFeature("income", "float64", FeatureKind.PRIMARY, "Income", ("crm.income",)),
            NewFeature("age", "float64", FeatureKind.PREDICTION, "Age", model=predicted_by),
        ],
    )


def handed_over(workspace, scientist, **changes):
    """A version of `churn-risk` with everything that can be handed over."""
    frame = population(400, start=START, days=10)
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    estimator = LogisticRegression(C=0.5).fit(frame[list(COLUMNS)], frame["answer"])
    reference = frame[["predicted_at", *COLUMNS, "region"]].assign(
        prediction=estimator.predict_proba(frame[list(COLUMNS)])[:, 1]
    )
    new = NewVersion(
        estimator=estimator,
        columns=COLUMNS,
        snapshot=store_training_data(workspace, scientist, "churn-risk", rows),
        metrics={"roc_auc": (0.8, 100), "log_loss": (0.5, 100)},
        reference=pa.Table.from_pandas(reference, preserve_index=False),
        commit=CommitState("abc", dirty=True),
        importance={"income": 0.3, "age": 0.7},
        environment={"python": "3.11.9", "scikit-learn": "1.9.0"},
    )
    return register_version(workspace, scientist, "churn-risk", replace(new, **changes))


def evaluation_rows(rows=60):
    frame = population(rows, start=START, days=5, seed=9)
    frame["outcome"] = frame["answer"].astype(int)
    return pa.Table.from_pandas(frame[[*COLUMNS, "region", "outcome"]], preserve_index=False)


def test_a_version_shows_what_it_was_made_from(workspace, lead, scientist):
    new_model(workspace)
    champion(workspace, "age-guess")
    declare_features(workspace, scientist, predicted_by="age-guess")
    snapshot = store_evaluation_data(workspace, scientist, "churn-risk", evaluation_rows())
    handed_over(workspace, scientist, evaluation=snapshot, card=CARD)
    tag_model(workspace, lead, "churn-risk", "marketing")

    found = read_version(workspace, "churn-risk", 1)

    assert (found.label, found.stage, found.champion) == ("churn-risk:1", Stage.DEVELOPMENT, None)
    assert (found.owner, found.author) == (lead.full_name, scientist.full_name)
    assert found.evaluation is not None
    assert found.evaluation.id == snapshot.id
    assert [one.table_name for one in found.training] == ["training/churn-risk"]
    assert [(one.name, one.value, one.rows) for one in found.metrics] == [
        ("roc_auc", 0.8, 100),
        ("log_loss", 0.5, 100),
    ]
    assert found.metrics[0].snapshot == f"{snapshot.table_name}@{snapshot.version}"
    assert found.tags == ["marketing"]
    assert found.card is not None
    assert (found.card.intended_use, found.card.actor) == (CARD.intended_use, scientist.full_name)


def test_features_stand_by_importance_with_the_model_that_predicts_them(workspace, scientist):
    new_model(workspace)
    champion(workspace, "age-guess")
    declare_features(workspace, scientist, predicted_by="age-guess")
    handed_over(workspace, scientist)

    age, income = read_version(workspace, "churn-risk", 1).features

    assert (age.name, age.importance, age.predicted_by) == ("age", 0.7, ["age-guess"])
    assert (income.name, income.predicted_by, income.has_changed) == ("income", [], False)


def test_a_feature_that_was_defined_anew_since_is_told_apart(workspace, lead, scientist):
    new_model(workspace)
    champion(workspace, "age-guess")
    declare_features(workspace, scientist, predicted_by="age-guess")
    handed_over(workspace, scientist)

    def define_anew(unit):
        feature = unit.session.get(Feature, 1)
        feature.definition_version = 2
        feature.status = FeatureStatus.DEPRECATED
        unit.session.add(feature)
        unit.record("feature.changed", "feature", feature.name, "Defined anew")

    workspace.store.write(lead, define_anew)

    income = read_version(workspace, "churn-risk", 1).features[1]
    assert income.has_changed
    assert income.status == FeatureStatus.DEPRECATED


def test_a_model_shows_which_models_in_production_use_what_it_predicts(workspace, scientist):
    champion(workspace, "age-guess")
    declare_features(workspace, scientist, predicted_by="age-guess")
    model = new_model(workspace)
    trained = new_version(workspace, model)
    assert read_version(workspace, "age-guess", 1).used_by == []

    promote(workspace, trained)

    assert read_version(workspace, "age-guess", 1).used_by == ["churn-risk"]


def test_the_versions_of_a_model_can_be_chosen_the_newest_first(workspace):
    first = champion(workspace)
    new_version(workspace, first.model, seed=2)

    found = read_version(workspace, "churn-risk", 2)

    assert [(one.number, one.stage, one.is_champion) for one in found.choices] == [
        (2, Stage.DEVELOPMENT, False),
        (1, Stage.PRODUCTION, True),
    ]
    assert found.champion == 1
    assert not found.is_champion


@pytest.mark.parametrize(("model", "number"), [("gone", 1), ("churn-risk", 9)])
def test_what_is_not_there_is_said_by_name(workspace, model, number):
    champion(workspace)
    with pytest.raises(NotFound, match=f"{model}|{number}"):
        read_version(workspace, model, number)


def test_side_by_side_what_differs_stands_first(workspace, scientist):
    new_model(workspace)
    handed_over(workspace, scientist)
    handed_over(
        workspace,
        scientist,
        columns=["age"],
        estimator=LogisticRegression(C=2.0).fit(population(50, start=START, days=2)[["age"]], [0, 1] * 25),
        importance={"age": 1.0},
        environment={"python": "3.11.9", "scikit-learn": "1.8.0", "lightgbm": "4.6.0"},
        metrics={"roc_auc": (0.7, 50)},
    )

    found = side_by_side(workspace, "churn-risk", 2, "churn-risk", 1)

    assert found.hyper_parameters[0].name == "C"
    assert (found.hyper_parameters[0].first, found.hyper_parameters[0].second) == ("2.0", "0.5")
    assert [pair.differs for pair in found.hyper_parameters] == sorted(
        (pair.differs for pair in found.hyper_parameters), reverse=True
    )
    assert [(one.name, one.first, one.second) for one in found.environment] == [
        ("lightgbm", "4.6.0", ""),
        ("scikit-learn", "1.8.0", "1.9.0"),
        ("python", "3.11.9", "3.11.9"),
    ]
    assert (found.only_first, found.only_second, found.both) == ([], ["income"], ["age"])
    assert found.metrics == [("roc_auc", "held-out", 0.7, 0.8), ("log_loss", "held-out", None, 0.5)]


def test_the_history_of_a_version_says_who_did_what_newest_first(workspace, lead, scientist):
    first = champion(workspace)
    second = new_version(workspace, first.model, seed=2)
    move_version(workspace, scientist, "churn-risk", 2, Stage.CANDIDATE)
    write_card(workspace, scientist, "churn-risk", 2, CARD)
    later = workspace.clock.now() + timedelta(hours=1)

    def test_and_compare(unit):
        run = unit.add(
            TestRun(
                model_version_id=second.version.id,
                actor_id=lead.id,
                state=JobState.SUCCEEDED,
                started_at=later,
                finished_at=later,
            )
        )
        for test, status in (("a", "passed"), ("b", "passed"), ("c", "failed"), ("d", "skipped")):
            unit.add(
                TestResult(
                    test_run_id=run.id, test=test, status=status, sentence="So.", seconds=0.1, at=later
                )
            )
        unit.add(
            Comparison(
                challenger_id=second.version.id,
                champion_id=first.version.id,
                snapshot_id=second.version.snapshot_id,
                actor_id=lead.id,
                metric="roc_auc",
                challenger_value=0.8,
                champion_value=0.82,
                difference=-0.02,
                lower=-0.03,
                upper=-0.01,
                rows=100,
                verdict=Verdict.WORSE_IN_SEGMENT,
                segment="region=north",
                at=later + timedelta(hours=1),
            )
        )
        unit.record("version.judged", "model version", "churn-risk:2", "Judged")

    workspace.store.write(lead, test_and_compare)

    steps = version_activity(workspace, "churn-risk", 2)

    assert [(one.kind, one.actor) for one in steps[:2]] == [
        (ActivityKind.COMPARISON, lead.full_name),
        (ActivityKind.TESTS, lead.full_name),
    ]
    assert steps[0].sentence == "Compared with v1: worse than it where region is north"
    assert steps[1].sentence == "Tested: 2 passed, 1 failed, 1 skipped"
    assert {one.sentence for one in steps[2:]} == {
        "Moved to stage candidate",
        "Registered, in stage development",
        "Model card written",
    }
    assert all(one.actor == scientist.full_name for one in steps[2:])
    assert steps[-1].sentence == "Registered, in stage development"  # all on a clock that stands
    assert len(version_activity(workspace, "churn-risk", 1)) == 4  # registered, candidate, approved, promoted


def test_versions_can_be_filtered_by_what_there_is(workspace, lead, scientist):
    new_model(workspace)
    champion(workspace, "age-guess")
    declare_features(workspace, scientist, predicted_by="age-guess")
    assert version_facets(workspace).features == []

    handed_over(workspace, scientist)
    tag_model(workspace, lead, "churn-risk", "marketing")

    found = version_facets(workspace)
    assert found.owners == [lead.full_name]
    assert found.tags == ["marketing"]
    assert found.features == ["age", "income"]
