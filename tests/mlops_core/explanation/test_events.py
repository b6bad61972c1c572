"""What happened near a date: what was done is found again, in its order, and what was not is not."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select
from typer.testing import CliRunner

from mlops_core.cli import app
from mlops_core.clock import FixedClock
from mlops_core.domain import AuditEvent, Monitor
from mlops_core.domain.errors import Conflict, InvalidInput, NotFound, NotPermitted
from mlops_core.domain.states import FeatureKind, Level, Role, Stage
from mlops_core.explanation.events import add_calendar_event, events_between, events_near
from mlops_core.explanation.results import Event
from mlops_core.features import NewFeature, create_entity, create_feature_table, write_features
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.monitoring.thresholds import ConstantThreshold, set_thresholds
from mlops_core.registry import find_model, move_version, promote_version
from mlops_core.workspace import Workspace, open_workspace
from tests import factories
from tests.factories import NOW

LATER = NOW + timedelta(days=60)
DAY = timedelta(days=1)
years = itertools.count()


def travel(workspace: Workspace, moment: datetime) -> None:
    workspace.store.clock = FixedClock(moment)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, factories.Trained]:
    """The folder of a closed workspace whose only model was promoted long before anything of interest."""
    folder = tmp_path_factory.mktemp("made") / "workspace"
    workspace = factories.workspace_in(folder)
    trained = factories.champion(workspace, "churn-risk")
    workspace.close()
    return folder, trained


@pytest.fixture
def folder(made: tuple[Path, factories.Trained], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "workspace"))


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    opened = open_workspace(factories.settings_in(folder), clock=FixedClock(NOW))
    yield opened
    opened.close()


@pytest.fixture
def churn(made: tuple[Path, factories.Trained]) -> factories.Trained:
    return made[1]


def near(workspace: Workspace, trained: factories.Trained, since: datetime = LATER) -> list[Event]:
    return events_near(workspace, trained.version, since, since + 28 * DAY)


def titles(events: list[Event]) -> list[str]:
    return [event.title for event in events]


# ── the calendar ─────────────────────────────────────────────────────────────────────────────────


def test_nothing_happened_where_nothing_was_done(workspace: Workspace, churn: factories.Trained) -> None:
    assert near(workspace, churn) == []


def test_a_campaign_is_found_as_it_began_and_as_it_ended(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    add_calendar_event(workspace, lead, title="Campaign 18", start=LATER + DAY, end=LATER + 8 * DAY)

    began, ended = near(workspace, churn)

    assert (began.title, began.at, began.end) == ("Campaign 18 began", LATER + DAY, LATER + 8 * DAY)
    assert (ended.title, ended.kind) == ("Campaign 18 ended", "calendar")
    assert LATER + 7 * DAY < ended.at < LATER + 8 * DAY


def test_what_lasts_until_midnight_ended_the_day_before(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    midnight = datetime(2025, 5, 12, tzinfo=UTC)
    add_calendar_event(workspace, lead, title="Sale", start=midnight - 90 * DAY, end=midnight)

    (ended,) = near(workspace, churn, midnight)

    assert ended.at.date() == datetime(2025, 5, 11, tzinfo=UTC).date()


def test_a_moment_keeps_its_title(workspace: Workspace, lead, churn: factories.Trained) -> None:
    add_calendar_event(workspace, lead, title="Price list 7", start=LATER)

    assert near(workspace, churn) == [Event(LATER, "calendar", "Price list 7", None)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.integers(-40, 60), max_size=8, unique=True))
def test_only_the_two_weeks_before_and_the_window_count_nearest_first(
    workspace: Workspace, churn: factories.Trained, days: list[int]
) -> None:
    since = LATER + 200 * DAY * next(years)  # far from the examples before
    lead = factories.person(workspace, Role.LEAD)
    for number in days:
        add_calendar_event(workspace, lead, title=f"day {number}", start=since + number * DAY)

    found = events_near(workspace, churn.version, since, since + 28 * DAY)

    inside = [number for number in days if -14 <= number < 28]
    assert titles(found) == [f"day {n}" for n in sorted(inside, key=lambda n: (abs(n), n))]


def test_an_event_of_one_model_concerns_no_other(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    other = factories.champion(workspace, "spend-forecast")
    add_calendar_event(workspace, lead, title="Ours", start=LATER, model_name="churn-risk")
    add_calendar_event(workspace, lead, title="Everybody's", start=LATER)

    assert sorted(titles(near(workspace, churn))) == ["Everybody's", "Ours"]
    assert titles(near(workspace, other)) == ["Everybody's"]


def test_an_event_is_audited_with_its_dates(workspace: Workspace, lead, churn: factories.Trained) -> None:
    start = datetime(2025, 5, 1, tzinfo=UTC)
    add_calendar_event(
        workspace, lead, title="  Sale ", start=start, end=start + 3 * DAY, model_name="churn-risk"
    )

    with workspace.store.read() as session:
        event = session.exec(select(AuditEvent).where(AuditEvent.action == "calendar.noted")).one()

    assert event.actor_id == lead.id
    assert event.subject == "Sale"
    assert "01 May 2025 to 03 May 2025 for model churn-risk" in event.summary


def test_any_time_zone_is_the_same_instant(workspace: Workspace, lead, churn: factories.Trained) -> None:
    moment = datetime(2025, 5, 10, 0, tzinfo=ZoneInfo("America/New_York"))

    add_calendar_event(workspace, lead, title="Midnight in New York", start=moment)

    assert near(workspace, churn)[0].at == datetime(2025, 5, 10, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_values", "error", "words"),
    [
        ({"title": "  "}, InvalidInput, "needs a title"),
        ({"title": "x" * 121}, InvalidInput, "121 characters: give at most 120"),
        ({"title": "two\nlines"}, InvalidInput, "give one line"),
        ({"start": datetime(2025, 5, 1)}, InvalidInput, "start of event 'Sale', .* has no time zone"),  # noqa: DTZ001 - that it has no zone is tested
        ({"end": datetime(2025, 6, 1)}, InvalidInput, "end of event 'Sale', .* has no time zone"),  # noqa: DTZ001 - that it has no zone is tested
        ({"end": LATER}, InvalidInput, "give an end after the start, or none"),
        ({"end": LATER - DAY}, InvalidInput, "would end on 08 May 2025 12:00, and begin on 09 May 2025"),
        ({"model_name": "chrun-risk"}, NotFound, "no model 'chrun-risk'"),
    ],
)
def test_what_cannot_be_noted_is_refused_in_words(
    workspace: Workspace,
    lead,
    churn: factories.Trained,
    given_values: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        add_calendar_event(workspace, lead, **{"title": "Sale", "start": LATER, **given_values})

    assert near(workspace, churn) == []


def test_noting_it_twice_is_refused(workspace: Workspace, lead, churn: factories.Trained) -> None:
    add_calendar_event(workspace, lead, title="Sale", start=LATER)
    add_calendar_event(workspace, lead, title="Sale", start=LATER, model_name="churn-risk")

    with pytest.raises(Conflict, match="noted already for every model"):
        add_calendar_event(workspace, lead, title="Sale ", start=LATER)
    with pytest.raises(Conflict, match="noted already for model churn-risk"):
        add_calendar_event(workspace, lead, title="Sale", start=LATER, model_name="churn-risk")


def test_an_executive_looks_and_notes_nothing(workspace: Workspace) -> None:
    with pytest.raises(NotPermitted, match="may not note an event"):
        add_calendar_event(workspace, factories.person(workspace, Role.EXECUTIVE), title="Sale", start=LATER)


# ── versions, upstream models, features, thresholds ──────────────────────────────────────────────


def test_a_new_champion_is_one_event_and_putting_the_old_one_back_another(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    travel(workspace, LATER)
    second = factories.promote(workspace, factories.new_version(workspace, churn.model, seed=2))
    travel(workspace, LATER + DAY)
    promote_version(workspace, lead, "churn-risk", churn.version.number)

    found = near(workspace, second)

    assert [(event.kind, event.title) for event in found] == [
        ("version", f"Version {second.version.number} was promoted by {lead.full_name}"),
        ("version", f"Version {churn.version.number} was put back into production by {lead.full_name}"),
    ]
    assert [event.at for event in found] == [LATER, LATER + DAY]


def test_a_champion_that_was_only_archived_is_an_event(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    travel(workspace, LATER - DAY)
    move_version(workspace, lead, "churn-risk", churn.version.number, Stage.ARCHIVED)

    assert titles(near(workspace, churn)) == [
        f"Version {churn.version.number} was taken out of production by {lead.full_name}"
    ]


def test_a_version_that_never_served_is_no_event(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    travel(workspace, LATER)
    idle = factories.new_version(workspace, churn.model, seed=2)
    move_version(workspace, lead, "churn-risk", idle.version.number, Stage.ARCHIVED)

    assert near(workspace, churn) == []


@pytest.fixture
def downstream(workspace: Workspace, scientist) -> factories.Trained:
    """A model that reads what `segmentation` predicts as its feature `age`, and a source's `income`."""
    factories.champion(workspace, "segmentation")
    create_entity(workspace, scientist, name="customer", key_column="customer", description="A customer")
    features = {
        "segments": NewFeature("age", "int64", FeatureKind.PREDICTION, "Group", model="segmentation"),
        "sources": NewFeature("income", "float64", FeatureKind.PRIMARY, "Income", ("crm.income",)),
        "elsewhere": NewFeature("tenure", "float64", FeatureKind.PRIMARY, "Unused", ("crm.tenure",)),
    }
    for name, feature in features.items():
        create_feature_table(
            workspace,
            scientist,
            name=name,
            entity="customer",
            description=name,
            owner=scientist,
            features=[feature],
        )
    return factories.champion(workspace, "upsell")


