"""Replay a limit over what a statistic was: when it would have warned, and whether accuracy then fell.

How warnings and falls are counted:

- Windows outside the limit in a row are one warning, which begins with the first. A window that is not
  judged (no value) neither begins nor ends one. So a limit that is always reached warns once.
- Warnings and falls have the date at which their first window starts. A warning is *before* a fall when the
  fall starts at most the horizon after it; one that begins within the first window of the fall counts too,
  with a lead of 0 days, for outcomes arrive later than predictions.
- One that begins after that, while accuracy is still down, is *late*. One whose horizon reaches beyond the
  last window of known accuracy is *undecided* as long as no fall followed. All others are *false*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mlops_core.explanation.falls import Fall
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.windows import Window

__all__ = [
    "Past",
    "Tally",
    "Verdict",
    "Warning_",
    "best_threshold",
    "candidates",
    "lead_days",
    "tally",
    "warnings_at",
]

_DAY = timedelta(days=1)

Booleans = NDArray[np.bool_]


class Verdict(StrEnum):
    """What became of a warning."""

    BEFORE_FALL = "before_fall"
    LATE = "late"
    UNDECIDED = "undecided"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Past:
    """What a statistic was, window by window, and when accuracy fell.

    Attributes
    ----------
    windows, values
        In order of time, equally many; None is not judged.
    falls
        Oldest first.
    known_to
        Up to when accuracy is known, None where it is not known at all.
    horizon_days
        How many days before a fall a warning is of use; 0 or more.
    """

    windows: Sequence[Window]
    values: Sequence[float | None]
    falls: Sequence[Fall]
    known_to: datetime | None
    horizon_days: float = 14


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - Warning is an exception of Python's
    """Windows outside a limit in a row.

    Attributes
    ----------
    start, end
        Of its first and of its last window.
    windows
        How many were outside.
    fall
        The first fall that it came before, as an index of `Past.falls`; None where it came before none.
    lead_days
        Days from its start to that of the fall, between 0 and the horizon.
    """

    start: datetime
    end: datetime
    windows: int
    verdict: Verdict
    fall: int | None = None
    lead_days: float | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What each of m thresholds would have done.

    Attributes
    ----------
    outside, warnings, before_fall, late, undecided, false
        Windows, then warnings by verdict; int64, shape ``(m,)``.
    idle
        Windows outside that neither lie in a fall nor come before one within the horizon.
    caught
        Whether a warning came before each of f falls; shape ``(m, f)``.
    """

    outside: NDArray[np.int64]
    warnings: NDArray[np.int64]
    before_fall: NDArray[np.int64]
    late: NDArray[np.int64]
    undecided: NDArray[np.int64]
    false: NDArray[np.int64]
    idle: NDArray[np.int64]
    caught: Booleans


@dataclass(frozen=True, slots=True)
class _Judged:
    """The judged windows, and what a warning that begins with each of them is."""

    windows: Sequence[Window]
    values: NDArray[np.float64]
    before: Booleans
    leads: NDArray[np.float64]
    late: Booleans
    undecided: Booleans
    false: Booleans


def warnings_at(past: Past, limit: Limit) -> list[Warning_]:
    """Return the warnings that a limit would have given, oldest first."""
    judged = _judge(past)
    outside = _outside(judged.values, np.array([limit.value]), limit.above)[0]
    changes = np.diff(np.concatenate(([False], outside, [False])).astype(np.int8))
    found = []
    for first, stop in zip(
        (changes == 1).nonzero()[0].tolist(), (changes == -1).nonzero()[0].tolist(), strict=True
    ):
        fall = int(judged.before[first].argmax()) if judged.before[first].any() else None
        if fall is not None:
            verdict = Verdict.BEFORE_FALL
        elif judged.late[first]:
            verdict = Verdict.LATE
        else:
            verdict = Verdict.UNDECIDED if judged.undecided[first] else Verdict.FALSE
        found.append(
            Warning_(
                judged.windows[first].start,
                judged.windows[stop - 1].end,
                stop - first,
                verdict,
                fall,
                None if fall is None else float(judged.leads[first, fall]),
            )
        )
    return found


def lead_days(past: Past, limit: Limit) -> list[float | None]:
    """Return how many days before each fall a limit would have warned first; None where it would not."""
    judged = _judge(past)
    begins = _begins(_outside(judged.values, np.array([limit.value]), limit.above))[0]
    leads = np.where(judged.before[begins], judged.leads[begins], -1.0).max(axis=0, initial=-1.0)
    return [None if lead < 0 else lead for lead in leads.tolist()]


def tally(past: Past, thresholds: NDArray[np.float64], *, above: bool) -> Tally:
    """Return what each of some thresholds would have done, all of them at once.

    Parameters
    ----------
    thresholds
        Shape ``(m,)``.
    above
        Whether a value is outside from the threshold upwards, or downwards.
    """
    return _tally(_judge(past), thresholds, above)


