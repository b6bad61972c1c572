"""Every page in a real browser, in both themes, on the smallest laptop."""

from __future__ import annotations

import pytest

from tests.browser.conftest import NewWindow, Theme
from tests.pages.screen import PAGES

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 1366, 768


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_its_answer_above_the_fold(new_window: NewWindow, page: str, theme: Theme) -> None:
    window = new_window(theme).open("/" if page == "board" else f"/{page}")

    line = window.page.locator('[data-testid="stMain"] h3').first.bounding_box()
    assert line is not None
    assert 0 <= line["y"] < line["y"] + line["height"] < HEIGHT
    assert len(window.headline) > 10
    wide = window.page.evaluate("() => document.querySelector('[data-testid=\"stMain\"]').scrollWidth")
    assert wide <= WIDTH
    assert not window.elsewhere, "the console asks nothing of other servers"
    ground = window.page.evaluate(
        "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
    )
    assert (sum(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) < 384) == (theme == "dark")
