"""In which segments a column moved, and which of them explains most of it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mlops_core.explanation.moves import Part
from mlops_core.explanation.results import SegmentShare
from mlops_core.explanation.wording import name_text, segment_text, share_text
from mlops_core.slices import Counts, Grid, Slice
from mlops_core.statistics.many_windows import drift_of_windows

__all__ = ["explain_by_segment"]

_FEWEST_EXCESS: Final = 0.15
"""A segment is named if its part of the move is larger by this much, and by two standard errors, than if all
segments had moved alike."""


@dataclass(frozen=True, slots=True)
class _Explained:
    share: SegmentShare
    excess: float
    error: float


def explain_by_segment(
    column: str,
    part: Part,
    grid: Grid,
    statistic: str,
    segment_columns: Sequence[str],
    before: Mapping[str, Slice],
    after: Mapping[str, Slice],
) -> tuple[list[SegmentShare], str]:
    """Return how much of a column's move each segment explains, and a sentence; nothing without segments.

    The share of the moved part is the sum, over the segments of one segment column, of ``w * p``: w the
    segment's share of the rows, p the part's share inside it. So the change of that share is the sum of
    ``w1 p1 - w0 p0``, of which each segment explains its own. The drifted column itself is no segment of
    interest.

    Parameters
    ----------
    part
        The rows that moved.
    before, after
        The slices of every segment in both windows.

    Returns
    -------
    list of SegmentShare, str
        The segment first whose part exceeds by most what it would explain if all segments had moved alike:
        its part of the reference rows that could move, those outside the part where its share rose and
        those in it where its share fell.
    """
    found: list[_Explained] = []
    for name in segment_columns:
        if name == column:
            continue
        values = sorted({one for one in (*before, *after) if one.startswith(f"{name}=")})
        found += _decompose(column, part, grid, statistic, values, before, after)
    found.sort(key=lambda one: (-one.excess, one.share.segment))
    named, sentence = _sentence(found)
    return [replace(one.share, stands_out=one.share.segment == named) for one in found], sentence


def _decompose(
    column: str,
    part: Part,
    grid: Grid,
    statistic: str,
    values: Sequence[str],
    before: Mapping[str, Slice],
    after: Mapping[str, Slice],
) -> list[_Explained]:
    first, second = (
        {value: _counts(window, value, column) for value in values} for window in (before, after)
    )
    n, m = (sum(one.rows for one in window.values() if one is not None) for window in (first, second))
    if not n or not m:
        return []
    moved_before, moved_after = (
        {value: part.rows_in(one) if one is not None else 0 for value, one in window.items()}
        for window in (first, second)
    )
    change = sum(moved_after.values()) / m - sum(moved_before.values()) / n
    if not change:
        return []
    movable = dict(moved_before)
    if change > 0:
        movable = {
            value: (one.rows if one is not None else 0) - moved_before[value] for value, one in first.items()
        }
    found = []
    for value in values:
        reference, current = first[value], second[value]
        p, q = moved_before[value] / n, moved_after[value] / m
        rows = current.rows if current is not None else 0
        reference_rows = reference.rows if reference is not None else 0
        explained = (q - p) / change
        found.append(
            _Explained(
                SegmentShare(
                    segment=value,
                    value=drift_of_windows(statistic, reference, [current], grid)[0]
                    if reference is not None
                    else None,
                    rows=rows,
                    reference_rows=reference_rows,
                    explained=explained,
                ),
                excess=explained - (movable[value] / sum(movable.values())),
                error=math.sqrt(p * (1 - p) / n + q * (1 - q) / m) / abs(change),
            )
        )
    return found


def _counts(window: Mapping[str, Slice], segment: str, column: str) -> Counts | None:
    found = window.get(segment)
    return found.columns.get(column) if found is not None else None


def _sentence(found: Sequence[_Explained]) -> tuple[str, str]:
    """Name the first segment; one that has all rows of the window, or none, can explain nothing.

    Returns
    -------
    str, str
        The segment that is named, empty where all moved alike, and the sentence.
    """
    present = Counter(one.share.segment.partition("=")[0] for one in found if one.share.rows)
    found = [one for one in found if present[one.share.segment.partition("=")[0]] > 1]
    if not found:
        return "", ""
    first = found[0]
    column = first.share.segment.partition("=")[0]
    if first.excess < max(_FEWEST_EXCESS, 2 * first.error):
        columns = sorted({one.share.segment.partition("=")[0] for one in found})
        return "", f"It happened in all segments of {' and '.join(map(name_text, columns))} alike."
    alike = [one.share for one in found if one.share.segment.partition("=")[0] == column]
    rows = share_text(first.share.rows / sum(share.rows for share in alike))
    explained = first.share.explained
    part = "All" if explained > 0.995 else share_text(round(explained, 2))
    name = segment_text(first.share.segment)
    return first.share.segment, f"{part} of it happened with {name}, which has {rows} of the predictions."
