"""How long the explorer takes to redraw in a browser: another statistic, segment and window.

Serves a workspace with `bigboard serve`, drives Chromium, and takes the time from the moment the mouse
button is let go until the new charts are painted. Each window is one that was not asked for before, and so is
each segment as long as there are others. The limit of the same run is the bare round trip of Streamlit: a
click on a button of a page that holds nothing else, until its one line of text is painted, in a server of its
own. Clicks on both take turns. What processors spent on the page's main thread, until the charts stand, and
on the server depends less on what else the machine does.

Run it alone: ``python benchmarks/redraw.py [--repeats 12]`` builds the workspace of ``explorer.py``;
``--workspace FOLDER --model NAME --goal 300`` measures another one, which no server may hold meanwhile. It is
only looked at.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page, sync_playwright
from wide_workspace import MODEL, Size, build_workspace

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_STATISTICS = ("JS", "KS", "Wasserstein", "PSI")
_BARE_NAME = "bare round trip"
_ANSWERS_WITHIN = 60.0  # seconds
_IDLE = 900  # milliseconds between clicks, as a person reads
_BARE = """
import streamlit as st

@st.fragment
def draw():
    st.button("Again", on_click=lambda: st.session_state.update(n=st.session_state.get("n", 0) + 1))
    st.markdown(f"Drawn {st.session_state.get('n', 0)} times")

draw()
"""
_WATCH = """
(holds) => {
    const shown = new Map()
    const charts = () => [...document.querySelectorAll('[data-testid="stMain"] .js-plotly-plot')]
    for (const chart of charts()) shown.set(chart, chart.layout)
    const isNew = chart => chart.layout && shown.get(chart) !== chart.layout
        && chart.querySelector('.trace path')
    const stands = {
        text: () => document.querySelector('[data-testid="stMain"]').innerText.includes(holds.text),
        charts: () => holds.charts.every(key => charts().some(one => one.closest(key) && isNew(one))),
    }[holds.text ? 'text' : 'charts']
    window.redrawn = new Promise((resolve, reject) => {
        addEventListener('pointerup', () => {
            const start = performance.now()
            const look = () => {
                if (stands()) requestAnimationFrame(() => resolve(performance.now() - start))
                else if (performance.now() - start > 20000) reject(new Error('nothing was redrawn'))
                else requestAnimationFrame(look)
            }
            look()
        }, {capture: true, once: true})
    })
}
"""
_TIMELINE, _SHARES = ".st-key-explorer_timeline", ".st-key-explorer_shares"


class _Took(NamedTuple):
    """Milliseconds of one click: by the clock, and of processors in the page and in the server."""

    clock: float
    page: float
    server: float


def main() -> None:
    """Build what is not there yet, serve it, and print what each click costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--workspace", type=Path, help="a workspace to look at; without one, a wide one is built"
    )
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--goal", type=float, default=600, help="milliseconds; count the clicks below it")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        print("not measured: no Chromium or Chrome on this machine (Debian: apt-get install chromium)")
        return
    with tempfile.TemporaryDirectory() as folder:
        workspace = options.workspace
        if workspace is None:
            workspace = Path(folder) / "wide"
            build_workspace(workspace, Size())
        page = Path(folder) / "bare.py"
        page.write_text(_BARE, encoding="utf-8")
        _measure(browser, workspace, page, options)


