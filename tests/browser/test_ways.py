"""Ways through the console: clicks, the back button, links that are passed on, other actors."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlparse

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewWindow, Window
from tests.demo_workspace import Facts

pytestmark = pytest.mark.browser

ROW = 33  # pixels
FLEET = '[data-testid="stDataFrame"] canvas[data-testid="data-grid-canvas"]'


def open_row(window: Window, number: int) -> str:
    """Click a cell of the fleet, which is a canvas that the mouse must hit; return the model that opens."""
    box = window.page.locator(FLEET).first.bounding_box()
    assert box is not None
    window.page.mouse.click(box["x"] + 230, box["y"] + ROW * (number + 1) + ROW // 2)
    window.page.wait_for_url("**/model?*")
    model = query(window)["model"]
    window.wait_for_headline(model)
    return model


def query(window: Window) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(window.page.url).query).items()}


def test_a_click_on_the_fleet_opens_that_model_and_back_returns(window: Window) -> None:
    first = window.open("/").headline

    open_row(window, 0)

    window.page.go_back()
    window.wait_for_headline(first)
    assert urlparse(window.page.url).path == "/"


def test_the_url_after_a_click_opens_the_same_model_for_a_colleague(
    window: Window, new_window: NewWindow
) -> None:
    window.open("/")
    model = open_row(window, 1)

    colleague = new_window(colleague=True).open(window.page.url.removeprefix(window.url))

    assert model in colleague.headline
    assert colleague.headline == window.headline


def test_choosing_a_filter_writes_it_into_the_url_that_a_colleague_opens(
    window: Window, new_window: NewWindow
) -> None:
    window.open("/")
    window.page.get_by_test_id("stMain").get_by_text("Slow", exact=True).click()
    window.page.get_by_placeholder("Find").first.fill("deli")
    window.page.keyboard.press("Enter")
    window.page.wait_for_function(
        "() => location.search.includes('deli') && location.search.includes('Slow')"
    )
    window.settle()

    colleague = new_window(colleague=True).open(window.page.url.removeprefix(window.url))

    assert shown(colleague) == shown(window)
    expect(
        colleague.page.locator("input").and_(colleague.page.get_by_placeholder("Find")).first
    ).to_have_value("deli")


def shown(window: Window) -> list[str]:
    """The bold lines of a page, which say how much of what is shown."""
    return window.page.locator('[data-testid="stMarkdown"] strong').all_inner_texts()


def test_a_link_to_a_model_opens_it(window: Window, demo_facts: Facts) -> None:
    for model in (demo_facts.models[0], "spend-forecast"):
        assert model in window.open(f"/model?model={model}").headline


def test_a_link_to_a_column_of_a_model_opens_the_explorer_there(window: Window) -> None:
    window.open("/explorer?" + urlencode({"of": "churn-risk", "column": "marital_status"}))

    assert "churn-risk" in window.headline
    expect(window.page.locator("strong").filter(has_text=re.compile("marital.status")).first).to_be_visible()


def test_choosing_a_statistic_is_part_of_the_link(window: Window, new_window: NewWindow) -> None:
    window.open("/explorer?of=churn-risk")
    window.page.get_by_role("combobox", name=re.compile("More statistics")).click()
    window.page.get_by_role("option").filter(has_text="Hellinger").first.click()
    window.page.wait_for_function("() => location.search.includes('statistic')")
    window.settle()
    assert query(window)["statistic"] == "hellinger"

    colleague = new_window(colleague=True).open(window.page.url.removeprefix(window.url))

    assert colleague.headline == window.headline
    chosen = colleague.page.get_by_role("combobox", name=re.compile("More statistics"))
    expect(chosen).to_have_value("Hellinger distance")


def test_choosing_another_actor_opens_the_page_of_that_role(window: Window) -> None:
    window.open("/")
    first = window.headline

    window.page.locator(".st-key-bigboard_header input").click()
    window.page.get_by_role("option").filter(has_text="executive").first.click()

    window.page.wait_for_url("**/value*")
    window.settle()
    assert window.headline != first
    box = window.page.locator(".st-key-bigboard_header")
    expect(box).to_contain_text("executive") if box.inner_text().count("·") else expect(
        box.locator("input")
    ).to_have_value("Claire Beaumont · executive")


def test_another_actor_can_be_chosen_where_filters_are_in_the_url(window: Window) -> None:
    window.open("/?show=Slow&find=deli")

    window.page.locator(".st-key-bigboard_header input").click()
    window.page.get_by_role("option").filter(has_text="lead").first.click()

    window.page.wait_for_function(
        "() => location.pathname === '/registry' || document.querySelector('[data-testid=\"stException\"]')"
    )
    window.settle()
    assert urlparse(window.page.url).path == "/registry"


def test_the_navigation_leads_from_page_to_page(window: Window) -> None:
    window.open("/")
    lines = {window.headline}

    for title in ("Registry", "Features", "Engineering", "Explorer", "Value"):
        window.page.get_by_test_id("stTopNavLink").filter(has_text=title).click()
        window.page.wait_for_url(f"**/{title.lower()}*")
        window.page.wait_for_function(
            "seen => !seen.includes(document.querySelector('[data-testid=\"stMain\"] h3')?.innerText)",
            arg=list(lines),
        )
        lines.add(window.settle().page.locator('[data-testid="stMain"] h3').first.inner_text())

    assert len(lines) == 6


def test_a_status_is_a_word_beside_its_symbol(window: Window) -> None:
    """Canvas tables keep a hidden table for screen readers: what it says is what a cell says."""
    window.open("/")

    cells = window.page.locator('[data-testid="stDataFrame"] [role="gridcell"][aria-colindex="1"]')
    cells.first.wait_for(state="attached")
    texts = [text for text in cells.all_text_contents() if text]

    assert texts
    for text in texts:
        symbol, _, word = text.partition(" ")
        assert not symbol.isalnum()
        assert word[:1].isalpha()


def test_the_board_can_be_opened_by_its_name_with_its_filters(window: Window) -> None:
    window.open("/board?find=deli")

    assert not window.page.get_by_test_id("stDialog").count()
    expect(window.page.get_by_placeholder("Find").first).to_have_value("deli")
