"""What stands on a panel beside its curves: title, names, limits, labels, and what happened."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from itertools import groupby

from app.components.formats import day, period
from app.components.panels import Panel
from app.components.time_marks import Part, label, level_line
from app.theme import Palette
from mlops_core.domain.states import Level
from mlops_core.explanation.results import Event

__all__ = ["Part", "curve_names", "event_marks", "limit_marks", "panel_title", "reference_marks"]

_LABEL_PIXELS = 13
_LETTER_PIXELS = 6
_NAME_SHARE = 0.15


def panel_title(text: str, top: float, colors: Palette) -> Part:
    """Return the title above a panel whose upper edge is at `top`, a share of the height."""
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
        "bgcolor": colors.ground,
        "font": {"size": 14, "color": colors.text, "weight": 600},
    }


def curve_names(panel: Panel, axis: str) -> list[Part]:
    """Return each curve's name beside its end, moved apart where two would overlap."""
    ends = [
        (line.points[-1].value, line)
        for line in panel.lines
        if not line.faint and not line.bars and line.points and line.points[-1].value is not None
    ]
    if len(ends) < 2:
        return []
    low, high = panel.extent
    place = -float("inf")
    names = []
    for value, line in sorted(ends, key=lambda end: end[0] or 0.0):
        place = max(value or 0.0, place + (high - low or 1.0) * _NAME_SHARE)
        names.append(
            {
                "text": line.name,
                "x": 1,
                "y": place,
                "xref": "paper",
                "yref": axis,
                "xanchor": "left",
                "xshift": 6,
                "showarrow": False,
                "font": {"color": line.color, "size": 11},
            }
        )
    return names


def limit_marks(panel: Panel, axis: str, height: float, colors: Palette) -> tuple[list[Part], list[Part]]:
    """Return the shapes and the labels of the thresholds: lines, with what lies beyond them tinted.

    Labels of thresholds that are nearer to each other than a line of text stand side by side.

    Parameters
    ----------
    height
        Of the panel, in pixels.
    """
    shapes: list[Part] = []
    labels: list[Part] = []
    low, high = panel.extent
    pixels = height / (high - low or 1.0)
    placed: list[tuple[float, float, int]] = []
    for limit in panel.near_limits:
        is_warning = limit.level == Level.WARNING
        color = colors.orange if is_warning else colors.red
        beyond = panel.beyond(limit)
        shapes.append(level_line(limit.value, axis, color, "dash"))
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
        text = f"{limit.level} {limit.value:.3g}"
        bottom = limit.value * pixels - (0 if limit.above else _LABEL_PIXELS)
        beside = [right for other, _, right in placed if abs(other - bottom) < _LABEL_PIXELS]
        shift = max(beside, default=0)
        placed.append((bottom, limit.value, shift + _LETTER_PIXELS * (len(text) + 2)))
        labels.append(label(text, limit.value, axis, color, above=limit.above, shift=shift))
    return shapes, labels


def reference_marks(name: str, value: float, axis: str, colors: Palette) -> tuple[Part, Part]:
    """Return a grey line at a value that the curves are compared with, and its label."""
    return (
        level_line(value, axis, colors.muted, "dot"),
        label(f"{name} {value:.3g}", value, axis, colors.muted, above=False, right=True),
    )


def event_marks(
    events: Sequence[Event], first: datetime, last: datetime, axis: str, colors: Palette
) -> tuple[list[Part], list[Part]]:
    """Return a thin line through all panels for each moment at which something happened, and what to hover.

    Parameters
    ----------
    first, last
        The span of the time axis; what lies outside is left out.
    axis
        A value axis from 0 to 1 that lies over the uppermost panel.
    """
    shown = sorted((one for one in events if first <= one.at <= last), key=lambda one: one.at)
    moments = [(at, list(found)) for at, found in groupby(shown, key=lambda one: one.at)]
    shapes = [
        {
            "type": "line",
            "xref": "x",
            "x0": at,
            "x1": at,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": colors.muted, "width": 1, "dash": "dot"},
            "opacity": 0.5,
        }
        for at, _ in moments
    ]
    if not moments:
        return [], []
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "events",
        "x": [at for at, _ in moments],
        "y": [1.0] * len(moments),
        "yaxis": axis,
        "cliponaxis": False,
        "marker": {"symbol": "triangle-down", "size": 8, "color": colors.muted},
        "text": ["<br>".join(_event_text(one) for one in found) for _, found in moments],
        "hovertemplate": "%{text}<extra></extra>",
    }
    return shapes, [trace]


def _event_text(event: Event) -> str:
    when = period(event.at, event.end) if event.end else day(event.at)
    return f"{when}: {escape(event.title)}"
