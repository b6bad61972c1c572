"""Tracks below each other on one time axis, on which a person brushes the window to look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import streamlit as st

from app.components.download import picture_config
from app.components.figures import draw_figure
from app.components.formats import day
from app.components.time_marks import Part, band, corner_text, date_axis, label, level_line, limit_marks
from app.theme import Palette, palette
from mlops_core.explanation.results import Event
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.windows import Window

__all__ = ["Curve", "Reading", "Track", "draw_timeline", "window_brushed"]

_GAP_PIXELS = 10
_TOP_PIXELS = 18
_BOTTOM_PIXELS = 31  # what the days need: with less, Plotly lays everything out twice
_DAY = timedelta(days=1)
_LONGEST_TITLE = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """What a curve says of a window: None leaves a gap."""

    window: Window
    value: float | None
    rows: int
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """One line, or one row of bars, of a track."""

    name: str
    readings: Sequence[Reading]
    color: str
    dash: str = "solid"
    bars: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """One chart of the stack.

    Attributes
    ----------
    limits
        Drawn as lines with the range beyond them tinted, where they are near the curves.
    level
        A name and a value to draw as a grey dotted line.
    pixels
        Its height without the gap below.
    """

    unit: str
    curves: Sequence[Curve]
    limits: Sequence[Limit] = field(default_factory=list)
    level: tuple[str, float] | None = None
    pixels: int = 90
    number_format: str = ".3f"
    from_zero: bool = False

    @property
    def values(self) -> list[float]:
        """Return every value that a curve has."""
        return [one.value for curve in self.curves for one in curve.readings if one.value is not None]

    @property
    def near_limits(self) -> list[Limit]:
        """Return the limits worth drawing: far off, they would press the curves flat."""
        if not self.values:
            return []
        low, high = min(self.values), max(self.values)
        reach = max(high - low, 0.05 * abs(high), 1e-9)
        return [one for one in self.limits if low - 3 * reach <= one.value <= high + 3 * reach]

    @property
    def span(self) -> tuple[float, float]:
        """Return the range of the vertical axis."""
        drawn = [*self.values, *(one.value for one in self.near_limits)]
        if self.level:
            drawn.append(self.level[1])
        low, high = min(drawn, default=0.0), max(drawn, default=1.0)
        reach = high - low or abs(high) or 1.0
        return (0.0 if self.from_zero else low - 0.12 * reach), high + 0.14 * reach


def draw_timeline(
    tracks: Sequence[Track],
    *,
    window: Window,
    reference: Window | None,
    events: Sequence[Event],
    key: str,
    alt: str,
    file_name: str,
    on_brush: Callable[[Window], None] | None = None,
) -> None:
    """Draw the tracks with both windows shaded; a box dragged over them calls `on_brush` with its days.

    Parameters
    ----------
    reference
        None where it lies elsewhere: before all of the curves.
    events
        Drawn as thin lines whose words show on hovering.
    """
    colors = palette()
    data, layout = _figure(tracks, window, reference, events, colors)

    def brushed() -> None:
        chosen = window_brushed(st.session_state[key])
        if chosen is not None and on_brush is not None:
            on_brush(chosen)

    draw_figure(
        data,
        layout,
        key=key,
        config=picture_config(file_name),
        alt=alt,
        on_box=brushed if on_brush is not None else None,
    )


def window_brushed(state: Any) -> Window | None:
    """Return the whole days that a box of Plotly's covers, None where there is no box.

    >>> box = {"x": ["2017-11-06 10:12:00.5", "2017-11-09 23:00"], "y": [0, 1]}
    >>> window = window_brushed({"selection": {"box": [box]}})
    >>> window.start.date().isoformat(), window.end.date().isoformat()
    ('2017-11-06', '2017-11-10')
    """
    boxes = state["selection"]["box"]
    if not boxes:
        return None
    days = sorted(datetime.fromisoformat(str(edge)[:10]).replace(tzinfo=UTC) for edge in boxes[-1]["x"])
    return Window(days[0], days[-1] + _DAY)


def _figure(
    tracks: Sequence[Track],
    window: Window,
    reference: Window | None,
    events: Sequence[Event],
    colors: Palette,
) -> tuple[list[Part], Part]:
    height = (
        _TOP_PIXELS + _BOTTOM_PIXELS + sum(one.pixels for one in tracks) + _GAP_PIXELS * (len(tracks) - 1)
    )
    inner = height - _TOP_PIXELS - _BOTTOM_PIXELS
    data: list[Part] = []
    shapes = [band(window.start, window.end, colors.window_band)]
    if reference is not None:
        shapes.append(band(reference.start, reference.end, colors.reference_band))
    annotations: list[Part] = []
    layout: Part = {
        "height": height,
        "margin": {"l": 52, "r": 8, "t": _TOP_PIXELS, "b": _BOTTOM_PIXELS},
        "hovermode": "x unified",
        "showlegend": False,
        "dragmode": "select",
        "selectdirection": "h",
        "newselection": {"line": {"color": colors.current, "width": 1, "dash": "solid"}},
        "bargap": 0.25,
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "annotations": annotations,
        "shapes": shapes,
    }
    top = 0
    for number, track in enumerate(tracks, start=1):
        axis = f"y{number}" if number > 1 else "y"
        low, high = track.span
        layout[f"yaxis{number}" if number > 1 else "yaxis"] = {
            "domain": [max(1 - (top + track.pixels) / inner, 0.0), 1 - top / inner],
            "title": {"text": track.unit, "font": {"size": 11, "color": colors.muted}, "standoff": 4},
            "range": [low, high],
            "nticks": 2 if track.pixels < 50 else 4,
            "tickfont": {"size": 10, "color": colors.muted},
            "gridcolor": colors.grid,
            "zeroline": False,
            "fixedrange": True,
        }
        top += track.pixels + _GAP_PIXELS
        data += [_trace(curve, track, axis) for curve in track.curves]
        for limit in track.near_limits:
            lines, words = limit_marks(limit, high if limit.above else low, axis, colors)
            shapes += lines
            annotations.append(words)
        if track.level:
            name, value = track.level
            shapes.append(level_line(value, axis, colors.muted, "dot"))
            annotations.append(label(f"{name} {value:.3g}", value, axis, colors.muted, right=True))
    marks, vertical = _marks(events, tracks[0], colors)
    data += marks
    shapes += vertical
    layout["xaxis"] = date_axis(f"y{len(tracks)}" if len(tracks) > 1 else "y", *_days_shown(tracks), colors)
    annotations.append(_legend(tracks, colors.muted))
    return data, layout


def _trace(curve: Curve, track: Track, axis: str) -> Part:
    readings = curve.readings
    steps = [after.window.start - before.window.start for before, after in pairwise(readings)]
    width = readings[0].window.end - readings[0].window.start if readings else _DAY
    trace: Part = {
        "x": [one.window.start.replace(tzinfo=None) for one in readings],
        "y": [one.value for one in readings],
        "xperiod": min([width, *steps]) / timedelta(milliseconds=1),
        "xperiod0": readings[0].window.start.replace(tzinfo=None) if readings else None,
        "xperiodalignment": "middle",
        "name": curve.name,
        "yaxis": axis,
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
    }
    if curve.bars:
        return {
            **trace,
            "type": "bar",
            "marker": {"color": curve.color},
            "hovertemplate": "%{y:,.0f}",
        }
    return {
        **trace,
        "type": "scatter",
        "mode": "lines+markers",
        "marker": {"size": 4, "color": curve.color},
        "line": {"color": curve.color, "width": 2, "dash": curve.dash},
        "customdata": [_words(one, track.number_format) for one in readings],
        "hovertemplate": f"%{{y:{track.number_format}}}%{{customdata}}",
    }


def _words(reading: Reading, number_format: str) -> str:
    words = f" (n = {reading.rows:,})" if reading.rows else ""
    if reading.lower is None or reading.upper is None:
        return words
    return f", {reading.lower:{number_format}}–{reading.upper:{number_format}}{words}"


def _marks(events: Sequence[Event], track: Track, colors: Palette) -> tuple[list[Part], list[Part]]:
    """Return what an event's words hang on, and the thin line below it through all tracks."""
    if not events:
        return [], []
    high = track.span[1]
    trace: Part = {
        "type": "scatter",
        "mode": "markers",
        "x": [one.at.replace(tzinfo=None) for one in events],
        "y": [high] * len(events),
        "yaxis": "y",
        "name": "",
        "marker": {"symbol": "triangle-down", "size": 8, "color": colors.muted},
        "cliponaxis": False,
        "customdata": [f"{day(one.at)}: {one.title}"[: 2 * _LONGEST_TITLE] for one in events],
        "hovertemplate": "%{customdata}<extra></extra>",
        "unselected": {"marker": {"opacity": 1}},
    }
    lines = [
        {
            "type": "line",
            "xref": "x",
            "x0": one.at.replace(tzinfo=None),
            "x1": one.at.replace(tzinfo=None),
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": colors.reference, "width": 1, "dash": "dot"},
            "layer": "below",
        }
        for one in events
    ]
    return [trace], lines


def _days_shown(tracks: Sequence[Track]) -> tuple[datetime, datetime]:
    windows = [one.window for track in tracks for curve in track.curves for one in curve.readings]
    return min(one.start for one in windows), max(one.end for one in windows)


def _legend(tracks: Sequence[Track], color: str) -> Part:
    """Return the names of the lines, in their colours, at the upper right."""
    signs = {"solid": "━", "dash": "╍", "dot": "┅"}
    names = [
        f"<span style='color:{curve.color}'>{signs.get(curve.dash, '━')} {curve.name}</span>"
        for track in tracks
        for curve in track.curves
        if not curve.bars
    ]
    return corner_text("   ".join(names), color)
