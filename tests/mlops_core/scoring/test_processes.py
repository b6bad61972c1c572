import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from mlops_core.domain.errors import OutOfMemory, OutOfTime, ScoringError
from mlops_core.scoring import open_model, processes
from mlops_core.scoring.processes import start_process
from mlops_core.scoring.wire import Message, receive, send
from tests import factories
from tests.mlops_core.scoring.watching import is_there, wait_until

ROWS = pa.table({"income": np.arange(30.0), "age": np.arange(30)})

SCORER = """
import sys
from mlops_core.scoring.processes import _the_host, start_process
from mlops_core.scoring.wire import Message, send
busy, idle = start_process(), start_process()
send(busy.writer, Message("predict", {"seconds": 600}))
print("ready", flush=True)
print(_the_host().pid, busy.pid, idle.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.setenv("BIGBOARD_SCORING", "fresh")


def host_pid():
    return processes._the_host().pid


def test_a_host_that_dies_is_started_anew_and_its_children_die_with_it(hostile):
    opened = hostile("tell_who")
    child, host = opened.predict(ROWS).prediction[0], host_pid()
    os.kill(host, signal.SIGKILL)
    assert wait_until(lambda: not is_there(child))
    with pytest.raises(ScoringError, match="ended with its host"):
        opened.predict(ROWS)
    assert opened.predict(ROWS).prediction[0] != child
    assert host_pid() != host


def test_what_the_environment_holds_is_not_handed_on(hostile, monkeypatch):
    monkeypatch.setenv("BIGBOARD_DATABASE_URL", "postgresql://user:password@host/name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    os.kill(host_pid(), signal.SIGKILL)
    names = set(hostile("tell_the_environment").predict(ROWS).prediction[0].splitlines())
    assert {"PATH", "OMP_NUM_THREADS"} <= names
    assert not [name for name in names if "SECRET" in name or "DATABASE" in name]


def test_nothing_is_left_of_a_parent_that_is_killed():
    with factories.running(SCORER) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(is_there(pid) for pid in pids)
        parent.kill()
        parent.wait()
        assert wait_until(lambda: not any(is_there(pid) for pid in pids))


def test_a_process_that_ends_as_it_should_leaves_nothing_either():
    program = (
        "from mlops_core.scoring import processes; print(processes.start_process().pid, processes._host.pid)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stderr
    assert not any(is_there(int(pid)) for pid in done.stdout.split())


def test_a_fork_of_ours_gets_a_host_of_its_own(hostile):
    ours = hostile("tell_who").predict(ROWS).prediction[0]
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, str(host_pid()).encode())
        os._exit(0)
    assert int(os.read(reading, 20)) != host_pid()
    os.waitpid(pid, 0)
    assert is_there(ours)


def test_without_a_host_a_model_answers_the_same(workspace, version_of, fresh):
    frame = ROWS.to_pandas()
    estimator = factories.LinearRegression().fit(frame, frame["age"] * 3)
    with open_model(workspace, version_of(estimator)) as opened:
        assert np.array_equal(opened.predict(ROWS).prediction, estimator.predict(frame))
        assert opened.time_requests(ROWS, 4, 5).shape == (5,)
        pid = opened._process.pid
        assert is_there(pid)
    assert not is_there(pid)


def test_without_a_host_a_model_is_stopped_all_the_same(hostile, fresh):
    with pytest.raises(OutOfTime):
        hostile("never_return", seconds=0.5).predict(ROWS)
    opened = hostile("eat_at_once", memory_bytes=200 * 1024**2)
    with pytest.raises(OutOfMemory):
        opened.predict(ROWS)


def test_a_process_that_is_told_nonsense_says_so():
    process = start_process()
    try:
        send(process.writer, Message("predict", {"seconds": 1}))
        assert receive(process.reader, most_bytes=1_000).kind == "raised"
    finally:
        process.end()
