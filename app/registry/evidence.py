"""The tests of a version, what is wrong first; each opens the evidence that its result rests on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.components.download import csv_of, draw_downloads, file_name_of, picture_config
from app.components.figures import draw_figure
from app.components.formats import ago, exact
from app.components.plain import plain
from app.components.tables import ROW_PIXELS
from app.components.time_marks import Part
from app.components.titles import draw_title
from app.registry.looks import TEST_WORDS, result_style
from app.theme import palette
from mlops_core.domain import TestResult, TestRun
from mlops_core.domain.states import JobState, TestStatus

__all__ = ["draw_tests", "tests_title"]

_ORDER = (TestStatus.FAILED, TestStatus.ERROR, TestStatus.PASSED, TestStatus.SKIPPED)
_STYLE = """
<style>
.st-key-registry_tests details > summary { padding-top: 0.2rem; padding-bottom: 0.2rem; min-height: 1.9rem; }
.st-key-registry_tests summary p { font-size: 0.9rem; }
</style>
"""
_MOST_PIXELS = 260


def tests_title(results: Sequence[TestResult], run: TestRun | None) -> str:
    """Return in words what the newest run found."""
    if run is None:
        return "Not tested yet"
    counts = {status: sum(one.status == status for one in results) for status in TestStatus}
    bad = counts[TestStatus.FAILED] + counts[TestStatus.ERROR]
    judged = bad + counts[TestStatus.PASSED]
    state = JobState(run.state)
    if not state.is_over:
        return f"{len(results)} tests done so far"
    short = "" if state == JobState.SUCCEEDED else f", {state} before the end"
    if bad:
        return f"{bad} of {judged} tests failed{short}"
    if not judged:
        return f"No test applied{short}"
    return f"{judged} tests passed{short}" if short else f"All {judged} tests passed"


def draw_tests(
    results: Sequence[TestResult],
    run: TestRun | None,
    titles: Mapping[str, str],
    *,
    label: str,
    now: Any,
) -> None:
    """Draw the results of the newest run as a list.

    Parameters
    ----------
    titles
        What each test asks for in a few words, by its name.
    label
        The version, `churn-risk:5`.
    """
    with draw_title(tests_title(results, run)):
        if results:
            draw_downloads(
                {"The tests": (file_name_of(label, "tests"), lambda: _csv(results))},
                key="registry_tests_download",
            )
    if run is None:
        st.info(
            "The suite of this model checks that the artefact loads and answers, its metrics, latency, "
            f"leakage, calibration and bias. Press **Run tests**, or `bigboard test {label}`.",
            icon=":material/checklist:",
        )
        return
    if run.message:
        st.caption(plain(run.message))
    st.html(_STYLE)
    worst_first = sorted(results, key=lambda one: (_ORDER.index(TestStatus(one.status)), one.id))
    with st.container(key="registry_tests", gap="xxsmall"):
        for result in worst_first:
            _draw_result(result, titles.get(result.test, result.test.replace("_", " ").capitalize()))
    st.caption(
        f"Run {ago(run.finished_at or run.started_at, now)}, in "
        f"{_seconds(sum(one.seconds for one in results))}.",
        help=exact(run.finished_at or run.started_at),
    )


def _draw_result(result: TestResult, title: str) -> None:
    status = TestStatus(result.status)
    style = result_style(status)
    figure = _against(result)
    shown = st.expander(
        f":{style.color}[{style.icon} **{TEST_WORDS[status]}**] {plain(title)}"
        + (f" :gray[· {plain(figure)}]" if figure else ""),
        key=f"registry_test_{result.id}",
        on_change="rerun",
    )
    if status in (TestStatus.FAILED, TestStatus.ERROR) and not shown.open:
        st.markdown(f":{style.color}[{plain(result.sentence)}]")
    if shown.open:
        with shown:
            st.markdown(plain(result.sentence))
            _draw_evidence(result)
            st.caption(f"It took {_seconds(result.seconds)}.", help=exact(result.at))


def _against(result: TestResult) -> str:
    if result.figure is None:
        return ""
    if result.limit is None:
        return _number(result.figure)
    return f"{_number(result.figure)}, limit {_number(result.limit)}"


def _number(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−", 1) if value < 0 else text


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def _draw_evidence(result: TestResult) -> None:
    evidence = result.evidence
    if facts := evidence.get("facts"):
        first, *others = [f"| :gray[{plain(str(name))}] | {_cell(one)} |" for name, one in facts.items()]
        st.markdown("\n".join([first, "|:---|---:|", *others]))
    if evidence.get("columns") and evidence.get("rows"):
        frame = pd.DataFrame(evidence["rows"], columns=[str(one) for one in evidence["columns"]])
        st.dataframe(
            frame,
            hide_index=True,
            row_height=ROW_PIXELS,
            height=min(ROW_PIXELS * (len(frame) + 1) + 4, _MOST_PIXELS),
            key=f"registry_evidence_{result.id}",
            alt=f"Evidence of test {result.test}",
        )
    if points := evidence.get("points"):
        _draw_points(points, result)
    if trace := evidence.get("trace"):
        st.code("\n".join(trace), language=None, wrap_lines=True)


def _cell(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return plain(", ".join(map(str, value)))
    return plain(str(value)).replace("\n", " ")


def _draw_points(points: Mapping[str, Any], result: TestResult) -> None:
    """Draw what was observed against what was predicted, or whatever the axes are called."""
    colors = palette()
    axis: Part = {
        "gridcolor": colors.grid,
        "zeroline": False,
        "tickfont": {"size": 10, "color": colors.muted},
        "fixedrange": True,
    }
    title_font = {"size": 11, "color": colors.muted}
    data: list[Part] = []
    numbers = [one for one in (*points["x"], *points["y"]) if isinstance(one, int | float)]
    if "calibration" in result.test and numbers:
        ends = [min(numbers), max(numbers)]
        line = {"color": colors.reference_marked, "dash": "dot", "width": 1.5}
        data.append(
            {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "line": line, "hoverinfo": "skip"}
        )
    data.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": list(points["x"]),
            "y": list(points["y"]),
            "customdata": list(points.get("rows") or [None] * len(points["x"])),
            "line": {"color": colors.current, "width": 2},
            "hovertemplate": "%{x}: %{y:.4g} (n = %{customdata:,})<extra></extra>",
        }
    )
    layout = {
        "height": 220,
        "margin": {"l": 52, "r": 8, "t": 8, "b": 40},
        "showlegend": False,
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "xaxis": {**axis, "title": {"text": points.get("x_title", ""), "font": title_font}},
        "yaxis": {**axis, "title": {"text": points.get("y_title", ""), "font": title_font}},
    }
    draw_figure(
        data,
        layout,
        key=f"registry_points_{result.id}",
        config=picture_config(f"test_{result.test}"),
        alt=f"{points.get('y_title', '')} by {points.get('x_title', '')}",
    )


def _csv(results: Sequence[TestResult]) -> bytes:
    return csv_of(
        ("test", "status", "figure", "limit", "sentence", "seconds"),
        [(one.test, one.status, one.figure, one.limit, one.sentence, one.seconds) for one in results],
    )
