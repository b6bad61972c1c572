"""The warm process that children are forked from. It imports what artefacts need and loads none itself.

Run as a program with its socket as standard input: `main()`. It takes `open` with the descriptor of a
channel, and forks a child that serves it; it takes `end` with a child's number, kills that child with
whatever it has started, and says how it ended. It ends, and everything with it, when the socket does.

`main("alone")` is a child without a host, for systems on which a process that has threads should not fork.
"""

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from mlops_core.scoring.confinement import adopt_orphans, die_with_parent

__all__ = ["main"]

_PACKET: Final = 1 << 16
_LOOK_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.005


def main(how: str = "host") -> None:
    """Serve until whoever started this process is gone."""
    began = time.perf_counter()
    if how == "alone":
        reader, writer = os.dup(0), os.dup(1)
        _silence()
        _warm_up()
        _serve(reader, writer)
    with socket.socket(fileno=os.dup(0)) as control:
        _silence()
        try:
            _warm_up()
        except Exception as error:
            _tell(control, {"error": f"{type(error).__name__}: {error}"})
            return
        adopt_orphans()
        _tell(control, {"ready": time.perf_counter() - began})
        _listen(control)


def _warm_up() -> None:
    """Import what artefacts need, and use it once: some of it is imported by the first call alone."""
    import numpy as np
    import pyarrow as pa
    import sklearn.cluster
    import sklearn.neighbors
    import sklearn.svm  # noqa: F401 - loaded once, for all children
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from skops import io  # noqa: F401 - the same

    from mlops_core.scoring.asking import answer
    from mlops_core.scoring.child import archive_checks

    archive_checks()
    rows = pa.table({"x": np.arange(4.0), "word": pa.array(["a", "b", "a", "b"])})
    frame, truth = rows.to_pandas(use_threads=False), np.array([0, 0, 1, 1])
    for estimator in (
        LogisticRegression(),
        HistGradientBoostingClassifier(max_iter=1),
        RandomForestClassifier(1),
    ):
        columns = make_column_transformer(
            (StandardScaler(), ["x"]), (OneHotEncoder(sparse_output=False), ["word"])
        )
        answer(make_pipeline(columns, estimator).fit(frame, truth), "binary", frame).encoded()


def _listen(control: socket.socket) -> None:
    parent, children = os.getppid(), set[int]()
    control.settimeout(_LOOK_SECONDS)
    try:
        while os.getppid() == parent:
            try:
                packet, descriptors, _, _ = socket.recv_fds(control, _PACKET, 1)
            except TimeoutError:
                continue
            if not packet:
                return
            wish = json.loads(packet)
            if wish["do"] == "open":
                started = _fork(descriptors[0], control)
                children.add(started)
                _tell(control, {"pid": started})
            else:
                children.discard(wish["pid"])
                _tell(control, _end(wish["pid"], float(wish["patience"])))
                _end_strangers(children)
    except OSError:
        pass
    finally:
        for pid in children:
            _end(pid)
        _end_strangers(set())


def _fork(channel: int, control: socket.socket) -> int:
    host = os.getpid()
    pid = os.fork()
    if pid:
        os.close(channel)
        return pid
    try:
        os.setsid()
        die_with_parent(host)
        control.close()
        _serve(channel, os.dup(channel))
    finally:
        os._exit(1)


def _serve(reader: int, writer: int) -> NoReturn:
    from mlops_core.scoring.child import serve

    joblib = import_module("joblib")  # comes with scikit-learn; `n_jobs` would start threads and processes
    with suppress(OSError), joblib.parallel_config(backend="sequential"):
        serve(os.fdopen(reader, "rb"), os.fdopen(writer, "wb"))
    os._exit(0)


def _end(pid: int, patience: float = 0.0) -> dict[str, Any]:
    """Return how a child ended; kill it, with its group, if it has not after `patience` seconds."""
    until = time.monotonic() + patience
    ended, status, used = os.wait4(pid, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        ended, status, used = os.wait4(pid, os.WNOHANG)
    if not ended:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if not ended:
        _, status, used = os.wait4(pid, 0)
    return {
        "killed": not ended,
        "status": os.waitstatus_to_exitcode(status),
        "peak_bytes": used.ru_maxrss * 1024,
    }


def _end_strangers(children: set[int]) -> None:
    """Kill what a child has started and left behind, in whatever session it is."""
    me = os.getpid()
    for _ in range(100):
        try:
            found = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        except OSError:
            return
        strangers = {int(pid) for pid in found} - children
        if not strangers:
            return
        for pid in strangers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    control.send(json.dumps(message).encode())


def _silence() -> None:
    """Point standard input and output to nowhere: an artefact that prints is not heard."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
