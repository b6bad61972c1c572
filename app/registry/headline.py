"""The first line of the page: which of the new versions are sound, and which are better."""

from collections.abc import Sequence

from mlops_core.comparison.report import ComparisonReport
from mlops_core.domain import TestResult, TestRun
from mlops_core.domain.states import JobState, TestStatus, Verdict
from mlops_core.registry.version_view import VersionView

__all__ = ["count_of", "version_headline"]


def count_of(number: int, word: str) -> str:
    """Return a number with its noun: `1 version`, `4 versions`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def version_headline(
    found: VersionView, report: ComparisonReport | None, run: TestRun | None, results: Sequence[TestResult]
) -> tuple[str, str, str]:
    """Return whether a version is sound and better, in one sentence, with an icon and its colour."""
    bad = sum(one.status in (TestStatus.FAILED, TestStatus.ERROR) for one in results)
    verdict = report.verdict if report else None
    words = [_verdict_words(found, report), _tests_words(run, bad)]
    if bad:
        icon, color = ":material/cancel:", "red"
    elif verdict in (Verdict.WORSE, Verdict.WORSE_IN_SEGMENT):
        icon, color = ":material/trending_down:", "orange"
    elif verdict == Verdict.BETTER and run is not None and run.state == JobState.SUCCEEDED:
        icon, color = ":material/verified:", "green"
    else:
        icon, color = ":material/inventory_2:", "gray"
    return f"{found.model.name} v{found.version.number}: {', '.join(words)}", icon, color


def _verdict_words(found: VersionView, report: ComparisonReport | None) -> str:
    if report is None:
        if found.is_champion:
            return "in production"
        return "not compared yet" if found.champion is not None else "a new model, nothing to compare with"
    other = f"v{report.champion}" + (" in production" if report.champion == found.champion else "")
    match report.verdict:
        case Verdict.BETTER:
            return f"better than {other}"
        case Verdict.WORSE:
            return f"worse than {other}"
        case Verdict.WORSE_IN_SEGMENT:
            return f"worse than {other} where {report.worse_segment.replace('=', ' is ', 1)}"
    return f"no evidence that it differs from {other}"


def _tests_words(run: TestRun | None, bad: int) -> str:
    if run is None:
        return "not tested yet"
    if not JobState(run.state).is_over:
        return "its tests are running"
    if bad:
        return f"{count_of(bad, 'test')} failed"
    if run.state != JobState.SUCCEEDED:
        return f"its tests were {'cancelled' if run.state == JobState.CANCELLED else run.state}"
    return "tests passed"
