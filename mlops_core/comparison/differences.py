"""Each metric of both versions, their difference, its interval and p-value; the primary one by segment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

from mlops_core.analysis.delong import delong
from mlops_core.analysis.paired_bootstrap import (
    RESAMPLES,
    SEED,
    Heard,
    Part,
    Resampled,
    paired_bootstrap,
    unheard_draws,
)
from mlops_core.analysis.paired_metrics import PairedRows, metrics_of, values_of
from mlops_core.comparison.evidence import first_of, has_zero_outcome, why_no_interval, why_undefined
from mlops_core.comparison.report import Difference, SegmentDifference
from mlops_core.comparison.segments import SegmentRows, comparable_segments
from mlops_core.comparison.verdict import MARGIN, SIGNIFICANCE, holm, margin_of
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = ["CONFIDENCE", "Differences", "compare_metrics"]

CONFIDENCE: Final = 0.95
_AREA: Final = "roc_auc"
_DELONG: Final = "DeLong"
_BOOTSTRAP: Final = "paired bootstrap"
_RELATIVE: Final = "mape"
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Differences:
    """What the metrics say.

    Attributes
    ----------
    metrics
        The primary one first.
    segments
        The worst for the challenger first.
    margin
        By how much of the primary metric a segment may be worse.
    reason
        Why the primary metric has no interval; empty where it has one.
    notes
        What could not be compared.
    """

    metrics: list[Difference]
    segments: list[SegmentDifference]
    margin: float
    reason: str
    notes: list[str]


def compare_metrics(
    rows: PairedRows,
    primary: str,
    segments: Sequence[SegmentRows] = (),
    *,
    margin: float = MARGIN,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    heard: Heard = unheard_draws,
) -> Differences:
    """Compare two versions by every metric that their answers allow.

    The area under the ROC curve has the interval of DeLong, every other metric the percentiles of a paired
    bootstrap. In segments the primary metric's interval and p-value rest on its standard error (of the same
    draws of rows) and the normal distribution, as the tails that a correction for many segments needs lie
    beyond what the draws can show. The intervals of segments hold together with 95 % (Bonferroni).

    Parameters
    ----------
    primary
        Is compared even where the answers do not allow it: its values are None then.
    margin
        See `margin_of`.
    heard
        Called between blocks of draws; raises to stop.
    """
    allowed = metrics_of(rows)
    relative = len(rows) and has_zero_outcome(rows)
    if relative:
        allowed.remove(_RELATIVE)
    tested, notes = comparable_segments(rows, primary, segments) if primary in allowed else ([], [])
    enough = [name for name in allowed if name != _AREA and why_no_interval(rows, name) is None]
    parts = [Part(enough), *(Part([primary], one.rows) for one in tested if primary != _AREA)]
    whole, *drawn = paired_bootstrap(rows, parts, resamples=resamples, seed=seed, heard=heard)
    values = values_of(rows, allowed)
    compared = [
        _compared(rows, name, values.get(name), whole.get(name))
        for name in [primary, *(name for name in allowed if name != primary)]
    ]
    limit = margin_of(primary, compared[0][0].champion, margin)
    errors = [
        _in_segment(rows.take(one.rows), primary, drawn[place][primary] if drawn else None)
        for place, one in enumerate(tested)
    ]
    reasons = [f"{found.metric}: {reason}" for found, reason in compared if reason]
    if reasons:
        notes.insert(0, f"no interval for {first_of(reasons, '; ')}")
    if relative and primary != _RELATIVE:
        notes.append("MAPE is not defined where an outcome is 0: left out")
    listed = _judged(tested, errors, limit)
    return Differences([found for found, _ in compared], listed, limit, compared[0][1], notes)


def _compared(
    rows: PairedRows, name: str, values: tuple[float, float] | None, drawn: Resampled | None
) -> tuple[Difference, str]:
    """Return a metric's difference, and why it has no interval; empty where it has one."""
    if values is None:
        why = "undefined, as an outcome is 0" if name == _RELATIVE else "answers are labels alone"
        return _difference(rows, name, (math.nan, math.nan)), why
    found = _difference(rows, name, values)
    if found.difference is None:
        return found, why_undefined(rows, values)
    reason = why_no_interval(rows, name)
    if reason == "":
        return replace(found, difference=0.0, lower=0.0, upper=0.0, p_value=1.0), ""
    if reason is not None:
        return found, reason
    if drawn is None:
        found = _with_error(found, _area_error(rows), CONFIDENCE)
    else:
        lower, upper = drawn.interval(CONFIDENCE)
        if math.isfinite(lower) and math.isfinite(upper):
            found = replace(found, lower=lower, upper=upper, p_value=drawn.p_value)
    return found, "" if found.lower is not None else "undefined for many draws of the rows"


