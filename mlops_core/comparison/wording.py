"""The verdict in a sentence."""

import math

from mlops_core.comparison.report import Difference
from mlops_core.comparison.verdict import Judgement
from mlops_core.domain.states import Verdict
from mlops_core.monitoring.findings import STATISTIC_NAMES

__all__ = ["difference_text", "margin_text", "metric_name", "value_text", "verdict_sentence"]


def metric_name(metric: str) -> str:
    """Return a metric's name to read: `AUC`, `average precision`."""
    return STATISTIC_NAMES.get(metric, metric.replace("_", " "))


def verdict_sentence(
    challenger: str,
    champion: str,
    primary: Difference,
    judgement: Judgement,
    *,
    segments: int,
    margin: float,
    reason: str,
) -> str:
    """Return what the comparison found.

    Parameters
    ----------
    challenger, champion
        Like `churn:5`.
    segments
        How many were compared.
    reason
        Why there is no interval, without a full stop; empty where there is one.
    """
    figures = _figures(primary)
    match judgement.verdict:
        case Verdict.BETTER:
            safe = ""
            if segments > 1:
                safe = f", and none of {segments} segments is worse by more than {margin_text(margin)}"
            return f"{challenger} is better than {champion}: {figures}{safe}."
        case Verdict.WORSE:
            return f"{challenger} is worse than {champion}: {figures}."
        case Verdict.WORSE_IN_SEGMENT if judgement.segment is not None:
            found = judgement.segment
            overall = f" On all rows: {figures}." if primary.difference is not None else ""
            return (
                f"{challenger} is worse than {champion} where {found.segment.replace('=', ' is ', 1)}, by "
                f"more than {margin_text(margin)}: {_figures(found.difference)}.{overall}"
            )
    opening = f"There is no evidence that {challenger} is better or worse than {champion}"
    if reason:
        return f"{opening}: {metric_name(primary.metric)}, {reason}."
    if primary.difference == 0 and primary.lower == primary.upper == 0:
        return f"{opening}: both answer the same on {primary.rows:,} rows."
    return f"{opening}: {figures}."


def value_text(value: float) -> str:
    """Return a figure with four digits that count, those before the point in full.

    >>> value_text(0.81234), value_text(12345.6), value_text(0.0), value_text(4e-7)
    ('0.8123', '12,346', '0', '4e-07')
    """
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:.3g}"
    decimals = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def difference_text(value: float) -> str:
    """Return a difference with its sign and three digits that count.

    >>> difference_text(0.01234), difference_text(-1234.5), difference_text(0.0)
    ('+0.0123', '-1,234', '0')
    """
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:+.2g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:+,.{decimals}f}"


def margin_text(margin: float) -> str:
    """Return a margin in as few digits as it has.

    >>> margin_text(0.01), margin_text(2.5), margin_text(1234.4)
    ('0.01', '2.5', '1,234')
    """
    return f"{margin:.3g}" if margin < 1000 else f"{margin:,.0f}"


def _figures(found: Difference) -> str:
    if found.challenger is None or found.champion is None or found.difference is None:
        return f"{metric_name(found.metric)} is not defined on {found.rows:,} rows"
    text = (
        f"{metric_name(found.metric)} {value_text(found.challenger)} against {value_text(found.champion)} "
        f"on {found.rows:,} rows"
    )
    if found.lower is None or found.upper is None:
        return text
    return (
        f"{text}, a difference of {difference_text(found.difference)} "
        f"({difference_text(found.lower)} to {difference_text(found.upper)})"
    )
