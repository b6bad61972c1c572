"""What two versions predicted, against what came true, in groups of like score."""

from collections.abc import Sequence

from app.components.download import picture_config
from app.components.figures import draw_figure
from app.components.time_marks import Part
from app.theme import palette
from mlops_core.comparison.report import CalibrationPoint

__all__ = ["draw_calibration"]

_HEIGHT = 270


def draw_calibration(
    challenger: Sequence[CalibrationPoint],
    champion: Sequence[CalibrationPoint],
    *,
    names: tuple[str, str],
    unit: str,
    key: str,
    alt: str,
    file_name: str,
) -> None:
    """Draw both curves, the champion's grey behind; on the dotted line what is predicted comes true.

    Parameters
    ----------
    names
        Of the challenger and the champion.
    unit
        What was predicted: `score`.
    """
    colors = palette()
    every = [value for one in (*challenger, *champion) for value in (one.predicted, one.observed)]
    low, high = min(every), max(every)
    pad = (high - low) * 0.05 or 0.05
    axis: Part = {
        "range": [low - pad, high + pad],
        "gridcolor": colors.grid,
        "zeroline": False,
        "nticks": 6,
        "tickfont": {"size": 10, "color": colors.muted},
        "fixedrange": True,
    }
    font = {"size": 11, "color": colors.muted}
    data: list[Part] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [low, high],
            "y": [low, high],
            "line": {"color": colors.muted, "dash": "dot", "width": 1},
            "hoverinfo": "skip",
            "showlegend": False,
        },
        _curve(champion, names[1], colors.reference_marked, "square"),
        _curve(challenger, names[0], colors.current, "circle"),
    ]
    layout: Part = {
        "height": _HEIGHT,
        "margin": {"l": 54, "r": 8, "t": 22, "b": 40},
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 11}},
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "xaxis": {
            **axis,
            "title": {"text": f"predicted {unit}, mean of the group", "font": font, "standoff": 6},
        },
        "yaxis": {**axis, "title": {"text": "came true", "font": font}},
    }
    draw_figure(data, layout, key=key, config=picture_config(file_name), alt=alt)


def _curve(points: Sequence[CalibrationPoint], name: str, color: str, symbol: str) -> Part:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [one.predicted for one in points],
        "y": [one.observed for one in points],
        "customdata": [one.rows for one in points],
        "line": {"color": color, "width": 2},
        "marker": {"size": 7, "symbol": symbol},
        "hovertemplate": f"{name}: predicted %{{x:.3f}}, came true %{{y:.3f}} (n = %{{customdata:,}})"
        "<extra></extra>",
    }
