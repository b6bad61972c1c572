"""What a measurement means, in words a director can repeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_core.domain.states import Level, MonitorKind
from mlops_core.monitoring.levels import FEWEST_ROWS

__all__ = [
    "STATISTIC_NAMES",
    "Finding",
    "outcomes_in",
    "percent_of",
    "some_of",
    "statistic_name",
    "with_interval",
]

STATISTIC_NAMES = {
    "psi": "PSI",
    "kolmogorov_smirnov": "KS",
    "kolmogorov_smirnov_p_value": "KS p-value",
    "wasserstein": "Wasserstein",
    "wasserstein_normalised": "normalised Wasserstein",
    "jensen_shannon": "JS",
    "hellinger": "Hellinger",
    "l_infinity": "L∞",
    "chi_squared": "χ²",
    "chi_squared_p_value": "χ² p-value",
    "roc_auc": "AUC",
    "log_loss": "log loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "f1": "F1",
    "f1_macro": "macro F1",
    "f1_weighted": "weighted F1",
    "mape": "MAPE",
    "r_squared": "R²",
    "lift_at_10": "lift at 10 %",
}

_WORDS = {
    (MonitorKind.DRIFT, Level.WARNING): "Minor drift",
    (MonitorKind.DRIFT, Level.CRITICAL): "Drift",
    (MonitorKind.LATENCY, Level.WARNING): "Slow",
    (MonitorKind.LATENCY, Level.CRITICAL): "Very slow",
    (MonitorKind.USAGE, Level.WARNING): "Usage off",
    (MonitorKind.USAGE, Level.CRITICAL): "Usage gone",
    (MonitorKind.FRESHNESS, Level.WARNING): "Stale",
    (MonitorKind.FRESHNESS, Level.CRITICAL): "Silent",
    (MonitorKind.PERFORMANCE, Level.WARNING): "Less accurate",
    (MonitorKind.PERFORMANCE, Level.CRITICAL): "Inaccurate",
    (MonitorKind.ESTIMATE, Level.WARNING): "Less accurate?",
    (MonitorKind.ESTIMATE, Level.CRITICAL): "Inaccurate?",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A judged measurement of one monitor.

    Attributes
    ----------
    column
        The drifted column; empty for the other kinds.
    window_start, window_end
        What was measured, the end not included: a day or a week.
    limit
        The threshold that was reached, or the nearest one; None when there is none.
    lower, upper
        The 95 % interval of the value, None where there is none.
    outcomes_share
        How many of the window's predictions have an outcome, between 0 and 1; None for the other kinds.
    segment
        `column=value`, empty where all rows were measured.
    """

    kind: MonitorKind
    level: Level
    statistic: str
    column: str
    value: float | None
    rows: int
    window_start: datetime
    window_end: datetime
    limit: float | None
    lower: float | None = None
    upper: float | None = None
    outcomes_share: float | None = None
    segment: str = ""

    @property
    def label(self) -> str:
        """Return two words for a table: `Minor drift`, `Slow`, `In range`."""
        if self.level == Level.IN_RANGE:
            return "In range"
        if self.level == Level.RETRAIN:
            return "Retrain due"
        return _WORDS.get((self.kind, self.level), "Not measured")

    @property
    def sentence(self) -> str:
        """Return one sentence that says what was measured, where, against what, and since when."""
        return f"{self.segment.replace('=', ' is ', 1)}: {self._sentence}" if self.segment else self._sentence

    @property
    def _sentence(self) -> str:
        when = self._when
        if self.value is None:
            return f"{self.kind.capitalize()} could not be measured {when}."
        since = f"{when} (n = {self.rows:,})"
        limit = _figure(self.limit) if self.limit is not None else "none"
        match self.kind:
            case MonitorKind.DRIFT if self.level == Level.UNKNOWN:
                return f"{self.column} is not judged {since}: fewer than {FEWEST_ROWS} predictions."
            case MonitorKind.DRIFT:
                moved = "moved away from" if self.level.is_outside else "stays close to"
                return (
                    f"{self.column} {moved} its reference {since}: "
                    f"{statistic_name(self.statistic)} {self.value:.3f}, limit {limit}."
                )
            case MonitorKind.LATENCY:
                return f"95 % of responses took up to {self.value:.1f} ms {since}, limit {limit} ms."
            case MonitorKind.USAGE:
                spans = "days" if self.is_of_a_day else "weeks"
                share = f"{100 * self.value:.0f} % of the mean of the 8 {spans} before"
                return f"{self.rows:,} predictions {when}: {share}."
            case MonitorKind.FRESHNESS:
                return f"The last prediction is {self.value:,.0f} hours old, limit {limit} hours."
            case MonitorKind.ESTIMATE:
                figure = with_interval(self.value, self.lower, self.upper)
                return f"Estimated {statistic_name(self.statistic)} {figure} {since}, limit {limit}."
            case MonitorKind.PERFORMANCE:
                figure = with_interval(self.value, self.lower, self.upper)
                arrived = outcomes_in(self.outcomes_share)
                return (
                    f"Measured {statistic_name(self.statistic)} {figure} {since}"
                    f"{f', {arrived}' if arrived else ''}, limit {limit}."
                )

    @property
    def is_of_a_day(self) -> bool:
        """Return whether it was measured over a day, not a week."""
        return self.window_end - self.window_start <= timedelta(days=1)

    @property
    def _when(self) -> str:
        return f"{'on' if self.is_of_a_day else 'in the week of'} {_day(self.window_start)}"


def statistic_name(statistic: str) -> str:
    """Return the name of a statistic as people write it: `roc_auc` is AUC."""
    return STATISTIC_NAMES.get(statistic, statistic.replace("_", " "))


def some_of(names: Sequence[str], most: int = 20) -> str:
    """Return names in a row, of many the first ones and how many there are beside.

    >>> some_of(["age", "income", "kids"], 2)
    'age, income and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def with_interval(value: float, lower: float | None, upper: float | None) -> str:
    """Return a figure with its interval, where it has one: `0.871 (0.858–0.884)`."""
    return f"{value:.3f}" if lower is None or upper is None else f"{value:.3f} ({lower:.3f}–{upper:.3f})"


def outcomes_in(share: float | None) -> str:
    """Return how many outcomes have arrived: `64 % of outcomes in`; empty when it is not known."""
    return f"{percent_of(share)} of outcomes in" if share is not None else ""


def percent_of(share: float) -> str:
    """Return a share as `64 %`; one below 1 never reads as 100 %, nor one above 0 as 0 %."""
    percent = round(100 * share)
    if 0 < share < 1:
        percent = min(max(percent, 1), 99)
    return f"{percent} %"


def _figure(limit: float) -> str:
    """Return a limit with 3 digits that count, those before the point in full: 0.695, 0.1, 1,500."""
    return f"{limit:,.0f}" if abs(limit) >= 1_000 else f"{limit:.3g}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"
