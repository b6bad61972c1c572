"""Explain a model from a notebook or the command line: opens the workspace, and closes it again."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from mlops_core.domain.errors import InvalidInput
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.results import Explanation
from mlops_core.explanation.spans import span_of
from mlops_core.monitoring.windows import Window
from mlops_core.settings import Settings
from mlops_core.workspace import Workspace, open_workspace

__all__ = ["Moment", "explain"]

Moment: TypeAlias = str | date
"""A date, a datetime, or either in ISO 8601; one without a zone is in UTC."""

_FOUR_WEEKS = timedelta(weeks=4)


def explain(
    model: str,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    reference_start: Moment | None = None,
    reference_end: Moment | None = None,
    segment: str = "",
    statistic: str = "psi",
    workspace: "str | Path | Workspace | None" = None,
) -> Explanation:
    """Say why a model drifted: the ranking, sentences and segments that the console shows.

    Parameters
    ----------
    start, end
        The window, `end` not included. Without `start` the 4 weeks before `end`, without `end` up to the
        newest prediction, without both the newest 4 weeks.
    reference_start, reference_end
        Another window to compare with; without both the version's own reference.
    segment
        `column=value`, or empty for all rows.
    statistic
        A key of `mlops_core.statistics.DRIFT_STATISTICS`.
    workspace
        A folder, a workspace that is open and stays so, or None for `$BIGBOARD_WORKSPACE`.

    Raises
    ------
    NotFound
        The model or the segment does not exist.
    InvalidInput
        A date is none, a window has no predictions, or the two overlap.
    StoreError
        The workspace does not exist, or another process holds it.

    Examples
    --------
    >>> from mlops_core import explain
    >>> explain("churn-risk", start="2025-03-03").headline  # doctest: +SKIP
    'churn-risk drifted in 1 of 5 columns: income, since 3 Mar'
    """
    first, last = _moment("start", start), _moment("end", end)
    before = _reference(_moment("reference_start", reference_start), _moment("reference_end", reference_end))
    if isinstance(workspace, Workspace):
        return _explained(workspace, model, first, last, before, segment, statistic)
    opened = open_workspace(Settings() if workspace is None else Settings(workspace=Path(workspace)))
    try:
        return _explained(opened, model, first, last, before, segment, statistic)
    finally:
        opened.close()


def _explained(
    workspace: Workspace,
    model: str,
    start: datetime | None,
    end: datetime | None,
    reference: Window | None,
    segment: str,
    statistic: str,
) -> Explanation:
    window = None
    if start is not None or end is not None:
        span = span_of(workspace, model)
        last = end or (span.end if span else None)
        if last is None:
            raise InvalidInput(f"model '{model}' has not predicted yet: log predictions, then ask again")
        if end is None and start is not None and start >= last:
            raise InvalidInput(
                f"model '{model}' has made no prediction since {start:%Y-%m-%d}: its newest lie before "
                f"{last:%Y-%m-%d}, start earlier"
            )
        earliest = datetime.min.replace(tzinfo=UTC)
        window = Window(start or max(last, earliest + _FOUR_WEEKS) - _FOUR_WEEKS, last)
    return explain_model(
        workspace, model, window=window, reference=reference, segment=segment, statistic=statistic
    )


def _reference(start: datetime | None, end: datetime | None) -> Window | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise InvalidInput("a reference window has a first day and an end: give both, or neither")
    return Window(start, end)


def _moment(name: str, given: Moment | None) -> datetime | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        raise InvalidInput(f"{name} {given!r} is no date: write it like 2026-03-01") from error
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(f"{name} {given!r} lies outside the calendar in UTC: give another date") from error
