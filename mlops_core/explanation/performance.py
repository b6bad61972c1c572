"""Whether accuracy moved with the drift: measured, and estimated where outcomes are still to come."""

import math
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from sqlmodel import select

from mlops_core.domain import Metric, Model, ModelVersion, StoreRevision
from mlops_core.explanation.results import PerformanceChange
from mlops_core.monitoring.estimating import estimate_windows
from mlops_core.monitoring.findings import outcomes_in, statistic_name, with_interval
from mlops_core.monitoring.levels import FEWEST_ROWS
from mlops_core.monitoring.reading import read_outcomes
from mlops_core.monitoring.windows import Window
from mlops_core.slices import Outcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS, performance_undefined_reason
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = ["measure_performance"]

_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is known of the accuracy in a window and before it."""

    measured: float | None
    lower: float | None
    upper: float | None
    rows: int
    undefined: str | None
    measured_before: float | None
    held_out: float | None
    estimated: float | None
    estimated_before: float | None
    notes: tuple[str, ...]


def measure_performance(
    workspace: Workspace,
    model: Model,
    version: ModelVersion,
    window: Window,
    *,
    first_day: datetime,
    since: datetime | None,
    segment: str,
    predictions: int,
) -> tuple[PerformanceChange | None, list[str]]:
    """Return how accurate a version was in a window and before it, and notes on what cannot be told.

    It is compared with the weeks before the window, and before the drift, in which the version predicted;
    where no outcome of them is known, with what was measured on held-out data, all rows. It is estimated
    where fewer than half of the outcomes of the window are known.

    Parameters
    ----------
    first_day
        The first day with predictions of the version.
    since
        When the drift began, None where there is none.
    segment
        `column=value`, or empty for all rows.
    predictions
        How many there are in the window and segment.
    """
    metric = model.primary_metric
    if metric is None:
        return None, [f"{model.name} has no metric: its accuracy cannot be measured"]
    end = min(window.start, since) if since is not None else window.start
    earlier = Window(min(first_day, end), end)
    with workspace.store.read() as session:
        revision = session.exec(select(StoreRevision.revision)).one()
    found = _figures(
        workspace.store, workspace, version.id, metric, window, earlier, segment, predictions, revision
    )
    compared = found.measured_before if found.measured_before is not None else found.held_out
    followed = _followed(metric, found, compared)
    return (
        PerformanceChange(
            metric=metric,
            measured=found.measured,
            measured_before=found.measured_before,
            lower=found.lower,
            upper=found.upper,
            estimated=found.estimated,
            estimated_before=found.estimated_before,
            held_out=found.held_out,
            rows=found.rows,
            followed=followed,
            sentence=_sentence(
                statistic_name(metric),
                found,
                followed,
                min(found.rows / predictions, 1.0),
                drifted=since is not None,
            ),
        ),
        list(found.notes),
    )


@lru_cache(maxsize=256)
def _figures(
    store: Store,
    workspace: Workspace,
    version_id: int,
    metric: str,
    window: Window,
    earlier: Window,
    segment: str,
    predictions: int,
    revision: int,
) -> _Figures:
    """Read and estimate, once for each revision of the store: they do not depend on the drift statistic."""
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
        held_out = session.exec(
            select(Metric.value).where(Metric.model_version_id == version_id, Metric.name == metric)
        ).first()
    now = read_outcomes(workspace, version, window, segment=segment)
    before = read_outcomes(workspace, version, earlier, segment=segment)
    measured, lower, upper = _measured(metric, now)
    rows = now.rows if now is not None else 0
    undefined = performance_undefined_reason(metric, now) if rows and measured is None else None
    notes = [f"{statistic_name(metric)} of this window cannot be measured: {undefined}"] if undefined else []
    estimated = estimated_before = None
    if measured is None or rows < _HALF * predictions:
        estimated, estimated_before, untold = _estimated(workspace, version, metric, window, earlier, segment)
        notes += untold
    return _Figures(
        measured,
        lower,
        upper,
        rows,
        undefined,
        _measured(metric, before)[0],
        held_out,
        estimated,
        estimated_before,
        tuple(notes),
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


def _estimated(
    workspace: Workspace, version: ModelVersion, metric: str, window: Window, earlier: Window, segment: str
) -> tuple[float | None, float | None, list[str]]:
    """Return the metric without outcomes, in the window and before it, and why there is none."""
    windows = [one for one in (window, earlier) if one.start < one.end]
    now, *before = estimate_windows(workspace, version, metric, windows, segment=segment)
    if 0 < now.rows < FEWEST_ROWS:
        few = "1 prediction is" if now.rows == 1 else f"{now.rows} predictions are"
        reason = f"{few} too few, {FEWEST_ROWS} are needed"
        return None, None, [f"{statistic_name(metric)} is not estimated: {reason}"]
    notes = [f"{statistic_name(metric)} is not estimated: {now.reason}"] if now.reason else []
    if now.warning:
        notes.append(f"estimated {statistic_name(metric)}: {now.warning}")
    return now.value, before[0].value if before else None, notes


def _followed(metric: str, found: _Figures, before: float | None) -> bool | None:
    """Return whether the value before lies past the interval, on the better side."""
    if found.measured is None or before is None or found.lower is None or found.upper is None:
        return None
    return before > found.upper if PERFORMANCE_STATISTICS[metric].higher_is_better else before < found.lower


def _sentence(name: str, found: _Figures, followed: bool | None, arrived: float, *, drifted: bool) -> str:
    estimate = ""
    if found.estimated is not None:
        estimate = f"; estimated {name} {found.estimated:.3f}"
        if found.estimated_before is not None:
            estimate += f" against {found.estimated_before:.3f} before"
    if found.measured is None:
        why = f"Measured {name} is not defined for this window ({found.undefined})"
        return f"{why if found.undefined else 'No outcomes of this window are known yet'}{estimate}."
    figure = with_interval(found.measured, found.lower, found.upper)
    if arrived < _HALF:
        figure += f", {outcomes_in(arrived)},"
    before, when = found.measured_before, "before"
    if before is None:
        before, when = found.held_out, "on held-out data"
    if before is None:
        return f"Measured {name} {figure.rstrip(',')}: there is nothing to compare it with{estimate}."
    verb, past = ("follow", "followed") if drifted else ("fall", "fell")
    if followed:
        change = "fell" if found.measured < before else "rose"
        start = f"{before:.3f}" if when == "before" else f"{before:.3f} {when}"
        told = f"Measured {name} {change} from {start} to {figure.rstrip(',')}: accuracy {past}"
    else:
        end = f"accuracy did not {verb}" if followed is False else f"whether accuracy {past} cannot be told"
        told = f"Measured {name} {figure} against {before:.3f} {when}: {end}"
    return f"{told}{estimate}."


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
