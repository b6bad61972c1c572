"""The demo's 22 models: what each predicts, for whom, from what, and how it is trained.

Models are trained on the first half of the year: every outcome that training or testing uses is known by
week 26. `recipes` gives them in the order of training: a model comes after those whose predictions it uses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sklearn.base import BaseEstimator

from mlops_core.demo.departments import DEPARTMENTS, Department
from mlops_core.demo.estimators import (
    boosted_classifier,
    boosted_regressor,
    linear_classifier,
    segment_classifier,
)
from mlops_core.demo.feature_tables import Feature
from mlops_core.demo.scenario import Scenario, load_scenario
from mlops_core.demo.training import Recipe, predict, train
from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import FeatureKind, ProblemType

__all__ = [
    "ACTIVITY",
    "DISCOUNTS",
    "METRICS",
    "MIX",
    "SEGMENT",
    "SEGMENTATION",
    "Recipe",
    "predict",
    "recipe",
    "recipes",
    "train",
]

SEGMENTATION = "customer-segmentation"
SEGMENT = Feature(
    "segment",
    "string",
    "Customer segment: top, regular, occasional or lapsed, by spend, frequency and recency",
    FeatureKind.PREDICTION,
    (SEGMENTATION,),
)
"""The feature that the segmentation's predictions become; kept apart from `FEATURE_TABLES`."""

_CUSTOMER_VALUE = "lucia.ferrero"
_FRESH = "arjun.mehta"
_STORE = "sofia.nowak"
_FRESH_DEPARTMENTS = {"produce", "meat", "deli", "pastry", "salad_bar", "floral", "seafood"}

_TRAINING_WEEKS = {0: range(9, 16), 1: range(9, 22), 4: range(9, 16)}
_HELD_OUT_WEEKS = {0: range(19, 23), 1: range(22, 26), 4: range(19, 23)}
"""By horizon. The last training outcome is known when the first held-out week ends, no later."""

ACTIVITY = (
    "recency_weeks",
    "weeks_shopped_4w",
    "weeks_shopped_8w",
    "baskets_4w",
    "spend_4w",
    "spend_8w",
    "basket_value_8w",
)
DISCOUNTS = ("discount_share_8w", "private_label_share_8w", "coupons_used_8w")
MIX = tuple(f"share_{department.name}_8w" for department in DEPARTMENTS)
METRICS = {
    ProblemType.BINARY: "roc_auc",
    ProblemType.REGRESSION: "rmse",
    ProblemType.CLUSTERING: None,
}


@dataclass(frozen=True, slots=True)
class _Idea:
    """The part of a recipe that no rule or scenario gives."""

    name: str
    description: str
    owner: str
    features: tuple[str, ...]
    target: str | None
    builder: Callable[[Sequence[str]], BaseEstimator]
    problem_type: ProblemType = ProblemType.BINARY
    horizon_weeks: int = 4


def recipes(scenario: Scenario | None = None) -> tuple[Recipe, ...]:
    """Return the recipes, in the order of training.

    Parameters
    ----------
    scenario
        Gives latency objectives and segments; the one that ships with Bigboard by default.

    Returns
    -------
    tuple of Recipe
        22 recipes: the segmentation, 7 customer models, 14 propensities to buy.

    Raises
    ------
    NotFound, InvalidInput
        When the scenario cannot be read.
    """
    scenario = load_scenario() if scenario is None else scenario
    return tuple(_recipe(idea, scenario) for idea in (*_CUSTOMER_MODELS, *map(_propensity, DEPARTMENTS)))


def recipe(name: str) -> Recipe:
    """Return one recipe by the name of its model.

    Parameters
    ----------
    name
        Name of the model.

    Returns
    -------
    Recipe
        As in `recipes`.

    Raises
    ------
    NotFound
        When there is none.
    """
    for candidate in recipes():
        if candidate.name == name:
            return candidate
    raise NotFound(f"the demo has no model '{name}': choose one of {', '.join(r.name for r in recipes())}")


