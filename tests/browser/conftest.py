"""A real browser that keeps account of what goes wrong on a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIMIT = 30_000  # milliseconds; two busy cores are slow
# Streamlit's own client looks for its server below the path of every page before it tries the root.
PROBE = re.compile(r"/_stcore/(health|host-config)$")

SETTLED = """
() => {
    const app = document.querySelector('[data-testid="stApp"]')
    return app
        && document.querySelector('[data-testid="stMain"] h3')
        && !document.querySelector('[data-testid="stStatusWidget"]')
        && !document.querySelector('[data-testid="stSkeleton"]')
        && (app.getAttribute('data-test-script-state') ?? 'notRunning') === 'notRunning'
}
"""


class Window:
    """A browser window of a colleague's size: nothing remembered, every fault written down."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(LIMIT)
        self.faults: list[str] = []
        self.elsewhere: set[str] = set()
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        self.page.on("console", self._hear)
        self.page.on("request", self._note)

    def open(self, path: str) -> Window:
        """Go to a path of the console and wait until it has settled."""
        self.page.goto(f"{self.url}{path}")
        return self.settle()

    def settle(self) -> Window:
        """Wait until the script has run and has drawn its first line; an exception ends the wait."""
        self.page.wait_for_function(SETTLED)
        for box in self.page.get_by_test_id("stException").all():
            self.faults.append(f"exception: {box.inner_text()[:300]}")
        return self

    @property
    def headline(self) -> str:
        """The first line of sight, without the name of its icon."""
        return self.page.locator('[data-testid="stMain"] h3').first.inner_text().split("\n")[-1].strip()

    def wait_for_headline(self, holds: str) -> Window:
        """Wait until the first line holds a text."""
        self.page.locator('[data-testid="stMain"] h3').filter(has_text=holds).first.wait_for()
        return self.settle()

    def _hear(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        ours = not where or where.startswith(self.url)
        if message.type == "error" and ours and not PROBE.search(where):
            self.faults.append(f"console: {message.text} ({where})")

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self.url, self.url.replace("http", "ws"), "data:", "blob:")):
            self.elsewhere.add(request.url)


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """One browser for a module."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield running
        running.close()


NewWindow = Callable[..., Window]


@pytest.fixture
def new_window(browser: Browser, served_console: str) -> Iterator[NewWindow]:
    """Open windows that know nothing of each other; each must end without a fault."""
    contexts: list[BrowserContext] = []
    windows: list[Window] = []

    def make(theme: Literal["light", "dark"] = "light") -> Window:
        context = browser.new_context(viewport={"width": 1366, "height": 768}, color_scheme=theme)
        contexts.append(context)
        windows.append(Window(context, served_console))
        return windows[-1]

    yield make
    for context in contexts:
        context.close()
    faults = [fault for window in windows for fault in window.faults]
    assert not faults, faults


@pytest.fixture
def window(new_window: NewWindow) -> Window:
    return new_window()
