"""Bigboard: grids of the first half, both halves counted, every drift statistic of every column.

``two`` and ``weekly`` are `mlops_core.drift`: the second half, as a whole or week by week, against the first.
``thresholds`` also compares each week of the first half with all of it, as a monitor does that learns its
thresholds from the reference.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from peer import COLUMNS, HALF, TIME, measure, tables

from mlops_core import drift
from mlops_core.slices import NumericGrid, SlicePlan, build_slices, grids_from_table, merge_slices
from mlops_core.statistics import DRIFT_STATISTICS

path, job, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
first, second = tables(path)


def two() -> object:
    """Compare the two halves."""
    return drift(first, second)


def weekly() -> object:
    """Compare each week of the second half with the first half."""
    return drift(first, second, timestamp=TIME, every="week")


def thresholds() -> object:
    """Compare every week with the first half."""
    grids = grids_from_table(first, COLUMNS)
    batches = [*first.to_batches(131_072), *second.to_batches(131_072)]
    weeks = build_slices(batches, SlicePlan(TIME, "week", grids))
    reference = merge_slices(part for key, part in weeks.items() if key.start < HALF)
    return {
        (key, name, statistic.name): statistic.compute(reference.columns[name], part.columns[name], grid)
        for key, part in weeks.items()
        for name, grid in grids.items()
        for statistic in DRIFT_STATISTICS.values()
        if ("numeric" if isinstance(grid, NumericGrid) else "categorical") in statistic.kinds
    }


measure({"two": two, "weekly": weekly, "thresholds": thresholds}[job], repeats, warm_up=True)
