from datetime import UTC, datetime

import pytest
from sqlmodel import select

from mlops_core.clock import FixedClock
from mlops_core.domain import Feature, FeatureInput, FeatureTable
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import FeatureKind, Role
from mlops_core.features import NewFeature, create_entity, create_feature_table
from mlops_core.features.catalogue import find_feature_table, find_features
from mlops_core.features.search import feature_news, search_features
from tests.factories import champion, new_model, person

SPEND = NewFeature("spend", "float64", FeatureKind.DERIVED, "Spend in 8 weeks", ("sales.value", "sales.week"))
SIZE = NewFeature("size", "int64", FeatureKind.PRIMARY, "People in the household", ("crm.people",))


@pytest.fixture
def entity(workspace, scientist):
    return create_entity(
        workspace, scientist, name="household", key_column="household_id", description="A household"
    )


def declare(workspace, actor, *features, name="behaviour", **changes):
    asked = {"entity": "household", "description": "What they do", "owner": actor}
    return create_feature_table(workspace, actor, name=name, features=features, **(asked | changes))


def tables(workspace):
    with workspace.store.read() as session:
        return [table.name for table in session.exec(select(FeatureTable))]


def test_a_declared_table_is_found_with_its_entity_and_its_features_in_order(workspace, scientist, entity):
    declare(workspace, scientist, SPEND, SIZE)
    with workspace.store.read() as session:
        table, found, features = find_feature_table(session, "behaviour")
        inputs = session.exec(select(FeatureInput).order_by(FeatureInput.id)).all()
    assert (table.name, table.owner_id, found) == ("behaviour", scientist.id, entity)
    assert [(one.name, one.dtype, one.kind, one.status) for one in features] == [
        ("spend", "float64", "derived", "active"),
        ("size", "int64", "primary", "active"),
    ]
    assert [one.source_column for one in inputs] == ["sales.value", "sales.week", "crm.people"]


def test_features_are_found_in_the_order_of_their_names(workspace, scientist, entity):
    declare(workspace, scientist, SPEND, SIZE)
    with workspace.store.read() as session:
        found = find_features(session, ["size", "spend"])
    assert [(feature.name, table.name) for feature, table in found] == [
        ("size", "behaviour"),
        ("spend", "behaviour"),
    ]


def test_features_that_do_not_exist_are_named(workspace, scientist, entity):
    declare(workspace, scientist, SPEND)
    with workspace.store.read() as session:
        with pytest.raises(NotFound, match="no features named height, weight"):
            find_features(session, ["spend", "height", "weight"])
        with pytest.raises(NotFound, match="no feature table 'none'"):
            find_feature_table(session, "none")


@pytest.mark.parametrize("kind", [FeatureKind.PRIMARY, FeatureKind.DERIVED])
def test_a_feature_without_its_source_columns_is_refused(workspace, scientist, entity, kind):
    with pytest.raises(InvalidInput, match="'spend' needs the source columns"):
        declare(workspace, scientist, NewFeature("spend", "float64", kind, "Spend"))
    assert tables(workspace) == []


def test_a_prediction_without_its_model_is_refused(workspace, scientist, entity):
    score = NewFeature("score", "float64", FeatureKind.PREDICTION, "Score", ("x.y",))
    with pytest.raises(InvalidInput, match="'score' is a prediction: name the model"):
        declare(workspace, scientist, score)
    assert tables(workspace) == []


def test_a_prediction_of_a_model_that_does_not_exist_is_refused_whole(workspace, scientist, entity):
    score = NewFeature("score", "float64", FeatureKind.PREDICTION, "Score", (), "none")
    with pytest.raises(NotFound, match="no model 'none'"):
        declare(workspace, scientist, SPEND, score)
    assert tables(workspace) == []
    with workspace.store.read() as session:
        assert session.exec(select(Feature)).all() == []


def test_a_prediction_is_tied_to_its_model(workspace, scientist, entity):
    model = new_model(workspace)
    score = NewFeature("score", "float64", FeatureKind.PREDICTION, "Score", (), "churn-risk")
    declare(workspace, scientist, score)
    with workspace.store.read() as session:
        (found,) = session.exec(select(FeatureInput)).all()
    assert (found.model_id, found.source_column) == (model.id, None)