def candidates(values: Sequence[float | None], *, above: bool) -> NDArray[np.float64]:
    """Return a threshold between each two neighbouring values, the least sensitive first.

    With them every choice of windows that a threshold can set apart is tried, but all and none.

    Examples
    --------
    >>> candidates([0.1, None, 0.3, 0.1, 0.2], above=True).round(3).tolist()
    [0.25, 0.15]
    """
    distinct = np.unique(np.array([value for value in values if value is not None], np.float64))
    lower, upper = distinct[:-1], distinct[1:]
    middle = lower / 2 + upper / 2  # the sum may overflow
    if above:
        return np.where((middle > lower) & (middle <= upper), middle, upper)[::-1]
    return np.where((middle >= lower) & (middle < upper), middle, lower)


def best_threshold(past: Past, *, above: bool) -> tuple[float | None, Sequence[int]]:
    """Return the threshold that warns of every fall with the fewest false warnings.

    Of several that do equally well, the one with the fewest idle windows (outside with no fall in sight: else
    one that is nearly always reached would do, for it warns once); then the one whose warnings came
    earliest, days before the falls added up; then the least sensitive. It is chosen knowing the falls: on
    what comes it will do worse than here.

    Returns
    -------
    tuple[float | None, Sequence[int]]
        The threshold, and the falls that were missed, as indices of `Past.falls`: where no threshold warns
        of every fall, it is the one that misses fewest. None when not even one fall is warned of.
    """
    judged = _judge(past)
    thresholds = candidates(past.values, above=above)
    if not len(thresholds) or not past.falls:
        return None, range(len(past.falls))
    found = _tally(judged, thresholds, above)
    missed = (~found.caught).sum(axis=1)
    leads = _lead_sums(judged, thresholds, above)
    best = int(np.lexsort((found.outside, -leads, found.idle, found.false, missed))[0])
    if missed[best] == len(past.falls):
        return None, range(len(past.falls))
    return float(thresholds[best]), np.flatnonzero(~found.caught[best]).tolist()


def _judge(past: Past) -> _Judged:
    pairs = [
        (window, value)
        for window, value in zip(past.windows, past.values, strict=True)
        if value is not None and np.isfinite(value)
    ]
    origin = past.windows[0].start if past.windows else None

    def days(moments: Sequence[datetime]) -> NDArray[np.float64]:
        return np.array([(moment - origin) / _DAY for moment in moments if origin], np.float64)

    starts = days([window.start for window, _ in pairs])[:, np.newaxis]
    fall_starts, first_ends, ends = (
        days([getattr(fall, name) for fall in past.falls]) for name in ("start", "first_end", "end")
    )
    leads = np.maximum(fall_starts - starts, 0.0)
    before = (starts < first_ends) & (leads <= past.horizon_days)
    any_before = before.any(axis=1)
    late = np.asarray(((starts >= first_ends) & (starts < ends)).any(axis=1) & ~any_before)
    known_to = days([past.known_to])[0] if past.known_to and origin else -np.inf
    open_yet = np.asarray(starts[:, 0] + past.horizon_days >= known_to) & ~any_before & ~late
    return _Judged(
        [window for window, _ in pairs],
        np.array([value for _, value in pairs], np.float64),
        before,
        leads,
        late,
        open_yet,
        ~(any_before | late | open_yet),
    )


def _tally(judged: _Judged, thresholds: NDArray[np.float64], above: bool) -> Tally:
    outside = _outside(judged.values, thresholds, above)
    begins = _begins(outside).astype(np.float32)  # counts below 2**24 are exact, and products fast
    verdicts = np.column_stack(
        (judged.before.any(axis=1), judged.late, judged.undecided, judged.false, judged.before)
    ).astype(np.float32)
    counts = (begins @ verdicts).astype(np.int64)
    return Tally(
        outside.sum(axis=1),
        counts[:, :4].sum(axis=1),
        counts[:, 0],
        counts[:, 1],
        counts[:, 2],
        counts[:, 3],
        (outside & (judged.false | judged.undecided)).sum(axis=1),
        counts[:, 4:] > 0,
    )


def _lead_sums(judged: _Judged, thresholds: NDArray[np.float64], above: bool) -> NDArray[np.float64]:
    """Return for each threshold the days between its first warning before a fall and the fall, added up."""
    begins = _begins(_outside(judged.values, thresholds, above))
    sums = np.zeros(len(thresholds))
    for before, leads in zip(judged.before.T, judged.leads.T, strict=True):
        sums += np.where(begins & before, leads, 0.0).max(axis=1, initial=0.0)
    return sums


def _outside(values: NDArray[np.float64], thresholds: NDArray[np.float64], above: bool) -> Booleans:
    """Return whether each value has reached each threshold, shape ``(m, n)``, as `judge` does of one."""
    columns = thresholds[:, np.newaxis]
    outside: Booleans = values >= columns if above else values <= columns
    return outside


def _begins(outside: Booleans) -> Booleans:
    begins = outside.copy()
    begins[:, 1:] &= ~outside[:, :-1]
    return begins
