"""How the explorer names statistics, windows, segments and what it found."""

from datetime import timedelta

from app.components.formats import day
from mlops_core.explanation.results import ColumnMovement, Explanation
from mlops_core.monitoring.findings import statistic_name
from mlops_core.monitoring.windows import Window

__all__ = [
    "COMMON",
    "figure",
    "first_upper",
    "in_segment",
    "long_name",
    "ranking_title",
    "reference_words",
    "segment_words",
    "short_name",
    "since_title",
    "window_words",
]

COMMON = {
    "psi": "PSI",
    "kolmogorov_smirnov": "KS",
    "jensen_shannon": "JS",
    "wasserstein_normalised": "Wasserstein",
}
"""The statistics that have a button of their own."""

_MONTHS = timedelta(days=330)  # longer, days and months alone would not say which year
_LONG = {
    "psi": "Population stability index (PSI)",
    "kolmogorov_smirnov": "Kolmogorov–Smirnov distance (KS)",
    "kolmogorov_smirnov_p_value": "Kolmogorov–Smirnov, p-value",
    "wasserstein": "Wasserstein, in the column's unit",
    "wasserstein_normalised": "Wasserstein, in standard deviations",
    "jensen_shannon": "Jensen–Shannon distance (JS)",
    "hellinger": "Hellinger distance",
    "l_infinity": "Largest change of a share (L∞)",
    "chi_squared": "Chi-squared",
    "chi_squared_p_value": "Chi-squared, p-value",
}
_SHORT = {**COMMON, "wasserstein": "Wasserstein", "hellinger": "Hellinger", "l_infinity": "L∞"}


def short_name(statistic: str) -> str:
    """Return the name of a statistic where there is little room."""
    return _SHORT.get(statistic, statistic_name(statistic))


def long_name(statistic: str) -> str:
    """Return the name of a statistic with its abbreviation."""
    return _LONG.get(statistic, statistic_name(statistic))


def window_words(window: Window, *, years: bool = False) -> str:
    """Return a span of days as people say it, its year where it is not clear: `6 Nov – 31 Dec`.

    >>> from datetime import UTC, datetime
    >>> window_words(Window(datetime(2017, 12, 4, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)), years=True)
    '4 Dec – 31 Dec 2017'
    """
    last = window.end - timedelta(microseconds=1)
    if window.start.date() == last.date():
        return f"{day(last)} {last.year}" if years else day(last)
    first = day(window.start)
    if window.start.year != last.year and (years or window.end - window.start > _MONTHS):
        return f"{first} {window.start.year} – {day(last)} {last.year}"
    return f"{first} – {day(last)} {last.year}" if years else f"{first} – {day(last)}"


def reference_words(reference: Window | None) -> str:
    """Return what the reference window is called."""
    return window_words(reference) if reference else "training reference"


def segment_words(segment: str) -> str:
    """Return a segment in words.

    >>> segment_words("age=45-54"), segment_words("")
    ('age is 45-54', 'All rows')
    """
    return segment.replace("=", " is ", 1) or "All rows"


def in_segment(segment: str) -> str:
    """Return ` where age is 45-54`, or nothing for all rows."""
    return f" where {segment_words(segment)}" if segment else ""


def first_upper(text: str) -> str:
    """Return a text that begins as a sentence does."""
    return text[:1].upper() + text[1:]


def figure(value: float | None) -> str:
    """Return a statistic with 3 digits that count; a dash where it is not defined.

    >>> figure(0.1414), figure(0.00004), figure(12.34), figure(None)
    ('0.141', '4.0e-05', '12.3', '—')
    """
    if value is None:
        return "—"
    if value and abs(value) < 0.0005:
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def ranking_title(explanation: Explanation) -> str:
    """Return how many columns there are, and by what they are sorted."""
    known = any(one.importance is not None for one in explanation.columns)
    order = "by movement \N{MULTIPLICATION SIGN} importance" if known else "by how far they moved"
    count = len(explanation.columns)
    return f"{count} column{'' if count == 1 else 's'}, {order}"


def since_title(explanation: Explanation, movement: ColumnMovement) -> str:
    """Return since when a column has drifted, and whether accuracy followed, in one line."""
    followed = explanation.performance.followed if explanation.performance else None
    words = ("accuracy did not follow", "accuracy followed")
    if movement.since is not None:
        beginning = f"Drift of {movement.column} began on {day(movement.since)}"
    elif movement.drifted:
        beginning = f"{movement.column} drifted in this window"
    else:
        inside = any(one.column == movement.column for one in explanation.in_segments)
        beginning = f"{movement.column} stays close to its reference{' over all rows' if inside else ''}"
        words = ("accuracy did not fall", "accuracy fell")
    return beginning if followed is None else f"{beginning}; {words[followed]}"
