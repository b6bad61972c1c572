"""Whether inputs and answers have the shape and the types that were declared."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import col, select

from mlops_core.domain import Feature, FeatureUse
from mlops_core.domain.states import ProblemType
from mlops_core.registry.columns import OUTCOME
from mlops_core.scoring import Predictions
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["input_schema", "output_schema"]

_SUM_TOLERANCE: Final = 1e-6
_SHOWN: Final = 20


@version_test("input_schema", title="Inputs as declared")
def input_schema(context: TestContext) -> Outcome:
    """Look for every input column in the evaluation rows, typed as in training and as its feature says.

    Whole numbers may stand where any number was declared, and numbers that are all whole where whole ones
    were; a number may be stored wider or narrower.
    """
    rows = context.rows
    trained = _training_types(context)
    declared = _feature_types(context)
    lines, wrong = [], []
    for column in context.version.columns:
        found = str(rows.schema.field(column).type) if column in rows.column_names else "missing"
        wanted = [kind for kind in (trained.get(column), declared.get(column)) if kind is not None]
        fits = found != "missing" and all(_fits(rows[column], kind) for kind in wanted)
        lines.append(
            [column, found, trained.get(column, ""), declared.get(column, ""), "" if fits else "differs"]
        )
        if not fits:
            wrong.append(f"{column} is {found}" + (f", not {wanted[0]}" if wanted else ""))
    lines.sort(key=lambda line: not line[-1])
    count = len(context.version.columns)
    sentence = (
        f"All {count:,} input columns have their declared types."
        if not wrong
        else f"{len(wrong):,} of {count:,} input columns are not as declared: {'; '.join(wrong[:3])}"
        + ("; …" if len(wrong) > 3 else ".")
    )
    return Outcome.judged(
        not wrong,
        sentence,
        figure=len(wrong),
        limit=0,
        evidence={"columns": ["column", "evaluation", "training", "feature", ""], "rows": lines[:_SHOWN]},
    )


@version_test("output_schema", title="Answers as declared")
def output_schema(context: TestContext) -> Outcome:
    """Check each answer: a finite number, a probability between 0 and 1, or a label that is known."""
    predictions, rows = context.predictions, context.rows
    faults: dict[str, int] = {}
    if len(predictions) != rows.num_rows:
        faults["predictions too many or too few"] = abs(len(predictions) - rows.num_rows)
    elif context.problem_type in (ProblemType.BINARY, ProblemType.REGRESSION):
        faults |= _number_faults(predictions, context.problem_type)
    else:
        faults |= _label_faults(context, predictions)
    faults |= _probability_faults(predictions)
    faults = {words: count for words, count in faults.items() if count}
    worst = max(faults.values(), default=0)
    sentence = (
        f"All {rows.num_rows:,} answers are {_KINDS[context.problem_type]}."
        if not faults
        else "Not as declared: " + "; ".join(f"{count:,} {words}" for words, count in faults.items()) + "."
    )
    return Outcome.judged(
        not faults,
        sentence,
        figure=worst,
        limit=0,
        evidence={"facts": faults or {"answers": len(predictions)}},
    )


_KINDS: Final = {
    ProblemType.BINARY: "between 0 and 1",
    ProblemType.REGRESSION: "finite numbers",
    ProblemType.MULTICLASS: "known labels",
    ProblemType.CLUSTERING: "labels",
}


def _training_types(context: TestContext) -> Mapping[str, str]:
    snapshots = context.workspace_source.training_snapshots
    return snapshots[0].columns if snapshots else {}


def _feature_types(context: TestContext) -> dict[str, str]:
    with context.workspace_source.workspace.store.read() as session:
        features = session.exec(
            select(Feature)
            .join(FeatureUse, col(FeatureUse.feature_id) == col(Feature.id))
            .where(FeatureUse.model_version_id == context.version.id)
        ).all()
    return {feature.name: str(pa.type_for_alias(feature.dtype)) for feature in features}


def _fits(column: pa.ChunkedArray, declared: str) -> bool:
    if str(column.type) == declared:
        return True
    given, wanted = _family(str(column.type)), _family(declared)
    if given == wanted or (given, wanted) == ("whole", "number"):
        return True
    return (given, wanted) == ("number", "whole") and _all_whole(column)


def _family(kind: str) -> str:
    if kind.startswith(("int", "uint")):
        return "whole"
    if kind.startswith(("float", "double", "halffloat", "decimal")):
        return "number"
    if kind in ("string", "large_string", "string_view") or kind.startswith("dictionary"):
        return "text"
    return "time" if kind.startswith(("timestamp", "date")) else kind


def _all_whole(column: pa.ChunkedArray) -> bool:
    values = column.drop_null().to_numpy().astype(np.float64)
    values = values[np.isfinite(values)]
    return bool((values == np.floor(values)).all())


def _number_faults(predictions: Predictions, problem: ProblemType) -> dict[str, int]:
    try:
        values = np.asarray(predictions.prediction, dtype=np.float64)
    except (TypeError, ValueError):
        return {"are no numbers": len(predictions)}
    finite = np.isfinite(values)
    faults = {"are no finite numbers": int((~finite).sum())}
    if problem == ProblemType.BINARY:
        faults["lie outside 0 to 1"] = int(((values < 0.0) | (values > 1.0))[finite].sum())
    return faults


def _label_faults(context: TestContext, predictions: Predictions) -> dict[str, int]:
    labels = pa.array(np.asarray(predictions.prediction, dtype=object).tolist())
    faults = {"are missing": labels.null_count}
    if context.problem_type == ProblemType.CLUSTERING:
        return faults
    known = _known_labels(context)
    if known:
        text = pc.cast(labels.drop_null(), pa.string())
        unknown = pc.invert(pc.is_in(text, value_set=pa.array(sorted(known), pa.string())))
        faults["are labels that no outcome has"] = int(pc.sum(unknown).as_py() or 0)
    return faults


def _known_labels(context: TestContext) -> set[str]:
    """Return the labels of the training outcomes and of the evaluation's."""
    found: set[str] = set()
    for place in ("training", "evaluation"):
        try:
            rows = context.training([OUTCOME]) if place == "training" else context.rows
        except NotJudged:
            continue
        if OUTCOME in rows.column_names:
            found |= set(pc.cast(pc.unique(rows[OUTCOME]), pa.string()).drop_null().to_pylist())
    return found


def _probability_faults(predictions: Predictions) -> dict[str, int]:
    faults = {}
    if predictions.score is not None:
        scores = np.asarray(predictions.score, dtype=np.float64)
        faults["have a score outside 0 to 1"] = int((~((scores >= 0.0) & (scores <= 1.0))).sum())
    if predictions.probabilities is not None:
        sums = predictions.probabilities.sum(axis=1)
        faults["have probabilities that do not sum to 1"] = int(
            (~(np.abs(sums - 1.0) <= _SUM_TOLERANCE)).sum()
        )
    return faults
