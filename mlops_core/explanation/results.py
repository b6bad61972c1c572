"""What an explanation says: the same objects for a page, the command and a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mlops_core.domain.states import Level
from mlops_core.monitoring.windows import Window

__all__ = [
    "ColumnMovement",
    "Event",
    "Explanation",
    "Move",
    "PerformanceChange",
    "SegmentDrift",
    "SegmentShare",
    "Shares",
]


@dataclass(frozen=True, slots=True)
class Shares:
    """How a column's rows are spread over its bins in both windows, each adding up to 1."""

    labels: Sequence[str]
    reference: Sequence[float]
    current: Sequence[float]

    @property
    def largest_move(self) -> int:
        """Return the bin whose share changed most."""
        moves = [abs(c - r) for r, c in zip(self.reference, self.current, strict=True)]
        return moves.index(max(moves))


@dataclass(frozen=True, slots=True)
class Move:
    """The values of a column that changed most, and in words a director can repeat.

    Attributes
    ----------
    label
        The value, or the range: `25-34`, `above 812`, `missing`.
    before, after
        Its share of the rows, between 0 and 1.
    rows
        The rows of the window that hold it.
    sentence
        `Age 25-34 rose from 17.7 % to 26.1 % of predictions since 4 Sep (n = 1,204).`
    """

    label: str
    before: float
    after: float
    rows: int
    sentence: str


@dataclass(frozen=True, slots=True)
class SegmentShare:
    """How much of a column's move one segment explains.

    Attributes
    ----------
    segment
        `column=value`.
    value
        The statistic inside the segment, None where it is not defined.
    rows, reference_rows
        Its rows in the window and in the reference.
    explained
        Its part of the change of the moved share; the parts of one segment column add up to 1. It may be
        negative, or above 1, where segments moved against each other.
    stands_out
        Whether the sentence beside it names this segment; none does where all moved alike.
    """

    segment: str
    value: float | None
    rows: int
    reference_rows: int
    explained: float
    stands_out: bool = False


@dataclass(frozen=True, slots=True)
class ColumnMovement:
    """How far one column has moved between the two windows, and what moved in it.

    Attributes
    ----------
    value
        None when the statistic is not defined for this column or a window is empty.
    adjusted_p_value
        The chance of such a move without drift, corrected for the number of columns (Benjamini-Hochberg);
        None where it is not defined.
    importance
        Its importance to the model, relative to the most important column's (1); None where it is not known,
        as for the prediction itself.
    trend
        The same statistic for each of the explanation's `weeks` against the reference; None where a week has
        no rows.
    level
        `unknown` for too few rows or an undefined statistic; `unjudged` where no limit is customary. It is
        in range, however large the value, while the move may be chance (adjusted p-value above 0.05).
    since
        Start of the first of the weeks, without a gap up to the end of the window, in which the column was
        outside; None while it is in range.
    move
        None where no row has moved.
    segments
        The segment that explains most first; only for columns that drifted, empty where there are none.
    segments_sentence
        `78 % of it happened with region north, which has 30 % of the predictions.`, or that all segments
        moved alike; empty where there are no segments.
    """

    column: str
    is_categorical: bool
    value: float | None
    adjusted_p_value: float | None
    importance: float | None
    trend: Sequence[float | None]
    level: Level
    since: datetime | None = None
    move: Move | None = None
    segments: Sequence[SegmentShare] = field(default_factory=list)
    segments_sentence: str = ""

    @property
    def drifted(self) -> bool:
        """Return whether the column is outside its limits, and not by chance."""
        return self.level.is_outside


@dataclass(frozen=True, slots=True)
class SegmentDrift:
    """An input that drifted inside one segment while over all rows it did not.

    Attributes
    ----------
    segment
        `column=value`.
    value
        The statistic inside the segment, against the same segment of the reference.
    adjusted_p_value
        The chance of such a move without drift, multiplied by the number of inputs in all segments
        (Bonferroni).
    rows, reference_rows
        Of the segment, in the window and in the reference.
    sentence
        `Of predictions with age 45-54, those with spend 8w above 812 rose from 10 % to 31.5 % (n = 402).`
    """

    column: str
    segment: str
    value: float
    adjusted_p_value: float
    rows: int
    reference_rows: int
    sentence: str


@dataclass(frozen=True, slots=True)
class PerformanceChange:
    """Whether accuracy moved with the drift.

    Attributes
    ----------
    measured, measured_before
        The metric of the outcomes of the window, and of the weeks before it and before the drift began; None
        where none is known.
    lower, upper
        The 95 % interval of `measured`.
    estimated, estimated_before
        The same, estimated without outcomes; only where fewer than half of the window's are known.
    held_out
        The metric when the version was registered.
    rows
        Outcomes in the window.
    followed
        True or False: it fell past its interval, or did not; None when that cannot be told.
    sentence
        One sentence that says it.
    """

    metric: str
    measured: float | None
    measured_before: float | None
    lower: float | None
    upper: float | None
    estimated: float | None
    estimated_before: float | None
    held_out: float | None
    rows: int
    followed: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened near the date of a drift.

    Attributes
    ----------
    kind
        `version`, `upstream`, `feature`, `threshold` or `calendar`.
    title
        `Version 5 was promoted by Henrik Dahl`, `Campaign 18 began`.
    """

    at: datetime
    kind: str
    title: str
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two windows of a model differ.

    Attributes
    ----------
    reference
        None stands for the version's own reference window.
    headline
        `customer-loyalty drifted in 1 of 14 columns: age, since 6 Nov`.
    columns
        Those that drifted first, each group by movement x importance; outputs after inputs.
    weeks
        The windows of `ColumnMovement.trend`, oldest first.
    performance
        None for a model without a metric.
    events
        What happened near the beginning of the drift, nearest first.
    notes
        What could not be answered, and why, in words.
    shares
        How the rows of each column are spread, by column.
    in_segments
        The inputs that drifted inside a segment alone, the largest move first; looked for where no input
        drifted over all rows, and empty otherwise.
    """

    model: str
    version: int
    window: Window
    reference: Window | None
    segment: str
    statistic: str
    rows: int
    reference_rows: int
    headline: str
    columns: Sequence[ColumnMovement]
    weeks: Sequence[Window]
    performance: PerformanceChange | None
    events: Sequence[Event]
    notes: Sequence[str]
    shares: dict[str, Shares]
    in_segments: Sequence[SegmentDrift] = field(default_factory=list)

    @property
    def drifted(self) -> Sequence[ColumnMovement]:
        """Return the columns that are outside their limits."""
        return [one for one in self.columns if one.drifted]

    @property
    def since(self) -> datetime | None:
        """Return when the first of the drifted columns left its limits, None when none did."""
        return min((one.since for one in self.drifted if one.since is not None), default=None)
