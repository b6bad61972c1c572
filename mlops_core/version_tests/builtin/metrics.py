"""Whether a version is as good as it was registered to be, and as it has to be."""

import math
from typing import Final

from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import ProblemType
from mlops_core.monitoring.findings import statistic_name
from mlops_core.statistics import PERFORMANCE_STATISTICS
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["minimum_metrics"]

_MEASURED: Final = (ProblemType.BINARY, ProblemType.MULTICLASS, ProblemType.REGRESSION)


def _bounds(text: str) -> dict[str, float]:
    """Return the bounds in a text such as `recall=0.6, log_loss=0.4`.

    Raises
    ------
    InvalidInput
        It is no such text, or names no metric.
    """
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name not in PERFORMANCE_STATISTICS or not math.isfinite(value):
            raise InvalidInput(
                f"'{part}' is no bound: write metric=number, separated by commas, with the metrics "
                f"{', '.join(PERFORMANCE_STATISTICS)}"
            )
        found[name] = value
    return found


@version_test(
    "minimum_metrics",
    title="As good as it was registered to be",
    problem_types=_MEASURED,
    parameters=[
        Parameter("minimum", None, "bound of the primary metric: the least, or the most of an error"),
        Parameter("bounds", "", "bounds of other metrics: recall=0.6, log_loss=0.4", check=_bounds),
        Parameter("tolerance", 0.005, "share by which a registered value may be off", lowest=0, highest=1),
    ],
)
def minimum_metrics(context: TestContext) -> Outcome:
    """Measure the metrics again: they are what was registered for the same rows, and keep every bound.

    A metric that was registered for other rows cannot be measured again, and is held to the bounds alone.
    """
    primary = context.model.primary_metric
    if primary is None:
        raise NotJudged("The model has no primary metric.")
    snapshot, minimum = context.evaluation_snapshot, context.parameters["minimum"]
    bounds = _bounds(str(context.parameters["bounds"]))
    if isinstance(minimum, int | float):
        bounds = {primary: float(minimum)} | bounds
    registered = {
        name: value
        for name, value, measured_on in context.metrics
        if snapshot is not None and measured_on == snapshot.id and name in _metrics_of(context.problem_type)
    }
    value = context.known.metric(primary)
    lines, broken, tolerance = [], [], context.number("tolerance")
    for name in dict.fromkeys([primary, *bounds, *registered]):
        found = value if name == primary else context.known.metric(name)
        claimed, bound = registered.get(name), bounds.get(name)
        shown, words = statistic_name(name), []
        if claimed is not None and not abs(found - claimed) <= tolerance * max(abs(claimed), 1e-9):
            words.append(f"{shown} is {found:.4g} here, and was registered as {claimed:.4g}")
        if bound is not None and not _keeps(name, found, bound):
            higher = PERFORMANCE_STATISTICS[name].higher_is_better
            words.append(f"{shown} is {found:.4g}, {'below' if higher else 'above'} {bound:.4g}")
        broken += words
        lines.append([name, found, claimed, bound, "broken" if words else ""])
    limit = bounds.get(primary, registered.get(primary))
    evidence = {"columns": ["metric", "measured", "registered", "bound", ""], "rows": lines}
    if broken:
        return Outcome.judged(
            False, f"Its {'; its '.join(broken)}.", figure=value, limit=limit, evidence=evidence
        )
    if limit is None and not bounds and not registered:
        raise NotJudged(
            f"Its {statistic_name(primary)} is {value:.4g} on {len(context.known):,} rows; no value was "
            "registered for these rows, and no minimum is set."
        )
    kept = " and ".join(
        words for words, there in (("as registered", registered), ("within bounds", bounds)) if there
    )
    return Outcome.judged(
        True,
        f"Its {statistic_name(primary)} is {value:.4g} on {len(context.known):,} rows, {kept}.",
        figure=value,
        limit=limit,
        evidence=evidence,
    )


def _keeps(name: str, found: float, bound: float) -> bool:
    return found >= bound if PERFORMANCE_STATISTICS[name].higher_is_better else found <= bound


def _metrics_of(problem: ProblemType) -> set[str]:
    return {name for name, found in PERFORMANCE_STATISTICS.items() if problem in found.problem_types}
