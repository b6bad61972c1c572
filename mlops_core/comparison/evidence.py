"""When rows can tell two versions apart at all, and in words why not."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from mlops_core.analysis.paired_metrics import PairedRows, family_of

__all__ = [
    "FEWEST_DIFFERENT",
    "FEWEST_OF_OUTCOME",
    "FEWEST_ROWS",
    "first_of",
    "has_zero_outcome",
    "why_no_interval",
    "why_undefined",
]

FEWEST_ROWS: Final = 30
"""Below that no interval is given."""

FEWEST_OF_OUTCOME: Final = 10
"""A metric of ranks, and one of the rows of one outcome alone, needs so many rows of each outcome."""

FEWEST_DIFFERENT: Final = 10
"""The versions must answer differently on so many rows. With fewer, an interval of resampled rows is too
narrow: 4 rows that all speak for one side come by chance in 1 of 8 comparisons of equal versions."""

_MOST_NAMED: Final = 5
_NEAR_ZERO: Final = 1e-9
_OF_ONE_OUTCOME: Final = frozenset({"recall", "specificity", "precision", "f1"})
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12  # below that lies one estimator that was trained on two machines


def why_no_interval(rows: PairedRows, metric: str) -> str | None:
    """Say why rows are too few to compare a metric on; None where they suffice.

    Returns
    -------
    str | None
        Words without a full stop, like "6 rows of outcome 1 (10 are needed)"; empty where both versions
        answer the same on every row.
    """
    different = _different(rows, family_of(metric) == "label")
    if not different:
        return ""
    if len(rows) < FEWEST_ROWS:
        return f"{_rows(len(rows))} in all ({FEWEST_ROWS} are needed)"
    if rows.problem == "binary" and (family_of(metric) == "rank" or metric in _OF_ONE_OUTCOME):
        for outcome in (1, 0):
            found = int((rows.outcomes == outcome).sum())
            if found < FEWEST_OF_OUTCOME:
                return f"{_rows(found)} of outcome {outcome} ({FEWEST_OF_OUTCOME} are needed)"
    if different < FEWEST_DIFFERENT:
        return f"{_rows(different)} on which their answers differ ({FEWEST_DIFFERENT} are needed)"
    return None


def has_zero_outcome(rows: PairedRows) -> bool:
    """Return whether an outcome is 0, or so near to it that errors relative to it mean nothing.

    That is one whose magnitude is at most 1e-9 of the median one.
    """
    sizes = np.abs(rows.outcomes)
    return rows.problem == "regression" and bool(np.any(sizes <= _NEAR_ZERO * np.median(sizes)))


def why_undefined(rows: PairedRows, values: tuple[float, float]) -> str:
    """Say why a metric of these rows is nan for the challenger or the champion, without a full stop."""
    if rows.problem == "regression":
        constant = bool(np.ptp(rows.outcomes) == 0)
        return "undefined, as the outcome is constant" if constant else "undefined, as numbers are too large"
    if len(np.unique(rows.outcomes)) < 2:
        return "undefined, as every outcome is the same"
    versions = zip(("the challenger", "the champion"), values, strict=True)
    return (
        f"undefined, as {' and '.join(one for one, value in versions if math.isnan(value))} never predicts 1"
    )


def first_of(texts: Sequence[str], joint: str = ", ") -> str:
    """Return the first five texts in one, and how many more there are."""
    more = f"{joint}and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return joint.join(texts[:_MOST_NAMED]) + more


def _different(rows: PairedRows, by_label: bool) -> int:
    mine, theirs = rows.challenger, rows.champion
    if by_label and mine.labels is not None and theirs.labels is not None:
        return int((mine.labels != theirs.labels).sum())
    if mine.numbers is None or theirs.numbers is None:
        return 0
    return int((~np.isclose(mine.numbers, theirs.numbers, _RELATIVE, _ABSOLUTE)).sum())


def _rows(count: int) -> str:
    return "no row" if not count else "1 row" if count == 1 else f"{count:,} rows"
