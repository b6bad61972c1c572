"""Every page in a real browser, in both themes, on the smallest laptop."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.browser.conftest import NewWindow
from tests.pages.screen import PAGES

pytestmark = pytest.mark.browser

HEIGHT = 768


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_its_answer_above_the_fold(
    new_window: NewWindow, page: str, theme: Literal["light", "dark"]
) -> None:
    window = new_window(theme).open("/" if page == "board" else f"/{page}")

    line = window.page.locator('[data-testid="stMain"] h3').first.bounding_box()
    assert line is not None
    assert 0 <= line["y"] < line["y"] + line["height"] < HEIGHT
    assert len(window.headline) > 10
    assert not window.elsewhere, "the console asks nothing of other servers"
    ground = window.page.evaluate(
        "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
    )
    assert (sum(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) < 384) == (theme == "dark")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_on_a_page_is_wider_than_the_window(new_window: NewWindow, page: str) -> None:
    window = new_window().open("/" if page == "board" else f"/{page}")

    wide = window.page.evaluate("() => document.querySelector('[data-testid=\"stMain\"]').scrollWidth")

    assert wide <= 1366
