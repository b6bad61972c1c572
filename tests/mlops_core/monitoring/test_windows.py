from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.monitoring.windows import Window, window_at, windows_around

EARLIEST = datetime(2000, 1, 1)  # noqa: DTZ001 - hypothesis wants bounds without a zone and adds it itself
LATEST = datetime(2050, 1, 1)  # noqa: DTZ001 - the same
MOMENTS = st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC))


@given(MOMENTS, st.sampled_from([1, 7]))
def test_a_window_holds_the_moment_and_begins_at_midnight_a_week_on_a_monday(moment, days):
    window = window_at(moment, days)
    assert window.holds(moment)
    assert window.end - window.start == timedelta(days=days)
    assert window.start.timetz() == datetime(2000, 1, 1, tzinfo=UTC).timetz()
    assert days == 1 or window.start.isoweekday() == 1


@given(st.lists(MOMENTS, max_size=30), st.sampled_from([1, 7]))
def test_the_windows_around_moments_hold_each_of_them_in_order_and_none_is_empty(moments, days):
    windows = windows_around(moments, days)
    assert windows == sorted(set(windows))
    assert all(sum(window.holds(moment) for window in windows) == 1 for moment in moments)
    assert all(any(window.holds(moment) for moment in moments) for window in windows)


@pytest.mark.parametrize("weeks", [-2, 0, 3])
def test_a_moved_window_is_as_long_as_before(weeks):
    window = window_at(datetime(2025, 3, 12, tzinfo=UTC), 7)
    moved = window.moved(timedelta(weeks=weeks))
    assert moved == window_at(datetime(2025, 3, 12, tzinfo=UTC) + timedelta(weeks=weeks), 7)


def test_the_end_of_a_window_lies_in_the_next_one():
    window = Window(datetime(2025, 3, 10, tzinfo=UTC), datetime(2025, 3, 17, tzinfo=UTC))
    assert not window.holds(window.end)
    assert window_at(window.end, 7).start == window.end


def test_the_year_of_a_window_is_that_of_its_last_moment():
    december = Window(datetime(2017, 12, 4, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC))
    assert december.year == 2017
    assert december.moved(timedelta(days=1)).year == 2018
