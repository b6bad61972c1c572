"""NannyML's estimates (CBPE, DLE) of the windows in a folder that `benchmarks/estimates.py` has written."""

import json
import sys
from pathlib import Path

import nannyml
import pandas as pd

folder = Path(sys.argv[1])
found = {}
for file in sorted(folder.glob("*-window.parquet")):
    name = file.name.removesuffix("-window.parquet")
    reference = pd.read_parquet(folder / f"{name}-reference.parquet")
    window = pd.read_parquet(file)
    for frame in (reference, window):
        for column in frame.columns.intersection(["group"]):
            frame[column] = (frame[column] == "b").astype(float)  # it fails on texts of pandas 3
    if "score" in reference:
        estimator = nannyml.CBPE(
            metrics=["roc_auc", "accuracy", "f1"],
            y_pred_proba="score",
            y_pred="label",
            y_true="outcome",
            problem_type="classification_binary",
            chunk_size=len(window),
        )
        metrics = ["roc_auc", "accuracy", "f1"]
    else:
        estimator = nannyml.DLE(
            feature_column_names=["x", "z", "group"],
            y_pred="prediction",
            y_true="outcome",
            metrics=["mae", "rmse"],
            chunk_size=len(window),
        )
        metrics = ["mae", "rmse"]
    table = estimator.fit(reference).estimate(window).to_df()
    last = table[table[("chunk", "period")] == "analysis"].iloc[-1]
    found[name] = {metric: float(last[(metric, "value")]) for metric in metrics}
print(json.dumps(found))