def _recipe(idea: _Idea, scenario: Scenario) -> Recipe:
    return Recipe(
        name=idea.name,
        description=idea.description,
        owner=idea.owner,
        problem_type=idea.problem_type,
        features=idea.features,
        target=idea.target,
        horizon_weeks=idea.horizon_weeks,
        primary_metric=METRICS[idea.problem_type],
        latency_objective_ms=scenario.latency_objective_ms(idea.name),
        segment_columns=scenario.segments(idea.name),
        training_weeks=_TRAINING_WEEKS[idea.horizon_weeks],
        held_out_weeks=_HELD_OUT_WEEKS[idea.horizon_weeks],
        depends_on=SEGMENT.sources if SEGMENT.name in idea.features else (),
        builder=idea.builder,
    )


def _propensity(department: Department) -> _Idea:
    return _Idea(
        f"propensity-to-buy-{department.name.replace('_', '-')}",
        f"How likely a household is to buy {department.title} next week: who gets the department's offer",
        _FRESH if department.name in _FRESH_DEPARTMENTS else _STORE,
        (*ACTIVITY, *DISCOUNTS, *MIX),
        f"buys_{department.name}_next_1w",
        linear_classifier if department.name == "grocery" else boosted_classifier,
        horizon_weeks=1,
    )


_CUSTOMER_MODELS = (
    _Idea(
        SEGMENTATION,
        "Sorts households into top, regular, occasional and lapsed customers; other models build on it",
        _CUSTOMER_VALUE,
        ("recency_weeks", "weeks_shopped_8w", "baskets_4w", "spend_8w"),
        None,
        lambda features: segment_classifier(),
        ProblemType.CLUSTERING,
        horizon_weeks=0,
    ),
    _Idea(
        "customer-loyalty",
        "How likely a household is to shop in at least 3 of the next 4 weeks: whom to reward",
        _CUSTOMER_VALUE,
        (*ACTIVITY, "share_grocery_8w", "share_fuel_8w", "age", "household_size"),
        "shops_3_of_next_4w",
        linear_classifier,
    ),
    _Idea(
        "churn-risk",
        "How likely a household is to stay away for the next 4 weeks: whom to win back",
        _CUSTOMER_VALUE,
        (*ACTIVITY, "discount_share_8w", "age", "marital_status"),
        "shops_never_next_4w",
        linear_classifier,
    ),
    _Idea(
        "coupon-redemption",
        "How likely a household is to use a coupon in the next 4 weeks: where coupons are not wasted",
        _CUSTOMER_VALUE,
        (*ACTIVITY, *DISCOUNTS, "share_drugstore_8w", "income", "kids", SEGMENT.name),
        "uses_coupon_next_4w",
        boosted_classifier,
    ),
    _Idea(
        "spend-forecast",
        "Dollars a household will spend in the next 4 weeks: the basis of the sales plan",
        _CUSTOMER_VALUE,
        (*ACTIVITY, "share_grocery_8w", "share_fuel_8w", "income", "household_size"),
        "spend_next_4w",
        boosted_regressor,
        ProblemType.REGRESSION,
    ),
    _Idea(
        "basket-forecast",
        "Receipts a household will bring in the next 4 weeks: the basis of the staffing plan",
        _STORE,
        (*ACTIVITY, "share_grocery_8w", "household_size", "kids"),
        "baskets_next_4w",
        lambda features: boosted_regressor(features, loss="poisson"),
        ProblemType.REGRESSION,
    ),
    _Idea(
        "private-label-affinity",
        "How likely own brands are to make a third of a household's next 4 weeks: who hears of new ones",
        _STORE,
        (*ACTIVITY, *DISCOUNTS, "share_fuel_8w", "income", "home_ownership"),
        "prefers_private_label_next_4w",
        boosted_classifier,
    ),
    _Idea(
        "discount-affinity",
        "How likely a household is to save a fifth through discounts in the next 4 weeks: who needs no more",
        _STORE,
        (*ACTIVITY, *DISCOUNTS, "income", SEGMENT.name),
        "seeks_discounts_next_4w",
        boosted_classifier,
    ),
)
