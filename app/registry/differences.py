"""Differences of two versions as rows of a forest plot."""

from collections.abc import Sequence

from app.components.forest_chart import ForestRow
from app.components.formats import signed
from app.theme import Palette
from mlops_core.comparison.report import Difference, FairnessDifference, SegmentDifference
from mlops_core.monitoring.findings import statistic_name

__all__ = ["change", "digits_of", "fairness_rows", "figure", "interval_words", "metric_rows", "segment_rows"]


def metric_rows(metrics: Sequence[Difference], colors: Palette) -> list[ForestRow]:
    """Return the metrics whose difference has an interval, in per cent of the champion's value."""
    rows = []
    for one in metrics:
        if one.difference is None or one.lower is None or one.upper is None or not one.champion:
            continue
        part = (100 if one.higher_is_better else -100) / abs(one.champion)
        low, high = sorted((one.lower * part, one.upper * part))
        rows.append(
            ForestRow(
                name=statistic_name(one.metric),
                difference=one.difference * part,
                lower=low,
                upper=high,
                figures=f"{_sign(one)} {figure(one.challenger)} vs {figure(one.champion)} "
                f"· <b>{change(one.difference)}</b>",
                color=_color(one, colors),
                hover=f"{interval_words(one)}<br>{one.method}, n = {one.rows:,}"
                + ("" if one.higher_is_better else "<br>lower is better"),
            )
        )
    return rows


def segment_rows(segments: Sequence[SegmentDifference], colors: Palette) -> list[ForestRow]:
    """Return segments in the metric's own unit, turned so that positive is better; worst first."""
    rows = []
    for one in segments:
        found = one.difference
        if found.difference is None or found.lower is None or found.upper is None:
            continue
        turn = 1 if found.higher_is_better else -1
        low, high = sorted((turn * found.lower, turn * found.upper))
        chance = f", p = {one.adjusted_p_value:.2g}" if one.adjusted_p_value is not None else ""
        rows.append(
            ForestRow(
                name=one.segment.replace("=", " is ", 1),
                difference=turn * found.difference,
                lower=low,
                upper=high,
                figures=f"{'◆' if one.is_worse else _sign(found)} "
                f"<b>{change(found.difference)}</b> · n = {found.rows:,}",
                color=colors.orange if one.is_worse else _color(found, colors),
                hover=f"{interval_words(found)}<br>of being worse by more than the margin{chance}"
                if chance
                else interval_words(found),
            )
        )
    return rows


def fairness_rows(found: Sequence[FairnessDifference], colors: Palette) -> list[ForestRow]:
    """Return how far groups are treated apart, turned so that less apart is better."""
    rows = []
    for one in found:
        if one.difference is None or one.lower is None or one.upper is None:
            continue
        apart = one.lower > 0
        color = colors.orange if apart else colors.green if one.upper < 0 else colors.muted
        sign = "▼" if apart else "▲" if one.upper < 0 else "○"
        rows.append(
            ForestRow(
                name=f"{one.attribute}: {one.measure.removesuffix(' difference')}",
                difference=-one.difference,
                lower=-one.upper,
                upper=-one.lower,
                figures=f"{sign} {figure(one.challenger)} vs {figure(one.champion)} "
                f"· <b>{signed(one.difference)}</b>",
                color=color,
                hover=f"{figure(one.challenger)} against {figure(one.champion)}, "
                f"95 % {signed(one.lower)} to {signed(one.upper)}",
            )
        )
    return rows


def interval_words(one: Difference) -> str:
    """Return a difference with its interval: `+0.012 (95 % +0.004 to +0.020)`."""
    digits = digits_of(one.difference)
    if one.lower is None or one.upper is None:
        return signed(one.difference, digits)
    return (
        f"{signed(one.difference, digits)} (95 % {signed(one.lower, digits)} to {signed(one.upper, digits)})"
    )


def figure(value: float | None) -> str:
    """Return a metric with the decimals that count."""
    if value is None:
        return "—"
    if abs(value) >= 1e6:
        return f"{value:.2g}"
    return f"{value:.{digits_of(value)}f}" if abs(value) < 1000 else f"{value:,.0f}"


def change(value: float | None) -> str:
    """Return a difference with its sign and the decimals that count."""
    if value is not None and abs(value) >= 1e6:
        return f"{value:+.2g}".replace("-", "−", 1)
    return signed(value, digits_of(value))


def digits_of(value: float | None) -> int:
    """Return with how many decimals a figure of this size is shown.

    >>> digits_of(0.8412), digits_of(31.7), digits_of(1204.0), digits_of(None)
    (3, 1, 0, 3)
    """
    size = abs(value or 0.0)
    return 3 if size < 10 else 1 if size < 1000 else 0


def _sign(one: Difference) -> str:
    return "▲" if one.is_better else "▼" if one.is_worse else "○"


def _color(one: Difference, colors: Palette) -> str:
    return colors.green if one.is_better else colors.orange if one.is_worse else colors.muted
