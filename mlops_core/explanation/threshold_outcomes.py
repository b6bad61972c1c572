"""What each threshold would have done, in figures and in a sentence, and which one to take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_core.domain.states import Level
from mlops_core.explanation.warnings import (
    Past,
    Verdict,
    Warning_,
    best_threshold,
    lead_days,
    warnings_at,
)
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.thresholds import AnyThreshold, ConstantThreshold, LearnedThreshold

__all__ = ["ThresholdOutcome", "outcome_of", "propose"]


@dataclass(frozen=True, slots=True)
class ThresholdOutcome:
    """What one threshold would have done.

    Attributes
    ----------
    name
        `current` (the monitor's), `learned`, `rule of thumb`, `proposed`, or how a given one was chosen.
    warnings
        Oldest first, each with its verdict.
    windows_outside
        Windows that had reached the limit.
    falls_caught, missed
        Falls of accuracy with and without a warning before them.
    lead_days
        How long before each caught fall the first warning came.
    false_warnings
        Warnings after which accuracy did not fall; neither those during a fall nor those of which it cannot
        be told yet.
    precision
        Warnings before a fall among those and the false ones, None where there are neither.
    recall
        Caught falls among all, None where accuracy never fell.
    """

    name: str
    threshold: AnyThreshold
    limit: Limit
    warnings: Sequence[Warning_]
    windows_outside: int
    falls_caught: int
    lead_days: Sequence[float]
    false_warnings: int
    missed: int
    precision: float | None
    recall: float | None
    sentence: str


def propose(
    past: Past,
    outcomes: Sequence[ThresholdOutcome],
    statistic: str,
    unknown_reason: str = "",
    *,
    above: bool,
) -> tuple[ThresholdOutcome | None, str]:
    """Return the threshold to take with the reason, or None with the reason why none.

    The one that warns of every fall with the fewest false warnings (see `best_threshold`); where accuracy
    never fell, or nobody knows whether it did, the learned one.

    Parameters
    ----------
    outcomes
        Those of other thresholds; the learned one is taken from them.
    unknown_reason
        Why falls are not known, in words without a full stop; empty when they are.
    above
        Whether a value is outside from the threshold upwards, or downwards.
    """
    learned = next((one for one in outcomes if isinstance(one.threshold, LearnedThreshold)), None)
    if not past.falls:
        why = f"falls are not known ({unknown_reason})" if unknown_reason else "accuracy never fell"
        if learned is None:
            return None, f"No threshold is proposed: {why}, and none was learned from the reference."
        same = outcome_of(past, "proposed", learned.threshold, learned.limit, unknown_reason)
        return same, f"The learned threshold is proposed: {why}, so none can be weighed against falls."
    best, missed = best_threshold(past, above=above)
    falls = _count(len(past.falls), "fall")
    side = "from" if above else "down from"
    if best is None:
        return None, (
            f"No threshold would have warned within {past.horizon_days:g} days before "
            f"{'the fall' if len(past.falls) == 1 else f'any of {falls}'} of accuracy."
        )
    if missed:
        dates = ", ".join(_day(past.falls[one].start, past) for one in missed)
        return None, (
            f"No threshold would have warned within {past.horizon_days:g} days before every fall of "
            f"accuracy: {side} {best:.3g} it would have warned of {len(past.falls) - len(missed)} of "
            f"{falls}, and missed {dates}."
        )
    why = f"it would have warned of {'the fall' if len(past.falls) == 1 else f'all {falls}'}"
    threshold = ConstantThreshold(
        Level.WARNING, best, above, f"backtest: {why} with the fewest false warnings"
    )
    proposed = outcome_of(past, "proposed", threshold, threshold.resolve(), unknown_reason)
    if learned and (best < learned.limit.value if above else best > learned.limit.value):
        chance = (
            f"It lies within what the reference varies by (limit {learned.limit.value:.3g}): its warnings "
            "may be chance."
        )
    else:
        chance = "It was chosen knowing the falls: expect less from now on."
    return proposed, (
        f"{statistic_name(statistic)} {side} {best:.3g} is proposed: {why} with the fewest false "
        f"warnings ({proposed.false_warnings}). {chance}"
    )


def outcome_of(
    past: Past, name: str, threshold: AnyThreshold, limit: Limit, unknown_reason: str = ""
) -> ThresholdOutcome:
    """Return what a threshold would have done, given the limit that it resolves to.

    Parameters
    ----------
    unknown_reason
        Why falls are not known, in words without a full stop; empty when they are.
    """
    warnings = warnings_at(past, limit)
    leads = [lead for lead in lead_days(past, limit) if lead is not None]
    before = sum(one.verdict == Verdict.BEFORE_FALL for one in warnings)
    false = sum(one.verdict == Verdict.FALSE for one in warnings)
    missed = len(past.falls) - len(leads)
    return ThresholdOutcome(
        name=name,
        threshold=threshold,
        limit=limit,
        warnings=warnings,
        windows_outside=sum(one.windows for one in warnings),
        falls_caught=len(leads),
        lead_days=leads,
        false_warnings=false,
        missed=missed,
        precision=before / (before + false) if before + false else None,
        recall=len(leads) / len(past.falls) if past.falls else None,
        sentence=_sentence(past, warnings, missed, unknown_reason),
    )


def _sentence(past: Past, warnings: Sequence[Warning_], missed: int, unknown_reason: str) -> str:
    first = next(window for window, value in zip(past.windows, past.values, strict=True) if value is not None)
    since = f"Had this monitor been on since {_day(first.start, past)} it would"
    would = f"{since} have warned {_times(len(warnings))}" if warnings else f"{since} never have warned"
    if unknown_reason:
        return f"{would}; whether accuracy fell is not known: {unknown_reason}."
    count = {verdict: sum(one.verdict == verdict for one in warnings) for verdict in Verdict}
    if not past.falls and len(warnings) == count[Verdict.FALSE] == 1:
        return f"{would}, falsely: accuracy did not fall."
    after = []
    if not past.falls:
        after.append("accuracy did not fall")
    elif warnings:
        before = count[Verdict.BEFORE_FALL]
        often = "" if before == len(warnings) == 1 else f"{_times(before)} "
        would += f", {often}within {past.horizon_days:g} days before accuracy fell"
    if missed:
        whole = f"{missed} of {_count(len(past.falls), 'fall')}" if len(past.falls) > 1 else "the fall"
        after.append(f"{whole} {'was' if missed == 1 else 'were'} missed")
    if warnings:
        false = count[Verdict.FALSE]
        after.append(f"{false or 'none'} {'were' if false > 1 else 'was'} false")
    if late := count[Verdict.LATE]:
        after.append(f"{late} came when it had fallen already")
    if undecided := count[Verdict.UNDECIDED]:
        after.append(f"{undecided} {'are' if undecided > 1 else 'is'} too recent to tell")
    return f"{would}; {', '.join(after)}."


def _times(n: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(n, f"{n} times")


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _day(moment: datetime, past: Past) -> str:
    """Return a date in short, with its year where it is not that of the newest window."""
    year = "" if moment.year == past.windows[-1].start.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}"
