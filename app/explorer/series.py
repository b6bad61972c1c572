"""A column over time: its statistic, how many rows there were, and accuracy measured and estimated."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from app.components.timeline import Curve, Reading, Track
from app.explorer.words import short_name
from app.theme import palette
from mlops_core.domain.states import MonitorKind
from mlops_core.explanation.results import Explanation
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.model_view import ModelView, Series
from mlops_core.monitoring.windows import Window

__all__ = ["accuracy_track", "rows_track", "series_rows", "statistic_track"]


def rows_track(explanation: Explanation, rows: Mapping[Window, int]) -> Track:
    """Return how many rows there were in each of the explanation's weeks."""
    readings = [Reading(week, rows.get(week, 0), rows.get(week, 0)) for week in explanation.weeks]
    return Track(
        "n",
        [Curve("rows", readings, palette().reference, bars=True)],
        pixels=26,
        from_zero=True,
    )


def statistic_track(
    explanation: Explanation, column: str, rows: Mapping[Window, int], limits: Sequence[Limit]
) -> Track:
    """Return the statistic of a column in each of the explanation's weeks, with its limits."""
    movement = next(one for one in explanation.columns if one.column == column)
    name = short_name(explanation.statistic)
    readings = [
        Reading(week, value, rows.get(week, 0))
        for week, value in zip(explanation.weeks, movement.trend, strict=True)
    ]
    return Track(
        name,
        [Curve(f"{name} of {column}", readings, palette().current)],
        limits=limits,
        pixels=87,
        from_zero=True,
    )


def accuracy_track(view: ModelView, *, all_rows: bool) -> Track | None:
    """Return measured and estimated accuracy of all rows, None where a model has neither.

    Parameters
    ----------
    all_rows
        Whether to say that it is that of all rows, beside figures of a segment.
    """
    metric = view.row.metric or ""
    measured = view.one(MonitorKind.PERFORMANCE, metric)
    estimated = view.one(MonitorKind.ESTIMATE, metric)
    colors = palette()
    name = statistic_name(metric)
    of = ", all rows" if all_rows else ""
    curves = []
    if measured:
        curves.append(Curve(f"measured {name}{of}", _readings(measured), colors.text))
    if estimated:
        curves.append(Curve(f"estimated {name}{of}", _readings(estimated), colors.estimated, dash="dash"))
    if not curves:
        return None
    return Track(
        name,
        curves,
        limits=measured.limits if measured else [],
        level=("training", view.row.trained) if view.row.trained is not None else None,
        pixels=70,
    )


def series_rows(tracks: Sequence[Track]) -> list[tuple[object, ...]]:
    """Return what the tracks show as rows: series, first day, last day, value, lower, upper, rows."""
    return [
        (
            curve.name,
            one.window.start.date(),
            one.window.end.date(),
            one.value,
            one.lower,
            one.upper,
            one.rows,
        )
        for track in tracks
        for curve in track.curves
        for one in curve.readings
    ]


def _readings(series: Series) -> list[Reading]:
    points = series.points
    steps = [after.start - before.start for before, after in pairwise(points)]
    width = min(steps) if steps else None
    return [
        Reading(
            Window(one.start, one.start + width) if width else Window(one.start, one.start),
            one.value,
            one.rows,
            one.lower,
            one.upper,
        )
        for one in points
    ]
