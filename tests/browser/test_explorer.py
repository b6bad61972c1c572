"""The explorer in a browser: brush, click, pass the link on, save a monitor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect

from mlops_core.monitoring import run_monitoring
from mlops_core.workspace import open_workspace
from tests import factories
from tests.browser.conftest import NewWindow, Window
from tests.demo_workspace import serving
from tests.pages.conftest import DRIFTED, MOVED_COLUMN, log_a_week_that_moved

pytestmark = pytest.mark.browser

MODEL = DRIFTED
ROW = 33  # pixels
FIRST_DAY, DAYS = date(2017, 7, 3), 49  # what the chart over time shows from edge to edge
CHART = ".st-key-explorer_timeline .nsewdrag"
RANKING = '[data-testid="stDataFrame"] canvas[data-testid="data-grid-canvas"]'
A_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def served_console(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console of this module's own, a week after the demo, in which an input of one model has moved."""
    workspace = open_workspace(factories.settings_in(demo_workspace))
    log_a_week_that_moved(workspace)
    run_monitoring(workspace, factories.system(workspace))
    workspace.close()
    with serving(demo_workspace, tmp_path_factory.mktemp("console") / "serve.log") as served:
        yield served.url


def query(window: Window) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(window.page.url).query).items()}


def brush(window: Window, start: float, end: float) -> None:
    """Drag a box over a part of the chart over time, 0 its left and 1 its right edge."""
    box = window.page.locator(CHART).nth(1).bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    window.page.mouse.move(box["x"] + box["width"] * start, height)
    window.page.mouse.down()
    window.page.mouse.move(box["x"] + box["width"] * (start + end) / 2, height + 4, steps=4)
    window.page.mouse.move(box["x"] + box["width"] * end, height + 8, steps=4)
    window.page.mouse.up()


def wait_for(window: Window, parameter: str) -> Window:
    """Wait until the URL has a parameter, and the page shows what it asks for."""
    window.page.wait_for_function(
        "name => new URLSearchParams(location.search).has(name)", arg=parameter, polling=100
    )
    return window.settle()


def days(text: str) -> tuple[date, date]:
    first, last = text.split("..")
    return date.fromisoformat(first), date.fromisoformat(last)


def test_a_brushed_box_becomes_the_window_and_the_next_one_the_reference(window: Window) -> None:
    window.open(f"/explorer?of={MODEL}")
    brush(window, 0.7, 0.9)
    wait_for(window, "window")

    first, last = days(query(window)["window"])
    assert abs(first - (FIRST_DAY + 0.7 * DAYS * A_DAY)) <= A_DAY
    assert abs(last - (FIRST_DAY + 0.9 * DAYS * A_DAY)) <= A_DAY
    assert query(window)["reference"] == "training"

    window.page.locator(".st-key-explorer_brush").get_by_text("Reference", exact=True).click()
    window.settle()
    brush(window, 0.1, 0.4)
    window.page.wait_for_function("() => !location.search.includes('reference=training')")
    window.settle()

    first, last = days(query(window)["reference"])
    assert abs(first - (FIRST_DAY + 0.1 * DAYS * A_DAY)) <= A_DAY
    assert abs(last - (FIRST_DAY + 0.4 * DAYS * A_DAY)) <= A_DAY


def test_the_url_after_clicks_opens_the_same_view_for_a_colleague(
    window: Window, new_window: NewWindow
) -> None:
    window.open(f"/explorer?of={MODEL}")
    box = window.page.locator(RANKING).first.bounding_box()
    assert box is not None
    window.page.mouse.click(box["x"] + 60, box["y"] + 3 * ROW + ROW // 2)
    wait_for(window, "column")
    main = window.page.get_by_test_id("stMain")
    main.get_by_text("JS", exact=True).click()
    window.page.wait_for_function("() => location.search.includes('jensen_shannon')")
    brush(window.settle(), 0.5, 0.8)
    window.page.wait_for_function("before => location.search !== before", arg=_search(window))
    window.settle()

    colleague = new_window(colleague=True).open(window.page.url.removeprefix(window.url))

    assert query(colleague) == query(window)
    assert colleague.headline == window.headline
    assert shown(colleague) == shown(window)


def _search(window: Window) -> str:
    return f"?{urlparse(window.page.url).query}"


def shown(window: Window) -> list[str]:
    """The titles, the figure, and what the controls say."""
    page = window.page
    return [
        *page.locator('[data-testid="stMarkdown"] strong').all_inner_texts(),
        *page.locator(
            ".st-key-explorer_figure button, .st-key-explorer_windows button,"
            ".st-key-explorer_references button"
        ).all_inner_texts(),
        *page.locator('[data-testid="stButtonGroup"] [aria-checked="true"]').all_inner_texts(),
    ]


def test_the_back_button_returns_to_the_view_before(window: Window) -> None:
    window.open(f"/explorer?of={MODEL}")
    main = window.page.get_by_test_id("stMain")
    main.get_by_text("JS", exact=True).click()
    expect(window.page.locator(".st-key-explorer_figure button").first).to_contain_text("JS")
    window.settle()

    window.page.go_back()

    expect(window.page.locator(".st-key-explorer_figure button").first).to_contain_text("PSI")
    assert "statistic" not in query(window)


def test_two_clicks_lead_from_the_board_to_the_reason_and_to_a_saved_monitor(window: Window) -> None:
    look_as(window.open("/"), "ml engineer")
    window.page.get_by_test_id("stTopNavLink").filter(has_text="Board").click()
    window.page.wait_for_function("() => location.pathname === '/'")
    window.settle()

    window.page.get_by_role("button", name="Explore").click()
    window.page.wait_for_url("**/explorer?*")
    window.wait_for_headline("drifted")

    assert DRIFTED in window.headline
    assert MOVED_COLUMN in window.headline
    title = window.page.locator('[data-testid="stMarkdown"] strong').filter(has_text=re.compile("rose|fell"))
    expect(title.first).to_be_visible()

    window.page.get_by_role("button", name="Save as monitor").click()

    said = window.page.get_by_test_id("stToast")
    expect(said).to_contain_text("Monitor saved")
    expect(said).to_contain_text(MOVED_COLUMN)


def look_as(window: Window, role: str) -> None:
    """Choose who is looking, which opens the page of that role."""
    window.page.locator(".st-key-bigboard_header input").click()
    window.page.get_by_role("option").filter(has_text=role).first.click()
    window.page.wait_for_url("**/engineering*")
    window.settle()


def test_a_chart_can_be_saved_as_a_picture_and_a_table_as_a_file(window: Window) -> None:
    window.open(f"/explorer?of={MODEL}&column=spend_8w")
    chart = window.page.locator(".st-key-explorer_shares")
    chart.hover()

    with window.page.expect_download() as picture:
        chart.locator(".modebar-btn").first.click()
    with window.page.expect_download() as table:
        window.page.locator(".st-key-explorer_downloads button").first.click()
        window.page.get_by_role("button", name=re.compile("ranking")).click()

    assert picture.value.suggested_filename.endswith(".png")
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
    assert table.value.suggested_filename.startswith(MODEL)
    lines = table.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("column,psi,")
    assert any(line.startswith("spend_8w,") for line in lines[1:])
