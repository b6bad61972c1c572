"""Versions of one model that were evaluated on the same rows, in a workspace of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlops_core.domain import Model, ModelVersion, Snapshot
from mlops_core.domain.states import ProblemType, Role
from mlops_core.features import store_training_data
from mlops_core.registry import Card, CommitState, NewVersion, register_version, store_evaluation_data
from mlops_core.workspace import Workspace
from tests import factories

START = datetime(2025, 1, 6, tzinfo=UTC)


@dataclass
class Department:
    """A workspace with one model, its evaluation rows, and versions by number."""

    workspace: Workspace
    model: Model
    frame: pd.DataFrame
    snapshot: Snapshot
    estimators: dict[int, BaseEstimator] = field(default_factory=dict)
    versions: dict[int, ModelVersion] = field(default_factory=dict)

    @property
    def lead(self):
        return factories.person(self.workspace, Role.LEAD)

    @property
    def truth(self) -> str:
        return "answer" if self.model.problem_type == ProblemType.BINARY else "amount"

    def evaluation(self, frame: pd.DataFrame) -> Snapshot:
        rows = pa.Table.from_pandas(frame.rename(columns={self.truth: "outcome"}), preserve_index=False)
        return store_evaluation_data(self.workspace, self.lead, self.model.name, rows)

    def add(
        self,
        columns: Sequence[str],
        *,
        seed: int = 1,
        predictions: np.ndarray | None = None,
        elsewhere: bool = False,
        **more: object,
    ) -> int:
        """Train and register a version and return its number; one that runs elsewhere keeps its estimator."""
        frame = factories.population(600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=seed)
        binary = self.model.problem_type == ProblemType.BINARY
        chosen = LogisticRegression(max_iter=500) if binary else LinearRegression()
        chosen.fit(frame[list(columns)], frame[self.truth])
        reference = frame[["predicted_at", *columns, "region"]].assign(
            prediction=chosen.predict_proba(frame[list(columns)])[:, 1]
            if binary
            else chosen.predict(frame[list(columns)])
        )
        snapshot = store_training_data(
            self.workspace, self.lead, self.model.name, pa.Table.from_pandas(frame, preserve_index=False)
        )
        fields = {
            "estimator": None if elsewhere else chosen,
            "predictions": None if predictions is None else pa.table({"prediction": predictions}),
            "columns": list(columns),
            "snapshot": snapshot,
            "metrics": {},
            "reference": pa.Table.from_pandas(reference, preserve_index=False),
            "commit": CommitState("0" * 40, dirty=False),
            "evaluation": self.snapshot,
            "importance": dict.fromkeys(columns, 1.0),
        } | more
        version = register_version(self.workspace, self.lead, self.model.name, NewVersion(**fields))
        self.estimators[version.number], self.versions[version.number] = chosen, version
        return version.number

    def scores(self, number: int, frame: pd.DataFrame | None = None) -> np.ndarray:
        rows = (self.frame if frame is None else frame)[self.versions[number].columns]
        chosen = self.estimators[number]
        return chosen.predict_proba(rows)[:, 1] if self.truth == "answer" else chosen.predict(rows)


def department(folder, problem=ProblemType.BINARY, rows=3_000) -> Department:
    workspace = factories.workspace_in(folder)
    model = factories.new_model(
        workspace, "churn-risk" if problem == ProblemType.BINARY else "spend", problem
    )
    frame = factories.population(rows, start=START, days=20, seed=99)
    made = Department(workspace, model, frame, None)
    made.snapshot = made.evaluation(frame)
    return made


@pytest.fixture(scope="module")
def churn(tmp_path_factory) -> Iterator[Department]:
    """Version 1 knows age alone, 2 income and age, 3 tenure alone; nobody is the champion."""
    made = department(tmp_path_factory.mktemp("churn"))
    card = Card(intended_use="to ask who may leave", protected_attributes=("region", "age"))
    made.add(["age"])
    made.add(["income", "age"], card=card)
    made.add(["tenure"])
    yield made
    made.workspace.close()


@pytest.fixture(scope="module")
def spend(tmp_path_factory) -> Iterator[Department]:
    """Version 1 knows age alone, 2 income and age."""
    made = department(tmp_path_factory.mktemp("spend"), ProblemType.REGRESSION)
    made.add(["age"])
    made.add(["income", "age"])
    yield made
    made.workspace.close()
