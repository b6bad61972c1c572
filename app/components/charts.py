"""Charts with one manner: a finding as title, thresholds drawn, the reference grey behind the current."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from app.components.figures import draw_figure
from app.components.panel_marks import (
    Part,
    curve_names,
    event_marks,
    limit_marks,
    panel_title,
    reference_marks,
)
from app.components.panels import Line, Panel
from app.theme import palette
from mlops_core.explanation.results import Event

__all__ = ["Line", "Panel", "draw_panels"]

_CONFIG = {"displayModeBar": False}
_PANEL_PIXELS = 128
_TITLE_PIXELS = 34
_MARGIN_PIXELS = 46
_NAMES_PIXELS = 118
_MOST_TICKS = 9
_WEEK = timedelta(days=7)


def draw_panels(panels: Sequence[Panel], *, key: str, alt: str, events: Sequence[Event] = ()) -> None:
    """Draw panels below each other on one shared time axis, each curve named at its end.

    Parameters
    ----------
    events
        Marked by thin lines through all panels; hovering the mark at the upper edge says what happened.
    """
    colors = palette()
    height = _PANEL_PIXELS * len(panels) + _MARGIN_PIXELS
    gap = _TITLE_PIXELS / height if len(panels) > 1 else 0.0
    share = (1 - gap * (len(panels) - 1)) / len(panels)
    data: list[Part] = []
    annotations: list[Part] = []
    shapes: list[Part] = []
    layout: Part = {
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
        data += [_band(line, axis, colors.reference) for line in panel.lines if line.intervals]
        data += [_trace(line, panel, axis) for line in panel.lines]
        annotations.append(panel_title(panel.title, top, colors))
        annotations += curve_names(panel, axis)
        lines, labels = limit_marks(panel, axis, share * (height - _MARGIN_PIXELS), colors)
        shapes += lines
        annotations += labels
        if panel.reference:
            line, label = reference_marks(*panel.reference, axis, colors)
            shapes.append(line)
            annotations.append(label)
    days = _days(panels)
    span = _span(days, events)
    if events and span:
        over = len(panels) + 1
        lines, marks = event_marks(events, *span, f"y{over}", colors)
        shapes += lines
        data += marks
        layout[f"yaxis{over}"] = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    layout["xaxis"] = {
        **({"range": span} if span else {}),
        "anchor": f"y{len(panels)}" if len(panels) > 1 else "y",
        "showgrid": False,
        "tickvals": _tick_days(days),
        "tickformat": "%-d %b",
        "tickfont": {"size": 11},
        "hoverformat": "%-d %b %Y",
    }
    draw_figure(data, layout, key=key, config=_CONFIG, alt=alt)


def _trace(line: Line, panel: Panel, axis: str) -> Part:
    trace: Part = {
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


def _band(line: Line, axis: str, color: str) -> Part:
    """Tint the interval of a line: along its upper bounds, and back along the lower ones."""
    points = line.intervals
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*(one.start for one in points), *(one.start for one in reversed(points))],
        "y": [*(one.upper for one in points), *(one.lower for one in reversed(points))],
        "yaxis": axis,
        "name": f"95 % interval of {line.name}",
        "fill": "toself",
        "fillcolor": color,
        "opacity": 0.35,
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _days(panels: Sequence[Panel]) -> list[datetime]:
    return sorted({point.start for panel in panels for line in panel.lines for point in line.points})


def _span(days: Sequence[datetime], events: Sequence[Event]) -> tuple[datetime, datetime] | None:
    """Return what the time axis shows: the windows, half a window at either end, and the newest events."""
    if not days:
        return None
    step = min(max((later - day for day, later in pairwise(days)), default=_WEEK), _WEEK)
    newest = [one.at + step / 8 for one in events if days[-1] <= one.at < days[-1] + step]
    return days[0] - step / 2, max([days[-1] + step / 2, *newest])


def _tick_days(days: Sequence[datetime]) -> list[datetime]:
    """Return the days under which to write a date: measured ones, evenly thinned out."""
    step = -(-len(days) // _MOST_TICKS) or 1
    return list(days[::-1][::step][::-1])