def _measure(executable: str, workspace: Path, bare: Path, options: argparse.Namespace) -> None:
    repeats = options.repeats
    bigboard = str(Path(sys.executable).with_name("bigboard"))
    with (
        _served([bigboard, "serve", "--workspace", str(workspace), "--port"]) as (url, server),
        _served([sys.executable, "-m", "streamlit", "run", str(bare), *_HEADLESS]) as (bare_url, _),
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        empty = _opened(chromium, bare_url, "text=Drawn 0 times")
        explorer = _opened(chromium, f"{url}/explorer?of={options.model}", f"{_TIMELINE} .trace path")
        choices = _segments(explorer)
        actions: dict[str, Callable[[int], float]] = {
            _BARE_NAME: lambda number: _again(empty, number),
            "statistic": lambda number: _statistic(explorer, number),
            "segment": lambda number: _segment(explorer, number % choices),
            "window": lambda number: _window(explorer, number, repeats),
        }
        if choices == 1:
            del actions["segment"]
        thread = _main_thread(explorer)
        took: dict[str, list[_Took]] = {name: [] for name in actions}
        for number in range(-2, repeats):
            for name, act in actions.items():
                served, drawn = _processor(server), thread()
                milliseconds = act(number)
                drawn = thread() - drawn
                explorer.wait_for_timeout(_IDLE)
                if number >= 0:
                    took[name].append(_Took(milliseconds, 1e3 * drawn, 1e3 * (_processor(server) - served)))
        chromium.close()
    _print(took, options.goal)


def _print(took: dict[str, list[_Took]], goal: float) -> None:
    bare = statistics.median(one.clock for one in took[_BARE_NAME])
    for name, each in took.items():
        clock, page, _ = (statistics.median(column) for column in zip(*each, strict=True))
        line = f"{name:16s} median {clock:4.0f} ms, worst {max(one.clock for one in each):4.0f} ms"
        if name != _BARE_NAME:
            served = statistics.mean(one.server for one in each)  # the system counts in steps of 10 ms
            line += (
                f", {clock / bare:4.1f} bare round trips, "
                f"{sum(one.clock < goal for one in each)} of {len(each)} below {goal:.0f} ms; "
                f"of processors: {page:.0f} ms the page, {served:.0f} ms the server"
            )
        print(line)
    print(f"load of the machine {os.getloadavg()[0]:.1f}, with {os.cpu_count()} processors")


# ── what a person does ───────────────────────────────────────────────────────────────────────────


def _again(page: Page, number: int) -> float:
    shown = int(page.get_by_text("Drawn").inner_text().split()[1])
    return _timed(page, page.get_by_role("button", name="Again").click, text=f"Drawn {shown + 1} times")


def _statistic(page: Page, number: int) -> float:
    """Choose another statistic; the shares of the column stay as they are."""
    name = _STATISTICS[number % len(_STATISTICS)]
    button = page.locator(".st-key-explorer_statistic").get_by_text(name, exact=True)
    return _timed(page, button.click, charts=[_TIMELINE])


def _segments(page: Page) -> int:
    """Return how many segments there are to choose from, all rows among them."""
    page.get_by_role("combobox", name="Segment").click()
    page.get_by_role("option").first.wait_for()
    count = page.get_by_role("option").count()
    page.keyboard.press("Escape")
    return count


def _segment(page: Page, number: int) -> float:
    page.get_by_role("combobox", name="Segment").click()
    option = page.get_by_role("option").nth(number)
    option.wait_for()
    page.wait_for_timeout(_IDLE / 3)
    return _timed(page, option.click, charts=[_TIMELINE, _SHARES])


def _window(page: Page, number: int, repeats: int) -> float:
    """Drag a box over a tenth of the chart over time, each time elsewhere."""
    chart = page.locator(f"{_TIMELINE} .nsewdrag").nth(1)
    box = chart.bounding_box()
    if box is None:
        raise SystemExit("the chart over time is not shown")
    left = box["x"] + box["width"] * (0.3 + 0.55 * number / repeats)
    height = box["y"] + box["height"] / 2
    page.mouse.move(left, height)
    page.mouse.down()
    page.mouse.move(left + box["width"] * 0.05, height + 4, steps=4)
    page.mouse.move(left + box["width"] * 0.1, height + 8, steps=4)
    return _timed(page, page.mouse.up, charts=[_TIMELINE, _SHARES])


def _timed(page: Page, act: Callable[[], None], **holds: object) -> float:
    """Return the milliseconds from the mouse button's release until what is new is painted."""
    page.bring_to_front()
    page.evaluate(_WATCH, holds)
    act()
    milliseconds: float = page.evaluate("() => window.redrawn")
    page.mouse.move(5, 700)
    return milliseconds


# ── what serves it ───────────────────────────────────────────────────────────────────────────────

_HEADLESS = (
    "--server.headless=true",
    "--server.address=127.0.0.1",
    "--server.fileWatcherType=none",
    "--browser.gatherUsageStats=false",
    "--server.port",
)


def _opened(browser: Browser, url: str, shown: str) -> Page:
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(url)
    page.locator(shown).first.wait_for(state="attached", timeout=60_000)
    page.wait_for_timeout(2 * _IDLE)
    return page


@contextmanager
def _served(command: list[str]) -> Iterator[tuple[str, int]]:
    """Run a server whose port is the last argument; give its address and the id of its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        _wait_for(f"{url}/_stcore/health", process)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _ANSWERS_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server for {address} ended with code {process.returncode}")
        try:
            with urllib.request.urlopen(address):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit(f"{address} did not answer within {_ANSWERS_WITHIN:.0f} s")


def _main_thread(page: Page) -> Callable[[], float]:
    """Return what tells the seconds that a processor has spent on a page's main thread."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    return spent


def _processor(process: int) -> float:
    """Return the seconds that processors have spent on a process; 0 where the system does not say."""
    status = Path(f"/proc/{process}/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
