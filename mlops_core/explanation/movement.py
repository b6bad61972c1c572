"""How far each column has moved, whether that may be chance, since when, and how it went week by week."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.domain.states import Level
from mlops_core.monitoring.levels import FEWEST_ROWS, Limit, judge
from mlops_core.monitoring.thresholds import RuleOfThumb
from mlops_core.monitoring.windows import Window
from mlops_core.slices import CategoricalCounts, CategoricalGrid, Counts, Grid, Grids, NumericCounts, Slice
from mlops_core.statistics import DRIFT_STATISTICS, RULES_OF_THUMB
from mlops_core.statistics.binning import bin_starts
from mlops_core.statistics.significance import FALSE_DISCOVERY_RATE, adjusted_p_values, shift_p_value

__all__ = ["Movement", "limits_of", "measure_movements", "statistic_by_week"]


_BINS: Final = 10  # those of psi


@dataclass(frozen=True, slots=True)
class Movement:
    """The figures of one column; see `ColumnMovement` for what each one means."""

    column: str
    is_categorical: bool
    value: float | None
    adjusted_p_value: float | None
    trend: Sequence[float | None]
    level: Level
    since: datetime | None


def limits_of(statistic: str) -> list[Limit]:
    """Return where drift begins by the rule of thumb of a statistic, nothing where there is none."""
    if statistic not in RULES_OF_THUMB:
        return []
    return [RuleOfThumb(level, statistic).resolve() for level in (Level.WARNING, Level.CRITICAL)]


def measure_movements(
    statistic: str,
    columns: Sequence[str],
    grids: Grids,
    before: Slice,
    after: Slice,
    window: Window,
    weeks: Sequence[Window],
    by_week: Sequence[Slice],
) -> list[Movement]:
    """Return the figures of each column, in the order given.

    Parameters
    ----------
    statistic
        A key of `DRIFT_STATISTICS`.
    columns
        Those that both windows hold.
    by_week
        The slices of `weeks`; a week may lack columns.
    """
    trends = [
        statistic_by_week(
            statistic,
            before.columns[name],
            [after.columns[name], *(week.columns.get(name) for week in by_week)],
            grids[name],
        )
        for name in columns
    ]
    chances = adjusted_p_values(
        [shift_p_value(before.columns[name], after.columns[name], grids[name]) for name in columns]
    )
    limits = limits_of(statistic)
    found = []
    for name, (value, *trend), chance in zip(columns, trends, chances, strict=True):
        level = _level(value, chance, before.columns[name].rows, after.columns[name].rows, limits)
        rows = [week.columns[name].rows if name in week.columns else 0 for week in by_week]
        found.append(
            Movement(
                column=name,
                is_categorical=isinstance(grids[name], CategoricalGrid),
                value=value,
                adjusted_p_value=None if math.isnan(chance) else chance,
                trend=trend,
                level=level,
                since=_since(trend, rows, limits, window, weeks) if level.is_outside else None,
            )
        )
    return found


def _level(
    value: float | None, chance: float, rows_before: int, rows_after: int, limits: Sequence[Limit]
) -> Level:
    may_be_chance = math.isnan(chance) or chance > FALSE_DISCOVERY_RATE
    if value is None or rows_after < FEWEST_ROWS or (rows_before < FEWEST_ROWS and may_be_chance):
        return Level.UNKNOWN
    if not limits:
        return Level.UNJUDGED
    return Level.IN_RANGE if may_be_chance else judge(value, limits)


def _since(
    trend: Sequence[float | None],
    rows: Sequence[int],
    limits: Sequence[Limit],
    window: Window,
    weeks: Sequence[Window],
) -> datetime:
    """Return the start of the last run of weeks outside that reaches into the window.

    A week of too few rows neither begins a run nor ends it. Where no week of the window is outside on its
    own, the start of the window.
    """
    start: datetime | None = None
    for week, value, n in reversed(list(zip(weeks, trend, rows, strict=True))):
        if week.start >= window.end or value is None or n < FEWEST_ROWS:
            continue
        if start is None and week.end <= window.start:
            break
        if judge(value, limits).is_outside:
            start = week.start
        elif start is not None:
            break
    return start or window.start


def statistic_by_week(
    statistic: str, reference: Counts, windows: Sequence[Counts | None], grid: Grid
) -> list[float | None]:
    """Return a statistic of each window against the reference; None where it is undefined or there is none.

    The stability index, asked for most, is computed for all windows at once.
    """
    chosen = DRIFT_STATISTICS[statistic]
    kind = "categorical" if isinstance(grid, CategoricalGrid) else "numeric"
    if kind not in chosen.kinds or not reference.rows:
        return [None] * len(windows)
    filled = [one if one is not None and one.rows else None for one in windows]
    if statistic == "psi":
        values = iter(_stability(reference, [one for one in filled if one is not None]))
        return [None if one is None else _finite(next(values)) for one in filled]
    return [None if one is None else _finite(chosen.compute(reference, one, grid)) for one in filled]


def _stability(reference: Counts, windows: Sequence[Counts]) -> list[float]:
    """Return the stability index of `population_stability_index` for each of many windows."""
    if not windows:
        return []
    table = _bins_of(reference, [reference, *windows])
    rows = np.array([one.rows for one in windows], np.float64)[:, np.newaxis]
    p = np.maximum(table[:1], 0.5) / reference.rows
    q = np.maximum(table[1:], 0.5) / rows
    filled = (table[:1] > 0) | (table[1:] > 0)
    values: list[float] = np.sum((q - p) * np.log(q / p), axis=1, where=filled).tolist()
    return values


def _bins_of(reference: Counts, windows: Sequence[Counts]) -> NDArray[np.float64]:
    """Return the rows of windows in the bins of `rows_in_bins`, shape ``(n_windows, n_bins)``."""
    if isinstance(reference, NumericCounts):
        numeric = [one for one in windows if isinstance(one, NumericCounts)]
        cells = np.stack([one.cells for one in numeric])
        inside = np.add.reduceat(cells, bin_starts(reference, _BINS), axis=1)
        rest = np.array([(one.missing, one.infinite) for one in numeric])
    else:
        categorical = [one for one in windows if isinstance(one, CategoricalCounts)]
        inside = np.stack([one.known for one in categorical])
        rest = np.array([(one.unseen_rows, one.missing) for one in categorical])
    return np.concatenate((inside, rest), axis=1).astype(np.float64)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
