"""A comparison on the page: the metrics, the segments, and below them calibration, agreement and cost."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.components.agreement_chart import draw_agreement
from app.components.calibration_chart import draw_calibration
from app.components.download import csv_of, draw_downloads, file_name_of
from app.components.forest_chart import draw_forest
from app.components.formats import share, signed
from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.components.titles import draw_title
from app.registry.differences import (
    fairness_rows,
    figure,
    interval_words,
    metric_rows,
    segment_rows,
)
from app.theme import palette
from mlops_core.comparison.calibration_gap import calibration_gap
from mlops_core.comparison.report import ComparisonReport, Difference
from mlops_core.monitoring.findings import statistic_name

__all__ = ["draw_details", "draw_metrics", "draw_segments"]

_MOST_SEGMENTS = 16
_ALIKE_MS = 0.1


def draw_metrics(report: ComparisonReport) -> None:
    """Draw the difference of every metric in per cent of the champion's value, on one axis."""
    rows = metric_rows(report.metrics, palette())
    with draw_title(metrics_title(report)):
        draw_downloads(
            {"The metrics": (_name(report, "metrics"), lambda: _metrics_csv(report))},
            key="registry_metrics_download",
        )
    if not rows:
        st.info("No metric of both versions has an interval on these rows.", icon=":material/search_off:")
        return
    draw_forest(
        rows,
        unit=f"change in % of v{report.champion}'s value, with 95 % interval",
        key=f"registry_metrics_{report.model}_{report.challenger}_{report.champion}",
        alt=f"Differences of metrics with their intervals: {metrics_title(report)}",
        file_name=_name(report, "metrics"),
        figures_title=f"v{report.challenger} vs v{report.champion}",
        names_pixels=118,
        figures_pixels=196,
    )
    left_out = [statistic_name(one.metric) for one in report.metrics if one.lower is None or not one.champion]
    if left_out:
        st.caption(f"Without an interval: {', '.join(left_out)}.")


def metrics_title(report: ComparisonReport) -> str:
    """Return in words what the primary metric says."""
    one = report.primary
    name = statistic_name(one.metric)
    name = f"{name[:1].upper()}{name[1:]}"
    if one.difference is None:
        return f"{name} is not defined for these rows"
    size = figure(abs(one.difference))
    if not float(size.replace(",", "")):
        return f"{name} is the same, {figure(one.challenger)}: {_interval(one)}"
    if one.lower is None or one.upper is None:
        return f"{name} differs by {size}; its interval cannot be told"
    moved = "higher" if one.difference > 0 else "lower"
    if one.is_better or one.is_worse:
        good = "better" if one.is_better else "worse"
        return f"{name} is {size} {moved}, which is {good}: {_interval(one)}"
    return f"{name} is {size} {moved}, which may be chance: {_interval(one)}"


def _interval(one: Difference) -> str:
    words = interval_words(one)
    return words[words.index("(") + 1 : -1] if "(" in words else words


def draw_segments(report: ComparisonReport) -> None:
    """Draw the primary metric by segment, the worst first, with the margin that is still accepted."""
    if not report.segments:
        st.caption(f"{report.model} has no segment columns: nothing can be worse for a part of its rows.")
        return
    rows = segment_rows(report.segments, palette())
    with draw_title(segments_title(report)):
        draw_downloads(
            {"The segments": (_name(report, "segments"), lambda: _segments_csv(report))},
            key="registry_segments_download",
        )
    if not rows:
        st.caption("No segment has enough rows for an interval.")
        return
    draw_forest(
        rows[:_MOST_SEGMENTS],
        unit=f"difference of {statistic_name(report.primary.metric)}",
        key=f"registry_segments_{report.model}_{report.challenger}_{report.champion}",
        alt=f"Difference by segment: {segments_title(report)}",
        file_name=_name(report, "segments"),
        margin=report.margin or None,
        mirrored=not report.primary.higher_is_better,
        names_pixels=150,
        figures_pixels=146,
    )
    hidden = len(rows) - _MOST_SEGMENTS
    st.caption(
        f"Intervals are corrected for {len(report.segments)} segments."
        + (f" {hidden} better ones are in the download." if hidden > 0 else "")
    )


def segments_title(report: ComparisonReport) -> str:
    """Return in words whether a segment is worse."""
    worse = [one.segment.replace("=", " is ", 1) for one in report.segments if one.is_worse]
    if not worse:
        return f"No segment is significantly worse by more than {report.margin:.3g}"
    others = f" and {len(worse) - 1} more" if len(worse) > 1 else ""
    return f"Worse where {worse[0]}{others}, by more than {report.margin:.3g}"


def draw_details(report: ComparisonReport) -> None:
    """Draw calibration, agreement, cost and fairness in two rows of two."""
    calibration, agreement = st.columns(2, gap="medium")
    with calibration:
        _draw_calibration(report)
    with agreement:
        _draw_agreement(report)
    cost, fairness = st.columns(2, gap="medium")
    with cost:
        _draw_cost(report)
    with fairness:
        _draw_fairness(report)
    notes = [*report.notes, f"{report.resamples:,} resamples of {report.rows:,} rows of {report.snapshot}"]
    st.caption("  \n".join(f"{plain(note[:1].upper() + note[1:].rstrip('.'))}." for note in notes))


