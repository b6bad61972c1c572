"""Direct loss estimation: how wrong a regression is, told from its rows before outcomes arrive.

On the rows of the reference whose outcome is known, gradient-boosted trees learn how large the loss is (the
magnitude of the error for MAE, its square for RMSE) given the model's columns and its prediction. Applied to
the rows of a window, their mean says what the loss will be there: higher where more rows are of a kind that
the model finds hard. The reference is cut into folds and each regressor leaves one out, so that every row is
also judged by one that never saw it; the estimate is the mean of the regressors, scaled so that it is right
for the rows left out.

The interval holds the chance of the window (losses spread in proportion to what is expected of them, as they
do around what was expected of the rows left out) and what is not known about the loss: the spread between
the regressors, by the delete-a-group jackknife (Kott, The delete-a-group jackknife, 2001), and a tenth of the
way from the reference's loss to the estimate, for trees flatten what they learn from few rows.

As with every estimate, a change of how outcomes come about (concept drift) is invisible to it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import InvalidInput
from mlops_core.registry.columns import OUTCOME, PREDICTION
from mlops_core.slices import CategoricalGrid, Grids
from mlops_core.slices.arrow_columns import categories_of, column_of, numbers_of
from mlops_core.statistics.intervals import Interval, quantile_of_normal

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

__all__ = ["LOSSES", "LossEstimate", "LossModel", "fit_loss"]

_Floats = NDArray[np.float64]

_FOLDS: Final = 4
_FEWEST_ROWS: Final = 200
_MOST_ROWS: Final = 10_000
_MOST_CATEGORIES: Final = 250  # a column of trees has at most 255 values
_FLATTENED: Final = 0.1
_SEED: Final = 2718
_SMALLEST: Final = float(np.finfo(np.float64).eps)  # what scikit-learn divides by in place of an outcome of 0

LOSSES: Final[dict[str, Callable[[_Floats, _Floats], _Floats]]] = {
    "mae": lambda predicted, actual: np.abs(predicted - actual),
    "rmse": lambda predicted, actual: np.square(predicted - actual),
    "mape": lambda predicted, actual: np.abs(predicted - actual) / np.maximum(np.abs(actual), _SMALLEST),
}
"""The loss of each row, by the statistic that is its mean (RMSE: the root of the mean)."""


@dataclass(frozen=True, slots=True)
class LossEstimate:
    """The estimated statistic of a window.

    Attributes
    ----------
    interval
        Between which limits the measured figure will lie.
    rows
        Rows of the window.
    unknown
        The share of them with a value outside the range of the reference, or a category that it never had.
    """

    value: float
    interval: Interval
    rows: int
    unknown: float


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """How rows become a matrix: numbers as they are, categories by their place, what is not there nan."""

    names: Sequence[str]
    places: dict[str, dict[str, int]]
    lowest: _Floats
    highest: _Floats

    def matrix(self, rows: pa.Table) -> tuple[_Floats, NDArray[np.bool_]]:
        """Return the matrix, and whether a row has a value that the reference did not have."""
        values = np.empty((rows.num_rows, len(self.names)))
        strange = np.zeros(rows.num_rows, dtype=np.bool_)
        for place, name in enumerate(self.names):
            column = column_of(rows, name).combine_chunks()
            if name in self.places:
                values[:, place], unseen = _placed(column, name, self.places[name])
                strange |= unseen
            else:
                values[:, place] = _numbers(column, name)
                strange |= (values[:, place] < self.lowest[place]) | (values[:, place] > self.highest[place])
        return values, strange


@dataclass(frozen=True, slots=True, eq=False)
class LossModel:
    """What is known about the loss of a row.

    Attributes
    ----------
    statistic
        `mae`, `rmse` or `mape`.
    rows
        Rows of the reference with an outcome that it was learned from.
    explained
        The share of the variance of the loss that is explained in the rows left out; 0 or less: the loss
        does not depend on the columns, and the estimate is that of the reference.
    """

    statistic: str
    rows: int
    explained: float
    _columns: _Columns
    _regressors: Sequence["HistGradientBoostingRegressor"]
    _scale: float
    _spread: float
    _reference: float

    @property
    def columns(self) -> Sequence[str]:
        """The columns that it needs, the prediction among them."""
        return self._columns.names

    def estimate(self, rows: pa.Table, *, of: int | None = None, confidence: float = 0.95) -> LossEstimate:
        """Estimate the statistic of some rows.

        Parameters
        ----------
        of
            How many rows the window has, when only a sample of them is given.

        Raises
        ------
        InvalidInput
            If there are no rows.
        SchemaMismatch
            If a column is missing or of another type.
        """
        if not rows.num_rows:
            raise InvalidInput("no prediction in the window: nothing to estimate, choose another window")
        values, strange = self._columns.matrix(rows)
        losses = self._scale * _predict(self._regressors, values)
        total = of or rows.num_rows
        means = losses.mean(axis=1)
        mean = float(means.mean())
        folds = len(means)
        doubt = (folds - 1) / folds * float(np.sum(np.square(means - mean)))
        chance = self._spread * float(np.mean(np.square(losses.mean(axis=0)))) / total
        flattened = (_FLATTENED * (mean - self._reference)) ** 2
        interval = _around(mean, doubt + chance + flattened, confidence)
        root = self.statistic == "rmse"
        return LossEstimate(
            value=math.sqrt(mean) if root else mean,
            interval=Interval(*(math.sqrt(limit) for limit in interval)) if root else interval,
            rows=total,
            unknown=float(strange.mean()),
        )


def fit_loss(sample: pa.Table, columns: Sequence[str], grids: Grids, statistic: str) -> LossModel:
    """Learn how large the loss of a row is.

    Parameters
    ----------
    sample
        Rows with `prediction`, `outcome` (null where it is not known) and all columns; of more than 10,000
        with an outcome, evenly spread ones are used.
    grids
        By column, whether it is counted as numbers or by value.
    statistic
        A key of `LOSSES`.

    Raises
    ------
    InvalidInput
        If fewer than 200 rows have an outcome, or the statistic is no mean of losses.
    """
    from sklearn.model_selection import KFold

    if statistic not in LOSSES:
        raise InvalidInput(f"{statistic} is no mean of losses: choose {', '.join(LOSSES)}")
    predicted, actual = (
        _numbers(column_of(sample, name).combine_chunks(), name) for name in (PREDICTION, OUTCOME)
    )
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(actual))
    if len(known) < _FEWEST_ROWS:
        raise InvalidInput(
            f"{len(known)} rows of the reference have an outcome: {_FEWEST_ROWS} are needed to learn the loss"
        )
    if len(known) > _MOST_ROWS:
        known = known[np.arange(_MOST_ROWS) * len(known) // _MOST_ROWS]
    losses = LOSSES[statistic](predicted[known], actual[known])
    rows = sample.take(pa.array(known))
    encoding = _encoding(rows, [*dict.fromkeys([*columns, PREDICTION])], grids)
    values, _ = encoding.matrix(rows)
    unit = float(losses.mean()) or 1.0
    folds = list(KFold(_FOLDS, shuffle=True, random_state=_SEED).split(values))
    regressors = []
    expected = np.empty(len(losses))
    for learned, left_out in folds:
        regressor = _fit(values[learned], losses[learned] / unit, encoding)
        regressors.append(regressor)
        expected[left_out] = _predict([regressor], values[left_out])[0] * unit
    bias = float(losses.mean()) / float(expected.mean()) if expected.mean() > 0 else 1.0
    expected *= bias
    residuals = float(np.mean(np.square(losses - expected)))
    return LossModel(
        statistic=statistic,
        rows=len(losses),
        explained=1.0 - residuals / float(np.var(losses)) if np.var(losses) > 0 else 0.0,
        _columns=encoding,
        _regressors=regressors,
        _scale=unit * bias,
        _spread=residuals / float(np.mean(np.square(expected))) if expected.any() else 0.0,
        _reference=float(losses.mean()),
    )


def _fit(values: _Floats, losses: _Floats, columns: _Columns) -> "HistGradientBoostingRegressor":
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    regressor = HistGradientBoostingRegressor(
        loss="poisson",  # a mean that is never below zero, whatever its distribution
        max_iter=40,
        learning_rate=0.15,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        categorical_features=[name in columns.places for name in columns.names],
        early_stopping=False,
        random_state=_SEED,
    )
    if not losses.any():
        losses = np.full_like(losses, 1e-12)  # Poisson needs a mean above zero
    empty = np.isnan(values).all(axis=0)  # scikit-learn cannot bin a column without a value
    if empty.any():
        values = np.where(empty, 0.0, values)
    with threadpool_limits(limits=1):
        return regressor.fit(values, losses)


def _predict(regressors: Sequence["HistGradientBoostingRegressor"], values: _Floats) -> _Floats:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return np.array([regressor.predict(values) for regressor in regressors])


def _encoding(rows: pa.Table, names: Sequence[str], grids: Grids) -> _Columns:
    places: dict[str, dict[str, int]] = {}
    lowest, highest = np.full(len(names), -math.inf), np.full(len(names), math.inf)
    for place, name in enumerate(names):
        column = column_of(rows, name).combine_chunks()
        if isinstance(grids.get(name), CategoricalGrid):
            places[name] = _frequent(column, name)
            continue
        values = _numbers(column, name)
        if np.isfinite(values).any():
            lowest[place], highest[place] = np.nanmin(values), np.nanmax(values)
    return _Columns(names, places, lowest, highest)


def _frequent(column: pa.Array, name: str) -> dict[str, int]:
    found = categories_of(column, name)
    counts: dict[str, int] = {}
    rows = np.bincount(found.codes, minlength=len(found.texts) + 1)
    for text, n in zip(found.texts.to_pylist(), rows.tolist(), strict=False):
        if n:
            counts[text] = counts.get(text, 0) + n
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    return {text: place for place, text in enumerate(ranked[:_MOST_CATEGORIES])}


def _placed(column: pa.Array, name: str, places: dict[str, int]) -> tuple[_Floats, NDArray[np.bool_]]:
    found = categories_of(column, name)
    table = [float(places.get(text, math.nan)) for text in found.texts.to_pylist()]
    values = np.array([*table, math.nan])[found.codes]
    return values, np.isnan(values) & (found.codes < len(found.texts))


def _numbers(column: pa.Array, name: str) -> _Floats:
    found = numbers_of(column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column, name)
    here = np.isfinite(found.values)
    return np.where(here if found.valid is None else here & found.valid, found.values, math.nan)


def _around(mean: float, variance: float, confidence: float) -> Interval:
    """Return limits symmetric in the logarithm of a mean loss, which keeps them above zero."""
    if mean <= 0.0:
        return Interval(0.0, 0.0)
    factor = math.exp(quantile_of_normal(confidence) * math.sqrt(variance) / mean)
    return Interval(mean / factor, mean * factor)
