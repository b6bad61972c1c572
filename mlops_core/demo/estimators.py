"""The estimators that the demo's recipes train: stock scikit-learn, quick on small requests.

Nothing but scikit-learn, NumPy and SciPy types go into an artefact, so the registry loads it without
trusting anything else. The same seed on one OpenMP thread gives the same model.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

__all__ = [
    "CATEGORIES",
    "SEGMENTS",
    "balanced_classifier",
    "boosted_classifier",
    "boosted_regressor",
    "linear_classifier",
    "name_segments",
    "segment_classifier",
]

SEGMENTS = ("top", "regular", "occasional", "lapsed")
"""The customer segments, by falling spend."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "age": ("unknown", "19-24", "25-34", "35-44", "45-54", "55-64", "65+"),
    "income": (
        "unknown",
        "Under 15K",
        "15-24K",
        "25-34K",
        "35-49K",
        "50-74K",
        "75-99K",
        "100-124K",
        "125-149K",
        "150-174K",
        "175-199K",
        "200-249K",
        "250K+",
    ),
    "household_size": ("unknown", "1", "2", "3", "4", "5+"),
    "home_ownership": ("unknown", "Renter", "Probable Renter", "Probable Homeowner", "Homeowner"),
    "marital_status": ("unknown", "Unmarried", "Married"),
    "kids": ("unknown", "0", "1", "2", "3+"),
    "segment": tuple(reversed(SEGMENTS)),
}
"""The values of each word feature, from low to high; any other value counts as missing."""

_SEED = 2017


def linear_classifier(features: Sequence[str]) -> BaseEstimator:
    """Return a logistic regression on standardised numbers and one-hot words.

    Parameters
    ----------
    features
        The columns of the frame; those in `CATEGORIES` hold words.

    Returns
    -------
    sklearn.base.BaseEstimator
        Unfitted; `predict_proba` has the probability of 1 in its second column.
    """
    words, numbers = _split(features)
    scaler = StandardScaler()
    if words:
        encoder = OneHotEncoder(categories=_values(words), handle_unknown="ignore", sparse_output=False)
        scaler = ColumnTransformer([("words", encoder, words), ("numbers", scaler, numbers)])
    return Pipeline([("scale", scaler), ("model", LogisticRegression(C=0.1, max_iter=500))])


def boosted_classifier(
    features: Sequence[str], class_weight: Literal["balanced"] | None = None
) -> BaseEstimator:
    """Return gradient-boosted trees for an outcome of 0 or 1.

    Parameters
    ----------
    features
        The columns of the frame; those in `CATEGORIES` hold words, which become their rank.
    class_weight
        `balanced` has both classes weigh the same, however rare one of them is.

    Returns
    -------
    sklearn.base.BaseEstimator
        Unfitted; `predict_proba` has the probability of 1 in its second column.
    """
    return _ranked(
        features,
        HistGradientBoostingClassifier(
            class_weight=class_weight,
            max_iter=40,
            learning_rate=0.12,
            max_leaf_nodes=12,
            min_samples_leaf=50,
            early_stopping=False,
            random_state=_SEED,
        ),
    )


def balanced_classifier(features: Sequence[str]) -> BaseEstimator:
    """Return gradient-boosted trees for which both classes weigh the same; see `boosted_classifier`."""
    return boosted_classifier(features, class_weight="balanced")


def boosted_regressor(features: Sequence[str], loss: str = "squared_error") -> BaseEstimator:
    """Return gradient-boosted trees for an amount.

    Parameters
    ----------
    features
        As for `boosted_classifier`.
    loss
        'squared_error', or 'poisson' for counts.

    Returns
    -------
    sklearn.base.BaseEstimator
        Unfitted; `predict` gives the amount.
    """
    return _ranked(
        features,
        HistGradientBoostingRegressor(
            loss=loss,
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=12,
            min_samples_leaf=50,
            early_stopping=False,
            random_state=_SEED,
        ),
    )


def segment_classifier() -> BaseEstimator:
    """Return the rule that gives a household the segment with the nearest centre.

    Fitted on the names of `name_segments`, its centres are those of k-means, and its `predict` gives names.

    Returns
    -------
    sklearn.base.BaseEstimator
        Unfitted.
    """
    return Pipeline([*_standardised_roots(), ("model", NearestCentroid())])


def name_segments(frame: pd.DataFrame, rank_by: str = "spend_8w") -> npt.NDArray[np.object_]:
    """Group households by k-means and name the groups after their rank of spend.

    Square roots are grouped, not the figures: money and counts have long tails.

    Parameters
    ----------
    frame
        Numbers of 0 and above, among them the column `rank_by`.
    rank_by
        Column by whose mean the groups get the names of `SEGMENTS`, from high to low.

    Returns
    -------
    numpy.ndarray
        One of `SEGMENTS` per row, as Python strings.
    """
    kmeans = KMeans(n_clusters=len(SEGMENTS), n_init=4, tol=0.0, random_state=_SEED)
    clusters: npt.NDArray[np.int32] = Pipeline([*_standardised_roots(), ("model", kmeans)]).fit_predict(frame)
    means = [float(frame[rank_by][clusters == cluster].mean()) for cluster in range(len(SEGMENTS))]
    names: npt.NDArray[np.object_] = np.empty(len(SEGMENTS), dtype=object)
    names[np.argsort(means)[::-1]] = SEGMENTS
    named: npt.NDArray[np.object_] = names[clusters]
    return named


def _standardised_roots() -> list[tuple[str, BaseEstimator]]:
    root = FunctionTransformer(np.sqrt, feature_names_out="one-to-one")
    return [("root", root), ("scale", StandardScaler())]


def _ranked(features: Sequence[str], model: BaseEstimator) -> BaseEstimator:
    words, numbers = _split(features)
    if not words:
        return model
    encoder = OrdinalEncoder(
        categories=_values(words), handle_unknown="use_encoded_value", unknown_value=np.nan
    )
    columns = ColumnTransformer([("words", encoder, words), ("numbers", "passthrough", numbers)])
    return Pipeline([("encode", columns), ("model", model)])


def _split(features: Sequence[str]) -> tuple[list[str], list[str]]:
    words = [feature for feature in features if feature in CATEGORIES]
    return words, [feature for feature in features if feature not in CATEGORIES]


def _values(words: Sequence[str]) -> list[list[str]]:
    return [list(CATEGORIES[word]) for word in words]
