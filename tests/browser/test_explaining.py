"""From the board to the reason of a drift, and to a monitor that watches it, in three clicks."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import duckdb
import pyarrow as pa
import pytest
from playwright.sync_api import expect

from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.workspace import actor_named, open_workspace, set_clock
from tests import factories
from tests.browser.conftest import Window
from tests.demo_workspace import Served, serving
from tests.pages.conftest import DRIFTED, MOVED_COLUMN, newest_predictions

pytestmark = pytest.mark.browser

ROW = 33  # pixels
FLEET = '[data-testid="stDataFrame"]'
CANVAS = 'canvas[data-testid="data-grid-canvas"]'
ENGINEER = "tomas.varga"


@pytest.fixture(scope="module")
def drifted(built_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console of the demo a week later, when 500 was added to one input of one model."""
    folder = tmp_path_factory.mktemp("drifted")
    place = Path(shutil.copytree(built_demo, folder / "workspace"))
    workspace = open_workspace(factories.settings_in(place))
    set_clock(workspace, factories.system(workspace), workspace.clock.now() + timedelta(days=7))
    rows = newest_predictions(workspace, DRIFTED)
    moved = pa.array(rows[MOVED_COLUMN].to_numpy() + 500.0)
    rows = rows.set_column(rows.column_names.index(MOVED_COLUMN), MOVED_COLUMN, moved)
    log_predictions(
        workspace, actor_named(workspace, ENGINEER), DRIFTED, 1, rows.drop_columns(["model_version"])
    )
    run_monitoring(workspace, factories.system(workspace))
    workspace.close()
    with serving(place, folder / "serve.log") as served:
        yield served
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def served_console(drifted: Served) -> str:
    """What the windows of this module open."""
    return drifted.url


def on_the_board_as_engineer(window: Window) -> None:
    """Choose in the header who is looking, and return to the board."""
    window.open("/")
    window.page.locator(".st-key-bigboard_header input").click()
    window.page.get_by_role("option").filter(has_text="ml engineer").first.click()
    window.page.wait_for_url("**/engineering*")
    window.settle()
    window.page.get_by_test_id("stTopNavLink").filter(has_text="Board").click()
    window.page.wait_for_function("() => location.pathname === '/'")
    window.page.locator(FLEET).first.wait_for()
    window.settle()


def row_of(window: Window, model: str) -> int:
    """The number of a model's row in the fleet, from the table that the canvas keeps for screen readers."""
    cells = window.page.locator(f'{FLEET} [role="gridcell"]').filter(has_text=re.compile(f"^{model}$"))
    cells.first.wait_for(state="attached")
    number = cells.first.locator("xpath=ancestor::*[@aria-rowindex][1]").get_attribute("aria-rowindex")
    assert number is not None
    return int(number) - 2  # counted from 1, the header included


def click_row(window: Window, number: int) -> None:
    box = window.page.locator(f"{FLEET} {CANVAS}").first.bounding_box()
    assert box is not None
    window.page.mouse.click(box["x"] + 230, box["y"] + ROW * (number + 1) + ROW // 2)


def query(window: Window) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(window.page.url).query).items()}


def test_what_happened_is_said_where_a_mark_of_the_chart_is_hovered(window: Window) -> None:
    window.open(f"/model?model={DRIFTED}")
    mark = window.page.locator(".js-plotly-plot .scatterlayer .trace path.point").first
    mark.wait_for()

    mark.hover(force=True)

    expect(window.page.locator(".js-plotly-plot .hoverlayer").first).to_contain_text("Campaign")


def test_from_the_board_to_the_reason_and_to_a_saved_monitor_in_three_clicks(
    window: Window, drifted: Served
) -> None:
    """The last test of the module: it ends the console, to look into its store."""
    on_the_board_as_engineer(window)

    click_row(window, row_of(window, DRIFTED))
    window.page.wait_for_url("**/model?*")
    window.wait_for_headline(DRIFTED)
    reason = window.page.locator(".st-key-reason")
    expect(reason).to_contain_text(re.compile(r"spend 8w .*(rose|fell).* since \d+ Aug", re.DOTALL))
    expect(reason).to_contain_text("Did accuracy follow?")
    expect(reason).to_contain_text(re.compile(r"Campaign 1\d \(type [ABC]\)"))

    reason.get_by_role("link").filter(has_text="spend 8w").first.click()
    window.page.wait_for_url("**/explorer?*")
    window.wait_for_headline(DRIFTED)
    assert (query(window)["of"], query(window)["column"]) == (DRIFTED, MOVED_COLUMN)

    window.page.get_by_role("button", name="Save as monitor").click()
    said = window.page.get_by_text(re.compile("Monitor saved")).first
    expect(said).to_contain_text(MOVED_COLUMN)

    window.page.close()
    assert drifted.stop() in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
    with duckdb.connect(str(drifted.workspace / "bigboard.duckdb"), read_only=True) as store:
        saved = store.execute(
            """
            SELECT kind, statistic, "column", segment, actor.name
            FROM monitor, audit_event AS event JOIN actor ON actor.id = event.actor_id
            WHERE "column" <> '' AND event.action LIKE 'monitor%' AND actor.name <> 'system'
            """
        ).fetchall()
    assert saved == [("drift", "psi", MOVED_COLUMN, "", ENGINEER)]
