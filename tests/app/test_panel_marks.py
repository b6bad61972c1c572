"""What stands on a panel: labels that do not cover each other, and events within the time that is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from app import theme
from app.components.panel_marks import event_marks, limit_marks
from app.components.panels import Line, Panel
from mlops_core.domain.states import Level
from mlops_core.explanation.results import Event
from mlops_core.monitoring.levels import Limit
from mlops_core.monitoring.model_view import Point

START = datetime(2025, 3, 3, tzinfo=UTC)
WEEK = timedelta(weeks=1)
HEIGHT = 100.0  # pixels
LETTER = 5.0  # pixels, at least, of a letter of size 10
ROUNDING = 1e-6  # pixels: labels on both sides of one line touch
LINE = 12.0  # pixels of a line of text of size 10


def panel(values: list[float], limits: list[Limit]) -> Panel:
    points = [
        Point(START + number * WEEK, value, 1000, Level.IN_RANGE) for number, value in enumerate(values)
    ]
    return Panel("A finding", "PSI", [Line("age", points, "#000000")], limits=limits)


@given(
    values=st.lists(st.floats(0.0, 8.0), min_size=2, max_size=6),
    limits=st.lists(
        st.builds(
            Limit,
            st.sampled_from([Level.WARNING, Level.CRITICAL, Level.RETRAIN]),
            st.floats(0.0, 8.0),
            st.booleans(),
            st.just("chosen"),
        ),
        max_size=5,
    ),
)
def test_no_label_of_a_limit_covers_another(values: list[float], limits: list[Limit]) -> None:
    drawn = panel(values, limits)
    low, high = drawn.extent
    pixels = HEIGHT / (high - low or 1.0)

    _, labels = limit_marks(drawn, "y", HEIGHT, theme._LIGHT)

    boxes = []
    for label in labels:
        bottom = label["y"] * pixels - (0 if label["yanchor"] == "bottom" else LINE)
        boxes.append((label["xshift"], label["xshift"] + LETTER * len(label["text"]), bottom, bottom + LINE))
    for one, other in combinations(boxes, 2):
        beside = one[1] <= other[0] or other[1] <= one[0]
        above = one[3] <= other[2] + ROUNDING or other[3] <= one[2] + ROUNDING
        assert beside or above, (one, other)


def test_limits_that_are_far_apart_are_labelled_at_the_edge() -> None:
    limits = [Limit(Level.WARNING, 0.1, True, "rule"), Limit(Level.CRITICAL, 0.25, True, "rule")]

    _, labels = limit_marks(panel([0.0, 0.3], limits), "y", HEIGHT, theme._LIGHT)

    assert [label["xshift"] for label in labels] == [0, 0]


@given(st.lists(st.integers(-30, 60), max_size=10))
def test_events_outside_the_time_that_is_shown_are_left_out_and_each_moment_is_marked_once(
    days: list[int],
) -> None:
    events = [
        Event(START + timedelta(days=day), "calendar", f"event {number}") for number, day in enumerate(days)
    ]

    shapes, traces = event_marks(events, START, START + 4 * WEEK, "y3", theme._LIGHT)

    inside = {START + timedelta(days=day) for day in days if 0 <= day <= 28}
    assert {shape["x0"] for shape in shapes} == inside
    assert len(shapes) == len(inside)
    said = [line.split(": ")[1] for trace in traces for text in trace["text"] for line in text.split("<br>")]
    assert sorted(said) == sorted(f"event {n}" for n, day in enumerate(days) if 0 <= day <= 28)


def test_what_people_wrote_is_shown_and_not_interpreted() -> None:
    event = Event(START, "calendar", "<b>Sale</b>", START + WEEK)

    _, (trace,) = event_marks([event], START, START + WEEK, "y3", theme._LIGHT)

    assert trace["text"] == ["3 Mar – 9 Mar: &lt;b&gt;Sale&lt;/b&gt;"]
