"""Charts with one manner: a finding as title, thresholds drawn, the reference grey behind the current.

Figures are plain dictionaries in Plotly's own vocabulary: Streamlit validates them once, where Plotly's
classes validate at every step and take ten times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import streamlit as st

from app.theme import Palette, palette
from mlops_core.domain.states import Level
from mlops_core.monitoring.model_view import Point
from mlops_core.monitoring.watch import Limit

__all__ = ["Line", "Panel", "draw_panels", "draw_shares"]

_Part: TypeAlias = dict[str, Any]

_CONFIG = {"displayModeBar": False}
_PANEL_PIXELS = 128
_TITLE_PIXELS = 34
_MARGIN_PIXELS = 46
_NAMES_PIXELS = 118
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a panel; a faint one is context, without a name at its end."""

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
        Thresholds to draw as lines, with the range beyond them tinted, where they are near the curves.
    reference
        A name and a value to draw as a grey line.
    """

    title: str
    unit: str
    lines: Sequence[Line]
    limits: Sequence[Limit] = field(default_factory=list)
    reference: tuple[str, float] | None = None
    number_format: str = ".3g"

    @property
    def values(self) -> list[float]:
        """Return every value that a curve of the panel has."""
        return [point.value for line in self.lines for point in line.points if point.value is not None]

    @property
    def near_limits(self) -> list[Limit]:
        """Return the thresholds worth drawing: those so far off that the curves would be flat are not."""
        if not self.values:
            return []
        low, high = min(self.values), max(self.values)
        reach = max(high - low, abs(high) * 0.05, 1e-9)
        return [one for one in self.limits if low - 2.5 * reach <= one.value <= high + 2.5 * reach]


def draw_panels(panels: Sequence[Panel], *, key: str, alt: str) -> None:
    """Draw panels below each other on one shared time axis, each curve named at its end."""
    colors = palette()
    height = _PANEL_PIXELS * len(panels) + _MARGIN_PIXELS
    gap = _TITLE_PIXELS / height if len(panels) > 1 else 0.0
    share = (1 - gap * (len(panels) - 1)) / len(panels)
    data: list[_Part] = []
    annotations: list[_Part] = []
    shapes: list[_Part] = []
    layout: _Part = {
        "height": height,
        "margin": {"l": 58, "r": _NAMES_PIXELS, "t": 26, "b": 24},
        "hovermode": "x unified",
        "showlegend": False,
        "bargap": 0.25,
        "annotations": annotations,
        "shapes": shapes,
    }
    for number, panel in enumerate(panels, start=1):
        axis = f"y{number}" if number > 1 else "y"
        top = 1 - (number - 1) * (share + gap)
        layout[f"yaxis{number}" if number > 1 else "yaxis"] = {
            "domain": [max(top - share, 0.0), top],
            "title": {"text": panel.unit, "font": {"size": 11}},
            "nticks": 4,
            "gridcolor": colors.grid,
            "zeroline": False,
        }
        data += [_trace(line, panel, axis) for line in panel.lines]
        annotations.append(_title(panel.title, top, colors))
        annotations += _names(panel, axis)
        for limit in panel.near_limits:
            _add_limit(limit, panel, axis, colors, shapes, annotations)
        if panel.reference:
            name, value = panel.reference
            shapes.append(_level(value, axis, colors.muted, "dot"))
            annotations.append(_label(f"{name} {value:.3g}", value, axis, colors.muted, right=True))
    layout["xaxis"] = {
        "anchor": f"y{len(panels)}" if len(panels) > 1 else "y",
        "showgrid": False,
        "tickvals": _tick_days(panels),
        "tickformat": "%-d %b",
        "tickfont": {"size": 11},
        "hoverformat": "%-d %b %Y",
    }
    st.plotly_chart({"data": data, "layout": layout}, key=key, config=_CONFIG, alt=alt)


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
    """Draw how a column is spread in two windows: the reference wide and grey behind the current."""
    colors = palette()
    before = [100 * value for value in reference]
    after = [100 * value for value in current]
    move = f"{after[marked] - before[marked]:+.1f} points".replace("-", "−")
    bars = [
        {
            "type": "bar",
            "x": list(labels),
            "y": values,
            "name": name,
            "width": width,
            "marker": {"color": color},
            "hovertemplate": f"%{{x}}: %{{y:.1f}} %<extra>{name}</extra>",
        }
        for values, name, width, color in (
            (before, names[0], 0.78, colors.reference),
            (after, names[1], 0.42, colors.current),
        )
    ]
    mark = {
        "x": labels[marked],
        "y": max(after[marked], before[marked]),
        "text": f"<b>{move}</b>",
        "showarrow": False,
        "yshift": 12,
        "font": {"color": colors.text, "size": 12},
    }
    layout = {
        "barmode": "overlay",
        "height": 250,
        "margin": {"l": 58, "r": 10, "t": 26, "b": 10},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.16},
        "yaxis": {"ticksuffix": " %", "gridcolor": colors.grid, "zeroline": False, "rangemode": "tozero"},
        "xaxis": {"type": "category", "tickfont": {"size": 11}},
        "annotations": [mark],
    }
    st.plotly_chart({"data": bars, "layout": layout}, key=key, config=_CONFIG, alt=alt)


def _trace(line: Line, panel: Panel, axis: str) -> _Part:
    trace: _Part = {
        "x": [point.start for point in line.points],
        "y": [point.value for point in line.points],
        "customdata": [point.rows for point in line.points],
        "name": line.name,
        "yaxis": axis,
        "hovertemplate": f"%{{y:{panel.number_format}}} (n = %{{customdata:,}})",
    }
    if line.bars:
        return {**trace, "type": "bar", "marker": {"color": line.color}}
    trace |= {
        "type": "scatter",
        "mode": "lines+markers" if len(line.points) < 3 else "lines",
        "line": {"color": line.color, "width": 1 if line.faint else 2, "dash": line.dash or "solid"},
    }
    return {**trace, "opacity": 0.5, "hoverinfo": "skip", "hovertemplate": None} if line.faint else trace


def _title(text: str, top: float, colors: Palette) -> _Part:
    return {
        "text": text,
        "x": 0,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 4,
        "showarrow": False,
        "font": {"size": 14, "color": colors.text, "weight": 600},
    }


def _names(panel: Panel, axis: str) -> list[_Part]:
    """Write each curve's name at its last point, moved apart where two would overlap."""
    ends = [
        (line.points[-1].value, line)
        for line in panel.lines
        if not line.faint and not line.bars and line.points and line.points[-1].value is not None
    ]
    if len(ends) < 2:
        return []
    shown = [*panel.values, *(limit.value for limit in panel.near_limits)]
    gap = (max(shown) - min(shown) or 1.0) * 0.15
    place = -float("inf")
    names = []
    for value, line in sorted(ends, key=lambda end: end[0] or 0.0):
        place = max(value or 0.0, place + gap)
        names.append(
            {
                "text": line.name,
                "x": line.points[-1].start,
                "y": place,
                "xref": "x",
                "yref": axis,
                "xanchor": "left",
                "xshift": 6,
                "showarrow": False,
                "font": {"color": line.color, "size": 11},
            }
        )
    return names