def _difference(rows: PairedRows, name: str, values: tuple[float, float]) -> Difference:
    mine, theirs = (value if math.isfinite(value) else None for value in values)
    apart = math.nan if mine is None or theirs is None else mine - theirs
    return Difference(
        metric=name,
        challenger=mine,
        champion=theirs,
        difference=apart if math.isfinite(apart) else None,
        lower=None,
        upper=None,
        p_value=None,
        higher_is_better=PERFORMANCE_STATISTICS[name].higher_is_better,
        method=_DELONG if name == _AREA else _BOOTSTRAP,
        rows=len(rows),
    )


def _with_error(found: Difference, error: float, confidence: float) -> Difference:
    """Return the difference with the interval and the two-sided p-value of the normal distribution."""
    if found.difference is None or not math.isfinite(error):
        return found
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    distance = _deviations(found.difference, error)
    return replace(
        found,
        lower=found.difference - reach,
        upper=found.difference + reach,
        p_value=math.erfc(abs(distance) / math.sqrt(2)),
    )


def _area_error(rows: PairedRows) -> float:
    mine, theirs = rows.challenger.numbers, rows.champion.numbers
    if mine is None or theirs is None:
        return math.nan
    return delong(rows.outcomes == 1.0, mine, theirs).standard_error


def _in_segment(rows: PairedRows, primary: str, drawn: Resampled | None) -> tuple[Difference, float]:
    """Return the difference in a segment, and its standard error."""
    found = _difference(rows, primary, values_of(rows, [primary])[primary])
    if why_no_interval(rows, primary) == "":
        return replace(found, difference=0.0), 0.0
    return found, _area_error(rows) if drawn is None else drawn.standard_error


def _judged(
    segments: Sequence[SegmentRows], compared: Sequence[tuple[Difference, float]], margin: float
) -> list[SegmentDifference]:
    """Return the segments with corrected intervals and p-values, the worst first."""
    chances = []
    for found, error in compared:
        gained = (found.difference or 0.0) * (1 if found.higher_is_better else -1)
        usable = found.difference is not None and math.isfinite(error)
        chances.append(_lower_tail(_deviations(gained + margin, error)) if usable else 1.0)
    together = 1.0 - (1.0 - CONFIDENCE) / max(len(segments), 1)
    listed = [
        SegmentDifference(
            segment=one.name,
            difference=_with_error(found, error, together),
            adjusted_p_value=corrected,
            is_worse=corrected <= SIGNIFICANCE,
        )
        for one, (found, error), corrected in zip(segments, compared, holm(chances), strict=True)
    ]
    return sorted(listed, key=lambda one: (_gain(one.difference), one.segment))


def _gain(found: Difference) -> float:
    gained = found.difference or 0.0
    return gained if found.higher_is_better else -gained


def _deviations(value: float, error: float) -> float:
    """Return a value in standard errors; one that has no error but rounding is certain."""
    if error > _ROUNDING * abs(value):
        return value / error
    return math.copysign(math.inf, value) if value else 0.0


def _lower_tail(deviations: float) -> float:
    return 0.5 * math.erfc(-deviations / math.sqrt(2))
