"""Time is passed in: the system's clock, or one that stands where it was put."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "FixedClock", "SystemClock"]


class Clock(Protocol):
    """Anything that says what time it is."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


@dataclass(slots=True)
class FixedClock:
    """A clock that stands at `at` until somebody moves it: for tests and simulated workspaces."""

    at: datetime

    def now(self) -> datetime:
        """Return the time at which the clock was put."""
        return self.at
