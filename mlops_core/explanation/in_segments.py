"""Inputs that stayed as they are over all rows and drifted inside one segment, which the others hide."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from mlops_core.domain.states import Level, Origin
from mlops_core.explanation.movement import Movement, limits_of
from mlops_core.explanation.question import Data, Question
from mlops_core.explanation.ranking import OUTPUTS
from mlops_core.explanation.results import SegmentDrift
from mlops_core.explanation.segment_slices import LONG, MOST_COLUMNS, read_segments
from mlops_core.explanation.sentences import describe_move
from mlops_core.explanation.wording import Setting
from mlops_core.monitoring.levels import FEWEST_ROWS, Limit, judge
from mlops_core.slices import Grid, Slice
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.statistics.many_windows import drift_of_pairs
from mlops_core.statistics.significance import FALSE_DISCOVERY_RATE, shift_p_value

__all__ = ["drift_in_segments"]

_MOST_LOOKED_AT: Final = 200
_SLOW: Final = frozenset({"wasserstein", "wasserstein_normalised"})


def drift_in_segments(
    asked: Question, data: Data, movements: Sequence[Movement], importance: Mapping[str, float]
) -> tuple[list[SegmentDrift], list[str]]:
    """Return the inputs that are critical inside a segment and not outside a limit over all rows, and notes.

    Every such input is measured in every segment that has enough rows in the window to be judged. These are
    few, often of the same customers week after week: what would be a warning for all rows is no news in one
    of many segments. The chance of a move is multiplied by the number of inputs in all segments (Bonferroni).

    Of a model with very many inputs the most important are looked at: 200, and 20 where a window is longer
    than 12 weeks. A note says so.

    Parameters
    ----------
    movements
        Of every column over all rows.
    importance
        By column, where it is known.

    Returns
    -------
    list of SegmentDrift, list of str
        The largest move first. Nothing inside a segment, for a model without segments, or for a statistic
        without limits.
    """
    limits = limits_of(asked.statistic)
    if asked.segment or not limits or not asked.model.segment_columns or data.after.rows < FEWEST_ROWS:
        return [], []
    names, notes = _looked_at(asked, data, importance)
    origin = Origin.PRODUCTION if asked.reference is not None else Origin.REFERENCE
    workspace, version = asked.workspace, asked.version
    before = read_segments(workspace, version, asked.reference, origin=origin, columns=names)
    after = read_segments(workspace, version, asked.window, origin=Origin.PRODUCTION, columns=names)
    segments = [one for one in sorted(before.keys() & after.keys()) if after[one].rows >= FEWEST_ROWS]
    whole = {one.column: one.value for one in movements}
    found: list[SegmentDrift] = []
    for column in names:
        if whole[column] is None or judge(whole[column], limits).is_outside:
            continue
        found += _inside(column, data.grids[column], asked, limits, segments, before, after, len(names))
    sign = -1 if DRIFT_STATISTICS[asked.statistic].higher_is_drift else 1
    return sorted(found, key=lambda one: (sign * one.value, one.column, one.segment)), notes


def _looked_at(asked: Question, data: Data, importance: Mapping[str, float]) -> tuple[list[str], list[str]]:
    inputs = [one for one in data.columns if one not in OUTPUTS]
    windows = [one for one in (asked.window, asked.reference) if one is not None]
    is_long = any(one.end - one.start > LONG for one in windows)
    most = MOST_COLUMNS if is_long else _MOST_LOOKED_AT
    if len(inputs) <= most:
        return inputs, []
    chosen = {*sorted(inputs, key=lambda one: -importance.get(one, 0.0))[:most]}
    shorter = " in windows of more than 12 weeks" if is_long and len(inputs) <= _MOST_LOOKED_AT else ""
    return [one for one in inputs if one in chosen], [
        f"drift inside single segments was looked for in the {most} most important of {len(inputs):,} "
        f"inputs alone{shorter}: choose a segment to see all of them in it"
    ]


def _inside(
    column: str,
    grid: Grid,
    asked: Question,
    limits: Sequence[Limit],
    segments: Sequence[str],
    before: Mapping[str, Slice],
    after: Mapping[str, Slice],
    inputs: int,
) -> Iterator[SegmentDrift]:
    """Yield the segments in which one column is critical."""
    pairs = {
        segment: (before[segment].columns[column], after[segment].columns[column])
        for segment in segments
        if column in before[segment].columns
        and column in after[segment].columns
        and not segment.startswith(f"{column}=")
    }

    @cache
    def chance(segment: str) -> float:
        return min(1.0, shift_p_value(*pairs[segment], grid) * inputs * len(segments))

    if asked.statistic in _SLOW:
        pairs = {segment: pair for segment, pair in pairs.items() if chance(segment) <= FALSE_DISCOVERY_RATE}
    values = drift_of_pairs(
        asked.statistic, [one for one, _ in pairs.values()], [one for _, one in pairs.values()], grid
    )
    for (segment, (first, second)), value in zip(pairs.items(), values, strict=True):
        if value is None or judge(value, limits) != Level.CRITICAL or chance(segment) > FALSE_DISCOVERY_RATE:
            continue
        setting = Setting(asked.window.year, None, segment)
        described = describe_move(column, grid, first, second, setting, drifted=True)
        if described is not None:
            sentence = described[1].sentence
            yield SegmentDrift(column, segment, value, chance(segment), second.rows, first.rows, sentence)
