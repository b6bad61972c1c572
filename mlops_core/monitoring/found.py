"""What measuring a window gives, before it is judged."""

from dataclasses import dataclass

from mlops_core.monitoring.windows import Window

__all__ = ["Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """A statistic of one window, before it is judged; with its 95 % interval and share of outcomes."""

    statistic: str
    window: Window
    value: float | None
    rows: int
    column: str = ""
    lower: float | None = None
    upper: float | None = None
    outcomes_share: float | None = None
