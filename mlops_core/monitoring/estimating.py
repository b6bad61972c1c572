"""Estimated performance of a version's windows before their outcomes arrive.

Classification is estimated from stored counts alone: the scores of the window, and a calibration learned from
the outcomes of the reference (`mlops_core.statistics.estimation`). Where the reference has none, the outcomes
of the first weeks in production take their place, always those of days before the window. Regression is
estimated from the rows of the prediction log (`mlops_core.monitoring.loss_model`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import func, select

from mlops_core.domain import Model, ModelVersion, OutcomeSlice
from mlops_core.domain.errors import BigboardError, InvalidInput
from mlops_core.domain.states import Origin, ProblemType
from mlops_core.monitoring.estimate_errors import EstimateErrors, EstimatePair, estimate_errors
from mlops_core.monitoring.loss_estimation import estimate_loss, loss_model_of
from mlops_core.monitoring.loss_model import LOSSES, LossEstimate
from mlops_core.monitoring.reading import read_grids, read_outcomes, read_slices
from mlops_core.monitoring.windows import Window
from mlops_core.registry.columns import OUTCOME, PREDICTED_AT, PREDICTION, SCORE
from mlops_core.registry.reference_sample import read_reference_sample
from mlops_core.slices import (
    BinaryOutcomes,
    CategoricalCounts,
    CategoricalGrid,
    Counts,
    Grid,
    Grids,
    NumericCounts,
    NumericGrid,
    OutcomePlan,
    build_outcome_slices,
    merge_outcomes,
)
from mlops_core.statistics import PERFORMANCE_STATISTICS, Calibration, calibrate, estimate, score_rows
from mlops_core.statistics.estimation import MOST_UNKNOWN, Estimate
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = [
    "EstimateErrors",
    "EstimatePair",
    "Estimated",
    "can_be_estimated",
    "estimate_errors",
    "estimate_windows",
]

_FIRST_WEEKS: Final = timedelta(weeks=8)
_FEWEST_OF_A_SEGMENT: Final = 1_000
"""A segment with fewer outcomes in the reference is calibrated on those of all rows."""

_Estimator: TypeAlias = Callable[[Window], "Estimated"]


@dataclass(frozen=True, slots=True)
class Estimated:
    """The estimated statistic of one window.

    Attributes
    ----------
    value, lower, upper
        The estimate, and between which limits the measured figure will lie with 95 % confidence; None where
        it cannot be told.
    rows
        Predictions of the window that were used.
    reason
        Why there is no value, in words; empty where there is one.
    basis
        Which outcomes it was learned from: `9,412 outcomes of the reference`.
    warning
        Why the value is not to be relied on, empty where nothing is known against it. Concept drift is
        invisible to every estimate.
    """

    window: Window
    value: float | None
    lower: float | None
    upper: float | None
    rows: int
    reason: str = ""
    basis: str = ""
    warning: str = ""


def can_be_estimated(problem: str, statistic: str, grids: Grids, *, outcomes: bool) -> bool:
    """Return whether a statistic of such a model can be estimated.

    Parameters
    ----------
    outcomes
        Whether the reference has outcomes. Two classes can do without: those of the first weeks in
        production take their place.
    """
    match problem:
        case ProblemType.BINARY:
            return isinstance(grids.get(SCORE, grids.get(PREDICTION)), NumericGrid)
        case ProblemType.MULTICLASS:
            return outcomes and statistic == "accuracy" and isinstance(grids.get(SCORE), NumericGrid)
        case ProblemType.REGRESSION:
            return outcomes and statistic in LOSSES
    return False


def estimate_windows(
    workspace: Workspace,
    version: ModelVersion,
    statistic: str,
    windows: Sequence[Window],
    segment: str = "",
) -> list[Estimated]:
    """Estimate a performance statistic of a version's predictions in some windows.

    Parameters
    ----------
    statistic
        A key of `PERFORMANCE_STATISTICS`.
    segment
        `column=value`, empty for all rows.

    Returns
    -------
    list of Estimated
        One for each window; where nothing can be estimated, with the reason and no value.

    Raises
    ------
    InvalidInput
        If there is no such statistic.
    """
    if statistic not in PERFORMANCE_STATISTICS:
        raise InvalidInput(
            f"there is no statistic {statistic!r}: choose from {', '.join(PERFORMANCE_STATISTICS)}"
        )
    with workspace.store.read() as session:
        model = session.get_one(Model, version.model_id)
    found = []
    estimator: _Estimator | None = None
    for window in windows:
        try:
            if estimator is None:
                estimator = _estimator(workspace, model, version, statistic, segment)
            found.append(estimator(window))
        except BigboardError as error:
            found.append(Estimated(window, None, None, None, 0, reason=str(error)))
    return found


def _estimator(
    workspace: Workspace, model: Model, version: ModelVersion, statistic: str, segment: str
) -> _Estimator:
    if model.problem_type not in PERFORMANCE_STATISTICS[statistic].problem_types:
        raise InvalidInput(f"{statistic} is not defined for a {model.problem_type} model: choose another one")
    match ProblemType(model.problem_type):
        case ProblemType.BINARY:
            return _binary(workspace, version, statistic, segment)
        case ProblemType.MULTICLASS:
            return _multiclass(workspace, version, statistic, segment)
        case _:
            return _regression(workspace, model, version, statistic, segment)


def _binary(workspace: Workspace, version: ModelVersion, statistic: str, segment: str) -> _Estimator:
    grids = read_grids(workspace, version)
    column = SCORE if SCORE in grids else PREDICTION
    reference = _reference_calibration(workspace.store, workspace, version.id, segment)

    def estimated(window: Window) -> Estimated:
        current = read_slices(workspace, version, window, segment=segment, columns=[column, PREDICTION])
        if not current.rows:
            return _nothing(window)
        known = reference if isinstance(reference, _Known) else _first_outcomes(workspace, version, window)
        if not isinstance(known, _Known):
            return Estimated(window, None, None, None, current.rows, reason=f"{reference}; {known}")
        counts, grid = _scores(current.columns.get(column), grids[column], column)
        ones = _ones(current.columns[PREDICTION], grids[PREDICTION]) if column == SCORE else None
        rows = score_rows(counts, grid, predicted_ones=ones)
        return _told(window, estimate(statistic, rows, known.calibration), known.basis)

    return estimated


def _multiclass(workspace: Workspace, version: ModelVersion, statistic: str, segment: str) -> _Estimator:
    """Estimate accuracy: a prediction counts as right with the calibrated probability of its class."""
    grids = read_grids(workspace, version)
    if statistic != "accuracy":
        raise InvalidInput(f"{statistic} of several classes cannot be estimated: ask for accuracy")
    if SCORE not in grids:
        raise InvalidInput(
            f"there is no score: log the probability of the predicted class as '{SCORE}', and give it in the "
            "reference of the next version"
        )
    known = _class_calibration(workspace.store, workspace, version.id)

    def estimated(window: Window) -> Estimated:
        current = read_slices(workspace, version, window, segment=segment, columns=[SCORE])
        if not current.rows:
            return _nothing(window)
        counts, grid = _scores(current.columns.get(SCORE), grids[SCORE], SCORE)
        rows = score_rows(counts, grid, predicted_ones=counts.finite)
        return _told(window, estimate(statistic, rows, known.calibration), known.basis)

    return estimated


def _regression(
    workspace: Workspace, model: Model, version: ModelVersion, statistic: str, segment: str
) -> _Estimator:
    if statistic not in LOSSES:
        raise InvalidInput(f"{statistic} cannot be estimated without outcomes: ask for {', '.join(LOSSES)}")
    fitted = loss_model_of(workspace, version, statistic)

    def estimated(window: Window) -> Estimated:
        found = estimate_loss(workspace, model, version, fitted, window, segment)
        return _told(window, found, f"{fitted.rows:,} outcomes of the reference")

    return estimated


def _nothing(window: Window) -> Estimated:
    return Estimated(window, None, None, None, 0, reason="no prediction in the window")


def _told(window: Window, found: Estimate | LossEstimate, basis: str) -> Estimated:
    if not math.isfinite(found.value):
        return Estimated(window, None, None, None, found.rows, "one class only, or none predicted", basis)
    warning = ""
    if found.unknown > MOST_UNKNOWN:
        warning = (
            f"{found.unknown:.0%} of the rows are unlike any that it was learned from: do not rely on it"
        ).replace("%", " %")
    lower, upper = found.interval
    return Estimated(window, found.value, lower, upper, found.rows, "", basis, warning)


def _scores(counts: Counts | None, grid: Grid, column: str) -> tuple[NumericCounts, NumericGrid]:
    if not isinstance(counts, NumericCounts) or not isinstance(grid, NumericGrid):
        raise InvalidInput(f"column '{column}' holds no scores: log the probability of outcome 1")
    return counts, grid


def _ones(counts: Counts, grid: Grid) -> int:
    """Return how many rows were predicted as 1."""
    if isinstance(counts, CategoricalCounts) and isinstance(grid, CategoricalGrid):
        named = {**dict(zip(grid.categories, counts.known.tolist(), strict=True)), **counts.unseen}
        return sum(rows for text, rows in named.items() if text.lower() in {"1", "true"})
    return round(counts.total) if isinstance(counts, NumericCounts) else 0


@dataclass(frozen=True, slots=True)
class _Known:
    """A calibration, and which outcomes it was learned from in words."""

    calibration: Calibration
    basis: str


@lru_cache(maxsize=256)
def _reference_calibration(store: Store, workspace: Workspace, version_id: int, segment: str) -> _Known | str:
    """Return what the outcomes of a reference, which never change, say; or why they say nothing."""
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
    of = f"of {segment} in the reference" if segment else "of the reference"
    found = read_outcomes(workspace, version, None, origin=Origin.REFERENCE, segment=segment)
    if segment and (found is None or found.rows < _FEWEST_OF_A_SEGMENT):
        return _reference_calibration(store, workspace, version_id, "")
    if not isinstance(found, BinaryOutcomes):
        return "the reference has no outcomes"
    try:
        calibration = calibrate(found)
    except InvalidInput as error:
        return f"of the reference, {error}"
    return _Known(calibration, f"{calibration.outcomes:,} outcomes {of}")


def _first_outcomes(workspace: Workspace, version: ModelVersion, window: Window) -> _Known | str:
    """Return what the outcomes of the first weeks in production say, or those of them before the window."""
    with workspace.store.read() as session:
        first: datetime | None = session.exec(
            select(func.min(OutcomeSlice.start)).where(
                OutcomeSlice.model_version_id == version.id,
                OutcomeSlice.origin == Origin.PRODUCTION,
                OutcomeSlice.segment == "",
            )
        ).one()
    if first is None or first >= window.start:
        return "and no outcome is known of predictions before the window"
    until = min(window.start, first + _FIRST_WEEKS)
    found = read_outcomes(workspace, version, Window(first, until))
    if not isinstance(found, BinaryOutcomes):
        return "and no outcome is known of predictions before the window"
    try:
        calibration = _calibrated(found.positives.tobytes(), found.negatives.tobytes())
    except InvalidInput as error:
        return f"before the window, {error}"
    days = f"{first:%Y-%m-%d} to {until - timedelta(days=1):%Y-%m-%d}"
    return _Known(
        calibration, f"{calibration.outcomes:,} outcomes of {days} in production, for the reference has none"
    )


@lru_cache(maxsize=256)
def _calibrated(positives: bytes, negatives: bytes) -> Calibration:
    ones, zeros = (np.frombuffer(part, dtype=np.int64) for part in (positives, negatives))
    return calibrate(BinaryOutcomes(0, ones, zeros, 0.0, 0.0, 0, 0, 0, 0))


@lru_cache(maxsize=64)
def _class_calibration(store: Store, workspace: Workspace, version_id: int) -> _Known:
    """Return how often the predicted class was right, by its score, in the sample of the reference.

    Raises
    ------
    InvalidInput
        If the sample lacks outcomes, or too few are known.
    """
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
    sample = read_reference_sample(workspace, version)
    if sample is None or not {SCORE, OUTCOME} <= set(sample.column_names):
        raise InvalidInput("the reference has no outcomes: register the next version with them in it")
    labels = [sample[name].cast(pa.string()) for name in (PREDICTION, OUTCOME)]
    right = pc.equal(*labels)
    rows = pa.table({"at": sample[PREDICTED_AT], "score": sample[SCORE], "right": right})
    plan = OutcomePlan("at", "month", "binary", "score", "right")
    counted = build_outcome_slices(rows.filter(pc.is_valid(right)).to_batches(), plan)
    if not counted:
        raise InvalidInput("the reference has no outcomes: register the next version with them in it")
    found = merge_outcomes(counted.values())
    if not isinstance(found, BinaryOutcomes):
        raise TypeError("right and wrong are counted as a binary outcome")
    calibration = calibrate(found)
    return _Known(calibration, f"{calibration.outcomes:,} outcomes of the reference")
