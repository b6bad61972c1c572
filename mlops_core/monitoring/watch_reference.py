"""What a watched file tells before it is watched: its reference, its problem, its metrics, its rhythm."""

from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.analysis.label_columns import read_columns
from mlops_core.analysis.sources import Source
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.monitoring.logs import OUTCOME, PREDICTION_ID
from mlops_core.monitoring.watched_file import FileColumns, WatchPlan, log_rows
from mlops_core.registry.columns import PREDICTED_AT, PREDICTION, SCORE
from mlops_core.slices import OutcomePlan, build_outcome_slices, merge_outcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = [
    "first_quarter",
    "guess_problem",
    "read_reference_rows",
    "reference_metrics",
    "rows_from",
    "usual_pause",
    "with_outcomes",
]

_DAY_HOURS: Final = 24.0
_REFERENCE_SHARE: Final = 0.25
_MOST_ROWS: Final = 5_000_000
_MANY: Final = 20  # a column of more values is no small set of classes


def read_reference_rows(
    origin: Source,
    plan: WatchPlan,
    features: list[str],
    problem: ProblemType,
    until: datetime | None,
    now: datetime,
) -> tuple[pa.Table, pa.Table]:
    """Return the predictions of the reference and their outcomes, as the logs would take them.

    Raises
    ------
    InvalidInput
        If there are none, or too many to hold at once.
    """
    predictions, outcomes = [], []
    rows = 0
    for part in log_rows(origin, plan.columns, features, problem, plan.positive, now):
        first, known = _until(part.predictions, part.outcomes, until)
        rows += first.num_rows
        if rows > _MOST_ROWS:
            raise InvalidInput(
                f"the reference in {origin.name} has more than {_MOST_ROWS:,} rows: choose an "
                "earlier --reference-until, or a sample"
            )
        predictions.append(first)
        outcomes.append(known)
    if not rows:
        when = f" before {until:%d %b %Y %H:%M} UTC" if until else ""
        raise InvalidInput(f"{origin.name} has no rows{when}: choose another reference")
    return (
        pa.concat_tables(predictions, promote_options="permissive"),
        pa.concat_tables(outcomes, promote_options="permissive"),
    )


def _until(predictions: pa.Table, outcomes: pa.Table, until: datetime | None) -> tuple[pa.Table, pa.Table]:
    if until is None:
        return predictions, outcomes
    kept = predictions.filter(
        pc.less(predictions[PREDICTED_AT], pa.scalar(until, predictions[PREDICTED_AT].type))
    )
    return kept, _of(outcomes, kept)


def rows_from(predictions: pa.Table, outcomes: pa.Table, after: datetime | None) -> tuple[pa.Table, pa.Table]:
    """Return the predictions that were made at a moment or later, all when None, and their outcomes."""
    if after is None:
        return predictions, outcomes
    times = predictions[PREDICTED_AT]
    kept = predictions.filter(pc.greater_equal(times, pa.scalar(after, times.type)))
    return kept, _of(outcomes, kept)


def _of(outcomes: pa.Table, predictions: pa.Table) -> pa.Table:
    ids = predictions[PREDICTION_ID].combine_chunks()
    return outcomes.filter(pc.is_in(outcomes[PREDICTION_ID], value_set=ids))


def with_outcomes(reference: pa.Table, outcomes: pa.Table) -> pa.Table:
    """Return the rows of a reference with a column of their outcomes, null where none is known."""
    if not outcomes.num_rows:
        return reference
    ids = outcomes[PREDICTION_ID].combine_chunks()
    places = pc.index_in(reference[PREDICTION_ID].combine_chunks(), value_set=ids)
    return reference.append_column(OUTCOME, outcomes[OUTCOME].combine_chunks().take(places))


def reference_metrics(
    reference: pa.Table, outcomes: pa.Table, columns: FileColumns, problem: ProblemType
) -> tuple[str | None, dict[str, tuple[float, int]]]:
    """Return the metric that the model is judged by, and every metric on the reference."""
    if columns.target is None:
        return None, {}
    primary = _primary(reference, columns, problem)
    if not outcomes.num_rows:
        return primary, {}
    needed = [PREDICTION_ID, PREDICTED_AT, PREDICTION, *([SCORE] if columns.score else [])]
    joined = reference.select(needed).join(outcomes, PREDICTION_ID, join_type="inner").combine_chunks()
    plan = OutcomePlan(
        time_column=PREDICTED_AT,
        period="day",
        problem_type=problem.value,  # type: ignore[arg-type]
        prediction_column=PREDICTION,
        outcome_column=OUTCOME,
        score_column=SCORE if columns.score else None,
    )
    merged = merge_outcomes(build_outcome_slices(joined.to_batches(), plan).values())
    found = {
        name: (statistic.compute(merged), merged.rows)
        for name, statistic in PERFORMANCE_STATISTICS.items()
        if problem in statistic.problem_types
    }
    return primary, {name: pair for name, pair in found.items() if np.isfinite(pair[0])}


def _primary(reference: pa.Table, columns: FileColumns, problem: ProblemType) -> str:
    match problem:
        case ProblemType.BINARY:
            values = set(reference[PREDICTION].slice(0, 10_000).to_pylist())
            return "roc_auc" if columns.score or not values <= {0.0, 1.0, None} else "f1"
        case ProblemType.MULTICLASS:
            return "f1_macro"
        case _:
            return "rmse"


def guess_problem(source: Source, columns: FileColumns) -> ProblemType:
    """Return what the columns look like: two values are binary, few words or whole numbers are classes."""
    names = [columns.target or columns.prediction, columns.prediction]
    looks = read_columns(source, list(dict.fromkeys(names)))
    if not looks[columns.prediction].labels and source.rows:
        raise InvalidInput(f"column '{columns.prediction}' of {source.name} is empty: name the predictions")
    first = looks[names[0]]
    if columns.score or len(first.labels) == 2:
        several = columns.target is not None and len(first.labels) > 2
        return ProblemType.MULTICLASS if several else ProblemType.BINARY
    few = len(first.labels) <= _MANY and all(look.integral for look in looks.values())
    return ProblemType.REGRESSION if first.numeric and not few else ProblemType.MULTICLASS


def first_quarter(times: NDArray[np.datetime64], source: Source) -> datetime:
    """Return the midnight before which about a quarter of the predictions were made."""
    days = np.sort(times).astype("M8[D]")
    middle = days[int(_REFERENCE_SHARE * len(days))]
    until = max(middle, days[0] + 1)
    if until > days[-1]:
        raise InvalidInput(
            f"{source.name} holds predictions of one day alone: name what to compare them with by --reference"
        )
    return datetime.fromisoformat(str(until)).replace(tzinfo=UTC)


def usual_pause(times: NDArray[np.datetime64]) -> float:
    """Return how many hours usually lie between two days with predictions."""
    days = np.unique(times.astype("M8[D]")).astype(np.int64)
    return float(np.median(np.diff(days))) * _DAY_HOURS if len(days) > 1 else _DAY_HOURS
