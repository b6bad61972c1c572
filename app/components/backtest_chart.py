"""When several thresholds would have warned, one row for each, and when accuracy fell."""

from app.components.download import picture_config
from app.components.figures import draw_figure
from app.components.formats import day
from app.components.time_marks import Part, band, corner_text, date_axis, level_line
from app.theme import Palette, palette
from mlops_core.explanation.backtest import Backtest, ThresholdOutcome
from mlops_core.explanation.warnings import Verdict

__all__ = ["VERDICTS", "draw_backtest_chart"]

VERDICTS = {
    Verdict.BEFORE_FALL: ("before a fall", "triangle-up"),
    Verdict.FALSE: ("false", "x"),
    Verdict.LATE: ("late", "circle"),
    Verdict.UNDECIDED: ("too recent to tell", "circle-open"),
}
_ROW_PIXELS = 22
_SERIES_PIXELS = 100
_MARGINS = {"l": 92, "r": 8, "t": 20, "b": 22}


def draw_backtest_chart(found: Backtest, *, unit: str, key: str, alt: str, file_name: str) -> None:
    """Draw the statistic with every threshold, and below it the warnings; falls of accuracy are tinted.

    Parameters
    ----------
    unit
        The name of the statistic.
    """
    colors = palette()
    rows = _ROW_PIXELS * max(len(found.outcomes), 1)
    inner = _SERIES_PIXELS + 12 + rows
    shapes = [band(fall.start, fall.end, colors.critical_band) for fall in found.falls]
    shapes += [
        level_line(one.limit.value, "y", color, "solid" if one is found.proposed else "dash")
        for one, color in zip(found.outcomes, _colors(found, colors), strict=True)
        if _is_near(one, found)
    ]
    layout: Part = {
        "height": inner + _MARGINS["t"] + _MARGINS["b"],
        "margin": _MARGINS,
        "hovermode": "closest",
        "showlegend": False,
        "paper_bgcolor": colors.ground,
        "plot_bgcolor": colors.ground,
        "shapes": shapes,
        "annotations": [_legend(found, colors)],
        "yaxis": {
            "domain": [(rows + 12) / inner, 1],
            "title": {"text": unit, "font": {"size": 11, "color": colors.muted}},
            "gridcolor": colors.grid,
            "zeroline": False,
            "rangemode": "tozero",
            "nticks": 4,
            "tickfont": {"size": 10, "color": colors.muted},
        },
        "yaxis2": {
            "domain": [0, rows / inner],
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [one.name for one in reversed(found.outcomes)],
            "range": [-0.5, len(found.outcomes) - 0.5],
            "gridcolor": colors.grid,
            "tickfont": {"size": 11, "color": colors.muted},
        },
        "xaxis": date_axis("y2", found.windows[0].start, found.windows[-1].end, colors),
    }
    data = [_series(found, unit, colors)]
    data += [_warnings(one, color) for one, color in zip(found.outcomes, _colors(found, colors), strict=True)]
    draw_figure(data, layout, key=key, config=picture_config(file_name), alt=alt)


def _colors(found: Backtest, colors: Palette) -> list[str]:
    """Return a colour for each threshold; the proposed one has that of the window."""
    others = iter((colors.series[1], colors.series[3], colors.series[2], *colors.series))
    return [colors.green if one is found.proposed else next(others) for one in found.outcomes]


def _is_near(outcome: ThresholdOutcome, found: Backtest) -> bool:
    highest = max((value for value in found.values if value is not None), default=0.0)
    return outcome.limit.value <= 3 * highest


def _series(found: Backtest, unit: str, colors: Palette) -> Part:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [one.start.replace(tzinfo=None) for one in found.windows],
        "y": list(found.values),
        "customdata": list(found.rows),
        "name": unit,
        "line": {"color": colors.current, "width": 2},
        "marker": {"size": 4},
        "hovertemplate": "%{x|%-d %b %Y}: %{y:.3f} (n = %{customdata:,})<extra></extra>",
    }


def _warnings(outcome: ThresholdOutcome, color: str) -> Part:
    words = [
        f"{outcome.name}: warned on {day(one.start)}, {VERDICTS[one.verdict][0]}"
        + (f", {one.lead_days:g} days ahead" if one.lead_days is not None else "")
        for one in outcome.warnings
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [one.start.replace(tzinfo=None) for one in outcome.warnings],
        "y": [outcome.name] * len(outcome.warnings),
        "yaxis": "y2",
        "name": outcome.name,
        "marker": {
            "size": 11,
            "color": color,
            "symbol": [VERDICTS[one.verdict][1] for one in outcome.warnings],
        },
        "customdata": words,
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _legend(found: Backtest, colors: Palette) -> Part:
    signs = "   ".join(
        f"{sign} {VERDICTS[verdict][0]}"
        for verdict, sign in (
            (Verdict.BEFORE_FALL, "▲"),
            (Verdict.FALSE, "✕"),
            (Verdict.LATE, "●"),
            (Verdict.UNDECIDED, "○"),
        )
        if any(one.verdict == verdict for outcome in found.outcomes for one in outcome.warnings)
    )
    falls = f"   <span style='color:{colors.red}'>▒ accuracy had fallen</span>" if found.falls else ""
    return corner_text(f"{signs}{falls}", colors.muted)
