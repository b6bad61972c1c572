"""Each metric of both versions, their difference, its interval and p-value; the primary one by segment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np

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
from mlops_core.comparison.evidence import why_no_interval
from mlops_core.comparison.report import Difference, SegmentDifference
from mlops_core.comparison.segments import SegmentRows
from mlops_core.comparison.verdict import MARGIN, SIGNIFICANCE, holm, margin_of
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = ["CONFIDENCE", "Differences", "compare_metrics"]

CONFIDENCE: Final = 0.95
_AREA: Final = "roc_auc"
_DELONG: Final = "DeLong"
_BOOTSTRAP: Final = "paired bootstrap"
_ROUNDING: Final = 1e-12
_MOST_NAMED: Final = 5


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
    names = [primary, *(name for name in allowed if name != primary)]
    reasons = {name: why_no_interval(rows, name) for name in allowed}
    drawn = [name for name in allowed if name != _AREA and reasons[name] is None]
    tested, notes = _tested(rows, primary, segments) if primary in allowed else ([], [])
    parts = [Part(drawn), *(Part([primary], one.rows) for one in tested if primary != _AREA)]
    whole, *by_segment = paired_bootstrap(rows, parts, resamples=resamples, seed=seed, heard=heard)
    values = values_of(rows, allowed)
    metrics, undefined = [], []
    for name in names:
        if name not in allowed:
            metrics.append(_difference(rows, name, (math.nan, math.nan)))
            continue
        found = _difference(rows, name, values[name])
        reason = reasons[name]
        if found.difference is None:
            reason = _undefined(rows, values[name])
        elif reason == "":
            found = replace(found, difference=0.0, lower=0.0, upper=0.0, p_value=1.0)
        elif reason is None:
            found = _with_area(found, rows) if name == _AREA else _with_draws(found, whole[name])
            if found.lower is None:
                reason = "it is undefined for many draws of the rows"
        reasons[name] = reason
        metrics.append(found)
        if reason:
            undefined.append(f"{name}: {reason}")
    limit = margin_of(primary, metrics[0].champion, margin)
    compared = [
        _segment_error(rows.take(one.rows), primary, None if primary == _AREA else by_segment[place][primary])
        for place, one in enumerate(tested)
    ]
    listed = _judged(tested, compared, limit)
    reason = "its answers are labels alone" if primary not in allowed else reasons[primary] or ""
    if undefined:
        shown = "; ".join(undefined[:_MOST_NAMED])
        more = f"; and {len(undefined) - _MOST_NAMED} more" if len(undefined) > _MOST_NAMED else ""
        notes.insert(0, f"no interval for {shown}{more}")
    return Differences(metrics, listed, limit, reason, notes)


def _tested(
    rows: PairedRows, primary: str, segments: Sequence[SegmentRows]
) -> tuple[list[SegmentRows], list[str]]:
    """Return the segments that can be compared, and a note on the others."""
    tested, left_out = [], []
    for one in segments:
        chosen = rows.take(one.rows)
        reason = why_no_interval(chosen, primary)
        mine, theirs = values_of(chosen, [primary])[primary]
        if reason is None and not math.isfinite(mine - theirs):
            reason = _undefined(chosen, (mine, theirs))
        if reason:
            left_out.append(f"{one.name}: {reason}")
        else:
            tested.append(one)
    if not left_out:
        return tested, []
    more = f"; and {len(left_out) - _MOST_NAMED} more" if len(left_out) > _MOST_NAMED else ""
    return tested, [f"segments not compared: {'; '.join(left_out[:_MOST_NAMED])}{more}"]


def _difference(rows: PairedRows, name: str, values: tuple[float, float]) -> Difference:
    mine, theirs = (value if math.isfinite(value) else None for value in values)
    return Difference(
        metric=name,
        challenger=mine,
        champion=theirs,
        difference=None if mine is None or theirs is None else mine - theirs,
        lower=None,
        upper=None,
        p_value=None,
        higher_is_better=PERFORMANCE_STATISTICS[name].higher_is_better,
        method=_DELONG if name == _AREA else _BOOTSTRAP,
        rows=len(rows),
    )


def _with_area(found: Difference, rows: PairedRows) -> Difference:
    return _with_error(found, _area_error(rows), CONFIDENCE)


def _with_draws(found: Difference, drawn: Resampled) -> Difference:
    lower, upper = drawn.interval(CONFIDENCE)
    if not math.isfinite(lower):
        return found
    return replace(found, lower=lower, upper=upper, p_value=drawn.p_value)


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


def _segment_error(rows: PairedRows, primary: str, drawn: Resampled | None) -> tuple[Difference, float]:
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


def _undefined(rows: PairedRows, values: tuple[float, float]) -> str:
    if rows.problem == "regression":
        return "undefined, as the outcome is constant" if np.ptp(rows.outcomes) == 0 else "numbers too large"
    if len(np.unique(rows.outcomes)) < 2:
        return "undefined, as every outcome is the same"
    which = " and ".join(
        name
        for name, value in zip(("the challenger", "the champion"), values, strict=True)
        if math.isnan(value)
    )
    return f"undefined, as {which} never predicts 1"