def _draw_calibration(report: ComparisonReport) -> None:
    mine = calibration_gap(report.challenger_calibration)
    others = calibration_gap(report.champion_calibration)
    if mine is None or others is None:
        st.markdown("**Calibration**")
        st.caption("There are no scores to compare with what came true.")
        return
    better = "closer to" if mine < others else "further from"
    st.markdown(
        f"**v{report.challenger} is {better} what came true: off by {figure(mine)} on average, "
        f"v{report.champion} by {figure(others)}**"
    )
    draw_calibration(
        report.challenger_calibration,
        report.champion_calibration,
        names=_names(report),
        unit="value" if report.primary.metric in ("rmse", "mae", "mape", "r_squared") else "score",
        key="registry_calibration",
        alt="Calibration of both versions",
        file_name=_name(report, "calibration"),
    )


def _draw_agreement(report: ComparisonReport) -> None:
    found = report.agreement
    if found is None:
        st.markdown("**Agreement**")
        st.caption("The predictions of the two cannot be laid side by side.")
        return
    alike = f", their answers correlate by {found.correlation:.2f}" if found.correlation is not None else ""
    st.markdown(f"**Both say the same for {share(found.share)} of {report.rows:,} rows{alike}**")
    draw_agreement(
        found.labels,
        found.counts,
        names=_names(report),
        key="registry_agreement",
        alt="Agreement of both versions",
        file_name=_name(report, "agreement"),
    )


def _draw_cost(report: ComparisonReport) -> None:
    st.markdown(f"**{cost_title(report)}**")
    challenger, champion = _names(report)
    rows: list[tuple[str, str, str, str]] = []
    if report.latency:
        one = report.latency
        for name, mine, others in (
            ("Response, median", one.challenger_p50, one.champion_p50),
            ("Response, p95", one.challenger_p95, one.champion_p95),
        ):
            rows.append((name, f"{mine:.1f} ms", f"{others:.1f} ms", f"{signed(mine - others, 1)} ms"))
    sizes = report.challenger_bytes / 1024, report.champion_bytes / 1024
    rows.append(
        ("Artefact", f"{sizes[0]:,.0f} KiB", f"{sizes[1]:,.0f} KiB", f"{signed(sizes[0] - sizes[1], 0)} KiB")
    )
    rows.append(
        (
            "Features added",
            ", ".join(report.features_added) or "none",
            "",
            signed(len(report.features_added), 0),
        )
    )
    rows.append(
        (
            "Features dropped",
            "",
            ", ".join(report.features_dropped) or "none",
            signed(-len(report.features_dropped), 0),
        )
    )
    st.dataframe(
        pd.DataFrame(rows, columns=["what", "challenger", "champion", "difference"]),
        hide_index=True,
        column_config={
            "what": st.column_config.TextColumn("", width=126),
            "challenger": st.column_config.TextColumn(challenger, width=170),
            "champion": st.column_config.TextColumn(champion, width=170),
            "difference": st.column_config.TextColumn("Difference", width=90, alignment="right"),
        },
        row_height=ROW_PIXELS,
        height=ROW_PIXELS * (len(rows) + 1) + 4,
        key="registry_cost",
        alt="What both versions cost to run",
    )


def cost_title(report: ComparisonReport) -> str:
    """Return in words which version answers faster."""
    if report.latency is None:
        return "What it costs: response times could not be compared"
    mine, others = report.latency.challenger_p95, report.latency.champion_p95
    if abs(mine - others) < _ALIKE_MS:
        return f"Both answer within {mine:.1f} ms at the 95th percentile"
    word = "faster" if mine < others else "slower"
    return f"It answers {figure(abs(mine - others))} ms {word} at the 95th percentile"


def _draw_fairness(report: ComparisonReport) -> None:
    rows = fairness_rows(report.fairness, palette())
    if not rows:
        st.markdown("**Fairness**")
        st.caption(
            "No protected attribute is declared on the model card, so no groups were compared."
            if not report.fairness
            else "The groups are too small to tell the versions apart."
        )
        return
    st.markdown(f"**{fairness_title(report)}**")
    draw_forest(
        rows,
        unit="how much less groups are treated apart",
        key="registry_fairness",
        alt="Differences of fairness with their intervals",
        file_name=_name(report, "fairness"),
        names_pixels=190,
        figures_pixels=178,
    )


def fairness_title(report: ComparisonReport) -> str:
    """Return in words for whom groups are treated further apart."""
    worse = sorted({one.attribute for one in report.fairness if one.lower is not None and one.lower > 0})
    if worse:
        return f"Groups of {', '.join(worse)} are treated further apart than by v{report.champion}"
    return f"No groups are treated significantly further apart than by v{report.champion}"


def _names(report: ComparisonReport) -> tuple[str, str]:
    return f"v{report.challenger}", f"v{report.champion}"


def _name(report: ComparisonReport, what: str) -> str:
    return file_name_of(report.model, f"v{report.challenger}", "vs", f"v{report.champion}", what)


_HEADER: Sequence[str] = (
    "challenger",
    "champion",
    "difference",
    "lower",
    "upper",
    "p_value",
    "method",
    "rows",
)


def _figures(one: Difference) -> tuple[object, ...]:
    return (
        one.challenger, one.champion, one.difference, one.lower, one.upper, one.p_value, one.method, one.rows
    )  # fmt: skip


def _metrics_csv(report: ComparisonReport) -> bytes:
    return csv_of(("metric", *_HEADER), [(one.metric, *_figures(one)) for one in report.metrics])


def _segments_csv(report: ComparisonReport) -> bytes:
    return csv_of(
        ("segment", *_HEADER, "adjusted_p_value", "is_worse"),
        [
            (one.segment, *_figures(one.difference), one.adjusted_p_value, one.is_worse)
            for one in report.segments
        ],
    )
