"""Killed with -9 at any moment, nothing that was acknowledged is lost and nothing counts twice."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from sqlmodel import select

from mlops_core.client import Client
from mlops_core.clock import FixedClock
from mlops_core.domain import OutcomeSlice, StoredSlice
from mlops_core.domain.errors import StoreError
from mlops_core.domain.states import Origin
from mlops_core.monitoring import run_monitoring
from mlops_core.workspace import open_workspace
from tests.factories import NOW, champion, population, settings_in, system, workspace_in

ROWS = 40
WRITER_KILLS = 44
SERVER_KILLS = 6

WRITER = """
import os, signal, sys, time
from pathlib import Path
import pyarrow as pa
from mlops_core.monitoring import log_outcomes, log_predictions, monitor_model
from mlops_core.settings import Settings
from mlops_core.store import Store
from mlops_core.workspace import actor_named, open_workspace
folder, size = sys.argv[1], int(sys.argv[4])

def line():
    return b"".join(iter(lambda: os.read(0, 1), b"\\n")).decode().split()

def die_before_transaction(number, original=Store._transact):
    calls = iter(range(number))
    def transact(*arguments, **options):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    Store._transact = transact

def write(ready, transaction):
    settings = Settings(workspace=Path(folder), database_url="", warehouse="", actor="system")
    workspace = open_workspace(settings)
    system = actor_named(workspace, "system")
    logs = {kind: pa.ipc.open_file(path).read_all() for kind, path in zip("po", sys.argv[2:4])}
    if transaction >= 0:
        die_before_transaction(transaction)
    os.write(ready, b"r")
    while True:
        kind, number = line()
        batch = logs[kind].slice(int(number) * size, size)
        if kind == "p":
            log_predictions(workspace, system, "churn-risk", 1, batch)
        else:
            log_outcomes(workspace, system, "churn-risk", batch)
        os.write(1, b"ok\\n")
        monitor_model(workspace, system, "churn-risk")

while True:
    word, *rest = line() or [""]
    if word != "go":
        continue  # the rest of a step that the writer before did not live to read
    seconds, transaction = float(rest[0]), int(rest[1])
    readable, ready = os.pipe()
    child = os.fork()
    if not child:
        write(ready, transaction)
    os.close(ready)
    assert os.read(readable, 1) == b"r"
    os.close(readable)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.write(1, b"dead\\n")
"""
"""Forks writers that log the batches they are told, and kills each after some seconds.

Every writer opens the workspace anew; to fork it spares importing everything each time.
"""

SERVER = """
import sys
from contextlib import asynccontextmanager
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from mlops_core.api import create_api
from mlops_core.jobs import Scheduler
from mlops_core.settings import Settings
from mlops_core.workspace import open_workspace
settings = Settings(workspace=Path(sys.argv[1]), database_url="", warehouse="", actor="system")
workspace = open_workspace(settings)
scheduler = Scheduler(workspace)
@asynccontextmanager
async def lifespan(_):
    scheduler.start()
    yield
app = Starlette(lifespan=lifespan, routes=[Mount("/api", app=create_api(workspace, logged=scheduler.wake))])
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


class Stream:
    """The batches of a stream, and which of them were acknowledged."""

    def __init__(self, folder, trained, batches):
        self.frame = population(batches * ROWS, start=datetime(2025, 3, 1, tzinfo=UTC), days=3)
        self.predictions = trained.predictions(self.frame).drop_columns(["customer"])
        self.outcomes = trained.outcomes(self.frame, known_at=NOW)
        self.files = [folder / "predictions.arrow", folder / "outcomes.arrow"]
        for path, rows in zip(self.files, (self.predictions, self.outcomes), strict=True):
            with pa.ipc.new_file(path, rows.schema) as file:
                file.write_table(rows)
        self.left = [step for number in range(batches) for step in (("p", number), ("o", number))]
        self.acknowledged = []

    def batch(self, kind, number):
        return (self.predictions if kind == "p" else self.outcomes).slice(number * ROWS, ROWS)

    def acknowledge(self):
        self.acknowledged.append(self.left.pop(0))


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()