def test_a_new_version_of_the_model_upstream_is_named_with_what_it_gives(
    workspace: Workspace, lead, downstream: factories.Trained
) -> None:
    travel(workspace, LATER - 3 * DAY)
    with workspace.store.read() as session:
        segmentation = find_model(session, "segmentation")
    upstream = factories.promote(workspace, factories.new_version(workspace, segmentation, seed=3))

    (event,) = near(workspace, downstream)

    assert event == Event(
        LATER - 3 * DAY,
        "upstream",
        f"segmentation version {upstream.version.number} was promoted by {lead.full_name}, which gives age",
    )
    assert all(one.kind == "version" for one in near(workspace, upstream))


def test_a_recorded_change_of_a_feature_in_use_is_an_event_and_its_weekly_rows_are_not(
    workspace: Workspace, scientist, downstream: factories.Trained
) -> None:
    travel(workspace, LATER)
    rows = pa.table({"customer": [1], "as_of": pa.array([LATER], pa.timestamp("us", "UTC")), "income": [1.0]})
    write_features(workspace, scientist, "sources", rows)
    workspace.store.write(scientist, lambda unit: record_change(unit, "feature", "income", "deprecated"))
    workspace.store.write(scientist, lambda unit: record_change(unit, "feature", "tenure", "deprecated"))
    workspace.store.write(scientist, lambda unit: record_change(unit, "feature table", "sources", "changed"))

    found = near(workspace, downstream)

    assert {event.kind for event in found} == {"feature"}
    assert sorted(titles(found)) == [
        f"Feature income was deprecated (by {scientist.full_name})",
        f"Feature table sources was changed (by {scientist.full_name})",
    ]


