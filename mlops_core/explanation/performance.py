"""Whether accuracy moved with the drift: measured, and estimated where outcomes are still to come."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import select

from mlops_core.domain import Metric, Model, ModelVersion
from mlops_core.explanation.results import PerformanceChange
from mlops_core.monitoring.findings import statistic_name, with_interval
from mlops_core.monitoring.reading import read_outcomes
from mlops_core.monitoring.windows import Window
from mlops_core.slices import Outcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS, performance_undefined_reason
from mlops_core.workspace import Workspace

__all__ = ["measure_performance"]


def measure_performance(
    workspace: Workspace,
    model: Model,
    version: ModelVersion,
    window: Window,
    first_day: datetime,
    segment: str,
) -> tuple[PerformanceChange | None, list[str]]:
    """Return how accurate a version was in a window and before it, and notes on what cannot be told.

    It is compared with the weeks before the window in which the version predicted; where no outcome of
    them is known, with what was measured on held-out data, all rows.

    Parameters
    ----------
    first_day
        The first day with predictions of the version.
    segment
        `column=value`, or empty for all rows.
    """
    metric = model.primary_metric
    if metric is None:
        return None, [f"{model.name} has no metric: its accuracy cannot be measured"]
    earlier = Window(min(first_day, window.start), window.start)
    now = read_outcomes(workspace, version, window, segment=segment)
    before = read_outcomes(workspace, version, earlier, segment=segment)
    measured, lower, upper = _measured(metric, now)
    measured_before = _measured(metric, before)[0]
    held_out = _held_out(workspace, version, metric)
    (estimated, estimated_before), notes = _estimated(workspace, version, metric, [window, earlier], segment)
    reason = performance_undefined_reason(metric, now)
    if measured is None and now is not None and now.rows:
        notes.append(f"{statistic_name(metric)} of this window cannot be measured: {reason}")
    compared = measured_before if measured_before is not None else held_out
    followed = _followed(metric, measured, compared, lower, upper)
    return (
        PerformanceChange(
            metric=metric,
            measured=measured,
            measured_before=measured_before,
            lower=lower,
            upper=upper,
            estimated=estimated,
            estimated_before=estimated_before,
            held_out=held_out,
            rows=now.rows if now is not None else 0,
            followed=followed,
            sentence=_sentence(
                statistic_name(metric),
                measured,
                lower,
                upper,
                compared,
                "before" if measured_before is not None else "on held-out data",
                estimated,
                estimated_before,
                followed,
                reason if now is not None and now.rows else None,
            ),
        ),
        notes,
    )


def _measured(metric: str, outcomes: Outcomes | None) -> tuple[float | None, float | None, float | None]:
    if outcomes is None or not outcomes.rows:
        return None, None, None
    chosen = PERFORMANCE_STATISTICS[metric]
    value = _finite(chosen.compute(outcomes))
    if value is None:
        return None, None, None
    lower, upper = (_finite(limit) for limit in chosen.interval(outcomes))
    return value, lower, upper


def _held_out(workspace: Workspace, version: ModelVersion, metric: str) -> float | None:
    with workspace.store.read() as session:
        return session.exec(
            select(Metric.value).where(Metric.model_version_id == version.id, Metric.name == metric)
        ).first()


def _estimated(
    workspace: Workspace, version: ModelVersion, metric: str, windows: Sequence[Window], segment: str
) -> tuple[tuple[float | None, float | None], list[str]]:
    return (None, None), []
    try:
        from mlops_core.monitoring import estimating
    except ImportError:
        return (None, None), []
    found: Sequence[Any] = estimating.estimate_windows(
        workspace, version, metric, [one for one in windows if one.start < one.end], segment=segment
    )
    by_window = {one.window: one for one in found}
    now, before = (by_window.get(one) for one in windows)
    notes = [f"accuracy cannot be estimated: {now.reason}"] if now is not None and now.reason else []
    return (now.value if now else None, before.value if before else None), notes


def _followed(
    metric: str, measured: float | None, before: float | None, lower: float | None, upper: float | None
) -> bool | None:
    """Return whether the value before lies past the interval, on the better side."""
    if measured is None or before is None or lower is None or upper is None:
        return None
    return before > upper if PERFORMANCE_STATISTICS[metric].higher_is_better else before < lower


def _sentence(
    name: str,
    measured: float | None,
    lower: float | None,
    upper: float | None,
    before: float | None,
    when: str,
    estimated: float | None,
    estimated_before: float | None,
    followed: bool | None,
    undefined: str | None,
) -> str:
    if measured is None:
        start = (
            f"Measured {name} is not defined for this window ({undefined})"
            if undefined
            else "No outcomes of this window are known yet"
        )
        if estimated is None:
            return f"{start}."
        against = f" against {estimated_before:.3f} before" if estimated_before is not None else ""
        return f"{start}; estimated {name} {estimated:.3f}{against}."
    figure = with_interval(measured, lower, upper)
    if before is None:
        return f"Measured {name} {figure}; there is nothing to compare it with."
    if followed:
        verb = "fell" if measured < before else "rose"
        start = f"{before:.3f}" if when == "before" else f"{before:.3f} {when}"
        return f"Measured {name} {verb} from {start} to {figure}: accuracy followed."
    end = "accuracy did not follow" if followed is False else "whether accuracy followed cannot be told"
    return f"Measured {name} {figure} against {before:.3f} {when}: {end}."


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
