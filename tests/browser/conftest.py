"""A real browser that keeps account of what goes wrong on a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Theme: TypeAlias = Literal["light", "dark"]

LIMIT = 30_000  # milliseconds; two busy cores are slow
expect.set_options(timeout=LIMIT)

# Streamlit's own client looks for its server below the path of every page before it tries the root.
PROBE = re.compile(r"/_stcore/(health|host-config)$")

SETTLED = """
() => {
    const app = document.querySelector('[data-testid="stApp"]')
    return document.querySelector('[data-testid="stException"]') || app
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
        """Wait until the script has run and has drawn its first line, or an exception."""
        self.page.wait_for_function(SETTLED)
        exceptions = [box.inner_text()[:300] for box in self.page.get_by_test_id("stException").all()]
        assert not exceptions, exceptions
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


class NewWindow:
    """Opens windows; those of colleagues know nothing of what the others have loaded."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._shared: dict[Theme, BrowserContext] = {}
        self.opened: list[Window] = []

    def __call__(self, theme: Theme = "light", *, colleague: bool = False) -> Window:
        context = None if colleague else self._shared.get(theme)
        if context is None:
            viewport = ViewportSize(width=1366, height=768)
            context = self._browser.new_context(viewport=viewport, color_scheme=theme)
            if not colleague:
                self._shared[theme] = context
        self.opened.append(Window(context, self._url))
        return self.opened[-1]


@pytest.fixture(scope="module")
def windows(chromium_path: Path, served_console: str) -> Iterator[NewWindow]:
    """One browser for a module: while it is open, no other test of this process could use asyncio."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield NewWindow(browser, served_console)
        browser.close()


@pytest.fixture
def new_window(windows: NewWindow) -> Iterator[NewWindow]:
    """Open windows on the console; each must end without a fault."""
    yield windows
    faults = [fault for window in windows.opened for fault in window.faults]
    for window in windows.opened:
        window.page.close()
    windows.opened.clear()
    assert not faults, faults


@pytest.fixture
def window(new_window: NewWindow) -> Window:
    return new_window()
