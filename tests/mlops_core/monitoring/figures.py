"""What was measured, and the same figures computed from the raw logged rows."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from sqlmodel import select

from mlops_core.domain import Measurement, ModelVersion, Monitor, OutcomeSlice, StoredSlice
from mlops_core.domain.states import MonitorKind, Origin
from mlops_core.monitoring.reading import read_outcomes, read_slices
from mlops_core.workspace import Workspace

Key = tuple[str, str, str, datetime]


def measured(workspace: Workspace, version: ModelVersion) -> dict[Key, Measurement]:
    """The newest measurement of each statistic, column and window of a version."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(Monitor.kind, Measurement)
            .join(Monitor, Monitor.id == Measurement.monitor_id)
            .where(Monitor.model_version_id == version.id)
            .order_by(Measurement.id)
        ).all()
    return {(kind, row.statistic, row.column, row.window_start): row for kind, row in rows}


def by_window(
    workspace: Workspace, version: ModelVersion, statistic: str, column: str = ""
) -> dict[datetime, Measurement]:
    """What was measured, not estimated, by the start of its window."""
    found = measured(workspace, version)
    return {
        key[3]: row
        for key, row in found.items()
        if key[0] != MonitorKind.ESTIMATE and key[1:3] == (statistic, column)
    }


def everything(workspace: Workspace, versions: Sequence[ModelVersion]) -> dict[object, object]:
    """All figures of some versions, in a form in which two workspaces can be compared."""
    found: dict[object, object] = {}
    for version in versions:
        for key, row in measured(workspace, version).items():
            value = None if row.value is None else float(f"{row.value:.9g}")
            found[version.number, *key] = (value, row.rows, row.level)
        for segment in ("", "region=north"):
            counted = read_slices(workspace, version, None, segment=segment)
            found[version.number, "slices", segment] = (
                counted.rows,
                {
                    name: (counts.rows, np.asarray(counts.cells).tobytes())
                    for name, counts in counted.columns.items()
                    if hasattr(counts, "cells")
                },
            )
            outcomes = read_outcomes(workspace, version, None, segment=segment)
            found[version.number, "outcomes", segment] = outcomes and (
                outcomes.rows,
                round(getattr(outcomes, "brier_sum", 0.0), 9),
            )
    return found


def slice_rows(
    workspace: Workspace, version: ModelVersion, table: type[StoredSlice] | type[OutcomeSlice] = StoredSlice
) -> dict[tuple[datetime, str], int]:
    """Rows of each production slice."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(table.start, table.segment, table.rows).where(
                table.model_version_id == version.id, table.origin == Origin.PRODUCTION
            )
        ).all()
    assert len({row[:2] for row in rows}) == len(rows)
    return {(start, segment): count for start, segment, count in rows}


def days_and_segments(frame: pd.DataFrame) -> dict[tuple[datetime, str], int]:
    """The same from raw rows."""
    day = frame["predicted_at"].dt.floor("D")
    whole = {(start, ""): rows for start, rows in frame.groupby(day).size().items()}
    parts = {
        (start, f"region={region}"): rows
        for (start, region), rows in frame.groupby([day, frame["region"]]).size().items()
    }
    return whole | parts


def population_stability_index(reference: pd.Series, current: pd.Series, bins: int = 10) -> float:
    """Over the deciles of the reference's rows."""
    edges = np.quantile(reference, np.arange(1, bins) / bins)
    first = np.bincount(np.searchsorted(edges, reference, side="right"), minlength=bins) / len(reference)
    second = np.bincount(np.searchsorted(edges, current, side="right"), minlength=bins) / len(current)
    second = np.maximum(second, 0.5 / len(current))
    return float(np.sum((second - first) * np.log(second / first)))
