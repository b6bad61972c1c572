"""Recipes keep the future out of training, learn, score what they promise, and survive storage."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from skops import io as skops_io
from threadpoolctl import threadpool_limits

from mlops_core.demo.estimators import CATEGORIES, SEGMENTS, name_segments
from mlops_core.demo.household_features import FEATURE_TABLES, build_feature_tables
from mlops_core.demo.purchases import load_purchases
from mlops_core.demo.recipes import SEGMENT, SEGMENTATION, Recipe, predict, recipe, recipes, train
from mlops_core.demo.scenario import load_scenario
from mlops_core.demo.targets import TARGETS, all_targets
from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import ProblemType, Role
from tests.purchases import completejourney

completejourney()

RECIPES = recipes()
FEATURE_TYPES = {feature.name: feature.dtype for table in FEATURE_TABLES for feature in table.features} | {
    SEGMENT.name: SEGMENT.dtype
}
each_recipe = pytest.mark.parametrize("made", RECIPES, ids=lambda made: made.name)


@pytest.fixture(scope="module")
def frame() -> Iterator[pd.DataFrame]:
    """Features, segment and outcomes of the first half of the year."""
    purchases = load_purchases()
    tables = [
        table.to_pandas().drop(columns="as_of") for table in build_feature_tables(purchases, 9, 25).values()
    ]
    joined = tables[0]
    for table in tables[1:]:
        joined = joined.merge(table, on=["household_id", "week"], validate="one_to_one")
    for name, outcome in all_targets(purchases, range(9, 26)).items():
        column = outcome.to_pandas().drop(columns="known_week").rename(columns={"outcome": name})
        joined = joined.merge(column, on=["household_id", "week"], validate="one_to_one")
    segmentation = recipe(SEGMENTATION)
    with threadpool_limits(1):
        joined[SEGMENT.name] = predict(segmentation, fitted(segmentation, joined), joined)
        yield joined


def fitted(made: Recipe, frame: pd.DataFrame, households: int | None = None) -> object:
    rows = frame[frame.week.isin(made.training_weeks)]
    if households is not None:
        rows = rows[rows.household_id % 2500 < households]
    return train(made, rows, None if made.target is None else rows[made.target])


def held_out(made: Recipe, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.week.isin(made.held_out_weeks)]


def test_there_are_22_models_with_14_propensities() -> None:
    names = [made.name for made in RECIPES]

    assert len(set(names)) == len(names) == 22
    assert sum(name.startswith("propensity-to-buy-") for name in names) == 14
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@each_recipe
def test_no_outcome_of_training_is_younger_than_the_first_test(made: Recipe) -> None:
    last_known = max(made.training_weeks) + made.horizon_weeks

    assert last_known <= min(made.held_out_weeks)
    assert max(made.held_out_weeks) + made.horizon_weeks <= 26
    assert min(made.training_weeks) >= 9


@each_recipe
def test_a_recipe_uses_declared_features_and_targets(made: Recipe) -> None:
    horizons = {target.name: (target.horizon_weeks, target.kind) for target in TARGETS}

    assert len(set(made.features)) == len(made.features)
    assert set(made.features) <= set(FEATURE_TYPES)
    if made.problem_type == ProblemType.CLUSTERING:
        assert (made.target, made.primary_metric, made.horizon_weeks) == (None, None, 0)
    else:
        assert made.target is not None
        assert horizons[made.target] == (made.horizon_weeks, made.problem_type)
        assert made.primary_metric is not None


def test_no_target_is_called_like_a_feature() -> None:
    assert not {target.name for target in TARGETS} & set(FEATURE_TYPES)


@each_recipe
def test_a_recipe_has_an_owner_a_promise_and_segments_of_words(made: Recipe) -> None:
    makers = {actor.name for actor in load_scenario().actors if actor.role == Role.DATA_SCIENTIST}

    assert made.owner in makers
    assert made.description
    assert made.latency_objective_ms > 0
    assert all(FEATURE_TYPES[column] == "string" for column in made.segment_columns)


def test_every_feature_is_used_by_a_model() -> None:
    used = {feature for made in RECIPES for feature in made.features}

    assert used == set(FEATURE_TYPES)


def test_every_word_feature_declares_its_values(frame: pd.DataFrame) -> None:
    words = {name for name, dtype in FEATURE_TYPES.items() if dtype == "string"}

    assert words == set(CATEGORIES)
    for name in words:
        assert set(frame[name]) == set(CATEGORIES[name])


def test_a_model_comes_after_those_it_depends_on() -> None:
    order = [made.name for made in RECIPES]
    dependent = [made for made in RECIPES if made.depends_on]

    assert {made.name for made in dependent} >= {"coupon-redemption"}
    for made in dependent:
        assert all(order.index(name) < order.index(made.name) for name in made.depends_on)


@each_recipe
def test_a_recipe_trained_on_few_households_survives_storage(made: Recipe, frame: pd.DataFrame) -> None:
    estimator = fitted(made, frame, households=600)
    rows = held_out(made, frame)
    scores = predict(made, estimator, rows)
    data = skops_io.dumps(estimator)
    untrusted = skops_io.get_untrusted_types(data=data)
    restored = predict(made, skops_io.loads(data, trusted=untrusted), rows)

    assert all(name.startswith(("sklearn.", "numpy.", "scipy.")) for name in untrusted)
    assert scores.shape == (len(rows),)
    assert (restored == scores).all()
    if made.problem_type == ProblemType.BINARY:
        assert 0 <= scores.min() < scores.max() <= 1
    elif made.problem_type == ProblemType.REGRESSION:
        assert np.isfinite(scores).all()
    else:
        assert set(scores) == set(SEGMENTS)
        assert all(type(score) is str for score in scores)


@each_recipe
def test_a_model_beats_ignorance_on_held_out_weeks(made: Recipe, frame: pd.DataFrame) -> None:
    rows = held_out(made, frame)
    scores = predict(made, fitted(made, frame), rows)

    if made.problem_type == ProblemType.BINARY:
        assert roc_auc_score(rows[made.target], scores) > 0.7
        assert scores.mean() == pytest.approx(rows[made.target].mean(), rel=0.2, abs=0.01)
    elif made.problem_type == ProblemType.REGRESSION:
        assert ((rows[made.target] - scores) ** 2).mean() < 0.4 * rows[made.target].var()
    else:
        spend = rows.groupby(scores).spend_8w.mean()
        assert list(spend.sort_values(ascending=False).index) == list(SEGMENTS)
        assert rows.groupby(scores).size().min() > 0.1 * len(rows)


@pytest.mark.parametrize("name", ["customer-loyalty", "coupon-redemption", "customer-segmentation"])
def test_training_twice_gives_the_same_model(name: str, frame: pd.DataFrame) -> None:
    made = recipe(name)
    rows = held_out(made, frame)

    once, twice = (predict(made, fitted(made, frame), rows) for _ in range(2))

    assert (once == twice).all()


def test_the_nearest_centre_gives_the_segment_that_k_means_found(frame: pd.DataFrame) -> None:
    made = recipe(SEGMENTATION)
    rows = frame[frame.week.isin(made.training_weeks)][list(made.features)]

    assert (predict(made, train(made, rows), rows) == name_segments(rows)).all()


@pytest.mark.parametrize("name", ["customer-loyalty", "coupon-redemption"])
@pytest.mark.parametrize("strange", ["60-64K", None])
def test_a_word_that_training_never_saw_still_gets_a_score(
    name: str, strange: str | None, frame: pd.DataFrame
) -> None:
    made = recipe(name)
    rows = held_out(made, frame).head(50).copy()
    for word in set(CATEGORIES) & set(made.features):
        rows[word] = pd.Series(strange, index=rows.index, dtype="str")

    scores = predict(made, fitted(made, frame, households=600), rows)

    assert np.isfinite(scores.astype(float)).all()


def test_an_unknown_model_is_refused_with_the_list_of_models() -> None:
    with pytest.raises(NotFound, match=r"no model 'churn': choose one of customer-segmentation"):
        recipe("churn")