def _add_limit(
    limit: Limit, panel: Panel, axis: str, colors: Palette, shapes: list[_Part], annotations: list[_Part]
) -> None:
    """Draw a threshold and tint what lies beyond."""
    low, high = min(panel.values), max(panel.values)
    reach = max(high - low, abs(high) * 0.05, 1e-9)
    is_warning = limit.level == Level.WARNING
    color = colors.orange if is_warning else colors.red
    beyond = (
        (limit.value, max(high, limit.value) + 0.25 * reach)
        if limit.above
        else (min(low, limit.value) - 0.25 * reach, limit.value)
    )
    shapes.append(_level(limit.value, axis, color, "dash"))
    shapes.append(
        {
            "type": "rect",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "yref": axis,
            "y0": beyond[0],
            "y1": beyond[1],
            "line": {"width": 0},
            "fillcolor": colors.warning_band if is_warning else colors.critical_band,
            "layer": "below",
        }
    )
    annotations.append(
        _label(f"{limit.level} {limit.value:.3g}", limit.value, axis, color, above=limit.above)
    )


def _level(value: float, axis: str, color: str, dash: str) -> _Part:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": axis,
        "y0": value,
        "y1": value,
        "line": {"color": color, "width": 1, "dash": dash},
    }


def _label(
    text: str, value: float, axis: str, color: str, *, above: bool = False, right: bool = False
) -> _Part:
    return {
        "text": text,
        "xref": "paper",
        "x": 1 if right else 0,
        "xanchor": "right" if right else "left",
        "yref": axis,
        "y": value,
        "yanchor": "bottom" if above else "top",
        "showarrow": False,
        "font": {"color": color, "size": 10},
    }


def _tick_days(panels: Sequence[Panel]) -> list[datetime]:
    """Return the days under which to write a date: measured ones, evenly thinned out."""
    days = sorted({point.start for panel in panels for line in panel.lines for point in line.points})
    step = -(-len(days) // _MOST_TICKS) or 1
    return days[::-1][::step][::-1]
