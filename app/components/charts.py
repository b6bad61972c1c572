"""Charts with one manner: a finding as title, thresholds drawn, the reference grey behind the current."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from app.theme import Palette, palette
from mlops_core.domain.states import Level
from mlops_core.monitoring.model_view import Point
from mlops_core.monitoring.watch import Limit

__all__ = ["Line", "Panel", "draw_panels", "draw_shares"]

_CONFIG = {"displayModeBar": False}
_PANEL_PIXELS = 128
_TITLE_PIXELS = 34
_MARGIN_PIXELS = 46
_NAMES_PIXELS = 110
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a panel; a faint one is context, without a legend of its own."""

    name: str
    points: Sequence[Point]
    color: str
    faint: bool = False
    bars: bool = False
    dash: str | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a stack that shares its time axis.

    Attributes
    ----------
    limits
        Thresholds to draw as lines, with the range beyond them tinted.
    reference
        A value to draw as a grey line, with its name.
    """

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Sequence[Limit] = field(default_factory=list)
    reference: tuple[str, float] | None = None
    number_format: str = ".3g"


def draw_panels(panels: Sequence[Panel], *, key: str, alt: str) -> None:
    """Draw panels below each other on one shared time axis, each curve named at its end."""
    colors = palette()
    height = _PANEL_PIXELS * len(panels) + _MARGIN_PIXELS
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=_TITLE_PIXELS / height if len(panels) > 1 else 0,
        subplot_titles=[panel.title for panel in panels],
    )
    for row, panel in enumerate(panels, start=1):
        for line in panel.lines:
            figure.add_trace(_trace(line, panel), row=row, col=1)
        _name_curves(figure, panel, row)
        _draw_limits(figure, panel, row, colors)
        figure.update_yaxes(
            title_text=panel.unit,
            title_font_size=11,
            nticks=4,
            gridcolor=colors.grid,
            zeroline=False,
            row=row,
            col=1,
        )
    for title in figure.layout.annotations[: len(panels)]:
        title.update(x=0, xanchor="left", font={"size": 14, "color": colors.text, "weight": 600})
    figure.update_xaxes(
        showgrid=False,
        tickvals=_tick_days(panels),
        tickformat="%-d %b",
        tickfont_size=11,
        hoverformat="%-d %b %Y",
    )
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": _NAMES_PIXELS, "t": 26, "b": 10},
        hovermode="x unified",
        showlegend=False,
        bargap=0.25,
    )
    st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt)


def draw_shares(
    labels: Sequence[str],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    marked: int,
    names: tuple[str, str],
    key: str,
    alt: str,
) -> None:
    """Draw how a column is spread in two windows: the reference wide and grey, the current narrow before it."""
    colors = palette()
    before = [100 * value for value in reference]
    after = [100 * value for value in current]
    figure = go.Figure()
    figure.add_bar(
        x=list(labels),
        y=before,
        name=names[0],
        marker_color=colors.reference,
        width=0.78,
        hovertemplate="%{x}: %{y:.1f} %<extra>" + names[0] + "</extra>",
    )
    figure.add_bar(
        x=list(labels),
        y=after,
        name=names[1],
        marker_color=colors.current,
        width=0.42,
        hovertemplate="%{x}: %{y:.1f} %<extra>" + names[1] + "</extra>",
    )
    move = after[marked] - before[marked]
    figure.add_annotation(
        x=labels[marked],
        y=max(after[marked], before[marked]),
        text=f"<b>{move:+.1f} points</b>".replace("-", "−"),
        showarrow=False,
        yshift=12,
        font={"color": colors.text, "size": 12},
    )
    figure.update_layout(
        barmode="overlay",
        height=250,
        margin={"l": 10, "r": 10, "t": 26, "b": 10},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.16},
    )
    figure.update_yaxes(ticksuffix=" %", gridcolor=colors.grid, zeroline=False, rangemode="tozero")
    figure.update_xaxes(type="category", tickfont_size=11)
    st.plotly_chart(figure, key=key, config=_CONFIG, alt=alt)


def _trace(line: Line, panel: Panel) -> go.Scatter | go.Bar:
    x = [point.start for point in line.points]
    y = [point.value for point in line.points]
    rows = [point.rows for point in line.points]
    hover = f"%{{y:{panel.number_format}}} (n = %{{customdata:,}})"
    if line.bars:
        return go.Bar(x=x, y=y, name=line.name, customdata=rows, marker_color=line.color, hovertemplate=hover)
    return go.Scatter(
        x=x,
        y=y,
        name=line.name,
        customdata=rows,
        mode="lines+markers" if len(x) < 3 else "lines",
        line={"color": line.color, "width": 1 if line.faint else 2, "dash": line.dash},
        opacity=0.45 if line.faint else 1,
        hovertemplate=hover,
        hoverinfo="skip" if line.faint else None,
    )


def _name_curves(figure: go.Figure, panel: Panel, row: int) -> None:
    """Write each curve's name at its last point, moved apart where two would overlap."""
    named = [line for line in panel.lines if not line.faint and not line.bars and line.points]
    ends = [(line.points[-1], line) for line in named if line.points[-1].value is not None]
    if len(ends) < 2:
        return
    values = [point.value for line in panel.lines for point in line.points if point.value is not None]
    gap = (max(values) - min(values) or 1.0) * 0.17
    place = -float("inf")
    for point, line in sorted(ends, key=lambda end: end[0].value or 0.0):
        place = max(point.value or 0.0, place + gap)
        figure.add_annotation(
            x=point.start,
            y=place,
            text=line.name,
            showarrow=False,
            xanchor="left",
            xshift=6,
            font={"color": line.color, "size": 11},
            row=row,
            col=1,
        )


def _tick_days(panels: Sequence[Panel]) -> list[datetime]:
    """Return the days under which to write a date: measured ones, evenly thinned out."""
    days = sorted({point.start for panel in panels for line in panel.lines for point in line.points})
    step = -(-len(days) // _MOST_TICKS) or 1
    return days[::-1][::step][::-1]


def _draw_limits(figure: go.Figure, panel: Panel, row: int, colors: Palette) -> None:
    """Draw thresholds after the traces: Plotly skips shapes on a subplot that has no trace yet."""
    values = [point.value for line in panel.lines for point in line.points if point.value is not None]
    if not values:
        return
    low, high = min(values), max(values)
    reach = max(high - low, abs(high) * 0.05, 1e-9)
    for limit in panel.limits:
        near = low - 2.5 * reach <= limit.value <= high + 2.5 * reach
        first = limit.level == Level.WARNING
        if not near:
            continue
        color = colors.orange if first else colors.red
        figure.add_hline(
            y=limit.value,
            line={"color": color, "width": 1, "dash": "dash"},
            annotation={"text": f"{limit.level} {limit.value:.3g}", "font": {"color": color, "size": 10}},
            annotation_position="top left" if limit.above else "bottom left",
            row=row,
            col=1,
        )
        beyond = (limit.value, max(high, limit.value) + 0.25 * reach)
        below = (min(low, limit.value) - 0.25 * reach, limit.value)
        bottom, top = beyond if limit.above else below
        figure.add_hrect(
            y0=bottom,
            y1=top,
            line_width=0,
            fillcolor=colors.warning_band if first else colors.critical_band,
            row=row,
            col=1,
        )
    if panel.reference:
        name, value = panel.reference
        figure.add_hline(
            y=value,
            line={"color": colors.muted, "width": 1, "dash": "dot"},
            annotation={"text": f"{name} {value:.3g}", "font": {"color": colors.muted, "size": 10}},
            annotation_position="bottom right",
            row=row,
            col=1,
        )
