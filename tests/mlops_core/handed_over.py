"""What a data scientist hands over with a new version: an estimator, its rows, and those it is judged on."""

from datetime import UTC, datetime

import pandas as pd
from sklearn.linear_model import LogisticRegression

from tests.factories import COLUMNS, population

METRICS = {"roc_auc": (0.8, 400)}


def training_rows(seed: int = 21) -> pd.DataFrame:
    return population(400, start=datetime(2024, 12, 1, tzinfo=UTC), days=10, seed=seed)


def evaluation_rows(seed: int = 22, rows: int = 400) -> pd.DataFrame:
    frame = population(rows, start=datetime(2025, 1, 10, tzinfo=UTC), days=10, seed=seed)
    return frame.drop(columns=["latency_ms", "amount"]).rename(columns={"answer": "outcome"})


def estimator_of(rows: pd.DataFrame, strength: float = 1.0) -> LogisticRegression:
    return LogisticRegression(C=strength).fit(rows[list(COLUMNS)], rows["answer"])
