"""The explorer's state as the URL carries it: plain keys and ISO dates, no word that is only shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

import streamlit as st

from mlops_core.monitoring.windows import Window
from mlops_core.statistics import DRIFT_STATISTICS

__all__ = [
    "TABS",
    "View",
    "days_of",
    "go_to",
    "link_to",
    "parameters_of",
    "read_view",
    "window_from",
    "with_column",
]

TABS = ("moved", "segments", "backtest", "together")
_TRAINING = "training"
_NAMES = ("of", "window", "reference", "segment", "statistic", "column", "days", "tab")
_WINDOW_DAYS = ("1", "7")


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at.

    Attributes
    ----------
    window
        None takes the newest four weeks.
    reference
        None is the version's own reference window.
    segment
        `column=value`, or empty for all rows.
    column
        Empty takes the first of the ranking.
    days
        The length of a window of the backtest and of a saved monitor.
    """

    model: str
    window: Window | None = None
    reference: Window | None = None
    segment: str = ""
    statistic: str = "psi"
    column: str = ""
    days: int = 7
    tab: str = "moved"


def read_view(
    parameters: Mapping[str, str], model: str, segments: Callable[[str], Sequence[str]]
) -> tuple[View, list[str]]:
    """Return what the parameters of a URL ask for, and in words what they ask for in vain.

    Whatever cannot be shown is left at its default. The column is looked at later, by `with_column`.

    Examples
    --------
    >>> view, problems = read_view({"window": "2017-11-06..2017-12-31"}, "churn-risk", lambda model: [])
    >>> view.window.start.isoformat(), view.window.end.isoformat(), problems
    ('2017-11-06T00:00:00+00:00', '2018-01-01T00:00:00+00:00', [])
    """
    view = View(model, column=parameters.get("column", ""))
    problems = []
    if asked := parameters.get("window", ""):
        window = window_from(asked)
        if window is None:
            problems.append(_no_window("window", asked, "The newest four weeks are shown"))
        view = replace(view, window=window)
    if (asked := parameters.get("reference", _TRAINING)) != _TRAINING:
        reference = window_from(asked)
        if reference is None:
            problems.append(_no_window("reference", asked, "The training reference is shown"))
        view = replace(view, reference=reference)
    if asked := parameters.get("segment", ""):
        if asked in segments(model):
            view = replace(view, segment=asked)
        else:
            problems.append(
                f"{model} has no segment '{asked}'. All rows are shown: choose one of its segments above."
            )
    if asked := parameters.get("statistic", ""):
        if asked in DRIFT_STATISTICS:
            view = replace(view, statistic=asked)
        else:
            problems.append(f"There is no statistic '{asked}'. PSI is shown: choose another above.")
    if asked := parameters.get("days", ""):
        if asked in _WINDOW_DAYS:
            view = replace(view, days=int(asked))
        else:
            problems.append(f"Monitors measure windows of 1 or 7 days, not '{asked}'. 7 days are shown.")
    if asked := parameters.get("tab", ""):
        if asked in TABS:
            view = replace(view, tab=asked)
        else:
            problems.append(f"There is no tab '{asked}'. What moved is shown.")
    return view, problems


def with_column(view: View, names: Sequence[str]) -> tuple[View, list[str]]:
    """Return the view with a column that there is, and in words what was asked for in vain."""
    if view.column in names or not names:
        return view, []
    problems = (
        [f"{view.model} has no column '{view.column}'. {names[0]} is shown: choose another on the left."]
        if view.column
        else []
    )
    return replace(view, column=names[0]), problems


def parameters_of(view: View) -> dict[str, str]:
    """Return the parameters of a URL that asks for a view."""
    parameters = {
        "of": view.model,
        "window": days_of(view.window) if view.window else "",
        "reference": days_of(view.reference) if view.reference else _TRAINING,
        "segment": view.segment,
        "statistic": view.statistic,
        "column": view.column,
        "days": str(view.days),
        "tab": view.tab,
    }
    return {name: value for name, value in parameters.items() if value}


def go_to(view: View) -> None:
    """Write a view into the URL; parameters that are not the explorer's stay."""
    others = {name: value for name, value in st.query_params.items() if name not in _NAMES}
    st.query_params.from_dict({**others, **parameters_of(view)})


def link_to(view: View) -> str:
    """Return the whole address of a view, to be passed on."""
    page = str(st.context.url or "/explorer").partition("?")[0]
    return f"{page}?{urlencode(parameters_of(view))}"


def days_of(window: Window) -> str:
    """Return the first and the last day of a window: `2017-11-06..2017-12-31`."""
    return f"{window.start.date()}..{(window.end - timedelta(microseconds=1)).date()}"


def window_from(text: str) -> Window | None:
    """Return the window from the first to the last day that a text names, None where it names none."""
    first, _, last = text.partition("..")
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        if end < start:
            return None
        return Window(_midnight(start), _midnight(end + timedelta(days=1)))
    except (ValueError, OverflowError):
        return None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _no_window(name: str, asked: str, instead: str) -> str:
    return (
        f"The {name} '{asked}' of this link is no span of days such as 2017-11-06..2017-12-31. "
        f"{instead}: choose the days above."
    )
