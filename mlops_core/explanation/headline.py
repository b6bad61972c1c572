"""The sentence above everything else: whether a model drifted, in what, and since when."""

from collections.abc import Sequence

from mlops_core.domain.states import Level
from mlops_core.explanation.movement import Movement, limits_of
from mlops_core.explanation.results import SegmentDrift
from mlops_core.explanation.wording import day_text, segment_text, span_text
from mlops_core.monitoring.levels import FEWEST_ROWS
from mlops_core.monitoring.windows import Window
from mlops_core.statistics import DRIFT_STATISTICS

__all__ = ["headline_of"]

_MOST_NAMED = 3


def headline_of(
    model: str,
    ranked: Sequence[Movement],
    *,
    rows: int,
    window: Window,
    reference: Window | None,
    segment: str,
    statistic: str,
    in_segments: Sequence[SegmentDrift] = (),
) -> str:
    """Return `customer-loyalty drifted in 1 of 14 columns: age, since 6 Nov`.

    Parameters
    ----------
    ranked
        Every column, in the order in which they are shown.
    in_segments
        The inputs that drifted inside a segment alone: they are named where no input drifted over all rows.
    """
    year = window.year
    subject = f"{model} ({segment_text(segment)})" if segment else model
    against = f" against {span_text(reference.start, reference.end, year)}" if reference else ""
    if rows < FEWEST_ROWS:
        predictions = "1 prediction is" if rows == 1 else f"{rows:,} predictions are"
        return f"{subject} cannot be judged{against}: {predictions} too few, {FEWEST_ROWS} are needed"
    if not ranked:
        return f"{subject}: nothing to compare{against}"
    total = f"{len(ranked):,} column{'' if len(ranked) == 1 else 's'}"
    drifted = [one for one in ranked if one.level.is_outside]
    if drifted:
        names = ", ".join(one.column for one in drifted[:_MOST_NAMED])
        more = len(drifted) - _MOST_NAMED
        names += f" and {more:,} more" if more > 0 else ""
        since = min(one.since for one in drifted if one.since is not None)
        where = f"{len(drifted):,} of {total}: {names}"
        inside = f"; no input did over all rows, but {_inside(in_segments)}" if in_segments else ""
        return f"{subject} drifted{against} in {where}, since {day_text(since, year)}{inside}"
    if in_segments:
        return f"{subject} did not drift{against} over all rows; {_inside(in_segments)}"
    higher = DRIFT_STATISTICS[statistic].higher_is_drift
    values = {one.column: one.value for one in ranked if one.value is not None}
    if not values:
        return f"{subject}: {statistic} is not defined for any of {total}"
    if all(one.level == Level.UNKNOWN for one in ranked):
        return f"{subject} cannot be judged{against}: the reference has too few rows"
    furthest = (max if higher else min)(values, key=lambda column: values[column])
    verb = "did not drift" if limits_of(statistic) else "moved"
    return f"{subject} {verb}{against}: of {total} {furthest} moved furthest"


def _inside(found: Sequence[SegmentDrift]) -> str:
    """Return `spend_8w did in age 45-54, in tier gold, income in region west and 2 more`."""
    places, named = [], ""
    for one in found[:_MOST_NAMED]:
        column = "" if one.column == named else f"{one.column} " if named else f"{one.column} did "
        places.append(f"{column}in {segment_text(one.segment)}")
        named = one.column
    more = len(found) - _MOST_NAMED
    return ", ".join(places) + (f" and {more:,} more" if more > 0 else "")
