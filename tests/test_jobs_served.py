"""Jobs of a real `bigboard serve`: killed, stopped, cancelled and started again in the middle of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from mlops_core.client import Client
from mlops_core.domain.errors import BigboardError
from tests import factories
from tests.demo_workspace import BIGBOARD, free_port, ordinary_environment

PROJECT = '''
"""Tests of the project: one of them goes on only when it is let."""
import time
from pathlib import Path

from mlops_core.version_tests import Outcome, version_test

FOLDER = Path({folder!r})


@version_test("early", title="Early")
def early(context):
    with (FOLDER / "early").open("a") as marks:
        marks.write("x")
    return Outcome.judged(True, "It came first.")


@version_test("patient", title="Patient", seconds=120)
def patient(context):
    with (FOLDER / "patient").open("a") as marks:
        marks.write("x")
    while not (FOLDER / "go-on").exists():
        time.sleep(0.02)
    return Outcome.judged(True, "It was let go on.")
'''


@dataclass
class Place:
    """A workspace with a version to test, and a project's tests beside it."""

    folder: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def marks(self, name: str) -> int:
        """How often a test was begun."""
        path = self.folder / name
        return len(path.read_text()) if path.exists() else 0

    def let_go_on(self) -> None:
        (self.folder / "go-on").touch()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the store holds, in plain SQL, once the server is gone."""
        with duckdb.connect(str(self.workspace / "bigboard.duckdb"), read_only=True) as store:
            return store.execute(query).fetchall()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    workspace = factories.workspace_in(made.workspace)
    factories.champion(workspace)
    workspace.close()
    (tmp_path / "project_tests.py").write_text(PROJECT.format(folder=str(tmp_path)))
    return made


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    console: Client

    def end_by(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def serving(place: Place) -> Iterator[Server]:
    """A `bigboard serve` with the project's tests."""
    port = free_port()
    environment = {**ordinary_environment(), "BIGBOARD_TESTS": str(place.folder / "project_tests.py")}
    command = [BIGBOARD, "serve", "--workspace", place.workspace, "--port", str(port)]
    with (place.folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        with Client(f"http://127.0.0.1:{port}", attempts=30) as console:
            console.models()
            yield Server(process, console)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_killed_in_the_middle_of_tests_goes_on_with_them_when_it_is_back(place: Place) -> None:
    with serving(place) as server:
        job = server.console.test("churn-risk", 1)
        until(lambda: place.marks("patient") == 1)
        server.end_by(signal.SIGKILL)
    (state,) = place.rows("SELECT state, attempts FROM job")
    found = place.rows("SELECT id, test, seconds FROM test_result ORDER BY id")
    assert state == ("running", 1)
    assert "early" in {test for _, test, _ in found}

    with serving(place) as server:
        until(lambda: place.marks("patient") == 2)
        assert server.console.job(job.id).attempts == 2
        place.let_go_on()
        ended = server.console.wait(job, timeout=60)
        assert (ended.state, ended.done) == ("succeeded", ended.total)
        run = server.console.test_run(ended.test_run_id)
        assert [one.status for one in run.results if one.test in ("early", "patient")] == ["passed"] * 2
        server.end_by(signal.SIGTERM)
    assert place.marks("early") == 1  # what was found before the kill is kept, not found out again
    assert place.rows("SELECT id, test, seconds FROM test_result ORDER BY id")[: len(found)] == found
    assert place.rows("SELECT count(*), count(DISTINCT test) FROM test_result") == [
        (len(run.results), len(run.results))
    ]
    assert place.rows("SELECT state FROM test_run") == [("succeeded",)]


def test_a_job_that_kills_its_server_each_time_is_given_up(place: Place) -> None:
    for attempt in (1, 2, 3):
        with serving(place) as server:
            if attempt == 1:
                job = server.console.test("churn-risk", 1)
            until(lambda attempt=attempt: place.marks("patient") == attempt)
            server.end_by(signal.SIGKILL)
    with serving(place) as server:
        ended = server.console.job(job.id)
        assert ended.state == "interrupted"
        assert "begun 3 times" in ended.message
        server.end_by(signal.SIGTERM)
    assert place.rows("SELECT state FROM test_run") == [("interrupted",)]


def test_a_server_that_is_stopped_puts_its_job_back_for_the_next(place: Place) -> None:
    with serving(place) as server:
        job = server.console.test("churn-risk", 1)
        until(lambda: place.marks("patient") == 1)
        began = time.monotonic()
        server.end_by(signal.SIGTERM)
        print(f"stopped in {time.monotonic() - began:.1f} s")
    assert place.rows("SELECT state, attempts FROM job") == [("queued", 0)]
    assert not (place.workspace / "server.json").exists()
    place.let_go_on()
    with serving(place) as server:
        assert server.console.wait(job, timeout=60).state == "succeeded"
    assert place.marks("early") == 1


def test_tests_are_cancelled_in_the_middle_and_keep_what_they_found(place: Place) -> None:
    with serving(place) as server:
        job = server.console.test("churn-risk", 1)
        until(lambda: place.marks("patient") == 1)
        server.console.cancel(job.id)
        ended = server.console.wait(job, timeout=30)
        assert ended.state == "cancelled"
        run = server.console.test_run(ended.test_run_id)
        assert run.state == "cancelled"
        assert not run.all_passed
        assert "early" in {one.test for one in run.results}
        again = server.console.test("churn-risk", 1)
        assert again.id != job.id
        place.let_go_on()
        assert server.console.wait(again, timeout=60).state == "succeeded"


def test_the_command_line_has_the_server_that_holds_the_workspace_test_a_version(place: Place) -> None:
    with serving(place) as server:
        command = [BIGBOARD, "test", "churn-risk:1", "--workspace", place.workspace]
        testing = subprocess.Popen(
            command,
            env=ordinary_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: place.marks("patient") == 1)
        testing.send_signal(signal.SIGINT)
        _, told = testing.communicate(timeout=30)
        assert testing.returncode == 130
        assert "cancel" in told
        assert [job.state for job in [server.console.job(1)]] == ["cancelled"]

        place.let_go_on()
        ended = subprocess.run(
            command, env=ordinary_environment(), capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 1, ended.stderr  # it has no evaluation snapshot
        assert "It was let go on." in ended.stdout

        named = [*command[:3], "--server", str(server.console._http.base_url)]
        assert (
            subprocess.run(named, env=ordinary_environment(), capture_output=True, check=False).returncode
            == 1
        )
        server.end_by(signal.SIGKILL)
    assert (place.workspace / "server.json").exists()  # left behind by the kill, and not believed
    held = subprocess.run(
        [sys.executable, "-c", BELIEVED, place.workspace, str(os.getpid())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert held.stdout.split() == ["None", "None"]


BELIEVED = """
import sys
from pathlib import Path
from mlops_core.served_at import address_of_server
from mlops_core.settings import Settings
settings = Settings(workspace=Path(sys.argv[1]))
print(address_of_server(settings, None), address_of_server(settings, int(sys.argv[2])))
"""


def test_a_workspace_held_by_something_else_is_named_with_a_way_out(place: Place) -> None:
    with factories.running(factories.HOLDER, place.workspace) as holder:
        ended = subprocess.run(
            [BIGBOARD, "test", "churn-risk:1", "--workspace", place.workspace],
            env=ordinary_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert str(holder.pid) in ended.stderr
    assert "--server URL" in ended.stderr


def test_a_console_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_core.http_calls._FIRST_PAUSE", 0.001)
    with (
        Client("http://127.0.0.1:9", attempts=2) as console,
        pytest.raises(BigboardError, match=r"127\.0\.0\.1:9"),
    ):
        console.test("churn-risk", 1)
