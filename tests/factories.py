"""Small builders that tests share: workspaces, people, models, logged rows, processes."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LinearRegression, LogisticRegression
from sqlmodel import select

from mlops_core.clock import FixedClock
from mlops_core.domain import Actor, Model, ModelVersion
from mlops_core.domain.states import ProblemType, Role, Stage
from mlops_core.features import store_training_data
from mlops_core.registry import (
    CommitState,
    NewVersion,
    create_model,
    move_version,
    promote_version,
    register_version,
)
from mlops_core.settings import Settings
from mlops_core.workspace import SYSTEM, Workspace, actor_named, add_actor, open_workspace

NOW = datetime(2025, 3, 10, 12, tzinfo=UTC)  # a Monday
COLUMNS = ("income", "age")
SEGMENTS = ("region",)


def settings_in(folder: Path, database_url: str = "") -> Settings:
    """Settings that no environment variable of the machine reaches."""
    return Settings(workspace=folder, database_url=database_url, warehouse="", actor=SYSTEM)


def workspace_in(folder: Path, database_url: str = "", *, at: datetime = NOW) -> Workspace:
    """An empty workspace on a clock that stands."""
    return open_workspace(settings_in(folder, database_url), create=True, clock=FixedClock(at))


def system(workspace: Workspace) -> Actor:
    return actor_named(workspace, SYSTEM)


def person(workspace: Workspace, role: Role) -> Actor:
    """The actor of a role, who is called like it; added when first asked for."""
    with workspace.store.read() as session:
        known = session.exec(select(Actor).where(Actor.name == f"a-{role}")).first()
    return known or add_actor(
        workspace, system(workspace), name=f"a-{role}", full_name=f"A {role.title()}", role=role
    )


def population(rows: int, *, start: datetime, days: int, seed: int = 7, shift: float = 0.0) -> pd.DataFrame:
    """Rows spread evenly over some days, whose outcomes depend on their features."""
    random = np.random.default_rng(seed)
    income, age = random.normal(50 + 20 * shift, 15, rows), random.integers(18, 90, rows)
    logit = (income - 50) / 10 - (age - 50) / 25
    seconds = np.sort(random.integers(0, days * 86_400, rows))
    return pd.DataFrame(
        {
            "customer": np.arange(rows),
            "income": income,
            "age": age,
            "tenure": random.exponential(5, rows),
            "region": random.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2]),
            "predicted_at": pd.to_datetime([start + timedelta(seconds=int(s)) for s in seconds], utc=True),
            "latency_ms": random.lognormal(2.0, 0.6, rows),
            "answer": (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(float),
            "amount": 3 * income - age + random.normal(0, 20, rows),
        }
    )


@dataclass(frozen=True)
class Trained:
    """A registered version and the estimator that it was made of."""

    model: Model
    version: ModelVersion
    estimator: LogisticRegression | LinearRegression

    def scores(self, frame: pd.DataFrame) -> np.ndarray:
        columns = frame[self.version.columns]
        if isinstance(self.estimator, LogisticRegression):
            return self.estimator.predict_proba(columns)[:, 1]
        return self.estimator.predict(columns)

    def predictions(self, frame: pd.DataFrame, *, prefix: str = "p") -> pa.Table:
        """The batch that a serving process would log for these rows."""
        log = frame[["customer", *self.version.columns, *SEGMENTS, "predicted_at", "latency_ms"]].assign(
            prediction_id=[f"{prefix}-{customer}" for customer in frame["customer"]],
            prediction=self.scores(frame),
        )
        return pa.Table.from_pandas(log, preserve_index=False)

    def outcomes(self, frame: pd.DataFrame, *, known_at: datetime, prefix: str = "p") -> pa.Table:
        """The batch that tells what turned out to be true for these rows."""
        truth = "answer" if self.model.problem_type == ProblemType.BINARY else "amount"
        return pa.table(
            {
                "prediction_id": [f"{prefix}-{customer}" for customer in frame["customer"]],
                "outcome": pa.array(frame[truth], pa.float64()),
                "known_at": pa.array([known_at] * len(frame), pa.timestamp("us", tz="UTC")),
            }
        )


def new_model(
    workspace: Workspace,
    name: str = "churn-risk",
    problem: ProblemType = ProblemType.BINARY,
    *,
    cadence_hours: float = 24.0,
) -> Model:
    """A model that promises 50 ms and is judged by AUC or RMSE; one that predicts daily is measured daily."""
    lead = person(workspace, Role.LEAD)
    return create_model(
        workspace,
        lead,
        name=name,
        description=f"The {name} model",
        owner=lead,
        problem_type=problem,
        primary_metric="roc_auc" if problem == ProblemType.BINARY else "rmse",
        latency_objective_ms=50.0,
        cadence_hours=cadence_hours,
        segment_columns=SEGMENTS,
    )


def new_version(
    workspace: Workspace,
    model: Model,
    *,
    seed: int = 1,
    rows: int = 600,
    columns: Sequence[str] = COLUMNS,
) -> Trained:
    """A version in stage `development`, trained on its own rows of the two weeks before January."""
    scientist = person(workspace, Role.DATA_SCIENTIST)
    frame = population(rows, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=seed)
    binary = model.problem_type == ProblemType.BINARY
    truth = frame["answer" if binary else "amount"]
    estimator = (LogisticRegression() if binary else LinearRegression()).fit(frame[list(columns)], truth)
    snapshot = store_training_data(
        workspace, scientist, model.name, pa.Table.from_pandas(frame, preserve_index=False)
    )
    trained = Trained(model, ModelVersion(columns=list(columns)), estimator)
    reference = frame[["predicted_at", *columns, *SEGMENTS]].assign(prediction=trained.scores(frame))
    version = register_version(
        workspace,
        scientist,
        model.name,
        NewVersion(
            estimator=estimator,
            columns=columns,
            snapshot=snapshot,
            metrics={model.primary_metric or "roc_auc": (0.8 if binary else 20.0, rows)},
            reference=pa.Table.from_pandas(reference, preserve_index=False),
            commit=CommitState("0" * 40, dirty=False),
        ),
    )
    return Trained(model, version, estimator)


def promote(workspace: Workspace, trained: Trained) -> Trained:
    """Walk a version from development into production."""
    lead, name, number = person(workspace, Role.LEAD), trained.model.name, trained.version.number
    move_version(workspace, lead, name, number, Stage.CANDIDATE)
    move_version(workspace, lead, name, number, Stage.APPROVED)
    return Trained(trained.model, promote_version(workspace, lead, name, number), trained.estimator)


def champion(
    workspace: Workspace,
    name: str = "churn-risk",
    problem: ProblemType = ProblemType.BINARY,
    *,
    cadence_hours: float = 24.0,
) -> Trained:
    """A new model with one version, in production."""
    model = new_model(workspace, name, problem, cadence_hours=cadence_hours)
    return promote(workspace, new_version(workspace, model))


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program that says `ready` once, and end it afterwards."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready", f"exit code {process.wait()}"
            yield process
        finally:
            process.kill()


HOLDER = """
import sys
from pathlib import Path
from mlops_core.settings import Settings
from mlops_core.workspace import open_workspace
workspace = open_workspace(Settings(workspace=Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.read()
"""
"""A program that opens a workspace and holds it until it is killed."""


def run_as_ordinary_user(command: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run a command for which permissions hold, also where the tests themselves run as root."""
    return subprocess.run(
        [str(part) for part in command],
        preexec_fn=_without_powers if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        check=False,
    )


def _without_powers() -> None:
    """Give up, for the program that follows, what lets root write read-only folders (Linux)."""
    drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    libc = ctypes.CDLL(None, use_errno=True)
    for power in (override, search):
        if libc.prctl(drop, power, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "the capability cannot be dropped")
