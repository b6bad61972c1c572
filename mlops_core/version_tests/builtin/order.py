"""Whether answers depend on a row's own values alone: not on the order of columns, nor on other rows."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.domain.errors import OutOfMemory, OutOfTime, ScoringError
from mlops_core.domain.states import ProblemType
from mlops_core.scoring import Predictions
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["column_order", "row_order"]

_SEED: Final = 2_017
_SHUFFLES: Final = 3

_TOLERANCE: Final = Parameter(
    "tolerance", 1e-6, "difference between answers that counts as none, as a share of their spread", lowest=0
)
_ROWS: Final = Parameter("rows", 1_000, "evaluation rows that are asked for", lowest=2, highest=1_000_000)


@version_test("column_order", title="Indifferent to the order of columns", parameters=[_TOLERANCE, _ROWS])
def column_order(context: TestContext) -> Outcome:
    """Hand it the same rows with their columns shuffled: it answers the same, or refuses.

    Estimators that were fitted on arrays go by position, and take one column for another without a word;
    those fitted on data frames find their columns by name, or raise.
    """
    columns = list(context.version.columns)
    if len(columns) < 2:
        raise NotJudged("It has one input column alone.")
    rows = _sample(context).select(columns)
    before = context.ask(rows)
    spread = _spread(context, before)
    limit, worst, refused = context.number("tolerance"), 0.0, ""
    lines: list[list[object]] = []
    for order in _orders(rows.schema):
        shuffled = [columns[place] for place in order]
        try:
            found = _difference(spread, before, context.ask(rows.select(shuffled), as_given=True))
        except (OutOfTime, OutOfMemory):
            raise
        except ScoringError as error:
            refused = str(error)
            lines.append([", ".join(shuffled[:6]), None, "refused"])
            continue
        worst = max(worst, found)
        lines.append([", ".join(shuffled[:6]), found, "differs" if found > limit else "the same"])
    passed = worst <= limit
    if not passed:
        sentence = (
            f"Columns in another order change its answers by up to {worst:.3g} of their spread: it goes by "
            "position, not by name."
        )
    elif refused:
        sentence = "It refuses rows whose columns are in another order, so none is taken for another."
    else:
        sentence = "It answers the same whatever the order of its columns."
    evidence = {"columns": ["order", "difference", ""], "rows": lines}
    if refused:
        evidence["trace"] = [refused]
    return Outcome.judged(passed, sentence, figure=worst, limit=limit, evidence=evidence)


@version_test("row_order", title="Indifferent to the other rows", parameters=[_TOLERANCE, _ROWS])
def row_order(context: TestContext) -> Outcome:
    """Hand it the same rows shuffled, and in smaller parts: every row gets the same answer."""
    rows = _sample(context)
    if rows.num_rows < 2:
        raise NotJudged("The evaluation snapshot has one row alone.")
    before, limit = context.ask(rows), context.number("tolerance")
    spread = _spread(context, before)
    shuffle = np.random.default_rng(_SEED).permutation(rows.num_rows)
    shuffled = _difference(spread, _taken(before, shuffle), context.ask(rows.take(shuffle)))
    parts = [
        _difference(spread, _taken(before, places), context.ask(rows.take(places)))
        for places in (np.arange(1), *np.array_split(np.arange(rows.num_rows), 2))
    ]
    lines = [["shuffled", shuffled], ["in parts", max(parts)]]
    worst = max(shuffled, *parts)
    passed = worst <= limit
    sentence = (
        f"Each of {rows.num_rows:,} rows gets the same answer in any order and company."
        if passed
        else f"A row's answer depends on the other rows: it changes by up to {worst:.3g} of their spread."
    )
    return Outcome.judged(
        passed,
        sentence,
        figure=worst,
        limit=limit,
        evidence={"columns": ["rows", "largest difference"], "rows": lines},
    )


def _sample(context: TestContext) -> pa.Table:
    rows = context.rows
    return rows.slice(0, int(context.number("rows")))


def _orders(schema: pa.Schema) -> list[list[int]]:
    """Return the columns of each type in reverse, all in reverse, and some shuffles; never the order itself.

    Columns of one type are changed by themselves: where words come to stand for numbers, every model raises.
    """
    own = list(range(len(schema)))
    random = np.random.default_rng(_SEED)
    orders = []
    for is_wanted in (_is_number, lambda kind: not _is_number(kind)):
        places = [place for place in own if is_wanted(schema.field(place).type)]
        order = own.copy()
        for place, other in zip(places, reversed(places), strict=True):
            order[place] = other
        orders.append(order)
    orders += [own[::-1], *(random.permutation(own).tolist() for _ in range(_SHUFFLES))]
    return [list(order) for order in dict.fromkeys(map(tuple, orders)) if list(order) != own]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _taken(predictions: Predictions, places: NDArray[np.intp]) -> Predictions:
    return Predictions(
        prediction=predictions.prediction[places],
        probabilities=None if predictions.probabilities is None else predictions.probabilities[places],
    )


def _spread(context: TestContext, answers: Predictions) -> float:
    """Return how far a regression's answers are apart; 1 for probabilities, labels and constants."""
    if context.problem_type != ProblemType.REGRESSION:
        return 1.0
    numbers = answers.prediction.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    return float(np.ptp(finite)) or 1.0 if len(finite) else 1.0


def _difference(spread: float, before: Predictions, after: Predictions) -> float:
    """Return the largest difference as a share of the answers' spread; of labels, the share that differ.

    What is nan in both is the same.
    """
    if before.probabilities is not None and after.probabilities is not None:
        return float(np.max(np.abs(before.probabilities - after.probabilities), initial=0.0))
    first, second = before.prediction, after.prediction
    if first.dtype.kind not in "biuf" or second.dtype.kind not in "biuf":
        return float(np.mean(first.astype(np.str_) != second.astype(np.str_)))
    first, second = first.astype(np.float64), second.astype(np.float64)
    apart = np.abs(first - second)
    apart[(first == second) | (np.isnan(first) & np.isnan(second))] = 0.0
    worst = float(np.max(apart, initial=0.0))
    return worst / spread if np.isfinite(worst) else float("inf")
