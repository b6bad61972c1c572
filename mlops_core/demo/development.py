"""What the demo's data scientists try out in the last weeks: ten updates and ten new models.

Each trial says what its author changed and why. Whether it is sound, and better than what is in production,
is declared nowhere: the registry's tests and comparisons find out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sklearn.base import BaseEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mlops_core.demo.estimators import balanced_classifier, boosted_classifier, boosted_regressor
from mlops_core.demo.recipes import ACTIVITY, DISCOUNTS, METRICS, MIX, Recipe, recipes
from mlops_core.demo.scenario import Scenario
from mlops_core.demo.targets import SPEND_DEPARTMENTS
from mlops_core.domain.states import ProblemType

__all__ = ["Trial", "trials"]

_HELD_OUT_WEEKS = 4
_FIRST_WEEK = 9


@dataclass(frozen=True, slots=True)
class Trial:
    """One version that a data scientist trains in the last weeks.

    Parameters
    ----------
    recipe
        How it is made; `at` gives it the weeks.
    is_update
        Whether its model is in production.
    weeks_before_end
        How many weeks before the last one it is trained.
    reason
        Why its author tried it.
    training_weeks
        Weeks of training data at most.
    protected_attributes
        Columns whose groups the author says were looked at.
    champion_features
        What the version in production reads: the evaluation must hold it, for it is asked too.
    trains_on_everything
        Whether the author forgot to hold the evaluation weeks out.
    """

    recipe: Recipe
    is_update: bool
    weeks_before_end: int
    reason: str
    training_weeks: int = 26
    protected_attributes: tuple[str, ...] = ()
    champion_features: tuple[str, ...] = ()
    trains_on_everything: bool = False

    def at(self, week: int) -> Recipe:
        """Return the recipe as it is trained at the end of a week, with the outcomes that are known then."""
        last = week - self.recipe.horizon_weeks
        held_out = range(max(last - _HELD_OUT_WEEKS + 1, _FIRST_WEEK + 1), last + 1)
        last_training = last if self.trains_on_everything else held_out.start - self.recipe.horizon_weeks
        first = max(_FIRST_WEEK, last_training - self.training_weeks + 1)
        return replace(self.recipe, training_weeks=range(first, last_training + 1), held_out_weeks=held_out)


def trials(scenario: Scenario) -> tuple[Trial, ...]:
    """Return the twenty trials, in the order in which they are trained."""
    production = {made.name: made for made in recipes(scenario)}
    return (*_updates(production), *_new_models(scenario))


def _updates(production: dict[str, Recipe]) -> tuple[Trial, ...]:
    def update(
        name: str,
        weeks_before_end: int,
        reason: str,
        *,
        more: Sequence[str] = (),
        features: Sequence[str] = (),
        builder: Callable[[Sequence[str]], BaseEstimator] | None = None,
        training_weeks: int = 26,
        protected: tuple[str, ...] = (),
        trains_on_everything: bool = False,
    ) -> Trial:
        made = production[name]
        changed = replace(
            made,
            features=tuple(dict.fromkeys((*(features or made.features), *more))),
            builder=builder or made.builder,
        )
        return Trial(
            changed,
            True,
            weeks_before_end,
            reason,
            training_weeks,
            protected,
            made.features,
            trains_on_everything,
        )

    return (
        update(
            "customer-loyalty",
            2,
            "Trees instead of a linear model: do households shop in ways that a sum cannot tell?",
            builder=boosted_classifier,
            protected=("age",),
        ),
        update(
            "churn-risk",
            2,
            "Trained again on the last half-year, with trees",
            builder=boosted_classifier,
            protected=("age", "marital_status"),
        ),
        update(
            "coupon-redemption",
            2,
            "Groceries and the size of the household were missing",
            more=("share_grocery_8w", "household_size"),
        ),
        update("private-label-affinity", 1, "Trained again: the champion knows nothing after May"),
        update(
            "spend-forecast",
            1,
            "Age, children and own brands may tell who spends more in winter",
            more=("age", "kids", "private_label_share_8w"),
        ),
        update(
            "discount-affinity",
            1,
            "Trained on every week that there is, the newest included",
            trains_on_everything=True,
        ),
        update(
            "propensity-to-buy-meat",
            1,
            "Only how often and how much: a model that is easier to explain",
            features=ACTIVITY,
        ),
        update(
            "propensity-to-buy-fuel",
            0,
            "Ask the hundred most similar households",
            features=ACTIVITY,
            builder=_neighbours,
        ),
        update(
            "propensity-to-buy-cosmetics",
            0,
            "Cosmetics are bought seldom: forty weeks instead of thirteen",
            training_weeks=40,
        ),
        update(
            "propensity-to-buy-deli",
            0,
            "Buyers weigh as much as the others, so that fewer are missed",
            builder=balanced_classifier,
        ),
    )


def _new_models(scenario: Scenario) -> tuple[Trial, ...]:
    def new(
        name: str,
        target: str,
        description: str,
        owner: str,
        weeks_before_end: int,
        *,
        problem_type: ProblemType = ProblemType.BINARY,
        more: Sequence[str] = (),
    ) -> Trial:
        is_binary = problem_type == ProblemType.BINARY
        made = Recipe(
            name=name,
            description=description,
            owner=owner,
            problem_type=problem_type,
            features=(*ACTIVITY, *DISCOUNTS, *more),
            target=target,
            horizon_weeks=4,
            primary_metric=METRICS[problem_type],
            latency_objective_ms=scenario.latency_objective_ms(name),
            segment_columns=scenario.segments(name),
            training_weeks=range(0),
            held_out_weeks=range(0),
            depends_on=(),
            builder=boosted_classifier if is_binary else boosted_regressor,
        )
        return Trial(made, False, weeks_before_end, "A first version: is there anything to learn?")

    lucia, arjun, sofia = "lucia.ferrero", "arjun.mehta", "sofia.nowak"
    forecasts = tuple(
        new(
            f"{name}-forecast",
            f"spend_{name}_next_4w",
            f"Dollars a household will spend on {title} in the next 4 weeks: what to order",
            arjun if name in ("produce", "meat") else sofia,
            number % 3,
            problem_type=ProblemType.REGRESSION,
            more=MIX,
        )
        for number, (name, title) in enumerate(SPEND_DEPARTMENTS.items())
    )
    return (
        new(
            "weekly-shopper",
            "shops_every_week_next_4w",
            "How likely a household is to shop in each of the next 4 weeks: who is a regular",
            lucia,
            2,
        ),
        new(
            "high-spender",
            "spends_200_next_4w",
            "How likely a household is to spend 200 dollars in the next 4 weeks: whom to treat well",
            lucia,
            2,
        ),
        new(
            "frequent-baskets",
            "brings_8_baskets_next_4w",
            "How likely a household is to bring 8 receipts in the next 4 weeks: who needs a faster checkout",
            sofia,
            1,
        ),
        new(
            "coupon-enthusiast",
            "uses_3_coupons_next_4w",
            "How likely a household is to use 3 coupons in the next 4 weeks: who gets the booklet",
            lucia,
            1,
        ),
        new(
            "discount-forecast",
            "saves_next_4w",
            "Dollars a household will save through discounts in the next 4 weeks: the cost of the promotions",
            sofia,
            0,
            problem_type=ProblemType.REGRESSION,
        ),
        new(
            "own-brand-forecast",
            "own_brands_next_4w",
            "Dollars a household will spend on own brands in the next 4 weeks: what to produce",
            sofia,
            0,
            problem_type=ProblemType.REGRESSION,
        ),
        *forecasts,
    )


def _neighbours(_: Sequence[str]) -> BaseEstimator:
    return Pipeline([("scale", StandardScaler()), ("model", KNeighborsClassifier(n_neighbors=100))])
