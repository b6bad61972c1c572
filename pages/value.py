"""Value (executive): what machine learning is used for; what it earns follows with value models."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from app.cache import until_changed
from app.components.charts import Line, Panel, draw_panels
from app.components.formats import compact, day
from app.components.tables import draw_table
from app.navigation import open_model
from app.theme import palette
from mlops_core.domain.states import Level
from mlops_core.monitoring.model_view import Point
from mlops_core.value import UsageView, read_usage

_read_usage = until_changed(read_usage)


def draw_value() -> None:
    """Draw how much every model is used, the whole first."""
    view = _read_usage()
    if not view.lines:
        st.markdown("### :material/payments: No model has made a prediction yet")
        st.info(
            "Usage appears here once predictions are logged: `log_predictions` in Python, or `bigboard demo`."
        )
        return
    newest = view.weekly[-1]
    st.markdown(
        f"### :material/payments: {len(view.lines)} models made {compact(view.total)} predictions in "
        f"{len(view.weeks)} weeks, {newest:,} in the newest"
    )
    st.markdown(
        ":gray[What they earn is not computed yet: no model has a value model. Until then, use is the "
        "nearest measure of worth.]"
    )
    points = [
        Point(week, float(count), count, Level.UNJUDGED)
        for week, count in zip(view.weeks, view.weekly, strict=True)
    ]
    since, until = day(view.weeks[0]), day(view.weeks[-1] + timedelta(days=6))
    draw_panels(
        [
            Panel(
                f"Predictions a week, {since} to {until}",
                "predictions",
                [Line("predictions", points, palette().current, bars=True)],
                number_format=",.0f",
            )
        ],
        key="usage",
        alt="Predictions of all models by week",
    )
    _draw_models(view)


def _draw_models(view: UsageView) -> None:
    st.markdown(f"**{len(view.lines)} models, the most used first**")
    frame = pd.DataFrame(
        {
            "model": [line.model for line in view.lines],
            "for": [line.description for line in view.lines],
            "weekly": [list(line.weekly) for line in view.lines],
            "newest": [line.weekly[-1] for line in view.lines],
            "total": [line.total for line in view.lines],
            "share": [100 * line.total / view.total for line in view.lines],
            "owner": [line.owner for line in view.lines],
        }
    )
    draw_table(
        frame,
        {
            "model": st.column_config.TextColumn("Model", width=210, help="A click opens the model"),
            "for": st.column_config.TextColumn("What it is for", width=470),
            "weekly": st.column_config.AreaChartColumn("By week", width=130, y_min=0),
            "newest": st.column_config.NumberColumn("Newest week", format="localized", width=95),
            "total": st.column_config.NumberColumn("Predictions", format="localized", width=95),
            "share": st.column_config.NumberColumn("Share", format="%.1f %%", width=65),
            "owner": st.column_config.TextColumn("Owner", width=130),
        },
        key="models",
        alt="Models by use",
        on_open=lambda number: open_model(view.lines[number].model),
    )


draw_value()
