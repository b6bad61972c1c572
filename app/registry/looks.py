"""How verdicts, test results, stages and jobs look: symbol, icon, word and colour from one place."""

from app.theme import StatusStyle, palette
from mlops_core.domain.states import JobState, Stage, TestStatus, Verdict

__all__ = [
    "STAGE_WORDS",
    "TEST_WORDS",
    "VERDICT_WORDS",
    "css_color",
    "job_style",
    "result_style",
    "verdict_style",
]

STAGE_WORDS = {
    Stage.DEVELOPMENT: "In development",
    Stage.CANDIDATE: "Candidate",
    Stage.APPROVED: "Approved",
    Stage.SCHEDULED: "Scheduled",
    Stage.PRODUCTION: "In production",
    Stage.ARCHIVED: "Archived",
    Stage.REJECTED: "Rejected",
}
VERDICT_WORDS = {
    Verdict.BETTER: "Better",
    Verdict.WORSE: "Worse",
    Verdict.NO_EVIDENCE: "No evidence",
    Verdict.WORSE_IN_SEGMENT: "Worse for a segment",
}
TEST_WORDS = {
    TestStatus.PASSED: "passed",
    TestStatus.FAILED: "failed",
    TestStatus.ERROR: "error",
    TestStatus.SKIPPED: "skipped",
}
_VERDICTS = {
    Verdict.BETTER: StatusStyle("▲", ":material/trending_up:", "green"),
    Verdict.WORSE: StatusStyle("▼", ":material/trending_down:", "orange"),
    Verdict.WORSE_IN_SEGMENT: StatusStyle("◆", ":material/call_split:", "orange"),
    Verdict.NO_EVIDENCE: StatusStyle("○", ":material/drag_handle:", "gray"),
}
_NOT_COMPARED = StatusStyle("", ":material/compare_arrows:", "gray")
_TESTS = {
    TestStatus.PASSED: StatusStyle("✓", ":material/check_circle:", "green"),
    TestStatus.FAILED: StatusStyle("✕", ":material/cancel:", "red"),
    TestStatus.ERROR: StatusStyle("!", ":material/error:", "red"),
    TestStatus.SKIPPED: StatusStyle("–", ":material/do_not_disturb_on:", "gray"),
}
_JOBS = {
    JobState.QUEUED: StatusStyle("○", ":material/hourglass_top:", "gray"),
    JobState.RUNNING: StatusStyle("●", ":material/autorenew:", "blue"),
    JobState.SUCCEEDED: StatusStyle("✓", ":material/check_circle:", "green"),
    JobState.FAILED: StatusStyle("!", ":material/error:", "red"),
    JobState.INTERRUPTED: StatusStyle("!", ":material/power_off:", "orange"),
    JobState.CANCELLED: StatusStyle("–", ":material/block:", "gray"),
}


def verdict_style(verdict: Verdict | None) -> StatusStyle:
    """Return how a verdict looks; None is a version that was not compared."""
    return _VERDICTS[verdict] if verdict is not None else _NOT_COMPARED


def result_style(status: TestStatus) -> StatusStyle:
    """Return how the result of a test looks."""
    return _TESTS[status]


def job_style(state: JobState) -> StatusStyle:
    """Return how the state of a job looks."""
    return _JOBS[state]


def css_color(style: StatusStyle) -> str:
    """Return the colour of a style as CSS, in the viewer's theme."""
    colors = palette()
    return {"red": colors.red, "orange": colors.orange, "green": colors.green, "blue": colors.current}.get(
        style.color, colors.muted
    )
