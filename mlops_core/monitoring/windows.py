"""Windows: the calendar weeks or days in which monitors measure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Window", "window_at", "windows_around"]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A span of time, `start` included and `end` not, both aware UTC."""

    start: datetime
    end: datetime

    @property
    def year(self) -> int:
        """Return the year of its last moment: 2017 for December 2017, which ends with 1 January 2018."""
        return (self.end - timedelta.resolution).year

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment lies in the window."""
        return self.start <= moment < self.end

    def moved(self, by: timedelta) -> "Window":
        """Return the window that lies so much later, or earlier when `by` is negative."""
        return Window(self.start + by, self.end + by)


def window_at(moment: datetime, days: int) -> Window:
    """Return the window of 1 or 7 days that holds a moment; weeks begin on Monday, 00:00 UTC.

    >>> from datetime import UTC, datetime
    >>> window_at(datetime(2017, 7, 2, 13, tzinfo=UTC), 7).start
    datetime.datetime(2017, 6, 26, 0, 0, tzinfo=datetime.timezone.utc)
    """
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if days == 7:
        start -= timedelta(days=start.weekday())
    return Window(start, start + timedelta(days=days))


def windows_around(moments: Iterable[datetime], days: int) -> list[Window]:
    """Return the windows that hold any of the moments, oldest first."""
    return sorted({window_at(moment, days) for moment in moments})
