"""Versions for the tests of the tests: honest models of each problem type, and what is wrong with others."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_core.domain import TestResult
from mlops_core.domain.states import ProblemType, Role
from mlops_core.features import store_training_data
from mlops_core.registry import CommitState, NewVersion, create_model, register_version
from mlops_core.registry.cards import Card
from mlops_core.registry.evaluation_data import store_evaluation_data
from mlops_core.version_tests import set_test
from mlops_core.workspace import Workspace
from tests.factories import person

NUMBERS = ("income", "age", "tenure")
WORDS = ("region",)
INPUTS = (*NUMBERS, *WORDS)
NAMES = {
    ProblemType.BINARY: "churn-risk",
    ProblemType.MULTICLASS: "next-offer",
    ProblemType.REGRESSION: "basket-value",
    ProblemType.CLUSTERING: "customer-segments",
}
METRICS = {
    ProblemType.BINARY: "roc_auc",
    ProblemType.MULTICLASS: "accuracy",
    ProblemType.REGRESSION: "rmse",
    ProblemType.CLUSTERING: None,
}
START = datetime(2025, 1, 6, tzinfo=UTC)


def cases(problem: ProblemType, rows: int = 2_000, seed: int = 1) -> pd.DataFrame:
    """Rows whose outcome depends on income, age and region, and on `group` not at all."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": random.normal(50.0, 15.0, rows),
            "age": random.integers(18, 90, rows),
            "tenure": random.exponential(5.0, rows),
            "region": random.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2]),
            "group": random.choice(["a", "b"], rows),
        }
    )
    signal = (frame["income"] - 50) / 12 - (frame["age"] - 54) / 25 + (frame["region"] == "south") * 0.7
    if problem == ProblemType.BINARY:
        frame["outcome"] = (random.random(rows) < 1 / (1 + np.exp(-signal))).astype(np.int64)
    elif problem == ProblemType.REGRESSION:
        frame["outcome"] = 100 + 20 * signal + random.normal(0, 15, rows)
    else:
        noisy = signal + random.normal(0, 0.7, rows)
        frame["outcome"] = np.select([noisy < -0.8, noisy < 0.8], ["basic", "family"], "premium")
    return frame


def encoded(columns: Sequence[str] = INPUTS) -> ColumnTransformer:
    """Columns found by name, missing values filled, unseen words ignored."""
    numbers = [column for column in columns if column in NUMBERS]
    words = [column for column in columns if column in WORDS]
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
        ]
    )


@cache
def honest(problem: ProblemType) -> BaseEstimator:
    """A sound model of each problem type."""
    model = LinearRegression() if problem == ProblemType.REGRESSION else LogisticRegression(max_iter=500)
    frame = cases(problem)
    return make_pipeline(encoded(), model).fit(frame[list(INPUTS)], frame["outcome"])


def add_models(workspace: Workspace) -> None:
    """A model of each problem type, that promises ten seconds: no test here is about a machine's speed."""
    lead = person(workspace, Role.LEAD)
    for problem, name in NAMES.items():
        create_model(
            workspace,
            lead,
            name=name,
            description=f"The {name} model",
            owner=lead,
            problem_type=problem,
            primary_metric=METRICS[problem],
            latency_objective_ms=10_000.0,
            cadence_hours=24.0,
        )
        set_test(workspace, lead, name, "latency", parameters={"requests": 20})


def add_version(
    workspace: Workspace,
    problem: ProblemType,
    estimator: BaseEstimator | None,
    *,
    train: pd.DataFrame | None = None,
    evaluation: pd.DataFrame | None = None,
    columns: Sequence[str] = INPUTS,
    metric: float | None = None,
    card: Card | None = None,
    measured: bool = True,
) -> int:
    """Register a version with its evaluation snapshot, and return its number."""
    scientist, name = person(workspace, Role.DATA_SCIENTIST), NAMES[problem]
    train = cases(problem) if train is None else train
    evaluation = cases(problem, seed=2) if evaluation is None else evaluation
    snapshot = None
    if measured:
        snapshot = store_evaluation_data(workspace, scientist, name, table(evaluation))
    reference = train.assign(
        predicted_at=pd.date_range(START, periods=len(train), freq="min"),
        prediction="basic" if problem in (ProblemType.MULTICLASS, ProblemType.CLUSTERING) else 0.5,
    )
    training = store_training_data(workspace, scientist, f"{name}-{_next_name()}", table(train))
    version = register_version(
        workspace,
        scientist,
        name,
        NewVersion(
            estimator=estimator,
            columns=columns,
            snapshot=training,
            metrics={} if metric is None else {METRICS[problem]: (metric, len(evaluation))},
            reference=table(reference[["predicted_at", "prediction", *columns]]),
            commit=CommitState("0" * 40, dirty=False),
            importance={},
            evaluation=snapshot,
            card=card,
        ),
    )
    return version.number


def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


_names = iter(range(10_000))


def _next_name() -> int:
    return next(_names)


def not_passed(results: Sequence[TestResult]) -> dict[str, str]:
    """The tests that neither passed nor were skipped, with what they say."""
    return {one.test: one.sentence for one in results if one.status not in ("passed", "skipped")}
