"""Numbers and times as people read them."""

from datetime import datetime, timedelta

__all__ = ["ago", "compact", "day", "exact", "period", "share", "signed"]

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_HALF_OF_LAST_DIGIT = 0.0005


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago something was.

    >>> from datetime import UTC
    >>> ago(datetime(2017, 12, 25, 6, tzinfo=UTC), datetime(2017, 12, 25, 8, tzinfo=UTC))
    '2 h ago'
    """
    if moment is None:
        return "never"
    passed = now - moment
    if passed < _MINUTE:
        return "just now"
    if passed < _HOUR:
        return f"{passed // _MINUTE} min ago"
    if passed < 2 * _DAY:
        return f"{passed // _HOUR} h ago"
    return f"{passed // _DAY} days ago"


def day(moment: datetime | None) -> str:
    """Return a day such as `4 Sep`; a dash when there is none."""
    return f"{moment.day} {moment:%b}" if moment else "—"


def period(start: datetime, end: datetime) -> str:
    """Return a span of days, the end not included: `20 Feb – 26 Jun`."""
    return f"{day(start)} – {day(end - _DAY if end.hour == 0 else end)}"


def exact(moment: datetime | None) -> str:
    """Return a moment to the minute, with its zone."""
    return f"{moment:%d %b %Y %H:%M} UTC" if moment else "never"


def compact(number: float) -> str:
    """Return a large number in short.

    >>> compact(51849), compact(1_250_000), compact(812)
    ('51.8k', '1.25M', '812')
    """
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit * (1 - _HALF_OF_LAST_DIGIT):
            return f"{number / limit:.3g}{letter}"
    return f"{number:,.0f}"


def signed(number: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, and a true minus."""
    if number is None:
        return "—"
    if round(number, digits) == 0:
        return f"{0:.{digits}f}"
    return f"{number:+.{digits}f}".replace("-", "−")


def share(number: float) -> str:
    """Return a share of 1 in per cent: `17.7 %`."""
    return f"{100 * number:.1f} %"
