"""Backtest: when a monitor would have warned had it been on, and whether accuracy then fell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import select

from mlops_core.domain import Model, ModelVersion, StoredSlice
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Level
from mlops_core.explanation.falls import Fall, monitor_of_accuracy, read_accuracy
from mlops_core.explanation.statistic_series import monitor_of_series, read_series, reference_values
from mlops_core.explanation.threshold_outcomes import ThresholdOutcome, outcome_of, propose
from mlops_core.explanation.warnings import Past
from mlops_core.monitoring.findings import some_of, statistic_name
from mlops_core.monitoring.levels import FEWEST_ROWS, Limit
from mlops_core.monitoring.reading import read_reference
from mlops_core.monitoring.thresholds import (
    AnyThreshold,
    ConstantThreshold,
    LearnedThreshold,
    RuleOfThumb,
    threshold_of,
)
from mlops_core.monitoring.watch import thresholds_of
from mlops_core.monitoring.windows import Window
from mlops_core.registry.columns import PREDICTION, SCORE
from mlops_core.registry.models import champion_of, find_model
from mlops_core.slices import NumericGrid
from mlops_core.statistics import DRIFT_STATISTICS, PERFORMANCE_STATISTICS
from mlops_core.workspace import Workspace

__all__ = ["Backtest", "ThresholdOutcome", "backtest_column"]

_FEWEST_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Backtest:
    """What several thresholds on one statistic would have done.

    Attributes
    ----------
    column
        Empty for an estimate of the model's performance.
    windows, values, rows
        The statistic of each window, oldest first; None where it was not judged.
    metric
        What fell: the model's primary metric, empty where it has none.
    falls
        Each has the date of its windows, not that at which their outcomes became known.
    known_to
        Up to when accuracy is known; None when it is not, and nobody can say which warnings were false.
    outcomes
        By threshold; the proposed one last.
    proposed
        None where no threshold can be proposed.
    reason
        Why this one is proposed, or none.
    sentence
        What the proposed one would have done, or else the first.
    notes
        What is missing, and why, in words.
    """

    model: str
    version: int
    column: str
    statistic: str
    segment: str
    days: int
    horizon_days: float
    windows: Sequence[Window]
    values: Sequence[float | None]
    rows: Sequence[int]
    metric: str
    falls: Sequence[Fall]
    known_to: datetime | None
    outcomes: Sequence[ThresholdOutcome]
    proposed: ThresholdOutcome | None
    reason: str
    sentence: str
    notes: Sequence[str]


def backtest_column(
    workspace: Workspace,
    name: str,
    *,
    column: str,
    statistic: str = "psi",
    segment: str = "",
    days: int = 7,
    horizon_days: float = 14,
    thresholds: Sequence[AnyThreshold] | None = None,
) -> Backtest:
    """Replay thresholds over what a statistic of a model's champion was, from its stored slices.

    Falls of accuracy, and what is a warning before one, are defined in `falls` and `warnings`.

    Parameters
    ----------
    column
        One of the version's columns, `prediction` or `score`. Empty for the performance that was estimated
        without outcomes; the statistic is then the model's primary metric.
    segment
        `column=value`, or empty for all rows.
    days
        Length of a window, 1 or 7. A window of fewer than 200 predictions is not judged.
    horizon_days
        How many days before a fall a warning is of use.
    thresholds
        None takes that of the monitor, one learned from the reference, and the rule of thumb,
        those that there are.

    Raises
    ------
    NotFound
        There is no such model, column or segment.
    InvalidInput
        The statistic is not defined for the column, `days` is neither 1 nor 7, or there are fewer than 3
        windows to judge.
    """
    if days not in {1, 7}:
        raise InvalidInput(f"windows of {days} days are not measured: choose 1 or 7")
    if not 0 <= horizon_days < math.inf:
        raise InvalidInput(f"a horizon of {horizon_days} days is no span: choose 0 or more, such as 14")
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = champion_of(session, model)
    above = _side(workspace, model, version, column, statistic, segment)
    accuracy = read_accuracy(workspace, model, version, segment)
    series = read_series(workspace, version, column, statistic, segment, days)
    if len([one for one in series.values if one is not None]) < _FEWEST_WINDOWS:
        what = f"'{column}'" if column else f"the estimated {statistic_name(statistic)}"
        raise InvalidInput(
            f"{what} of model '{name}' has fewer than {_FEWEST_WINDOWS} windows of {FEWEST_ROWS} predictions"
            f"{f' in {segment}' if segment else ''}: wait for more, or choose "
            f"{'weeks' if days == 1 else 'all rows' if segment else 'another model'}"
        )
    past = Past(series.windows, series.values, accuracy.falls, accuracy.known_to, horizon_days)
    chosen, notes = _resolve(workspace, version, column, statistic, segment, days, thresholds)
    unknown = accuracy.unknown_reason
    outcomes = [outcome_of(past, *one, unknown) for one in chosen]
    proposed, reason = propose(past, outcomes, statistic, unknown, above=above)
    if unknown:
        notes.append(f"Which warnings were false is not known: {unknown}.")
    best = proposed or (outcomes[0] if outcomes else None)
    return Backtest(
        model=name,
        version=version.number,
        column=column,
        statistic=statistic,
        segment=segment,
        days=days,
        horizon_days=horizon_days,
        windows=series.windows,
        values=series.values,
        rows=series.rows,
        metric=accuracy.metric,
        falls=accuracy.falls,
        known_to=accuracy.known_to,
        outcomes=[*outcomes, proposed] if proposed else outcomes,
        proposed=proposed,
        reason=reason,
        sentence=best.sentence if best else reason,
        notes=notes,
    )


def _side(
    workspace: Workspace, model: Model, version: ModelVersion, column: str, statistic: str, segment: str
) -> bool:
    """Return whether a value is outside from the limit upwards, after looking at what was asked."""
    if not column:
        if statistic != model.primary_metric or statistic not in PERFORMANCE_STATISTICS:
            raise InvalidInput(
                f"model '{model.name}' has no estimated {statistic}: name a column, or choose "
                f"{model.primary_metric or 'another model'}"
            )
        if segment:
            raise InvalidInput("estimated performance is stored for all rows: leave the segment out")
        return not PERFORMANCE_STATISTICS[statistic].higher_is_better
    if statistic not in DRIFT_STATISTICS:
        raise InvalidInput(f"there is no statistic '{statistic}': choose from {', '.join(DRIFT_STATISTICS)}")
    grids, reference = read_reference(workspace, version)
    columns = [one for one in (*version.columns, PREDICTION, SCORE) if one in reference.columns]
    if column not in columns:
        raise NotFound(f"model '{model.name}' has no column '{column}': choose from {some_of(columns)}")
    chosen = DRIFT_STATISTICS[statistic]
    kind = "numeric" if isinstance(grids[column], NumericGrid) else "categorical"
    if kind not in chosen.kinds:
        fitting = ", ".join(one.name for one in DRIFT_STATISTICS.values() if kind in one.kinds)
        raise InvalidInput(
            f"{statistic} is not defined for '{column}', a {kind} column: choose one of {fitting}"
        )
    if segment:
        with workspace.store.read() as session:
            known = session.exec(
                select(StoredSlice.segment).where(StoredSlice.model_version_id == version.id).distinct()
            ).all()
        if segment not in known:
            raise NotFound(f"model '{model.name}' has no segment '{segment}': choose one of its own")
    return chosen.higher_is_drift


_Chosen = list[tuple[str, AnyThreshold, Limit]]


def _resolve(
    workspace: Workspace,
    version: ModelVersion,
    column: str,
    statistic: str,
    segment: str,
    days: int,
    thresholds: Sequence[AnyThreshold] | None,
) -> tuple[_Chosen, list[str]]:
    """Return the thresholds with their limits, and in words what cannot be had."""
    named = (
        [(_name_of(one, thresholds), one) for one in thresholds]
        if thresholds is not None
        else _customary(workspace, version, column, statistic, segment)
    )
    chosen, notes = [], []
    for name, threshold in named:
        try:
            if isinstance(threshold, LearnedThreshold):
                limit = threshold.resolve(reference_values(workspace, version.id, statistic, column, days))
                if segment:
                    notes.append(f"The learned limit is that of all rows: {segment} moves more by chance.")
            else:
                limit = threshold.resolve()
        except InvalidInput as error:
            if thresholds is not None:
                raise
            notes.append(f"There is no {name} threshold: {error}.")
        else:
            chosen.append((name, threshold, limit))
    return chosen, notes


def _customary(
    workspace: Workspace, version: ModelVersion, column: str, statistic: str, segment: str
) -> list[tuple[str, AnyThreshold]]:
    with workspace.store.read() as session:
        monitor = (
            monitor_of_series(session, version, column, statistic, segment)
            or monitor_of_series(session, version, column, statistic, "")
            if column
            else monitor_of_accuracy(session, version, statistic)
        )
        rows = thresholds_of(session, [monitor])[monitor.id] if monitor else []
    named = [("current", threshold_of(row)) for row in rows if row.level == Level.WARNING]
    if column:
        chosen = DRIFT_STATISTICS[statistic]
        learned = LearnedThreshold(
            Level.WARNING, chosen.higher_is_drift, lowest=chosen.lower, highest=chosen.upper
        )
        named += [("learned", learned), ("rule of thumb", RuleOfThumb(Level.WARNING, statistic))]
    return named


def _name_of(threshold: AnyThreshold, given: Sequence[AnyThreshold]) -> str:
    """Return how a given threshold was chosen, with its figure where several were chosen alike."""
    name = threshold.kind.replace("_", " ")
    if sum(one.kind == threshold.kind for one in given) == 1:
        return name
    if isinstance(threshold, ConstantThreshold):
        return f"{name} {threshold.value:.3g}"
    if isinstance(threshold, LearnedThreshold):
        return f"{name}, {threshold.k:g} standard deviations"
    return f"{name}, {threshold.level}"