def test_names_that_are_taken_are_refused(workspace, scientist, entity):
    declare(workspace, scientist, SPEND, SIZE)
    with pytest.raises(Conflict, match="already a feature table 'behaviour'"):
        declare(workspace, scientist, NewFeature("new", "int64", FeatureKind.PRIMARY, "New", ("a.b",)))
    with pytest.raises(Conflict, match="already features named size, spend: reuse them"):
        declare(workspace, scientist, SIZE, SPEND, name="other")
    with pytest.raises(Conflict, match="already an entity 'household'"):
        create_entity(workspace, scientist, name="household", key_column="id", description="Again")
    assert tables(workspace) == ["behaviour"]


@pytest.mark.parametrize("name", ["", "a b", "../escape", "a/b", "1st", "as_of"])
def test_a_name_that_is_no_identifier_is_refused(workspace, scientist, entity, name):
    with pytest.raises(InvalidInput, match="cannot name"):
        declare(workspace, scientist, SPEND, name=name)
    with pytest.raises(InvalidInput, match="cannot name"):
        declare(workspace, scientist, NewFeature(name, "int64", FeatureKind.PRIMARY, "X", ("a.b",)))
    assert tables(workspace) == []


def test_a_feature_that_is_declared_twice_or_is_the_key_is_refused(workspace, scientist, entity):
    with pytest.raises(InvalidInput, match="declares 'spend' twice"):
        declare(workspace, scientist, SPEND, SIZE, SPEND)
    key = NewFeature("household_id", "int64", FeatureKind.PRIMARY, "The key", ("crm.id",))
    with pytest.raises(InvalidInput, match="'household_id' is the key"):
        declare(workspace, scientist, key)


def test_a_type_that_arrow_does_not_know_is_refused(workspace, scientist, entity):
    wrong = NewFeature("spend", "money", FeatureKind.PRIMARY, "Spend", ("sales.value",))
    with pytest.raises(InvalidInput, match="type 'money', which Arrow does not know"):
        declare(workspace, scientist, wrong)


def test_a_table_of_an_entity_that_does_not_exist_is_refused(workspace, scientist):
    with pytest.raises(NotFound, match="no entity 'household': create it first"):
        declare(workspace, scientist, SPEND)


@pytest.mark.parametrize("role", [Role.DIRECTOR, Role.EXECUTIVE])
def test_who_only_looks_on_may_declare_nothing(workspace, scientist, entity, role):
    with pytest.raises(NotPermitted, match="may not create a feature table"):
        declare(workspace, person(workspace, role), SPEND)
    with pytest.raises(NotPermitted, match="may not create an entity"):
        create_entity(workspace, person(workspace, role), name="x", key_column="x", description="X")


# ── search ───────────────────────────────────────────────────────────────────────────────────────


def test_a_feature_is_found_by_words_of_its_name_description_table_or_source(workspace, scientist, entity):
    declare(workspace, scientist, SPEND, SIZE)
    for text in ("spend", "WEEKS spend", "sales.week", "derived"):
        assert [line.name for line in search_features(workspace, text)] == ["spend"]
    assert [line.name for line in search_features(workspace, "behaviour")] == ["size", "spend"]
    assert [line.name for line in search_features(workspace)] == ["size", "spend"]
    assert search_features(workspace, "spend people") == []


def test_a_found_feature_says_where_it_comes_from_and_which_production_models_use_it(
    workspace, scientist, entity
):
    income = NewFeature("income", "float64", FeatureKind.PRIMARY, "Income", ("crm.income",))
    score = NewFeature("score", "float64", FeatureKind.PREDICTION, "Score", (), "basket-value")
    new_model(workspace, "basket-value")
    declare(workspace, scientist, income, score)
    champion(workspace)
    lines = {line.name: line for line in search_features(workspace)}
    assert (lines["income"].sources, lines["income"].used_by) == (["crm.income"], ["churn-risk"])
    assert (lines["score"].sources, lines["score"].used_by) == (["model basket-value"], [])
    assert (lines["income"].entity, lines["income"].owner) == ("household", scientist.full_name)


def test_news_tell_what_was_declared_newest_first(workspace, scientist, entity):
    workspace.store.clock = FixedClock(datetime(2025, 4, 1, tzinfo=UTC))
    declare(workspace, scientist, SPEND)
    news = feature_news(workspace)
    assert [item.table for item in news] == ["behaviour", "household"]
    assert news[0].summary == "Feature table behaviour was created with 1 features"
    assert (news[0].at, news[0].actor) == (datetime(2025, 4, 1, tzinfo=UTC), scientist.full_name)
