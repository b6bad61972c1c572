"""What a comparison found: the same object for a page, the command, the API and the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mlops_core.domain.states import Verdict

__all__ = [
    "Agreement",
    "CalibrationPoint",
    "ComparisonReport",
    "Difference",
    "FairnessDifference",
    "Latency",
    "SegmentDifference",
]


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of both versions on the same rows.

    Attributes
    ----------
    metric
        A key of `PERFORMANCE_STATISTICS`.
    challenger, champion
        None where the metric is not defined for the rows.
    difference
        Challenger minus champion, in the metric's unit.
    lower, upper
        The 95 % interval of the difference; None where it cannot be told.
    p_value
        Two-sided, of no difference.
    higher_is_better
        Whether a positive difference speaks for the challenger.
    method
        `DeLong` or `paired bootstrap`.
    rows
        On which both were measured.
    """

    metric: str
    challenger: float | None
    champion: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    higher_is_better: bool
    method: str
    rows: int

    @property
    def is_better(self) -> bool:
        """Return whether the whole interval speaks for the challenger."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower > 0 if self.higher_is_better else self.upper < 0

    @property
    def is_worse(self) -> bool:
        """Return whether the whole interval speaks against the challenger."""
        if self.lower is None or self.upper is None:
            return False
        return self.upper < 0 if self.higher_is_better else self.lower > 0


@dataclass(frozen=True, slots=True)
class SegmentDifference:
    """The primary metric within one segment.

    Attributes
    ----------
    segment
        `column=value`.
    difference
        Its interval is corrected for the number of segments.
    adjusted_p_value
        Of being worse by more than the margin (one-sided), corrected for the number of segments (Holm).
    is_worse
        Whether the challenger is significantly worse here, by more than the margin.
    """

    segment: str
    difference: Difference
    adjusted_p_value: float | None
    is_worse: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often both versions say the same.

    Attributes
    ----------
    labels
        Of rows (champion) and columns (challenger): classes, or ranges of a predicted number.
    counts
        Rows of the data by what the champion (first index) and the challenger (second) say.
    share
        On the diagonal, between 0 and 1.
    correlation
        Pearson's, of scores or predicted numbers; None where it is not defined.
    """

    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    share: float
    correlation: float | None


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Rows of like score: what was predicted on average, and what came true."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times of both versions on the same requests, in milliseconds."""

    challenger_p50: float
    challenger_p95: float
    champion_p50: float
    champion_p95: float
    request_rows: int
    requests: int


@dataclass(frozen=True, slots=True)
class FairnessDifference:
    """How far groups of a protected attribute are treated apart, by each version.

    Attributes
    ----------
    attribute
        The column.
    measure
        `demographic parity difference` or `equalized odds difference`, between 0 (alike) and 1; for a
        regression `mean prediction ratio`.
    challenger, champion
        None where it is not defined.
    difference, lower, upper
        Challenger minus champion, with its 95 % interval.
    """

    attribute: str
    measure: str
    challenger: float | None
    champion: float | None
    difference: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """A challenger against a champion on the same evaluation snapshot, row by row.

    Attributes
    ----------
    primary
        The model's primary metric; it is the first of `metrics`.
    segments
        The worst for the challenger first; empty for a model without segment columns.
    margin
        By how much of the metric a segment may be worse before the verdict names it.
    verdict, sentence
        By the stated rule, and in words.
    latency
        None where one of the versions cannot be asked.
    challenger_calibration, champion_calibration
        Ten groups of like score, lowest first; for a regression of like prediction. Empty for labels alone.
    notes
        What could not be compared, and why.
    """

    model: str
    challenger: int
    champion: int
    snapshot: str
    rows: int
    primary: Difference
    metrics: Sequence[Difference]
    segments: Sequence[SegmentDifference]
    margin: float
    verdict: Verdict
    sentence: str
    agreement: Agreement | None
    challenger_calibration: Sequence[CalibrationPoint]
    champion_calibration: Sequence[CalibrationPoint]
    latency: Latency | None
    challenger_bytes: int
    champion_bytes: int
    features_added: Sequence[str]
    features_dropped: Sequence[str]
    fairness: Sequence[FairnessDifference]
    resamples: int
    seed: int
    at: datetime
    worse_segment: str = ""
    notes: Sequence[str] = field(default_factory=list)
