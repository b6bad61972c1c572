"""Estimated performance against the truth of simulated data, and against NannyML on the same rows.

The truth is the expectation of the statistic over the outcomes that the window's rows may have, which the
simulation knows. Run: `python benchmarks/estimates.py` (`--no-peer` leaves NannyML out, which is installed
into an environment of its own when it is first asked for).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import metrics

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from run import SILENT, Skipped, environment

from mlops_core.monitoring.loss_model import fit_loss
from mlops_core.slices import (
    OutcomePlan,
    SlicePlan,
    build_outcome_slices,
    build_slices,
    grids_from_table,
    merge_outcomes,
    merge_slices,
)
from mlops_core.statistics import calibrate, estimate, score_rows

ROWS = 20_000
WINDOW = 5_000
DRAWS = 200
BINARY: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "roc_auc": metrics.roc_auc_score,
    "accuracy": lambda truth, score: metrics.accuracy_score(truth, score >= 0.5),
    "f1": lambda truth, score: metrics.f1_score(truth, score >= 0.5),
}
REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
}


def logistic(values: np.ndarray) -> np.ndarray:
    """Return the probability of log-odds."""
    return 1 / (1 + np.exp(-values))


def binary(name: str, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return reference and window with their score, and `chance`, the true probability of outcome 1."""
    sharp = {"miscalibrated": 2.5}.get(name, 1.0)

    def rows(n: int, mean: float, spread: float, turned: float) -> pd.DataFrame:
        logit = random.normal(mean, spread, n)
        chance = logistic(logit * turned)
        frame = pd.DataFrame({"score": logistic(sharp * logit), "chance": chance})
        frame["outcome"] = (random.random(n) < chance).astype(int)
        frame["label"] = (frame["score"] >= 0.5).astype(int)
        return frame

    moved = (1.2, 0.8) if name in {"covariate shift", "miscalibrated"} else (-0.5, 1.5)
    return rows(ROWS, -0.5, 1.5, 1.0), rows(WINDOW, *moved, 0.3 if name == "concept drift" else 1.0)


def regression(name: str, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return reference and window of a model whose error grows with `x` and in one group."""

    def rows(n: int, mean: float, noise: float) -> pd.DataFrame:
        frame = pd.DataFrame({"x": random.normal(mean, 1, n), "z": random.normal(size=n)})
        frame["group"] = random.choice(["a", "b"], n, p=[0.8, 0.2] if mean == 0 else [0.4, 0.6])
        spread = noise * (1 + np.abs(frame["x"]) + 2 * (frame["group"] == "b"))
        frame["prediction"] = 3 * frame["x"] + frame["z"]
        frame["spread"] = spread
        frame["outcome"] = frame["prediction"] + spread * random.normal(size=n)
        return frame

    shifted = 1.5 if name == "shift to hard rows" else 0.0
    return rows(ROWS, 0.0, 1.0), rows(WINDOW, shifted, 2.0 if name == "noise doubled" else 1.0)


def expected(window: pd.DataFrame, random: np.random.Generator) -> dict[str, float]:
    """Return the mean of each statistic over many outcomes that the window may have."""
    totals: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        if "chance" in window:
            outcome = (random.random(len(window)) < window["chance"]).astype(int).to_numpy()
            for name, function in BINARY.items():
                totals.setdefault(name, []).append(function(outcome, window["score"].to_numpy()))
        else:
            outcome = window["prediction"] + window["spread"] * random.normal(size=len(window))
            for name, function in REGRESSION.items():
                totals.setdefault(name, []).append(function(outcome, window["prediction"]))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def ours(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    """Return what Bigboard estimates: classification from counts alone."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    first, second = (
        pa.Table.from_pandas(frame.assign(at=pd.Timestamp(at)), preserve_index=False)
        for frame in (reference, window)
    )
    if "score" not in reference:
        grids = grids_from_table(first, ["x", "z", "group", "prediction"])
        return {
            name: fit_loss(first, ["x", "z", "group"], grids, name).estimate(second).value
            for name in REGRESSION
        }
    plan = OutcomePlan("at", "day", "binary", "score", "outcome")
    known = merge_outcomes(build_outcome_slices(first.to_batches(), plan).values())
    grids = grids_from_table(first, ["score"])
    counted = merge_slices(build_slices(second.to_batches(), SlicePlan("at", "day", grids)).values())
    rows = score_rows(counted.columns["score"], grids["score"])
    calibration = calibrate(known)
    return {name: estimate(name, rows, calibration).value for name in BINARY}


def nannyml(cases: dict[str, tuple[pd.DataFrame, pd.DataFrame]]) -> dict[str, dict[str, float]]:
    """Return what NannyML estimates, in its own environment; nothing where that cannot be."""
    script = Path(__file__).parent / "peers" / "estimate_nannyml.py"
    with tempfile.TemporaryDirectory() as folder:
        for name, (reference, window) in cases.items():
            for part, frame, hidden in (
                ("reference", reference, ["chance", "spread"]),
                ("window", window, ["chance", "spread", "outcome"]),
            ):
                shown = frame.drop(columns=hidden, errors="ignore")
                shown.to_parquet(f"{folder}/{name}-{part}.parquet")
        try:
            command = [str(environment("nannyml")), str(script), folder]
        except Skipped as why:
            print(f"NannyML is left out: {why}", file=sys.stderr)
            return {}
        quiet = {**os.environ, **SILENT}
        done = subprocess.run(command, capture_output=True, text=True, env=quiet)  # noqa: S603 - our own words
    if done.returncode:
        print(f"NannyML failed: {done.stderr[-500:]}", file=sys.stderr)
        return {}
    found: dict[str, dict[str, float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Estimate every case and print it beside the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-peer", action="store_true", help="leave NannyML out")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    cases = {
        name: make(name, random)
        for make, names in (
            (binary, ("no drift", "covariate shift", "miscalibrated", "concept drift")),
            (regression, ("no drift, regression", "shift to hard rows", "noise doubled")),
        )
        for name in names
    }
    peer: dict[str, dict[str, float]] = {}
    if not asked.no_peer:
        peer = nannyml(cases)
    print(f"{ROWS:,} reference rows with outcomes, windows of {WINDOW:,} rows, seed {asked.seed}")
    print(
        f"{'case':22} {'statistic':9} {'reference':>9} {'truth':>8} {'Bigboard':>9} {'off':>7} "
        f"{'NannyML':>9} {'off':>7}"
    )
    for name, (reference, window) in cases.items():
        truth, mine = expected(window, random), ours(reference, window)
        before = expected(reference, random)
        for statistic, value in truth.items():
            other = peer.get(name, {}).get(statistic, float("nan"))
            print(
                f"{name:22} {statistic:9} {before[statistic]:9.4f} {value:8.4f} {mine[statistic]:9.4f} "
                f"{mine[statistic] - value:+7.4f} {other:9.4f} {other - value:+7.4f}"
            )


if __name__ == "__main__":
    main()
