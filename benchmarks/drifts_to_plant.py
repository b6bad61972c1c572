"""The model that drifts are planted in, and ten drifts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mlops_core.domain.states import ProblemType

__all__ = ["DRIFTS", "WEEK", "WEEKS", "Case", "Plant", "Planted"]

WEEK = timedelta(weeks=1)
WEEKS = 4


@dataclass(frozen=True)
class Case:
    """A model with its rows.

    Attributes
    ----------
    number, other, text, segment
        Numeric columns, a text column and a segment column for drifts to be planted in.
    """

    name: str
    problem: ProblemType
    metric: str
    estimator: Any
    columns: list[str]
    segments: list[str]
    importance: dict[str, float]
    reference: pd.DataFrame
    log: pd.DataFrame
    number: str
    other: str
    text: str
    segment: str

    @property
    def window_start(self) -> datetime:
        """Monday of the first of the last four weeks."""
        last = self.log["predicted_at"].max().to_pydatetime()
        monday = last.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=last.weekday())
        return monday - (WEEKS - 1) * WEEK

    @property
    def window_rows(self) -> pd.DataFrame:
        """The rows of the last four weeks."""
        return self.log[self.log["predicted_at"] >= self.window_start].reset_index(drop=True)

    def scored(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score rows; for the estimator, what is missing or was never seen is what is usual."""
        given = rows[self.columns].copy()
        for name in self.columns:
            known = self.reference[name]
            if pd.api.types.is_numeric_dtype(known):
                given[name] = given[name].astype(float).fillna(known.median())
            else:
                given[name] = given[name].where(given[name].isin(known.unique()), known.mode()[0])
        with threadpool_limits(1):
            if self.problem == ProblemType.BINARY:
                return rows.assign(prediction=self.estimator.predict_proba(given)[:, 1])
            return rows.assign(prediction=self.estimator.predict(given))


@dataclass(frozen=True)
class Planted:
    """Rows with a drift in them, and what ought to be named for it."""

    rows: pd.DataFrame
    columns: tuple[str, ...]
    segment: str = ""


Plant = Callable[[pd.DataFrame, Case, np.random.Generator], Planted]


def one_value(rows: pd.DataFrame, case: Case, random: np.random.Generator) -> Planted:
    """Let a value of a text column take 15 % of the other rows."""
    shares = case.reference[case.text].value_counts(normalize=True)
    value = shares[shares >= 0.05].index[-1]
    taken = random.random(len(rows)) < 0.15
    return Planted(rows.assign(**{case.text: rows[case.text].mask(taken, value)}), (case.text,))


def one_segment(rows: pd.DataFrame, case: Case, _random: np.random.Generator) -> Planted:
    """Make a number two and a half times as high in one segment."""
    value = case.reference[case.segment].value_counts().index[1]
    inside = rows[case.segment] == value
    moved = rows[case.number] * np.where(inside, 2.5, 1.0)
    return Planted(rows.assign(**{case.number: moved}), (case.number,), f"{case.segment}={value}")


def one_range(rows: pd.DataFrame, case: Case, random: np.random.Generator) -> Planted:
    """Move three fifths of the fifth around the median to the eighth tenth."""
    low, high, to, end = np.quantile(case.reference[case.number], [0.4, 0.6, 0.75, 0.85])
    taken = rows[case.number].between(low, high) & (random.random(len(rows)) < 0.6)
    moved = rows[case.number].mask(taken, to + (end - to) * random.random(len(rows)))
    return Planted(rows.assign(**{case.number: moved}), (case.number,))


def nulls(rows: pd.DataFrame, case: Case, random: np.random.Generator) -> Planted:
    """Lose a seventh of a column."""
    return Planted(
        rows.assign(**{case.other: rows[case.other].mask(random.random(len(rows)) < 1 / 7)}), (case.other,)
    )


def unit(rows: pd.DataFrame, case: Case, _random: np.random.Generator) -> Planted:
    """Give an amount in cents."""
    return Planted(rows.assign(**{case.number: rows[case.number] * 100}), (case.number,))


def correlation(rows: pd.DataFrame, case: Case, _random: np.random.Generator) -> Planted:
    """Put the highest of one column where the lowest was; its values stay as they are."""
    values = rows[case.other].to_numpy()
    flipped = np.sort(values)[::-1][np.argsort(np.argsort(values, kind="stable"), kind="stable")]
    return Planted(rows.assign(**{case.other: flipped}), tuple(_pair(case, rows)))


def _pair(case: Case, rows: pd.DataFrame) -> list[str]:
    """Return the column that is flipped, and the one that it went with most closely."""
    numbers = [one for one in case.columns if pd.api.types.is_numeric_dtype(rows[one])]
    correlations = rows[numbers].corr(method="spearman")[case.other].drop(case.other).abs()
    return [case.other, str(correlations.idxmax())]


def labels(rows: pd.DataFrame, case: Case, random: np.random.Generator) -> Planted:
    """Draw rows whose prediction is among the highest fifth three times as often."""
    high = rows["prediction"] >= rows["prediction"].quantile(0.8)
    weights = np.where(high, 3.0, 1.0)
    chosen = random.choice(len(rows), len(rows), p=weights / weights.sum())
    drawn = rows.iloc[chosen].reset_index(drop=True)
    return Planted(drawn.assign(prediction_id=rows["prediction_id"]), ("prediction",))


def unseen(rows: pd.DataFrame, case: Case, random: np.random.Generator) -> Planted:
    """Give a tenth of a text column a value that the reference does not know."""
    taken = random.random(len(rows)) < 0.1
    return Planted(rows.assign(**{case.text: rows[case.text].mask(taken, "Level Z")}), (case.text,))


def constant(rows: pd.DataFrame, case: Case, _random: np.random.Generator) -> Planted:
    """Replace a column by its median."""
    return Planted(rows.assign(**{case.other: float(case.reference[case.other].median())}), (case.other,))


def slow_shift(rows: pd.DataFrame, case: Case, _random: np.random.Generator) -> Planted:
    """Let a mean rise by a fifth of its standard deviation a week."""
    week = (rows["predicted_at"] - case.window_start) // WEEK + 1
    return Planted(
        rows.assign(**{case.number: rows[case.number] + 0.2 * week * case.reference[case.number].std()}),
        (case.number,),
    )


DRIFTS: dict[str, Plant] = {
    "one value grows": one_value,
    "one segment only": one_segment,
    "one range of a number": one_range,
    "a null burst": nulls,
    "a unit change": unit,
    "a correlation flips": correlation,
    "a label shift": labels,
    "an unseen category": unseen,
    "a column becomes constant": constant,
    "a slow shift of the mean": slow_shift,
}
