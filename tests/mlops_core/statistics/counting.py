"""Rows as counts, through the slice builder, so that statistics are tested from raw rows."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from mlops_core.slices import (
    CategoricalCounts,
    Counts,
    Grid,
    NumericGrid,
    OutcomePlan,
    Outcomes,
    SliceKey,
    SlicePlan,
    build_outcome_slices,
    build_slices,
)

START = datetime(2025, 1, 1, tzinfo=UTC)


def count(values, grid: Grid) -> Counts:
    """Return the counts of one column; None and NaN are what they are."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    if len(array) == 0:
        return count(pa.nulls(1), grid).empty(grid.n_cells)
    batch = pa.record_batch({"at": pa.array([START] * len(array)), "x": array})
    return build_slices([batch], SlicePlan("at", "day", {"x": grid}))[SliceKey(START)].columns["x"]


def window(values, current):
    """Return the counts of a reference and of a window, and the grid of the reference."""
    grid = NumericGrid.from_values(values)
    return count(values, grid), count(current, grid), grid


def categories(grid, reference, current) -> tuple[CategoricalCounts, CategoricalCounts, Grid]:
    return count(pa.array(reference, pa.string()), grid), count(pa.array(current, pa.string()), grid), grid


def outcomes(predictions, actual, problem_type="binary", **options) -> Outcomes:
    batch = pa.record_batch(
        {
            "at": pa.array([START] * len(predictions)),
            "p": pa.array(np.asarray(predictions)),
            "y": pa.array(np.asarray(actual)),
        }
    )
    plan = OutcomePlan("at", "day", problem_type, "p", "y", **options)
    return build_outcome_slices([batch], plan)[SliceKey(START)]
