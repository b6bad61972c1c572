"""A finished demo workspace, built once for a whole test session, and a console that serves a copy of it.

DuckDB allows one process per file: whoever needs a workspace gets a copy of its own, and whoever only needs
the facts reads the one that was built, which nobody ever opens for writing.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from mlops_core.workspace import Workspace

# What is heavy is imported where it is used: every test session loads this module.

__all__ = [
    "Facts",
    "Served",
    "built_demo",
    "demo",
    "demo_facts",
    "demo_workspace",
    "served_console",
    "serving",
]

WEEKS = 6  # long enough for outcomes that take four weeks
ANSWERS_WITHIN = 60.0  # seconds; two busy cores are slow
STOPS_WITHIN = 10.0  # seconds
BIGBOARD = Path(sys.executable).with_name("bigboard")


# ── the workspace ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def built_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo workspace that all test processes of a session share; not to be changed or opened.

    The first process that asks builds it, the others wait. `BIGBOARD_TEST_DEMO` names a finished one to use
    instead, for those who write tests.
    """
    finished = os.environ.get("BIGBOARD_TEST_DEMO")
    if finished:
        return Path(finished)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    place = shared / "demo"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the process ends, however it ends
        if not place.exists():
            from mlops_core.demo import build_demo
            from tests.factories import settings_in

            # It appears as a whole or not at all.
            build_demo(settings_in(place), weeks=WEEKS)
    return place


@pytest.fixture(scope="module")
def demo_workspace(built_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a demo workspace that belongs to one test module."""
    folder = _copy(built_demo, tmp_path_factory.mktemp("demo"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def demo(built_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A demo workspace that is open in this test process, for tests that only look."""
    from mlops_core.workspace import open_workspace
    from tests.factories import settings_in

    workspace = open_workspace(settings_in(_copy(built_demo, tmp_path_factory.mktemp("demo"))))
    yield workspace
    workspace.close()
    shutil.rmtree(workspace.settings.workspace)


def _copy(built: Path, folder: Path) -> Path:
    """Copy a workspace; files of the warehouse are written once, so that a second name is enough."""
    return Path(shutil.copytree(built, folder / "workspace", copy_function=_link_or_copy))


def _link_or_copy(source: str, destination: str) -> None:
    if source.endswith(".parquet"):
        try:
            os.link(source, destination)
        except OSError:  # another file system
            pass
        else:
            return
    shutil.copy2(source, destination)


# ── what is in it, found out without the code under test ─────────────────────────────────────────


@dataclass(frozen=True)
class Facts:
    """The store in plain SQL, and the logs as data frames."""

    workspace: Path
    store: duckdb.DuckDBPyConnection

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.store.execute(query, list(parameters)).fetchall()

    def one(self, query: str, *parameters: object) -> Any:
        """The single value that a query finds."""
        ((value,),) = self.rows(query, *parameters)
        return value

    @property
    def models(self) -> list[str]:
        """Every model in production, by name."""
        return [
            name
            for (name,) in self.rows(
                "SELECT DISTINCT m.name FROM model AS m JOIN model_version AS v ON v.model_id = m.id "
                "WHERE v.stage = 'production' ORDER BY m.name"
            )
        ]

    def table(self, name: str) -> pd.DataFrame:
        """All rows of a warehouse table, such as `predictions/churn-risk`."""
        from deltalake import DeltaTable

        return DeltaTable(str(self.workspace / "warehouse" / name)).to_pandas()

    def predictions(self, model: str) -> pd.DataFrame:
        """The prediction log of a model, with the Monday of each prediction in `week`."""
        import pandas as pd

        log = self.table(f"predictions/{model}")
        day = log["predicted_at"].dt.tz_convert("UTC").dt.normalize()
        return log.assign(week=day - pd.to_timedelta(day.dt.day_of_week, unit="D"))

    def judged(self, model: str) -> pd.DataFrame:
        """The predictions of a model whose outcome is known, with it."""
        outcomes = self.table(f"outcomes/{model}").sort_values("known_at")
        newest = outcomes.drop_duplicates("prediction_id", keep="last")[["prediction_id", "outcome"]]
        return self.predictions(model).merge(newest, on="prediction_id")


@pytest.fixture(scope="session")
def demo_facts(built_demo: Path) -> Iterator[Facts]:
    """What the demo workspace holds, from its files alone."""
    import duckdb

    with duckdb.connect(str(built_demo / "bigboard.duckdb"), read_only=True) as store:
        store.execute("SET TimeZone = 'UTC'")
        yield Facts(built_demo, store)


# ── a console that serves it ─────────────────────────────────────────────────────────────────────


@dataclass
class Served:
    """A running `bigboard serve`.

    Attributes
    ----------
    healthy_after
        Seconds from the start of the process to the first answer of `/api/v1/health`.
    """

    url: str
    workspace: Path
    process: subprocess.Popen[str]
    healthy_after: float
    log: Path

    def get(self, path: str) -> Any:
        """The JSON that a path of the API answers with."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def stop(self) -> int:
        """End it as a service manager would; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOPS_WITHIN)


@contextmanager
def serving(workspace: Path, log: Path, *options: str) -> Iterator[Served]:
    """Run `bigboard serve` on a free port until the test is done, then see it stop cleanly."""
    port = free_port()
    command = [BIGBOARD, "serve", "--workspace", workspace, "--port", str(port), *options]
    with log.open("w") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, text=True, env=ordinary_environment()
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(process, url, log)
        served = Served(url, workspace, process, time.monotonic() - began, log)
        yield served
        if process.poll() is None:
            code = served.stop()
            assert code in {0, -signal.SIGTERM, 128 + signal.SIGTERM}, f"exit code {code}: {log.read_text()}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def served_console(built_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console that serves a demo workspace, one for each test process; only to look at."""
    folder = tmp_path_factory.mktemp("console")
    with serving(_copy(built_demo, folder), folder / "serve.log") as served:
        print(f"bigboard serve was healthy {served.healthy_after:.1f} s after its start")
        yield served.url
    shutil.rmtree(served.workspace)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ordinary_environment() -> dict[str, str]:
    """The environment of this process without settings that would lead a `bigboard` elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIGBOARD_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _wait_until_healthy(process: subprocess.Popen[str], url: str, log: Path) -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, (
            f"bigboard serve ended with code {process.returncode}: {log.read_text()}"
        )
        try:
            with urllib.request.urlopen(f"{url}/api/v1/health", timeout=10):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    pytest.fail(f"bigboard serve did not answer within {ANSWERS_WITHIN:.0f} s: {log.read_text()}")
