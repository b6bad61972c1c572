"""Explorer: why a model drifted, in two windows, one chart, the columns ranked by how far they moved."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.charts import Line, Panel, draw_panels, draw_shares
from app.components.formats import period, share
from app.components.tables import draw_table, status_text
from app.navigation import open_model
from app.theme import palette
from mlops_core.domain.errors import BigboardError
from mlops_core.domain.states import Level, MonitorKind
from mlops_core.monitoring import read_board
from mlops_core.monitoring.explorer import ColumnMovement, Comparison, compare_windows, segments_of, span_of
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.model_view import Point, read_model
from mlops_core.monitoring.watch import DRIFT_LIMITS
from mlops_core.monitoring.windows import Window
from mlops_core.statistics import DRIFT_STATISTICS

_read_board = until_changed(read_board)
_read_model = until_changed(read_model)
_compare = until_changed(compare_windows)
_segments = until_changed(segments_of)
_span = until_changed(span_of)
_TRAINING = "Training reference"
_OTHER = "Another window"
_STATISTICS = {
    "psi": "Population stability index",
    "kolmogorov_smirnov": "Kolmogorov–Smirnov",
    "kolmogorov_smirnov_p_value": "Kolmogorov–Smirnov, p-value",
    "wasserstein": "Wasserstein",
    "wasserstein_normalised": "Wasserstein, normalised",
    "jensen_shannon": "Jensen–Shannon",
    "hellinger": "Hellinger",
    "l_infinity": "Largest change of a share (L∞)",
    "chi_squared": "Chi-squared",
    "chi_squared_p_value": "Chi-squared, p-value",
}


def draw_explorer() -> None:
    """Draw the explorer for the model, windows, segment and statistic that the URL names."""
    names = sorted(row.model for row in _read_board().rows)
    if not names:
        st.info("The explorer compares windows of models in production: promote a version first.")
        return
    headline = st.empty()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        model = st.selectbox("Model", names, key="of", bind="query-params", width=260)
        span = _span(model)
        if span is None:
            st.info(f"{model} has not predicted yet: log predictions, and its windows can be compared here.")
            return
        reference_kind = st.selectbox(
            "Reference", [_TRAINING, _OTHER], key="reference", bind="query-params", width=190
        )
        reference = (
            _pick_window("Reference window", "before", span, newest=False)
            if reference_kind == _OTHER
            else None
        )
        window = _pick_window("Window", "window", span, newest=True)
        segment = st.selectbox(
            "Segment",
            ["", *_segments(model)],
            format_func=lambda value: value.replace("=", " is ") or "All rows",
            key="segment",
            bind="query-params",
            width=200,
        )
        statistic = st.selectbox(
            "Statistic",
            list(DRIFT_STATISTICS),
            index=list(DRIFT_STATISTICS).index("psi"),
            format_func=lambda value: _STATISTICS.get(value, statistic_name(value)),
            key="statistic",
            bind="query-params",
            width=240,
        )
    if window is None or (reference_kind == _OTHER and reference is None):
        st.info("Choose the first and the last day of the window.", icon=":material/date_range:")
        return
    try:
        comparison = _compare(
            model, window=window, reference=reference, segment=segment or "", statistic=statistic
        )
    except BigboardError as error:
        st.error(str(error))
        return
    headline.markdown(f"### {_headline(comparison)}")
    if not comparison.current_rows:
        st.info(
            f"{model} made no prediction in this window and segment: choose another.",
            icon=":material/search_off:",
        )
        return
    ranking, reasons = st.columns([0.38, 0.62], gap="medium")
    with ranking:
        column = _draw_ranking(comparison)
    with reasons:
        _draw_column(comparison, column, window, reference)


def _pick_window(label: str, key: str, span: Window, *, newest: bool) -> Window | None:
    last = span.end.date() - timedelta(days=1)
    four_weeks = timedelta(days=27)
    default = (last - four_weeks, last) if newest else (span.start.date(), span.start.date() + four_weeks)
    chosen = st.date_input(
        label,
        value=tuple(max(span.start.date(), one) for one in default),
        min_value=span.start.date(),
        max_value=last,
        key=key,
        bind="query-params",
        format="DD/MM/YYYY",
        width=220,
    )
    if not isinstance(chosen, tuple) or len(chosen) != 2:
        return None
    return Window(_midnight(chosen[0]), _midnight(chosen[1]) + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _headline(comparison: Comparison) -> str:
    outside = [one for one in comparison.columns if one.level.is_outside]
    total = len(comparison.columns)
    if outside:
        names = ", ".join(one.column for one in outside[:3])
        return f"{comparison.model} drifted in {len(outside)} of {total} columns: {names}"
    if not comparison.columns or comparison.columns[0].value is None:
        return f"{comparison.model}: nothing to compare"
    first = comparison.columns[0]
    verb = "did not drift" if comparison.statistic in DRIFT_LIMITS else "moved"
    return f"{comparison.model} {verb}: of {total} columns {first.column} moved furthest"


def _draw_ranking(comparison: Comparison) -> str:
    columns = comparison.columns
    names = [one.column for one in columns]
    statistic = statistic_name(comparison.statistic)
    st.markdown(f"**{len(columns)} columns, by how far they moved**")
    largest = max((one.value or 0.0 for one in columns), default=1.0)
    warning = DRIFT_LIMITS[comparison.statistic][0].value if comparison.statistic in DRIFT_LIMITS else 0.0
    chosen = st.session_state.get("column") or st.query_params.get("column", "")
    frame = pd.DataFrame(
        {
            "column": names,
            "value": [one.value for one in columns],
            "trend": [[value or 0.0 for value in one.trend] for one in columns],
            "status": [_status(one) for one in columns],
        }
    )

    def open_column(number: int) -> None:
        st.query_params["column"] = names[number]

    draw_table(
        frame,
        {
            "column": st.column_config.TextColumn("Column", width=150, help="A click shows the column"),
            "value": st.column_config.ProgressColumn(
                statistic, format="%.3f", min_value=0, max_value=max(largest, warning) or 1.0, width=110
            ),
            "trend": st.column_config.LineChartColumn("By week", width=100, y_min=0),
            "status": st.column_config.TextColumn("Status", width=90),
        },
        key=f"ranking-{comparison.model}-{comparison.statistic}",
        alt="Columns by how far they moved",
        levels=[one.level for one in columns],
        status_column="status",
        height=min(33 * (len(columns) + 1) + 4, 540),
        on_open=open_column,
    )
    chosen = st.query_params.get("column", chosen)
    return chosen if chosen in names else names[0]


def _status(movement: ColumnMovement) -> str:
    if movement.value is None:
        return status_text(Level.UNKNOWN, "not defined")
    return status_text(movement.level, movement.level.replace("_", " "))


def _draw_column(comparison: Comparison, column: str, window: Window, reference: Window | None) -> None:
    shares = comparison.shares[column]
    marked = shares.largest_move
    before, after = shares.reference[marked], shares.current[marked]
    verb = "rose" if after > before else "fell"
    st.markdown(
        f"**{column} {shares.labels[marked]} {verb} from {share(before)} to {share(after)}** "
        f":gray[(n = {comparison.current_rows:,} against {comparison.reference_rows:,})]"
    )
    reference_name = period(reference.start, reference.end) if reference else "training reference"
    draw_shares(
        shares.labels,
        shares.reference,
        shares.current,
        marked=marked,
        names=(reference_name, period(window.start, window.end)),
        key="shares",
        alt=f"Shares of {column} in both windows",
    )
    _draw_history(comparison, column)
    if st.button("Open the model", icon=":material/monitoring:", key="open_model"):
        open_model(comparison.model)


def _draw_history(comparison: Comparison, column: str) -> None:
    colors = palette()
    movement = next(one for one in comparison.columns if one.column == column)
    statistic = statistic_name(comparison.statistic)
    points = [
        Point(week.start, value, 0, movement.level)
        for week, value in zip(comparison.weeks, movement.trend, strict=True)
    ]
    limits = DRIFT_LIMITS.get(comparison.statistic, ())
    above = [point for point in points if limits and (point.value or 0.0) >= limits[0].value]
    when = f"first above its warning in the week of {above[0].start:%-d %b}" if above else "week by week"
    panels = [
        Panel(
            f"{statistic} of {column}, {when}",
            statistic,
            [Line(column, points, colors.current)],
            limits=limits,
        )
    ]
    view = _read_model(comparison.model)
    accuracy = view.one(MonitorKind.PERFORMANCE, view.row.metric or "")
    if accuracy:
        name = statistic_name(accuracy.statistic)
        panels.append(
            Panel(
                f"Measured {name} over the same time",
                name,
                [Line(f"measured {name}", accuracy.points, colors.text)],
                limits=accuracy.limits,
                reference=("training", view.row.trained) if view.row.trained is not None else None,
            )
        )
    draw_panels(panels, key="since", alt=f"{statistic} of {column} and accuracy by week")


draw_explorer()
