"""What is measured on a version's evaluation rows when it is registered, and the reference made of rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from mlops_core.domain import Model
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.registry.columns import OUTCOME, PREDICTED_AT, PREDICTION, SCORE
from mlops_core.registry.reference import outcome_plan
from mlops_core.slices import build_outcome_slices, merge_outcomes
from mlops_core.statistics import PERFORMANCE_STATISTICS

__all__ = ["measure", "reference_rows", "settle_metrics"]

_CLOSE: Final = 0.01


def measure(model: Model, scored: pa.Table) -> dict[str, tuple[float, int]]:
    """Return every metric of the problem type that is defined on scored rows, with their number."""
    if model.problem_type == ProblemType.CLUSTERING:
        return {}
    has_score = SCORE in scored.column_names
    rows = _typed(model, scored.select([PREDICTION, OUTCOME, *([SCORE] if has_score else [])]))
    some_time = pa.repeat(pa.scalar(0, pa.timestamp("us", tz="UTC")), scored.num_rows)
    plan = replace(outcome_plan(model, scored=has_score), segment_columns=())
    counted = build_outcome_slices(rows.append_column(PREDICTED_AT, some_time).to_batches(), plan)
    merged = merge_outcomes(counted.values())
    values = {
        name: (float(statistic.compute(merged)), merged.rows)
        for name, statistic in PERFORMANCE_STATISTICS.items()
        if model.problem_type in statistic.problem_types
    }
    return {name: pair for name, pair in values.items() if math.isfinite(pair[0])}


def settle_metrics(
    measured: Mapping[str, tuple[float, int]], given: Mapping[str, tuple[float, int]], notes: list[str]
) -> dict[str, tuple[float, int]]:
    """Return measured and given metrics together; what was given holds, and a disagreement is noted."""
    for name, (value, _) in given.items():
        if name in measured and not math.isclose(value, measured[name][0], rel_tol=_CLOSE):
            notes.append(
                f"metric {name} was given as {value:.4g}; measured on the evaluation rows it is "
                f"{measured[name][0]:.4g}"
            )
    return {**measured, **given}


def reference_rows(model: Model, columns: Sequence[str], scored: pa.Table) -> pa.Table:
    """Return scored rows with a time as the reference of a version.

    Raises
    ------
    InvalidInput
        A column is missing.
    """
    needed = [*columns, *model.segment_columns]
    missing = [name for name in needed if name not in scored.column_names]
    if missing:
        raise InvalidInput(f"the reference rows lack {', '.join(missing)}")
    wanted = dict.fromkeys([*needed, PREDICTED_AT, PREDICTION, SCORE, OUTCOME])
    return _typed(model, scored.select([name for name in wanted if name in scored.column_names]))


def _typed(model: Model, rows: pa.Table) -> pa.Table:
    """Return rows whose predictions and outcomes are of one type: labels are text, all others numbers."""
    labels = model.problem_type in (ProblemType.MULTICLASS, ProblemType.CLUSTERING)
    kind = pa.string() if labels else pa.float64()
    for name in (PREDICTION, OUTCOME):
        if name in rows.column_names:
            rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(kind))
    return rows
