"""Columns that stayed as they are over all rows and drifted inside one segment, which the others hide."""

from dataclasses import dataclass

from mlops_core.domain.states import Level, Origin
from mlops_core.explanation.movement import limits_of
from mlops_core.explanation.question import look_up, read_data
from mlops_core.explanation.ranking import OUTPUTS
from mlops_core.explanation.segment_slices import read_segments
from mlops_core.explanation.sentences import describe_move
from mlops_core.explanation.wording import Setting
from mlops_core.monitoring.levels import FEWEST_ROWS, judge
from mlops_core.monitoring.windows import Window
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.statistics.many_windows import drift_of_windows
from mlops_core.statistics.significance import FALSE_DISCOVERY_RATE, shift_p_value
from mlops_core.workspace import Workspace

__all__ = ["SegmentDrift", "drift_in_segments"]


@dataclass(frozen=True, slots=True)
class SegmentDrift:
    """One column in one segment.

    Attributes
    ----------
    segment
        `column=value`.
    value
        The statistic inside the segment.
    adjusted_p_value
        Multiplied by the number of columns in all segments (Bonferroni).
    rows, reference_rows
        Of the segment, in the window and in the reference.
    sentence
        `Spend 8w above 812 rose from 10 % to 31.5 % of predictions with age 45-54 (n = 402).`
    """

    column: str
    segment: str
    value: float
    adjusted_p_value: float
    rows: int
    reference_rows: int
    sentence: str


def drift_in_segments(
    workspace: Workspace,
    name: str,
    *,
    window: Window | None = None,
    reference: Window | None = None,
    statistic: str = "psi",
) -> list[SegmentDrift]:
    """Return the inputs that are critical inside a segment, and did not drift over all rows.

    Every column is measured in every segment that has enough rows in the window to be judged. These are
    few, often of the same customers week after week: what would be a warning for all rows is no news in one
    of many segments.

    Parameters
    ----------
    window, reference, statistic
        As in `explain_model`. For a statistic without limits nothing is returned.

    Returns
    -------
    list of SegmentDrift
        The largest move first.

    Raises
    ------
    NotFound, InvalidInput
        See `explain_model`.
    """
    asked = look_up(workspace, name, window, reference, "", statistic)
    limits = limits_of(statistic)
    if not limits or not asked.model.segment_columns:
        return []
    data = read_data(asked)
    columns = [one for one in data.columns if one not in OUTPUTS]
    origin = Origin.PRODUCTION if reference is not None else Origin.REFERENCE
    before = read_segments(workspace, asked.version, reference, origin=origin, columns=columns)
    after = read_segments(workspace, asked.version, asked.window, origin=Origin.PRODUCTION, columns=columns)
    segments = [one for one in sorted(before.keys() & after.keys()) if after[one].rows >= FEWEST_ROWS]
    higher = DRIFT_STATISTICS[statistic].higher_is_drift
    found: list[SegmentDrift] = []
    for column in columns:
        grid = data.grids[column]
        whole = drift_of_windows(statistic, data.before.columns[column], [data.after.columns[column]], grid)[
            0
        ]
        if whole is None or judge(whole, limits).is_outside:
            continue
        for segment in segments:
            first, second = before[segment].columns.get(column), after[segment].columns.get(column)
            if first is None or second is None or segment.startswith(f"{column}="):
                continue
            value = drift_of_windows(statistic, first, [second], grid)[0]
            if value is None or judge(value, limits) != Level.CRITICAL:
                continue
            chance = min(1.0, shift_p_value(first, second, grid) * len(columns) * len(segments))
            setting = Setting(asked.window.year, None, segment)
            described = describe_move(column, grid, first, second, setting, drifted=True)
            if chance <= FALSE_DISCOVERY_RATE and described is not None:
                sentence = described[1].sentence
                found.append(SegmentDrift(column, segment, value, chance, second.rows, first.rows, sentence))
    return sorted(found, key=lambda one: (-one.value if higher else one.value, one.column, one.segment))
