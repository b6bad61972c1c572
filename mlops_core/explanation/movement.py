"""How far each column has moved, whether that may be chance, since when, and how it went week by week."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_core.domain.states import Level
from mlops_core.monitoring.levels import FEWEST_ROWS, Limit, judge
from mlops_core.monitoring.thresholds import RuleOfThumb
from mlops_core.monitoring.windows import Window
from mlops_core.slices import CategoricalGrid, Grids, Slice
from mlops_core.statistics import RULES_OF_THUMB
from mlops_core.statistics.many_windows import drift_of_windows
from mlops_core.statistics.significance import FALSE_DISCOVERY_RATE, adjusted_p_values, shift_p_value

__all__ = ["Movement", "limits_of", "measure_movements"]


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
    *,
    trends: Mapping[str, Sequence[float | None]] | None = None,
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
    trends
        The statistic of each week by column, where it is known already.
    """
    figures, chances = [], []
    for name in columns:
        reference, current, grid = before.columns[name], after.columns[name], grids[name]
        trend = trends[name] if trends is not None else None
        weekly = [week.columns.get(name) for week in by_week] if trend is None else []
        value, *computed = drift_of_windows(statistic, reference, [current, *weekly], grid)
        figures.append((value, computed if trend is None else trend))
        chances.append(shift_p_value(reference, current, grid))
    limits = limits_of(statistic)
    found = []
    for name, (value, trend), chance in zip(columns, figures, adjusted_p_values(chances), strict=True):
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
