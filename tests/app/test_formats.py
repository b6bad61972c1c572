"""How numbers and times are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components import formats

NOW = datetime(2017, 8, 7, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=30), "30 days ago"),
    ],
)
def test_a_moment_is_told_in_the_largest_unit_that_fits(passed: timedelta, words: str) -> None:
    assert formats.ago(NOW - passed, NOW) == words


def test_what_never_happened_was_never() -> None:
    assert formats.ago(None, NOW) == formats.exact(None) == "never"
    assert formats.day(None) == "—"


def test_an_exact_moment_carries_its_zone() -> None:
    assert formats.exact(NOW) == "07 Aug 2017 05:30 UTC"


def test_a_period_ends_on_its_last_day() -> None:
    start = datetime(2017, 8, 7, tzinfo=UTC)

    assert formats.period(start, start + timedelta(days=7)) == "7 Aug – 13 Aug"
    assert formats.period(start, start + timedelta(days=6, hours=4)) == "7 Aug – 13 Aug"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (812, "812"),
        (999, "999"),
        (1000, "1k"),
        (51_849, "51.8k"),
        (1_250_000, "1.25M"),
        (2.5e9, "2.5B"),
        (-1500, "-1.5k"),
    ],
)
def test_a_large_number_is_short(number: float, text: str) -> None:
    assert formats.compact(number).replace("−", "-") == text


@pytest.mark.parametrize("number", [999_600, 999_999, 999_999_999])
def test_a_number_just_below_a_unit_is_written_without_an_exponent(number: float) -> None:
    assert "e" not in formats.compact(number)


@given(st.integers(min_value=0, max_value=994_999_999))
def test_a_short_number_is_within_half_a_per_cent_of_the_number(number: int) -> None:
    text = formats.compact(number)

    factor = {"k": 1e3, "M": 1e6, "B": 1e9}.get(text[-1], 1)
    assert float(text.rstrip("kMB").replace(",", "")) * factor == pytest.approx(number, rel=0.005)


def test_a_difference_has_a_sign_and_a_true_minus() -> None:
    assert formats.signed(0.0123) == "+0.012"
    assert formats.signed(-0.0123, 2) == "−0.01"
    assert formats.signed(None) == "—"


def test_a_share_is_in_per_cent() -> None:
    assert formats.share(0.1768) == "17.7 %"
