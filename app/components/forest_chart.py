"""Differences with their intervals, one row each: zero drawn, better to the right, the figures beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.components.download import picture_config
from app.components.figures import draw_figure
from app.components.interval_image import shared_extent
from app.components.time_marks import Part
from app.theme import Palette, palette

__all__ = ["ForestRow", "draw_forest"]

_ROW_PIXELS = 26
_TOP, _BOTTOM = 24, 34
_MOST_NAME = 34


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One difference, turned so that positive is better.

    Attributes
    ----------
    figures
        What stands at its right.
    color
        As CSS: of what the interval says.
    hover
        What hovering adds to the name.
    """

    name: str
    difference: float
    lower: float
    upper: float
    figures: str
    color: str
    hover: str


def draw_forest(
    rows: Sequence[ForestRow],
    *,
    unit: str,
    key: str,
    alt: str,
    file_name: str,
    figures_title: str = "",
    mirrored: bool = False,
    margin: float | None = None,
    names_pixels: int = 150,
    figures_pixels: int = 190,
) -> None:
    """Draw rows from top to bottom on one axis.

    Parameters
    ----------
    unit
        Of the axis.
    mirrored
        Whether the unit itself counts the other way round, so that the labels of the axis change their sign.
    margin
        How much worse is still accepted, above 0; drawn as a line left of zero.
    """
    colors = palette()
    low, high = _span(rows, margin)
    height = _ROW_PIXELS * len(rows) + _TOP + _BOTTOM
    names = [f"row {number}" for number in range(len(rows))]  # a bare number would be a place on the axis
    layout: Part = {
        "height": height,
        "margin": {"l": names_pixels, "r": figures_pixels, "t": _TOP, "b": _BOTTOM},
        "showlegend": False,
        "hovermode": "closest",
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "shapes": _marks(margin, low, colors),
        "annotations": [
            *_sides(margin, colors),
            *([_heading(figures_title, colors)] if figures_title else []),
            *(_figures(place, row, colors) for place, row in zip(names, rows, strict=True)),
        ],
        "xaxis": {
            "range": [low, high],
            "title": {"text": unit, "font": {"size": 11, "color": colors.muted}, "standoff": 6},
            **_ticks(low, high, mirrored),
            "tickfont": {"size": 10, "color": colors.muted},
            "gridcolor": colors.grid,
            "zeroline": False,
            "fixedrange": True,
        },
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names[::-1],
            "range": [-0.5, len(rows) - 0.5],
            "tickvals": names,
            "ticktext": [_short(row.name) for row in rows],
            "tickfont": {"size": 12, "color": colors.text},
            "showgrid": False,
            "fixedrange": True,
        },
    }
    data = [_trace(place, row, low, high) for place, row in zip(names, rows, strict=True)]
    draw_figure(data, layout, key=key, config=picture_config(file_name), alt=alt)


def _trace(place: str, row: ForestRow, low: float, high: float) -> Part:
    """Return one difference; what lies beyond the axis is cut there."""
    symbol = _symbol(row, low, high)
    middle, lower, upper = (max(low, min(high, one)) for one in (row.difference, row.lower, row.upper))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [middle],
        "y": [place],
        "marker": {"color": row.color, "size": 11 if middle != row.difference else 9, "symbol": symbol},
        "cliponaxis": False,
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [upper - middle],
            "arrayminus": [middle - lower],
            "color": row.color,
            "thickness": 2.2,
            "width": 4 if symbol == "square" else 0,
        },
        "hovertemplate": f"<b>{row.name}</b><br>{row.hover}<extra></extra>",
    }


def _symbol(row: ForestRow, low: float, high: float) -> str:
    """Return a square, or an arrow where the difference itself lies beyond the axis."""
    if low <= row.difference <= high:
        return "square"
    return "triangle-left" if row.difference < low else "triangle-right"


def _marks(margin: float | None, low: float, colors: Palette) -> list[Part]:
    upright: Part = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    marks = [{**upright, "x0": 0, "x1": 0, "line": {"color": colors.muted, "width": 1.5}}]
    if margin:
        marks.append(
            {
                **upright,
                "x0": -margin,
                "x1": -margin,
                "line": {"color": colors.orange, "dash": "dash", "width": 1},
            }
        )
        marks.append(
            {
                **upright,
                "type": "rect",
                "x0": low,
                "x1": -margin,
                "line": {"width": 0},
                "fillcolor": colors.warning_band,
            }
        )
    return marks


def _sides(margin: float | None, colors: Palette) -> list[Part]:
    words: Part = {
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "xref": "x",
        "showarrow": False,
        "font": {"size": 10, "color": colors.muted},
    }
    sides = [{**words, "x": 0, "xanchor": "left", "xshift": 6, "text": "better →"}]
    if margin:
        limit = {"size": 10, "color": colors.orange}
        sides.append(
            {
                **words,
                "x": -margin,
                "xanchor": "right",
                "xshift": -4,
                "text": f"margin {margin:.3g}",
                "font": limit,
            }
        )
    else:
        sides.append({**words, "x": 0, "xanchor": "right", "xshift": -6, "text": "← worse"})
    return sides


def _heading(text: str, colors: Palette) -> Part:
    return {
        "text": text,
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 12,
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 10, "color": colors.muted},
    }


def _figures(place: str, row: ForestRow, colors: Palette) -> Part:
    return {
        "text": row.figures,
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 12,
        "yref": "y",
        "y": place,
        "showarrow": False,
        "align": "left",
        "font": {"size": 12, "color": colors.text},
    }


def _span(rows: Sequence[ForestRow], margin: float | None) -> tuple[float, float]:
    """Return the ends of the axis: all intervals but the widest fit, and zero is not at its edge."""
    bounds = [value for row in rows for value in (row.lower, row.upper)]
    extent = shared_extent(bounds)
    low = max(min(0.0, *bounds), -extent)
    high = min(max(0.0, *bounds), extent)
    low = min(low, -0.3 * high, -1.3 * (margin or 0.0))
    high = max(high, -0.3 * low)
    pad = 0.04 * (high - low)
    return low - pad, high + pad


def _ticks(low: float, high: float, mirrored: bool) -> Part:
    """Return round values to label on the axis, about six of them; a mirrored one changes their sign."""
    rough = (high - low) / 7
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= rough)
    values = [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return {"tickvals": values, "ticktext": [_signed(-value if mirrored else value) for value in values]}


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def _short(name: str) -> str:
    return name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 1]}…"
