"""What charts over time have in common: their axis, bands, levels and labels, in Plotly's own vocabulary."""

from datetime import datetime
from typing import Any, TypeAlias

from app.theme import Palette
from mlops_core.domain.states import Level
from mlops_core.monitoring.levels import Limit

__all__ = ["Part", "band", "corner_text", "date_axis", "label", "level_line", "limit_marks"]

Part: TypeAlias = dict[str, Any]


def date_axis(anchor: str, start: datetime, end: datetime, colors: Palette) -> Part:
    """Return a time axis that shows a span of days."""
    return {
        "type": "date",
        "range": [start.replace(tzinfo=None), end.replace(tzinfo=None)],
        "anchor": anchor,
        "showgrid": False,
        "nticks": 8,
        "tickformat": "%-d %b",
        "tickfont": {"size": 11, "color": colors.muted},
        "hoverformat": "%-d %b %Y",
        "unifiedhovertitle": {"text": "from %{x|%-d %b %Y}"},
        "fixedrange": True,
    }


def band(start: datetime, end: datetime, color: str) -> Part:
    """Return a tint of a span of time through all tracks."""
    return {
        "type": "rect",
        "xref": "x",
        "x0": start.replace(tzinfo=None),
        "x1": end.replace(tzinfo=None),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"width": 0},
        "fillcolor": color,
        "layer": "below",
    }


def level_line(value: float, axis: str, color: str, dash: str) -> Part:
    """Return a horizontal line at a value of a vertical axis."""
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


def label(
    text: str,
    value: float,
    axis: str,
    color: str,
    *,
    above: bool = True,
    right: bool = False,
    shift: int = 0,
) -> Part:
    """Return words above or below a horizontal line, at its left or right end, moved by `shift` pixels."""
    return {
        "text": text,
        "xref": "paper",
        "x": 1 if right else 0,
        "xanchor": "right" if right else "left",
        "xshift": shift,
        "yref": axis,
        "y": value,
        "yanchor": "bottom" if above else "top",
        "showarrow": False,
        "font": {"color": color, "size": 10},
    }


def corner_text(text: str, color: str) -> Part:
    """Return words above the upper right corner of the chart."""
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "y": 1,
        "xanchor": "right",
        "yanchor": "bottom",
        "yshift": 3,
        "showarrow": False,
        "font": {"size": 11, "color": color},
    }


def limit_marks(limit: Limit, edge: float, axis: str, colors: Palette) -> tuple[list[Part], Part]:
    """Return a limit as a line, with the range beyond it tinted up to an edge, and its label."""
    is_warning = limit.level == Level.WARNING
    color = colors.orange if is_warning else colors.red
    tint = {
        **level_line(limit.value, axis, color, "dash"),
        "type": "rect",
        "y1": edge,
        "line": {"width": 0},
        "fillcolor": colors.warning_band if is_warning else colors.critical_band,
        "layer": "below",
    }
    words = label(f"{limit.level} {limit.value:.3g}", limit.value, axis, color)
    return [level_line(limit.value, axis, color, "dash"), tint], words
