"""Names, shares, numbers, dates and ranges as people read them."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.explanation.moves import Part, PartKind
from mlops_core.registry.columns import PREDICTION
from mlops_core.slices import CategoricalGrid, Counts, Grid, NumericCounts, NumericGrid

__all__ = [
    "ALL_VALUES",
    "Setting",
    "day_text",
    "name_text",
    "number_text",
    "part_label",
    "part_moved",
    "segment_text",
    "sentence_start",
    "share_text",
    "span_text",
]

ALL_VALUES: Final = "all values"
"""The label of the range of every value that is not missing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a sentence is about.

    Attributes
    ----------
    year
        The year that dates need not name.
    since
        When the drift began; None for a column that has not drifted.
    segment
        `column=value`, or empty for all rows.
    """

    year: int
    since: datetime | None = None
    segment: str = ""

    @property
    def predictions(self) -> str:
        """Return `predictions`, or `predictions with region north`."""
        return f"predictions with {segment_text(self.segment)}" if self.segment else "predictions"

    @property
    def since_text(self) -> str:
        """Return ` since 4 Sep`, or nothing."""
        return f" since {day_text(self.since, self.year)}" if self.since else ""


def name_text(column: str) -> str:
    """Return a column's name to read: `weeks shopped 8w`."""
    return column.replace("_", " ")


def sentence_start(text: str) -> str:
    """Return a text with a capital, unless its first word has capitals of its own choice.

    >>> sentence_start("age"), sentence_start("iOS version")
    ('Age', 'iOS version')
    """
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first == first.lower() else text


def segment_text(segment: str) -> str:
    """Return `region north` for `region=north`, and `region ''` for an empty value."""
    column, _, value = segment.partition("=")
    return f"{name_text(column)} {value if value.strip() else repr(value)}"


def share_text(share: float) -> str:
    """Return a share in per cent; what is not nothing never reads as nothing, nor what is not all as all.

    >>> share_text(0.177), share_text(0.38), share_text(0.0), share_text(0.0001), share_text(0.99999)
    ('17.7 %', '38 %', '0 %', '< 0.1 %', '> 99.9 %')
    """
    if 0.0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1.0:
        return "> 99.9 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def number_text(value: float, digits: int = 3) -> str:
    """Return a number with so many digits that count, those before the point in full.

    >>> number_text(1234.5), number_text(0.07618), number_text(-3.0), number_text(1e-9)
    ('1,234', '0.0762', '-3', '1e-09')
    """
    if abs(value) < 1e-300:  # what follows a spike at zero starts at 5e-324
        return "0"
    if not math.isfinite(value) or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    if value == round(value):
        return f"{value:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def day_text(moment: datetime, year: int) -> str:
    """Return `4 Sep`, with the year if it is another one."""
    return f"{moment.day} {moment:%b}" + (f" {moment.year}" if moment.year != year else "")


def span_text(start: datetime, end: datetime, year: int) -> str:
    """Return the days from `start` to before `end`: `4 Sep to 1 Oct`."""
    last = end - timedelta(microseconds=1)
    first_day, last_day = day_text(start, year), day_text(last, year)
    return first_day if first_day == last_day else f"{first_day} to {last_day}"


def part_label(part: Part, grid: Grid, before: Counts, after: Counts) -> str:
    """Return `25-34`, `between 3 and 7`, `812 and more`, `below 3`, `missing`, or the unseen value."""
    match part.kind:
        case PartKind.MISSING | PartKind.INFINITE:
            return str(part.kind)
        case PartKind.UNSEEN:
            unseen = getattr(after, "unseen", {}) or getattr(before, "unseen", {})
            return next(iter(unseen)) if len(unseen) == 1 else "unseen values"
        case PartKind.VALUE if isinstance(grid, CategoricalGrid):
            return grid.categories[part.first]
        case _ if isinstance(grid, NumericGrid):
            return _range_label(part, grid.edges, _filled(part, before, after))
    return ""


def part_moved(column: str, part: Part, label: str, change: str, setting: Setting) -> str:
    """Say what share of the predictions moved how, without a date.

    Returns
    -------
    str
        `Age 25-34 rose from 17.7 % to 26.1 % of predictions` for a value, or a range named by its first
        and last one; else `Predictions with spend 8w below 3 rose from 5 % to 10 %`, in a segment `Of
        predictions with region north, those with spend 8w below 3 rose from 5 % to 10 %`.
    """
    if part.kind != PartKind.RANGE or "–" in label:
        return f"{sentence_start(name_text(column))} {label} {change} of {setting.predictions}"
    of = "of " if label[:1] in "-0123456789" else ""
    moved = (
        f"{of}{label} {change}" if column == PREDICTION else f"with {name_text(column)} {of}{label} {change}"
    )
    return f"Of {setting.predictions}, those {moved}" if setting.segment else f"Predictions {moved}"


def _filled(part: Part, before: Counts, after: Counts) -> NDArray[np.int64]:
    """Return the cells of a range that hold rows."""
    if not isinstance(before, NumericCounts) or not isinstance(after, NumericCounts):
        return np.zeros(0, np.int64)
    rows = before.cells[part.first : part.end] + after.cells[part.first : part.end]
    return part.first + np.flatnonzero(rows)


def _range_label(part: Part, edges: NDArray[np.float64], filled: NDArray[np.int64]) -> str:
    """Name a range by its values where every row lies in a cell of one value, else by its bounds."""
    opens, closes = part.first > 0, part.end <= len(edges)
    if len(filled) and _is_one_value(edges, filled).all():
        low, high = _apart(float(edges[filled[0] - 1]), float(edges[filled[-1] - 1]))
        if low == high:
            return low
        if opens and closes:
            space = " " if "-" in low + high else ""
            return f"{low}{space}–{space}{high}"
        return f"{low} and more" if opens else f"up to {high}"
    if opens and closes:
        low, high = _apart(float(edges[part.first - 1]), float(edges[part.end - 1]))
        if low == high:
            return low
        start = f"above {low} and" if _follows_a_value(edges, part.first - 1) else f"between {low} and"
        if _follows_a_value(edges, part.end - 1):
            return f"{start} up to {high}" if start.startswith("above") else f"{start} {high}"
        return f"{start} below {high}" if start.startswith("above") else f"{start} {high}"
    if opens:
        word = number_text(float(edges[part.first - 1]))
        return f"above {word}" if _follows_a_value(edges, part.first - 1) else f"{word} and more"
    if closes:
        word = number_text(float(edges[part.end - 1]))
        return f"up to {word}" if _follows_a_value(edges, part.end - 1) else f"below {word}"
    return ALL_VALUES


def _is_one_value(edges: NDArray[np.float64], cells: NDArray[np.int64]) -> NDArray[np.bool_]:
    inside = (cells >= 1) & (cells < len(edges))
    one = np.zeros(len(cells), np.bool_)
    one[inside] = edges[cells[inside]] == np.nextafter(edges[cells[inside] - 1], np.inf)
    return one


def _follows_a_value(edges: NDArray[np.float64], place: int) -> bool:
    return place > 0 and bool(edges[place] == np.nextafter(edges[place - 1], np.inf))


def _apart(low: float, high: float) -> tuple[str, str]:
    """Return two numbers with as many digits as tell them apart."""
    for digits in range(3, 16):
        pair = number_text(low, digits), number_text(high, digits)
        if pair[0] != pair[1]:
            return pair
    return number_text(low), number_text(low)
