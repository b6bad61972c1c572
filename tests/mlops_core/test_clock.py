from datetime import UTC, datetime, timedelta

from mlops_core.clock import FixedClock, SystemClock


def test_the_system_clock_tells_the_present_in_utc():
    before = datetime.now(UTC)
    told = SystemClock().now()
    assert before <= told <= datetime.now(UTC)
    assert told.utcoffset() == timedelta(0)


def test_a_fixed_clock_stands_until_it_is_moved():
    clock = FixedClock(datetime(2017, 7, 3, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2017, 7, 3, tzinfo=UTC)
    clock.at += timedelta(hours=1)
    assert clock.now() == datetime(2017, 7, 3, 1, tzinfo=UTC)
