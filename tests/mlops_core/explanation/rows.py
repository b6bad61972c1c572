"""Rows as slices, through the kernel, so that explanations are tested from raw rows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_core.domain.states import Level
from mlops_core.explanation.movement import Movement
from mlops_core.explanation.sentences import describe_move
from mlops_core.explanation.wording import Setting
from mlops_core.monitoring.windows import Window
from mlops_core.slices import Grids, Slice, SliceKey, SlicePlan, build_slices, grids_from_table

MONDAY = datetime(2025, 1, 6, tzinfo=UTC)
WEEK = timedelta(weeks=1)
SINCE = datetime(2025, 2, 3, tzinfo=UTC)


def table(frame: pd.DataFrame, at: datetime = MONDAY) -> pa.Table:
    times = pa.array([at] * len(frame), pa.timestamp("us", tz="UTC"))
    return pa.Table.from_pandas(frame, preserve_index=False).append_column("at", times)


def grids_of(frame: pd.DataFrame) -> Grids:
    return grids_from_table(table(frame), frame.columns)


def slices_of(frame: pd.DataFrame, grids: Grids, segments: Sequence[str] = ()) -> dict[str, Slice]:
    """Return the slices by segment, that of all rows under the empty name."""
    plan = SlicePlan("at", "day", grids, segment_columns=tuple(segments))
    found = build_slices(table(frame).to_batches(), plan)
    return {key.segment: counted for key, counted in found.items()}


def counted(frame: pd.DataFrame, grids: Grids) -> Slice:
    return slices_of(frame, grids)[SliceKey(MONDAY).segment]


def described(first, second, *, drifted: bool = True, segment: str = "", column: str = "spend_8w"):
    """Return the part of one column that moved between two lists of values, and what is said of it."""
    before, after = (pd.DataFrame({column: values}) for values in (first, second))
    grids = grids_of(before)
    setting = Setting(2025, SINCE if drifted else None, segment)
    columns = [counted(frame, grids).columns[column] for frame in (before, after)]
    return describe_move(column, grids[column], *columns, setting, drifted=drifted)


def sentence(first, second, **options) -> str:
    return described(first, second, **options)[1].sentence


def movement(
    column: str = "age", value: float | None = 0.3, level: Level = Level.CRITICAL, **given
) -> Movement:
    return Movement(
        column=column,
        is_categorical=False,
        value=value,
        adjusted_p_value=given.get("chance", 0.0),
        trend=[],
        level=level,
        since=given.get("since", SINCE) if level.is_outside else None,
    )


def week(number: int) -> Window:
    return Window(MONDAY + number * WEEK, MONDAY + (number + 1) * WEEK)


def normal(rows: int = 2_000, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(50, 15, rows)
