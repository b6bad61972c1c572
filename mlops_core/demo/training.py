"""What a recipe is, and how its model is trained and asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from mlops_core.demo.estimators import name_segments
from mlops_core.domain.states import ProblemType

__all__ = ["Recipe", "predict", "train"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model of the demo is made.

    Parameters
    ----------
    name
        Name of the model.
    description
        What it is for, in a director's words.
    owner
        Name of the actor who owns it, from the scenario.
    problem_type
        What it predicts.
    features
        The columns of its frame, in order.
    target
        Name of its target in `TARGETS`; None for a clustering, which has no outcome.
    horizon_weeks
        Weeks that the target looks ahead; 0 without a target.
    primary_metric
        The statistic that judges it; None without a target.
    latency_objective_ms
        The 95th percentile of response times that it promises, in milliseconds.
    segment_columns
        Features by whose values its figures are kept apart, each alone.
    training_weeks, held_out_weeks
        Weeks whose features, with their outcomes, train and test it.
    depends_on
        Names of the models whose predictions are among the features.
    builder
        Makes the unfitted estimator for the features.
    """

    name: str
    description: str
    owner: str
    problem_type: ProblemType
    features: tuple[str, ...]
    target: str | None
    horizon_weeks: int
    primary_metric: str | None
    latency_objective_ms: float
    segment_columns: tuple[str, ...]
    training_weeks: range
    held_out_weeks: range
    depends_on: tuple[str, ...]
    builder: Callable[[Sequence[str]], BaseEstimator] = field(repr=False)

    def build(self) -> BaseEstimator:
        """Return the unfitted estimator; `train` fits it."""
        return self.builder(self.features)


def train(recipe: Recipe, frame: pd.DataFrame, outcome: npt.ArrayLike | None = None) -> BaseEstimator:
    """Fit a recipe's estimator, on one thread: the same rows give the same model.

    Parameters
    ----------
    recipe
        The recipe.
    frame
        One row per household and week, with the recipe's features.
    outcome
        Its outcome; not used by a clustering, which finds its groups by itself.

    Returns
    -------
    sklearn.base.BaseEstimator
        Fitted. `predict` of a clustering gives segment names.
    """
    columns = frame[list(recipe.features)]
    with threadpool_limits(1):
        if recipe.problem_type == ProblemType.CLUSTERING:
            return recipe.build().fit(columns, name_segments(columns))
        return recipe.build().fit(columns, np.asarray(outcome))


def predict(recipe: Recipe, estimator: BaseEstimator, frame: pd.DataFrame) -> npt.NDArray[np.generic]:
    """Score rows.

    OpenMP's threads cost more than they bring on small requests: put `threadpool_limits(1)` of
    threadpoolctl around many calls.

    Parameters
    ----------
    recipe
        The recipe.
    estimator
        As `train` returned it.
    frame
        One row per household, with the recipe's features.

    Returns
    -------
    numpy.ndarray
        One per row: the probability of 1 (binary), the amount (regression), the segment (clustering).
    """
    columns = frame[list(recipe.features)]
    scores: npt.NDArray[np.generic]
    if recipe.problem_type == ProblemType.BINARY:
        scores = estimator.predict_proba(columns)[:, 1]
    else:
        scores = estimator.predict(columns)
    return scores
