"""A workspace in which versions were registered, tested and compared by the real calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mlops_core.comparison import compare_versions
from mlops_core.domain import ModelVersion
from mlops_core.domain.states import Role
from mlops_core.features import store_training_data
from mlops_core.registry import CommitState, NewVersion, register_version
from mlops_core.registry.cards import Card
from mlops_core.registry.evaluation_data import store_evaluation_data
from mlops_core.version_tests import run_tests
from mlops_core.workspace import Workspace
from tests import factories

__all__ = ["BETTER", "CARD", "MODEL", "NEW_MODEL", "SAME", "UNKNOWN", "WORSE", "judge", "register"]

MODEL, NEW_MODEL = "churn-risk", "churn-pilot"
BETTER, WORSE, SAME, UNKNOWN = 2, 3, 4, 5
"""Versions: of more columns, of noise alone, as the champion is, and one that was not judged."""

CARD = Card("Whom to call before the contract ends", "Not for new customers", ("region",), "By region")
_START = datetime(2024, 12, 18, tzinfo=UTC)


def register(
    workspace: Workspace,
    name: str,
    *,
    columns: Sequence[str],
    seed: int,
    strength: float = 1.0,
    evaluated: bool = True,
    card: Card | None = None,
) -> ModelVersion:
    """Register a version of a model with evaluation rows that no version was trained on."""
    scientist = factories.person(workspace, Role.DATA_SCIENTIST)
    frame = factories.population(800, start=_START, days=14, seed=seed)
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    estimator = LogisticRegression(C=strength).fit(frame[list(columns)], frame["answer"])
    reference = frame[["predicted_at", *columns, *factories.SEGMENTS]].assign(
        prediction=estimator.predict_proba(frame[list(columns)])[:, 1]
    )
    unseen = factories.population(1500, start=_START, days=14, seed=99)
    unseen["outcome"] = unseen["answer"].astype(int)
    kept = ["income", "age", "tenure", "region", "outcome"]
    evaluation = store_evaluation_data(
        workspace, scientist, name, pa.Table.from_pandas(unseen[kept], preserve_index=False)
    )
    return register_version(
        workspace,
        scientist,
        name,
        NewVersion(
            estimator=estimator,
            columns=columns,
            snapshot=store_training_data(workspace, scientist, name, rows),
            metrics={"roc_auc": (_area(estimator, unseen, columns), len(unseen))},
            reference=pa.Table.from_pandas(reference, preserve_index=False),
            commit=CommitState("1234567890abcdef" * 2, dirty=False),
            evaluation=evaluation if evaluated else None,
            card=card,
        ),
    )


def _area(estimator: LogisticRegression, rows: pd.DataFrame, columns: Sequence[str]) -> float:
    return float(roc_auc_score(rows["outcome"], estimator.predict_proba(rows[list(columns)])[:, 1]))


def judge(workspace: Workspace) -> None:
    """A champion of one column, versions that are better, worse, the same and unknown, and a new model."""
    lead = factories.person(workspace, Role.LEAD)
    model = factories.new_model(workspace, MODEL)
    first = register(workspace, MODEL, columns=["age"], seed=1)
    factories.promote(workspace, factories.Trained(model, first, LogisticRegression()))
    register(workspace, MODEL, columns=["age", "income"], seed=2, strength=0.5, card=CARD)
    register(workspace, MODEL, columns=["tenure"], seed=3)
    register(workspace, MODEL, columns=["age"], seed=4)
    register(workspace, MODEL, columns=["age", "income"], seed=5, evaluated=False)
    factories.new_model(workspace, NEW_MODEL)
    register(workspace, NEW_MODEL, columns=["age", "income"], seed=6)
    for number in (BETTER, WORSE):
        run_tests(workspace, lead, MODEL, number)
    for number in (BETTER, WORSE, SAME):
        compare_versions(workspace, lead, MODEL, number, resamples=200)
    run_tests(workspace, lead, NEW_MODEL, 1)
