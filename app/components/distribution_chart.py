"""How a column is spread in two windows: the reference wide and grey behind the current."""

from collections.abc import Sequence

from app.components.download import picture_config
from app.components.figures import draw_figure
from app.components.time_marks import Part, corner_text
from app.theme import palette

__all__ = ["draw_distribution"]

_MOST_BARS = 40
_MANY_BARS = 9
_ONE_LINE_PIXELS = 31  # with less, Plotly lays out twice what fits into one line


def draw_distribution(
    labels: Sequence[str],
    reference: Sequence[float],
    current: Sequence[float],
    *,
    marked: Sequence[int],
    change: float,
    names: tuple[str, str],
    rows: tuple[int, int],
    key: str,
    alt: str,
    file_name: str,
    height: int = 172,
) -> None:
    """Draw the share of each bin in both windows, and mark those that moved most.

    Parameters
    ----------
    reference, current
        Shares between 0 and 1, one for each label.
    marked
        Bins beside each other that moved most, from 1 to 40.
    change
        By how much the share of what moved did, between -1 and 1; its bins may cover a little more or less.
    names
        What the two windows are called, the reference first.
    rows
        The rows of both windows, the reference first.
    file_name
        The name of the picture that the chart is saved as, without its ending.
    """
    colors = palette()
    shown = _bins_shown(labels, reference, current, marked)
    words = [labels[number] for number in shown]
    before = [100 * reference[number] for number in shown]
    after = [100 * current[number] for number in shown]
    places = [shown.index(number) for number in marked]
    fills = [colors.current if number in marked else colors.current_faint for number in shown]
    behind = [colors.reference_marked if number in marked else colors.reference for number in shown]
    bars: list[Part] = [
        {
            "type": "bar",
            "x": words,
            "y": values,
            "name": name,
            "width": width,
            "marker": {"color": color},
            "customdata": [round(value * count / 100) for value in values],
            "hovertemplate": f"%{{y:.1f}} % (n = %{{customdata:,}} of {count:,})",
        }
        for values, name, width, color, count in (
            (before, names[0], 0.78, behind, rows[0]),
            (after, names[1], 0.42, fills, rows[1]),
        )
    ]
    mark = {
        "x": (places[0] + places[-1]) / 2,
        "y": max(max(after[place], before[place]) for place in places),
        "text": f"<b>{100 * change:+.1f} points</b>".replace("-", "−"),
        "showarrow": False,
        "yshift": 10,
        "font": {"color": colors.text, "size": 12},
    }
    highest = max(*before, *after)
    layout = {
        "barmode": "overlay",
        "height": height,
        "margin": {"l": 52, "r": 8, "t": 18, "b": _ONE_LINE_PIXELS},
        "hovermode": "x unified",
        "showlegend": False,
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "yaxis": {
            "ticksuffix": " %",
            "gridcolor": colors.grid,
            "zeroline": False,
            "range": [0, 1.12 * highest],
            "nticks": 5,
            "tickfont": {"size": 11, "color": colors.muted},
        },
        "xaxis": {
            "type": "category",
            "tickfont": {"size": 11 if len(words) <= _MANY_BARS else 10, "color": colors.muted},
            "automargin": True,
            "showgrid": False,
        },
        "annotations": [mark, _names(names, colors.reference_text, colors.current)],
    }
    draw_figure(bars, layout, key=key, config=picture_config(file_name), alt=alt)


def _bins_shown(
    labels: Sequence[str], reference: Sequence[float], current: Sequence[float], marked: Sequence[int]
) -> list[int]:
    """Return the bins to draw: of very many, those that hold or moved most, in their order."""
    if len(labels) <= _MOST_BARS:
        return list(range(len(labels)))
    weight = sorted(range(len(labels)), key=lambda number: -max(reference[number], current[number]))
    return sorted({*weight[: _MOST_BARS - len(marked)], *marked})


def _names(names: tuple[str, str], before: str, after: str) -> Part:
    """Return the names of both windows, in their colours, at the upper right."""
    text = (
        f"<span style='color:{before}'>■ {names[0]}</span>   <span style='color:{after}'>■ {names[1]}</span>"
    )
    return corner_text(text, before)
