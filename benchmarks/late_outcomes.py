"""Count outcomes that arrive for 1 % of a log of predictions, against counting all of it.

A model of 4 columns with a year of predictions, whose outcomes were all logged but for the last hundredth.
They arrive once for the predictions of the newest days, as a batch of outcomes does, and once spread over
the whole year. Run it alone: ``python benchmarks/late_outcomes.py [--rows 10000000]``.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import seconds

from mlops_core.domain.states import ProblemType
from mlops_core.features import store_training_data
from mlops_core.monitoring.counting import count_logs
from mlops_core.monitoring.logs import log_outcomes, log_predictions
from mlops_core.registry import CommitState, NewVersion, create_model, register_version
from mlops_core.settings import Settings
from mlops_core.workspace import actor_named, open_workspace

START = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = 364 * 86_400
PART = 500_000
FEATURES = ["age", "income", "tenure", "region"]


def rows(first: int, n: int, total: int) -> pa.Table:
    """Return predictions in order of time."""
    rng = np.random.default_rng(first)
    moments = np.datetime64("2024-01-01", "us") + (
        np.arange(first, first + n) * (SPAN * 10**6 // total)
    ).astype("m8[us]")
    numbers = np.arange(first, first + n)
    return pa.table(
        {
            "prediction_id": pa.array(numbers).cast(pa.string()),
            "predicted_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "prediction": rng.random(n),
            "age": rng.integers(18, 90, n).astype(float),
            "income": rng.lognormal(10, 0.5, n),
            "tenure": rng.exponential(5, n),
            "region": np.array(["north", "south", "west"])[rng.integers(0, 3, n)],
        }
    )


def outcomes(numbers: np.ndarray, moment: datetime) -> pa.Table:
    """Return outcomes of the predictions of these numbers."""
    return pa.table(
        {
            "prediction_id": pa.array(numbers).cast(pa.string()),
            "outcome": np.random.default_rng(len(numbers)).integers(0, 2, len(numbers)).astype(float),
            "known_at": pa.repeat(pa.scalar(moment, pa.timestamp("us", tz="UTC")), len(numbers)),
        }
    )


def main() -> None:
    """Print one ratio for each way of arriving."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    total = parser.parse_args().rows
    folder = Path(tempfile.mkdtemp())
    workspace = open_workspace(Settings(workspace=folder, database_url="", warehouse=""), create=True)
    actor = actor_named(workspace, "system")
    model = create_model(
        workspace,
        actor,
        name="late",
        description="",
        owner=actor,
        problem_type=ProblemType.BINARY,
        primary_metric="roc_auc",
        latency_objective_ms=100.0,
        cadence_hours=24.0,
    )
    reference = rows(0, 100_000, total)
    register_version(
        workspace,
        actor,
        "late",
        NewVersion(
            estimator=None,
            columns=FEATURES,
            snapshot=store_training_data(workspace, actor, "late", reference),
            metrics={},
            reference=reference,
            commit=CommitState("", dirty=False),
        ),
    )
    recent = np.arange(total - total // 100, total)
    spread = np.arange(0, total - total // 100, 100)
    late = np.concatenate((recent, spread))
    for first in range(0, total, PART):
        part = rows(first, min(PART, total - first), total)
        log_predictions(workspace, actor, "late", 1, part)
        known = np.setdiff1d(np.arange(first, first + part.num_rows), late, assume_unique=True)
        if len(known):
            log_outcomes(workspace, actor, "late", outcomes(known, START + timedelta(days=400)))
    whole = seconds(lambda: count_logs(workspace, actor, model))
    print(f"{total:,} predictions and their outcomes: all slices in {whole:.1f} s")
    for title, numbers in (("of the newest days", recent), ("spread over the year", spread)):
        log_outcomes(workspace, actor, "late", outcomes(numbers, START + timedelta(days=500)))
        spent = seconds(lambda: count_logs(workspace, actor, model))
        print(f"outcomes of 1 % {title}: {spent:.2f} s, {spent / whole:.3f} of all")
    workspace.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
