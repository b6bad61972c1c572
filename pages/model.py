"""One model: why it drifted, its history on one time axis, and what the version was made from."""

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.formats import ago, day, signed
from app.components.plain import plain
from app.components.tables import draw_table, status_text
from app.model.history import draw_history
from app.model.measured_on import phrase
from app.model.note import draw_note_event
from app.model.origin import draw_origin
from app.model.reason import draw_reason
from app.navigation import open_explorer, pages
from app.theme import status_style
from mlops_core.domain.errors import BigboardError
from mlops_core.domain.states import Level, MonitorKind
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.results import Explanation
from mlops_core.monitoring import read_board
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.model_view import ModelView, read_model

_read_board = until_changed(read_board)
_read_model = until_changed(read_model)
_explain = until_changed(explain_model)


def draw_model() -> None:
    """Draw the page of the model that the URL names."""
    names = sorted(row.model for row in _read_board().rows)
    if not names:
        st.info("No model is in production yet: promote a version, and its page appears here.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.page_link(pages()["board"], label="Board", icon=":material/arrow_back:")
        name = st.selectbox(
            "Model", names, key="model", bind="query-params", label_visibility="collapsed", width=300
        )
        draw_note_event(name)
    try:
        view = _read_model(name)
    except BigboardError as error:
        st.error(str(error))
        return
    explanation = _explained(name)
    _draw_headline(view, explanation)
    charts, facts = st.columns([0.68, 0.32], gap="medium")
    with charts:
        draw_history(view, _read_board().now)
    with facts:
        _draw_drift_table(view)
        draw_origin(view)


def _explained(name: str) -> Explanation | str:
    """Return the explanation of the newest four weeks, or in words why there is none."""
    try:
        return _explain(name)
    except BigboardError as error:
        return str(error)


def _draw_headline(view: ModelView, explanation: Explanation | str) -> None:
    row = view.row
    style = status_style(row.level)
    now = _read_board().now
    st.markdown(f"### :{style.color}[{style.icon}] {row.model} v{row.version}: {_headline(view)}")
    st.markdown(
        f":gray[{plain(view.description)}. Owned by {row.owner}, scored {ago(row.last_prediction, now)}, "
        f"outcomes known to {day(row.outcomes_to)}.]"
    )
    explained = set()
    if isinstance(explanation, Explanation):
        explained = {one.column for one in explanation.drifted}
        draw_reason(explanation)
    else:
        st.markdown(f":gray[{plain(explanation)}]")
    if row.needs_attention:
        for finding in row.findings:
            if finding.level.is_outside and finding.column not in explained:
                look = status_style(finding.level)
                st.markdown(f":{look.color}-badge[{look.icon} {finding.label}] {plain(finding.sentence)}")


def _headline(view: ModelView) -> str:
    row = view.row
    state = "in range" if not row.needs_attention else row.status.lower()
    if row.measured is None or row.trained is None:
        return state
    metric = statistic_name(row.metric or "")
    change = f"{signed(row.measured - row.trained)} vs {phrase(view)}"
    return f"{state}, measured {metric} {row.measured:.3f} ({change})"


def _draw_drift_table(view: ModelView) -> None:
    drift = view.of_kind(MonitorKind.DRIFT)
    if not drift:
        return
    statistic = statistic_name(drift[0].statistic)
    st.markdown(f"**{len(drift)} columns, furthest from the reference first**")
    frame = pd.DataFrame(
        {
            "column": [series.column for series in drift],
            "value": [series.newest.value for series in drift],
            "trend": [[point.value or 0.0 for point in series.points] for series in drift],
            "status": [_level_text(series.newest.level) for series in drift],
        }
    )
    draw_table(
        frame,
        {
            "column": st.column_config.TextColumn("Column", width=150, help="A click opens the explorer"),
            "value": st.column_config.NumberColumn(statistic, format="%.3f", width=60),
            "trend": st.column_config.LineChartColumn("Over time", width=90, y_min=0),
            "status": st.column_config.TextColumn("Status", width=90),
        },
        key="columns",
        alt="Columns of the model by drift",
        levels=[series.newest.level for series in drift],
        status_column="status",
        height=300,
        on_open=lambda number: open_explorer(view.row.model, drift[number].column),
    )


def _level_text(level: Level) -> str:
    return status_text(level, level.replace("_", " "))


draw_model()
