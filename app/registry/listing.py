"""The versions as a dense table: how each does against its champion, its tests, and where it stands."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pandas as pd
import streamlit as st

from app.components.formats import ago, signed
from app.components.interval_image import WIDTH_PIXELS, interval_image, shared_extent
from app.components.tables import ROW_PIXELS
from app.registry.address import View, go_to
from app.registry.looks import STAGE_WORDS, VERDICT_WORDS, css_color, result_style, verdict_style
from app.theme import palette
from mlops_core.domain.states import JobState, Stage, TestStatus, Verdict
from mlops_core.monitoring.findings import statistic_name
from mlops_core.registry.catalogue import ComparisonSummary, VersionLine, VersionPage

__all__ = ["PAGE_ROWS", "draw_listing"]

PAGE_ROWS = 25
_NO_PICTURE = ""


def draw_listing(view: View, page: VersionPage, now: datetime) -> None:
    """Draw one page of versions; a click on one opens it."""
    lines = page.lines
    frame = _frame(lines, now)
    key = f"versions-{view.show}-{view.page}-{view.order}"

    def opened() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            line = lines[int(cells[0][0])]
            go_to(replace(view, version=f"{line.model}:{line.number}"))

    st.dataframe(
        frame.style.apply(lambda _: [_verdict_css(line) for line in lines], subset=["verdict"]).apply(
            lambda _: [_tests_css(line) for line in lines], subset=["tests"]
        ),
        hide_index=True,
        column_config=_COLUMNS,
        row_height=ROW_PIXELS,
        height=ROW_PIXELS * (len(lines) + 1) + 4,
        key=key,
        on_select=opened,
        selection_mode="single-cell",
        alt="Model versions: verdict against the champion, tests, stage, age and owner",
    )


_COLUMNS = {
    "model": st.column_config.TextColumn("Model", width=192, help="A click opens the version"),
    "version": st.column_config.TextColumn("Version", width=58),
    "verdict": st.column_config.TextColumn(
        "Verdict",
        width=146,
        help="Against the version in production, on the same rows: the whole 95 % interval of the primary "
        "metric must speak for it, and no segment be significantly worse",
    ),
    "picture": st.column_config.ImageColumn(
        "Worse ← champion → better",
        width=WIDTH_PIXELS + 10,
        alignment="center",
        help="The difference of the primary metric from the champion's, with its 95 % interval. The dashed "
        "line is no difference. Versions judged by the same metric share a scale",
    ),
    "difference": st.column_config.TextColumn("Difference (95 %)", width=164, alignment="right"),
    "metric": st.column_config.TextColumn("Key metric", width=96, alignment="right"),
    "tests": st.column_config.TextColumn("Tests", width=106),
    "stage": st.column_config.TextColumn("Stage", width=104),
    "age": st.column_config.TextColumn("Age", width=50, alignment="right"),
    "active": st.column_config.TextColumn("Last activity", width=88),
    "owner": st.column_config.TextColumn("Owner", width=106),
}


def _frame(lines: Sequence[VersionLine], now: datetime) -> pd.DataFrame:
    extents = _extents(lines)
    return pd.DataFrame(
        {
            "model": [line.model for line in lines],
            "version": [f"v{line.number}" for line in lines],
            "verdict": [_verdict(line) for line in lines],
            "picture": [_picture(line.comparison, extents) for line in lines],
            "difference": [_difference(line.comparison) for line in lines],
            "metric": [_metric(line) for line in lines],
            "tests": [_tests(line) for line in lines],
            "stage": [_stage(line) for line in lines],
            "age": [_age(line.created_at, now) for line in lines],
            "active": [ago(line.last_activity, now) for line in lines],
            "owner": [line.owner for line in lines],
        }
    )


def _verdict(line: VersionLine) -> str:
    if line.is_champion:
        return "● Champion"
    if line.comparison is None:
        return "Not compared" if line.is_update else "New model"
    found = line.comparison
    words = VERDICT_WORDS[found.verdict]
    if found.verdict == Verdict.WORSE_IN_SEGMENT and found.segment:
        words = f"Worse: {found.segment}"
    return f"{verdict_style(found.verdict).symbol} {words}"


def _verdict_css(line: VersionLine) -> str:
    if line.is_champion or line.comparison is None:
        return f"color: {palette().muted}"
    return f"color: {css_color(verdict_style(line.comparison.verdict))}; font-weight: 600"


def _extents(lines: Sequence[VersionLine]) -> dict[str, float]:
    """Return how far the axis of each metric reaches."""
    bounds: dict[str, list[float]] = {}
    for line in lines:
        if line.comparison is not None and line.comparison.lower is not None:
            bounds.setdefault(line.comparison.metric, []).extend(
                (line.comparison.lower, line.comparison.upper or 0.0)
            )
    return {metric: shared_extent(values) for metric, values in bounds.items()}


def _picture(found: ComparisonSummary | None, extents: dict[str, float]) -> str:
    if found is None or found.difference is None or found.lower is None or found.upper is None:
        return _NO_PICTURE
    difference, lower, upper = found.difference, found.lower, found.upper
    if not found.higher_is_better:
        difference, lower, upper = -difference, -upper, -lower
    return interval_image(
        difference,
        lower,
        upper,
        extent=extents[found.metric],
        color=css_color(verdict_style(found.verdict)),
        colors=palette(),
    )


def _difference(found: ComparisonSummary | None) -> str:
    if found is None or found.difference is None:
        return ""
    digits = _digits(found.difference, found.lower, found.upper)
    if found.lower is None or found.upper is None:
        return signed(found.difference, digits)
    return (
        f"{signed(found.difference, digits)} ({signed(found.lower, digits)} to {signed(found.upper, digits)})"
    )


def _digits(difference: float, *bounds: float | None) -> int:
    """Return with how many decimals a difference is shown: one more where a bound would look like zero."""
    size = abs(difference)
    digits = 3 if size < 1 else max(0, 2 - int(math.log10(size)))
    looks_zero = any(bound and round(bound, digits) == 0 for bound in bounds)
    return digits + 1 if looks_zero else digits


def _metric(line: VersionLine) -> str:
    found = line.comparison
    value = found.challenger_value if found and found.challenger_value is not None else line.primary
    if value is None:
        return "—"
    shown = f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{statistic_name(line.primary_metric or '')} {shown}"


def _tests(line: VersionLine) -> str:
    found = line.tests
    if found is None:
        return "Not tested"
    if found.state in (JobState.RUNNING, JobState.QUEUED):
        return "◌ running"
    bad = found.failed + found.errors
    if bad:
        return f"{result_style(TestStatus.FAILED).symbol} {bad} of {bad + found.passed} failed"
    if found.state != JobState.SUCCEEDED:
        return f"{result_style(TestStatus.SKIPPED).symbol} {found.state}"
    return f"{result_style(TestStatus.PASSED).symbol} {found.passed} passed"


def _tests_css(line: VersionLine) -> str:
    found = line.tests
    if found is None:
        return f"color: {palette().muted}"
    if found.failed + found.errors:
        status = TestStatus.FAILED
    else:
        status = TestStatus.PASSED if found.state == JobState.SUCCEEDED else TestStatus.SKIPPED
    return f"color: {css_color(result_style(status))}; font-weight: 600"


def _stage(line: VersionLine) -> str:
    if line.stage == Stage.DEVELOPMENT and line.is_update:
        return "Dev · update"
    return STAGE_WORDS[line.stage]


def _age(registered: datetime, now: datetime) -> str:
    passed = now - registered
    if passed.days:
        return f"{passed.days} d"
    minutes = passed.seconds // 60
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"
