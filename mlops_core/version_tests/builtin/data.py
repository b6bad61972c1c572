"""Whether there is data that a version can be judged by."""

import numpy as np

from mlops_core.domain.states import ProblemType
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.known_rows import truth_of
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["evaluation_data"]


@version_test(
    "evaluation_data",
    title="Enough data to judge it by",
    parameters=[
        Parameter("min_rows", 100, "rows with a known outcome", lowest=1, highest=1e9),
        Parameter("min_class_rows", 10, "rows of each of at least two classes", lowest=1, highest=1e9),
    ],
)
def evaluation_data(context: TestContext) -> Outcome:
    """Look for an evaluation snapshot with enough known outcomes, more than one class, and predictions.

    It fails where the other tests can only be skipped, so that a version that nothing is known of never
    counts as passed.
    """
    least = int(context.number("min_rows"))
    try:
        rows = context.rows
        if context.problem_type == ProblemType.CLUSTERING:
            known, counts = rows.num_rows, {}
        else:
            has_outcome, truth = truth_of(rows, context.problem_type)
            known, counts = int(has_outcome.sum()), _classes(context.problem_type, truth[has_outcome])
        source = context.workspace_source
        if not source.can_be_asked and context.version.predictions_digest is None:
            raise NotJudged(
                "The artefact cannot be asked, and no predictions were handed over with the version."
            )
    except NotJudged as reason:
        return Outcome.judged(False, f"There is nothing to judge it by: {_lower(str(reason))}", limit=least)
    facts = {"rows": rows.num_rows, "rows with an outcome": known}
    evidence = {"facts": facts} | (
        {"columns": ["class", "rows"], "rows": [[name, count] for name, count in counts.items()]}
        if counts
        else {}
    )
    if known < least:
        sentence = f"Only {known:,} rows have a known outcome; {least:,} are needed to judge a version."
        return Outcome.judged(False, sentence, figure=known, limit=least, evidence=evidence)
    if context.problem_type in (ProblemType.BINARY, ProblemType.MULTICLASS):
        fewest = int(context.number("min_class_rows"))
        usable = [name for name, count in counts.items() if count >= fewest]
        if len(usable) < 2:
            found = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            sentence = f"Two classes with {fewest:,} rows each are needed, the outcomes are: {found}."
            second = sorted(counts.values())[-2] if len(counts) > 1 else 0
            return Outcome.judged(False, sentence, figure=second, limit=fewest, evidence=evidence)
    return Outcome.judged(
        True, f"{known:,} rows have a known outcome.", figure=known, limit=least, evidence=evidence
    )


def _classes(problem: ProblemType, truth: np.ndarray) -> dict[str, int]:
    if problem == ProblemType.REGRESSION:
        return {}
    names, counts = np.unique(truth, return_counts=True)
    return {
        f"{name:g}" if problem == ProblemType.BINARY else str(name): int(n)
        for name, n in zip(names.tolist(), counts.tolist(), strict=True)
    }


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
