"""Performance of the predictions in a file or table, by chunk of time and by segment; no workspace needed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_core.analysis.chunks import Bound, Chunking
from mlops_core.analysis.evaluation_problem import Problem, problem_of
from mlops_core.analysis.label_columns import binary_labels, class_labels, known_rows, read_columns
from mlops_core.analysis.report import moment
from mlops_core.analysis.source import Source
from mlops_core.analysis.sources import Data, open_source
from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices import (
    CategoricalCounts,
    CategoricalGrid,
    OutcomePlan,
    Outcomes,
    Period,
    ProblemType,
    Slice,
    SliceKey,
    SlicePlan,
    build_outcome_slices,
    build_slices,
)
from mlops_core.statistics import PERFORMANCE_STATISTICS, Interval, performance_undefined_reason

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ChunkEvaluation", "Evaluation", "Measured", "evaluate"]

_KNOWN = "\x00known"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on some rows.

    Attributes
    ----------
    rows
        Rows with a target and a prediction: what the metrics rest on.
    rows_without_outcome, outcomes_share
        Rows whose target is unknown, and the share of all rows whose target is known.
    metrics, intervals
        Values and 95 % intervals by name; nan where undefined.
    reasons
        Why a metric is undefined, by name.
    """

    rows: int
    rows_without_outcome: int
    outcomes_share: float
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    reasons: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: undefined values are None."""
        return {
            "rows": self.rows,
            "rows_without_outcome": self.rows_without_outcome,
            "outcomes_share": _finite(self.outcomes_share),
            "metrics": {name: _finite(value) for name, value in self.metrics.items()},
            "intervals": {
                name: [_finite(limit) for limit in limits] for name, limits in self.intervals.items()
            },
            "reasons": dict(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class ChunkEvaluation:
    """One chunk of time: all its rows, and those of each segment, by column and value.

    `start` and `end` are aware times in UTC, the end left out, or None where time was not asked for.
    """

    start: Bound
    end: Bound
    measured: Measured
    segments: Mapping[str, Mapping[str, Measured]]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        segments = {
            column: {value: found.to_dict() for value, found in values.items()}
            for column, values in self.segments.items()
        }
        bounds = {"start": moment(self.start), "end": moment(self.end)}
        return bounds | self.measured.to_dict() | {"segments": segments}


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """How good the predictions were.

    Attributes
    ----------
    problem
        The problem type.
    guessed
        Why it was taken for that; None if it was given.
    positive
        Binary: the label that counts as outcome 1.
    chunks
        In the order of time.
    """

    problem: ProblemType
    guessed: str | None
    positive: str | None
    chunks: tuple[ChunkEvaluation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: undefined values are None, with their reasons beside."""
        return {
            "problem": self.problem,
            "guessed": self.guessed,
            "positive": self.positive,
            "chunks": [chunk.to_dict() for chunk in self.chunks],
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each chunk, segment value and metric."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "start": chunk.start,
                    "end": chunk.end,
                    "segment": column,
                    "value": value,
                    "rows": found.rows,
                    "metric": name,
                    "estimate": estimate,
                    "lower": found.intervals[name].lower,
                    "upper": found.intervals[name].upper,
                }
                for chunk in self.chunks
                for column, value, found in _parts(chunk)
                for name, estimate in found.metrics.items()
            ]
        )

    def __repr__(self) -> str:
        lines = [f"{self.problem} performance" + (f" (guessed: {self.guessed})" if self.guessed else "")]
        for chunk in self.chunks:
            found = chunk.measured
            when = f"from {moment(chunk.start)}: " if chunk.start is not None else ""
            lines.append(f"{when}{found.rows:,} rows, {found.outcomes_share:.0%} of the outcomes known")
            for name, value in found.metrics.items():
                limits = found.intervals[name]
                text = found.reasons.get(name) or f"{value:.4g} ({limits.lower:.4g} to {limits.upper:.4g})"
                lines.append(f"  {name:<20}{text}")
        return "\n".join(lines)


def _parts(chunk: ChunkEvaluation) -> Iterator[tuple[str | None, str | None, Measured]]:
    yield None, None, chunk.measured
    for column, values in chunk.segments.items():
        for value, found in values.items():
            yield column, value, found


