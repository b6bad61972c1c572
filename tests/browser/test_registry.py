"""A version in a browser, from its registration through its tests to the comparison with the champion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect
from sklearn.linear_model import LogisticRegression

from mlops_core.domain.states import Role
from tests import factories
from tests.browser.conftest import NewWindow, Window
from tests.demo_workspace import serving
from tests.pages.judged import CARD, MODEL, register

pytestmark = pytest.mark.browser

LEAD = f"a-{Role.LEAD}"
LONG = 120_000  # milliseconds: tests and comparisons run in processes of their own
TABLE = '[data-testid="stDataFrame"] canvas[data-testid="data-grid-canvas"]'


@pytest.fixture(scope="module")
def served_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A champion of one column and a version of two were registered, and nothing was judged."""
    folder = tmp_path_factory.mktemp("registry")
    workspace = factories.workspace_in(folder / "workspace")
    model = factories.new_model(workspace, MODEL)
    first = register(workspace, MODEL, columns=["age"], seed=1)
    factories.promote(workspace, factories.Trained(model, first, LogisticRegression()))
    register(workspace, MODEL, columns=["age", "income"], seed=2, card=CARD)
    factories.person(workspace, Role.DIRECTOR)
    workspace.close()
    with serving(folder / "workspace", folder / "serve.log") as served:
        yield served.url


def asked(window: Window) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(window.page.url).query).items()}


def test_a_version_is_followed_from_its_registration_to_its_verdict(
    window: Window, new_window: NewWindow
) -> None:
    window.open(f"/registry?actor={LEAD}")
    grid = window.page.locator(TABLE).first.bounding_box()
    assert grid is not None
    window.page.mouse.click(grid["x"] + 90, grid["y"] + 33 * 1.5)  # the first row: the newest version
    window.wait_for_headline(f"{MODEL} v2")
    assert asked(window)["version"] == f"{MODEL}:2"
    assert "not compared yet" in window.headline
    assert "not tested yet" in window.headline

    window.page.get_by_role("button", name="Run tests").click()
    jobs = window.page.locator(".st-key-registry_jobs")
    jobs.get_by_text(re.compile(rf"Tests of {MODEL}:2")).wait_for()
    expect(window.page.get_by_role("button", name="Run tests")).to_be_disabled()
    jobs.get_by_text(re.compile(r"\d+ of \d+")).first.wait_for(timeout=LONG)
    window.page.locator("h3").filter(has_text="tests passed").wait_for(timeout=LONG)
    window.settle()
    expect(jobs).to_have_count(0)

    tests = window.page.locator(".st-key-registry_tests")
    result = tests.locator("details").filter(has_text="Predictions mean what they say")
    result.locator("summary").click()
    result.locator(".js-plotly-plot").wait_for()
    expect(result.get_by_text("It took")).to_be_visible()

    window.page.get_by_role("button", name="Compare with champion").click()
    window.page.locator("h3").filter(has_text="better than v1 in production").wait_for(timeout=LONG)
    window.settle()
    expect(window.page.locator(".js-plotly-plot").filter(has_text="AUC").first).to_be_visible()
    expect(
        window.page.get_by_text(re.compile(r"AUC is 0\.\d+ higher, which is better")).first
    ).to_be_visible()

    colleague = new_window(colleague=True).open(window.page.url.removeprefix(window.url))
    assert colleague.headline == window.headline

    window.page.go_back()
    window.wait_for_headline("1 passed their tests and 1 of them is better")
    assert "version" not in asked(window)


def test_tests_that_run_can_be_cancelled_on_the_page(window: Window) -> None:
    window.open(f"/registry?actor={LEAD}&version={MODEL}:1")
    window.page.get_by_role("button", name="Run tests").click()

    window.page.locator(".st-key-registry_jobs").get_by_role("button", name="Cancel").click()

    window.page.get_by_text("cancelled", exact=False).first.wait_for(timeout=LONG)
    window.settle()
    expect(window.page.get_by_role("button", name="Run tests")).to_be_enabled()


def test_a_director_sees_why_the_buttons_are_not_theirs(window: Window) -> None:
    window.open(f"/registry?actor=a-{Role.DIRECTOR}&version={MODEL}:2")

    button = window.page.get_by_role("button", name="Run tests")
    expect(button).to_be_disabled()
    button.hover(force=True)

    window.page.get_by_test_id("stTooltipContent").filter(has_text="lead").first.wait_for()
