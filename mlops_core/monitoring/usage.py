"""How much a model predicts, in each window and beside the windows before."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import col, select

from mlops_core.domain import ModelVersion, StoredSlice
from mlops_core.domain.states import Origin
from mlops_core.monitoring.found import Found
from mlops_core.monitoring.windows import Window, window_at
from mlops_core.workspace import Workspace

__all__ = ["measure_usage"]

_RECENT_WINDOWS = 8


def measure_usage(
    workspace: Workspace, version: ModelVersion, windows: Sequence[Window], days: int, now: datetime
) -> list[Found]:
    """Measure the windows, and the later ones that are compared with them.

    The newest window, and the one before the first that has changed, are measured whether they have changed
    or not: they may have been open the last time.
    """
    span = timedelta(days=days)
    by_day = _rows_by_day(workspace, version)
    if not by_day:
        return []
    counts: Counter[Window] = Counter()
    for start, n in by_day.items():
        counts[window_at(start, days)] += n
    touched = {window.moved(n * span) for window in windows for n in range(_RECENT_WINDOWS + 1)}
    touched.add(max(counts))
    touched |= set(sorted(window for window in counts if window < min(touched))[-1:])
    found = []
    for window in sorted(touched & counts.keys()):
        before = [window.moved(-n * span) for n in range(1, _RECENT_WINDOWS + 1)]
        recent = [w for w in before if w in counts]
        ratio = _relative_usage(window, recent, counts, by_day, now) if recent else None
        found.append(Found("predictions", window, float(counts[window]), counts[window]))
        found.append(Found("relative_usage", window, ratio, counts[window]))
    return found


def _relative_usage(
    window: Window,
    recent: Sequence[Window],
    counts: Counter[Window],
    by_day: Counter[datetime],
    now: datetime,
) -> float | None:
    """Return the predictions of a window, relative to the mean of the windows before.

    A window that is still open is compared with the same part of them. Only days are counted, so it is 1
    while the window holds between what they held at the start and at the end of this day; else relative to
    the nearer of the two.
    """
    rows = counts[window]
    if window.end <= now:
        return rows / (sum(counts[other] for other in recent) / len(recent))
    today = window_at(now, 1)

    def until(moment: datetime) -> float:
        ago = [(other, moment - window.start) for other in recent]
        return sum(
            n for other, gone in ago for day, n in by_day.items() if other.start <= day < other.start + gone
        ) / len(recent)

    low, high = until(today.start), until(min(today.end, window.end))
    expected = min(max(float(rows), low), high)
    return rows / expected if expected else None


def _rows_by_day(workspace: Workspace, version: ModelVersion) -> Counter[datetime]:
    """Count the predictions of the whole model, whatever version made them, on each day that has any."""
    with workspace.store.read() as session:
        rows = session.exec(
            select(StoredSlice.start, StoredSlice.rows)
            .join(ModelVersion, col(ModelVersion.id) == col(StoredSlice.model_version_id))
            .where(
                ModelVersion.model_id == version.model_id,
                StoredSlice.origin == Origin.PRODUCTION,
                StoredSlice.segment == "",
            )
        ).all()
    counts: Counter[datetime] = Counter()
    for start, n in rows:
        counts[start] += n
    return counts
