"""What a version does with values that it has not seen: missing ones, new words, numbers out of reach."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.domain.errors import OutOfMemory, OutOfTime, ScoringError
from mlops_core.domain.states import ProblemType
from mlops_core.scoring import Predictions
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["missing_values", "unseen_values"]

_NEW_WORD: Final = "a value that nobody has seen"
_SHOWN: Final = 50
_REFUSALS: Final = Parameter("may_refuse", True, "whether raising a clear error is as good as an answer")
_ROWS: Final = Parameter("rows", 100, "evaluation rows that are changed", lowest=1, highest=100_000)


@version_test("missing_values", title="Deals with missing values", parameters=[_REFUSALS, _ROWS])
def missing_values(context: TestContext) -> Outcome:
    """Empty each input column in turn: every answer is still finite, or the rows are refused with an error.

    A column that has gaps in the evaluation rows must be answered, whatever may be refused.
    """
    rows = _sample(context)
    variants = (
        (f"{name} missing", name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
        for name in context.version.columns
    )
    gaps = {name for name in context.version.columns if context.rows[name].null_count}
    return _judged(context, rows, variants, "missing values", gaps)


@version_test(
    "unseen_values",
    title="Deals with values never seen",
    parameters=[
        _REFUSALS,
        _ROWS,
        Parameter("factor", 1_000.0, "times the largest number seen that it is tried with", lowest=1),
    ],
)
def unseen_values(context: TestContext) -> Outcome:
    """Give each input column an unknown word, or a number far above and far below all others.

    Every answer is still finite, or the rows are refused with an error.
    """
    rows = _sample(context)
    return _judged(context, rows, _strange(context, rows), "values never seen", set())


def _sample(context: TestContext) -> pa.Table:
    rows = context.rows
    lacking = [name for name in context.version.columns if name not in rows.column_names]
    if lacking:
        raise NotJudged(f"The evaluation snapshot has no column {lacking[0]}.")
    return rows.select(list(context.version.columns)).slice(0, int(context.number("rows")))


def _strange(context: TestContext, rows: pa.Table) -> Iterator[tuple[str, str, pa.Array]]:
    """Return each variant: what it is called, its column, and the column's values."""
    for name in context.version.columns:
        kind = rows.schema.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield f"{name} '{_NEW_WORD}'", name, pa.array([_NEW_WORD] * rows.num_rows, kind)
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            largest = pc.max(pc.abs(pc.cast(context.rows[name], pa.float64()))).as_py()
            if largest is None or not np.isfinite(largest):
                continue
            extreme = context.number("factor") * max(largest, 1.0)
            if pa.types.is_integer(kind):
                extreme = min(extreme, float(np.iinfo(kind.to_pandas_dtype()).max) / 2)
            for value in (extreme, -extreme):
                typed: Any = int(value) if pa.types.is_integer(kind) else value
                yield f"{name} {value:.3g}", name, pa.array([typed] * rows.num_rows, kind)


def _judged(
    context: TestContext,
    rows: pa.Table,
    variants: Iterator[tuple[str, str, pa.Array]],
    what: str,
    must_answer: set[str],
) -> Outcome:
    may_refuse = bool(context.parameters["may_refuse"])
    before = _unusable(context.problem_type, context.ask(rows))  # another test's matter
    problem = context.problem_type if not before else None
    lines, bad, refused, tried = [], [], 0, 0
    for words, name, values in variants:
        tried += 1
        found = _tried(context, rows.set_column(rows.column_names.index(name), name, values), problem)
        is_refused = found.startswith("refused")
        refused += is_refused
        is_bad = found not in ("", "answered") and (not is_refused or not may_refuse or name in must_answer)
        if is_bad:
            bad.append((words, found))
        lines.append([words, found, "wrong" if is_bad else ""])
    if not tried:
        raise NotJudged("No input column can be changed like this.")
    lines.sort(key=lambda line: (not line[2], line[1] == "answered"))
    sentence = _sentence(bad, refused, tried, what)
    return Outcome.judged(
        not bad,
        sentence,
        figure=len(bad),
        limit=0,
        evidence={"columns": ["changed", "what it did", ""], "rows": lines[:_SHOWN]},
    )


def _tried(context: TestContext, rows: pa.Table, problem: ProblemType | None) -> str:
    """Return what it did with rows: `answered`, `refused: why`, or what is wrong with its answers."""
    try:
        answers = context.ask(rows)
    except (OutOfTime, OutOfMemory) as error:
        return f"broke down: {error}"
    except ScoringError as error:
        reason = str(error)
        return f"broke down: {reason}" if " crashed " in reason else f"refused: {reason}"
    count = _unusable(problem, answers)
    return f"{count:,} of {rows.num_rows:,} answers are unusable" if count else "answered"


def _unusable(problem: ProblemType | None, answers: Predictions) -> int:
    """Return how many answers are no finite number, no probability (binary) or no label."""
    values = answers.prediction
    if values.dtype.kind in "biuf":
        numbers = np.asarray(values, dtype=np.float64)
        good = np.isfinite(numbers)
        if problem == ProblemType.BINARY:
            good &= (numbers >= 0.0) & (numbers <= 1.0)
        return int((~good).sum())
    return sum(value is None or value != value for value in values.tolist())


def _sentence(bad: Sequence[tuple[str, str]], refused: int, tried: int, what: str) -> str:
    if bad:
        words, found = bad[0]
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        return f"With {words}, {found.removesuffix('.')}{more}."
    if refused == tried:
        return f"It refuses {what} in every column, with an error."
    return (
        f"It answers {tried - refused:,} of {tried:,} kinds of {what} and refuses {refused:,} with an error."
        if (refused)
        else f"It answers rows with {what}, in every one of {tried:,} ways."
    )