def evaluate(
    data: Data,
    *,
    target: str,
    prediction: str | None = None,
    score: str | None = None,
    problem: ProblemType | None = None,
    segments: Sequence[str] = (),
    timestamp: str | None = None,
    every: Period | None = None,
    positive: str | None = None,
) -> Evaluation:
    """Measure how good predictions were, against the targets beside them.

    Parameters
    ----------
    data
        Anything that `open_source` opens.
    target, prediction, score
        The columns of the outcome, the predicted label or number, and the probability of the positive label.
        A binary prediction that is no label counts as a score.
    problem
        Guessed if None: binary with a score or two labels, regression with numbers, else multiclass.
    segments
        Each value of each of these columns is measured by itself, too.
    timestamp, every
        Measure by day, week or month of this column.
    positive
        The target's label that counts as outcome 1; without it 1, true or yes.

    Raises
    ------
    InvalidInput
        If the columns do not fit the problem; the message names column and row where it can.
    """
    if problem is not None and problem not in ("binary", "multiclass", "regression"):
        raise InvalidInput(f"problem {problem!r} is unknown: choose binary, multiclass or regression")
    source, chunking = open_source(data), Chunking(timestamp, every)
    named = [name for name in (target, prediction, score, timestamp, *segments) if name is not None]
    for name in named:
        if named.count(name) > 1:
            raise InvalidInput(f"column {name!r} is named twice: a column can have one part only")
    source.check_columns(named)
    chunking.check(source)
    if not source.rows:
        raise InvalidInput(f"{source.name} has no rows: there is nothing to evaluate")
    looked = read_columns(source, [name for name in (target, prediction, score) if name is not None])
    found = problem_of(
        looked[target],
        looked[prediction] if prediction else None,
        looked[score] if score else None,
        problem,
        positive,
    )
    plan = OutcomePlan(
        time_column=chunking.time_column,
        period=chunking.period,
        problem_type=found.type,
        prediction_column=found.prediction,
        outcome_column=target,
        segment_columns=tuple(segments),
        score_column=found.score,
        labels_only=found.type == "binary" and found.score is None,
    )
    try:
        outcomes = build_outcome_slices(_rows(source, named, chunking, found, target), plan)
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{source.name}: {error}") from error
    grid = CategoricalGrid(("false", "true"))
    counting = SlicePlan(chunking.time_column, chunking.period, {_KNOWN: grid}, tuple(segments))
    slices = build_slices(_rows(source, named, chunking, found, target), counting)
    return Evaluation(found.type, found.guessed, found.positive, _chunks(slices, outcomes, chunking, plan))


def _rows(
    source: Source, named: Sequence[str], chunking: Chunking, problem: Problem, target: str
) -> Iterator[pa.RecordBatch]:
    """Read the rows with labels as they are counted, and whether the target is known."""
    for batch in chunking.tagged(source.batches(named), source):
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns[_KNOWN] = known_rows(columns[target], target)
        for name in (target, problem.prediction):
            if name is not None and problem.type == "binary":
                columns[name] = binary_labels(columns[name], name, str(problem.positive))
            elif name is not None and problem.type == "multiclass":
                columns[name] = class_labels(columns[name], name)
        yield pa.RecordBatch.from_pydict(columns)


def _chunks(
    slices: Mapping[SliceKey, Slice],
    outcomes: Mapping[SliceKey, Outcomes],
    chunking: Chunking,
    plan: OutcomePlan,
) -> tuple[ChunkEvaluation, ...]:
    chunks = []
    for start in sorted({key.start for key in slices}):
        parts = {key.segment: key for key in slices if key.start == start}
        measured = {
            segment: _measured(slices[key], outcomes.get(key), plan.problem_type)
            for segment, key in parts.items()
        }
        segments = {
            column: {
                segment.removeprefix(f"{column}="): measured[segment]
                for segment in sorted(measured)
                if segment.startswith(f"{column}=")
            }
            for column in plan.segment_columns
        }
        whole = measured[""]
        chunks.append(ChunkEvaluation(*chunking.bounds(start, whole.rows), whole, segments))
    return tuple(chunks)


def _measured(counted: Slice, outcomes: Outcomes | None, problem: ProblemType) -> Measured:
    counts = counted.columns[_KNOWN]
    known = int(counts.known[1]) if isinstance(counts, CategoricalCounts) else 0
    metrics, intervals, reasons = {}, {}, {}
    for name, statistic in PERFORMANCE_STATISTICS.items():
        if problem not in statistic.problem_types:
            continue
        metrics[name] = math.nan if outcomes is None else statistic.compute(outcomes)
        intervals[name] = Interval(math.nan, math.nan) if outcomes is None else statistic.interval(outcomes)
        reason = performance_undefined_reason(name, outcomes)
        if reason is not None:
            reasons[name] = "no prediction" if outcomes is None and known else reason
    return Measured(
        rows=0 if outcomes is None else outcomes.rows,
        rows_without_outcome=counted.rows - known,
        outcomes_share=known / counted.rows if counted.rows else math.nan,
        metrics=metrics,
        intervals=intervals,
        reasons=reasons,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