def record_change(unit, kind: str, subject: str, what: str) -> None:
    unit.record(f"{kind.replace(' ', '_')}.{what}", kind, subject, f"{kind} {subject} was {what}")


def test_thresholds_that_were_set_are_an_event(workspace: Workspace, lead, churn: factories.Trained) -> None:
    travel(workspace, LATER)
    frame = factories.population(300, start=LATER - 2 * DAY, days=2)
    log_predictions(workspace, lead, "churn-risk", 1, churn.predictions(frame))
    run_monitoring(workspace, factories.system(workspace))
    with workspace.store.read() as session:
        monitor = session.exec(select(Monitor).where(Monitor.kind == "drift")).first()
    assert monitor is not None
    assert near(workspace, churn) == []

    travel(workspace, LATER + DAY)
    set_thresholds(workspace, lead, monitor.id, [ConstantThreshold(Level.WARNING, 0.05, above=True)])

    (event,) = near(workspace, churn)
    assert (event.kind, event.at) == ("threshold", LATER + DAY)
    assert "0.05" in event.title
    assert lead.full_name in event.title


def test_a_span_of_a_model_holds_what_happened_oldest_first_and_a_campaign_once(
    workspace: Workspace, lead, churn: factories.Trained
) -> None:
    add_calendar_event(workspace, lead, title="Price list 7", start=LATER + 5 * DAY)
    add_calendar_event(workspace, lead, title="Sale", start=LATER, end=LATER + 3 * DAY)
    add_calendar_event(workspace, lead, title="Too early", start=LATER - DAY)

    found = events_between(workspace, "churn-risk", LATER, LATER + 28 * DAY)

    assert titles(found) == ["Sale began", "Price list 7"]
    with pytest.raises(NotFound):
        events_between(workspace, "chrun-risk", LATER, LATER + DAY)


# ── the command ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)


def bigboard(*arguments: object):
    return CliRunner().invoke(app, ["event", *map(str, arguments)])


def test_the_command_notes_whole_days_the_last_one_included(folder: Path) -> None:
    result = bigboard(
        "Campaign 18", "--start", "2017-10-30", "--end", "2017-12-24", "--model", "churn-risk",
        "--workspace", folder,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "Noted Campaign 18 from 30 Oct 2017 to 24 Dec 2017 for churn-risk." in result.output
    workspace = open_workspace(factories.settings_in(folder))
    start = datetime(2017, 10, 30, tzinfo=UTC)
    (began,) = events_between(workspace, "churn-risk", start, start + 90 * DAY)
    workspace.close()
    assert (began.at, began.end) == (start, datetime(2017, 12, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Sale", "--start", "30.10.2017"], "--start '30.10.2017' is no day: write it like 2017-10-30"),
        (["Sale", "--start", "2017-10-30", "--end", "soon"], "--end 'soon' is no day"),
        (["Sale", "--start", "2017-10-30", "--end", "2017-10-29"], "lies before --start 2017-10-30"),
        (["Sale", "--start", "2017-10-30", "--end", "9999-12-31"], "is the last day that there is"),
        (["Sale", "--start", "2017-10-30", "--model", "nobody"], "no model 'nobody'"),
        ([" ", "--start", "2017-10-30"], "needs a title"),
    ],
)
def test_the_command_says_what_is_wrong_and_exits_with_2(
    folder: Path, arguments: list[str], words: str
) -> None:
    result = bigboard(*arguments, "--workspace", folder)

    assert result.exit_code == 2
    assert words in result.output.replace("\n", " ")
