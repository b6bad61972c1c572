"""What two versions say of the same rows, as an annotated heat map: on its diagonal they agree."""

from collections.abc import Sequence

from app.components.download import picture_config
from app.components.figures import draw_figure
from app.components.time_marks import Part
from app.theme import palette

__all__ = ["draw_agreement"]

_HEIGHT = 270
_MOST_ANNOTATED = 10


def draw_agreement(
    labels: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    names: tuple[str, str],
    key: str,
    alt: str,
    file_name: str,
) -> None:
    """Draw the rows of the data by what both versions say of them.

    Parameters
    ----------
    counts
        By what the champion (first index) and the challenger (second) say.
    names
        Of the challenger and the champion.
    """
    colors = palette()
    total = sum(map(sum, counts)) or 1
    shares = [[100 * one / total for one in row] for row in counts]
    places = [f"label {number}" for number in range(len(labels))]  # labels may be numbers
    axis: Part = {
        "type": "category",
        "tickvals": places,
        "ticktext": [label if len(label) <= 14 else f"{label[:13]}…" for label in labels],
        "tickfont": {"size": 11, "color": colors.text},
        "showgrid": False,
        "fixedrange": True,
    }
    font = {"size": 11, "color": colors.muted}
    data: list[Part] = [
        {
            "type": "heatmap",
            "x": places,
            "y": places,
            "z": shares,
            "customdata": [
                [
                    f"{names[1]} says {before}, {names[0]} says {after}: {one:,} rows ({share:.1f} %)"
                    for after, one, share in zip(labels, row, parts, strict=True)
                ]
                for before, row, parts in zip(labels, counts, shares, strict=True)
            ],
            "colorscale": [[0, colors.ground], [1, colors.current]],
            "zmin": 0,
            "zmax": max(max(row) for row in shares) * 1.25 or 1,
            "showscale": False,
            "xgap": 2,
            "ygap": 2,
            "text": [
                [f"{one:,}<br>{share:.1f} %" for one, share in zip(row, parts, strict=True)]
                for row, parts in zip(counts, shares, strict=True)
            ],
            "texttemplate": "%{text}" if len(labels) <= _MOST_ANNOTATED else "",
            "textfont": {"size": 11 if len(labels) <= 4 else 9},
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]
    layout: Part = {
        "height": _HEIGHT,
        "margin": {"l": 76, "r": 8, "t": 22, "b": 40},
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "shapes": [_outline(number, colors.text) for number in range(len(labels))],
        "xaxis": {**axis, "title": {"text": f"{names[0]} says", "font": font, "standoff": 6}},
        "yaxis": {**axis, "autorange": "reversed", "title": {"text": f"{names[1]} says", "font": font}},
    }
    draw_figure(data, layout, key=key, config=picture_config(file_name), alt=alt)


def _outline(number: int, color: str) -> Part:
    """Return a frame around a field of the diagonal, where both say the same."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y",
        "x0": number - 0.5,
        "x1": number + 0.5,
        "y0": number - 0.5,
        "y1": number + 0.5,
        "line": {"color": color, "width": 1},
    }