def write_until_killed(writer, stream, after, transaction=-1):
    """Feed a new writer until it is killed, and note what it has acknowledged."""
    writer.stdin.write(f"go {after} {transaction}\n")
    while True:
        kind, number = stream.left[0]
        writer.stdin.write(f"{kind} {number}\n")
        writer.stdin.flush()
        answer = writer.stdout.readline().strip()
        if answer == "dead":
            return
        assert answer == "ok", "the writer failed by itself"
        stream.acknowledge()


KILLER = "import os, sys, time; time.sleep(float(sys.argv[2])); os.kill(int(sys.argv[1]), 9)"


def check(folder, stream):
    """Compare the logs and the slices with the rows of the batches that were acknowledged."""
    workspace = open_workspace(settings_in(folder), clock=FixedClock(NOW))
    try:
        assert run_monitoring(workspace, system(workspace)).failures == {}
        logged = {
            kind: Counter(workspace.warehouse.read(f"{name}/churn-risk")["prediction_id"].to_pylist())
            for kind, name in (("p", "predictions"), ("o", "outcomes"))
        }
        for kind, number in stream.acknowledged:
            for identity in stream.batch(kind, number)["prediction_id"].to_pylist():
                assert logged[kind][identity] == 1, (kind, number, identity)
        for kind, counted in logged.items():
            assert set(counted.values()) <= {1}
            whole = Counter(int(identity.removeprefix("p-")) // ROWS for identity in counted)
            assert set(whole.values()) <= {ROWS}, f"half a batch: {kind} {whole}"
        both = logged["p"].keys() & logged["o"].keys()
        with workspace.store.read() as session:
            for table, rows in ((StoredSlice, len(logged["p"])), (OutcomeSlice, len(both))):
                counts = session.exec(
                    select(table.rows).where(table.origin == Origin.PRODUCTION, table.segment == "")
                ).all()
                assert sum(counts) == rows, table
    finally:
        workspace.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def trained(folder):
    workspace = workspace_in(folder)
    try:
        return champion(workspace)
    finally:
        workspace.close()


def test_a_writer_killed_at_any_moment_loses_and_doubles_nothing(folder, trained, tmp_path):
    moments = seeded()
    stream = Stream(tmp_path, trained, 600)
    writer = start(WRITER, folder, *stream.files, ROWS)
    for number in range(WRITER_KILLS):
        transaction = int(moments.integers(0, 8)) if number % 3 == 0 else -1
        write_until_killed(writer, stream, moments.uniform(0.0, 0.6), transaction)
        if number % 15 == 14:
            check(folder, stream)
    kill(writer)
    assert stream.acknowledged
    check(folder, stream)


def test_a_server_killed_while_a_client_streams_loses_and_doubles_nothing(folder, trained, tmp_path):
    moments = seeded()
    stream = Stream(tmp_path, trained, 600)
    port = free_port()
    for _ in range(SERVER_KILLS):
        server = start(SERVER, folder, port)
        stream_until(server, port, stream, moments.uniform(0.1, 2.5))
        kill(server)
    assert stream.acknowledged
    check(folder, stream)


def seeded():
    """Random numbers whose seed a failing test shows; BIGBOARD_KILL_SEED repeats it."""
    seed = int(os.environ.get("BIGBOARD_KILL_SEED") or np.random.SeedSequence().entropy % 2**32)
    print(f"BIGBOARD_KILL_SEED={seed}")
    return np.random.default_rng(seed)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def stream_until(server, port, stream, after):
    """Send batch after batch, and kill the server some seconds after the first was acknowledged."""
    killer = None
    deadline = time.monotonic() + 60
    with Client(f"http://127.0.0.1:{port}", attempts=1) as client:
        while stream.left:
            kind, number = stream.left[0]
            send = client.log_predictions if kind == "p" else client.log_outcomes
            try:
                send("churn-risk", stream.batch(kind, number))
            except StoreError:
                if killer is not None and killer.poll() is not None:
                    return
                assert time.monotonic() < deadline
                assert killer is not None or server.poll() is None
                time.sleep(0.05)
                continue
            stream.acknowledge()
            killer = killer or subprocess.Popen(
                [sys.executable, "-S", "-c", KILLER, str(server.pid), str(after)]
            )
