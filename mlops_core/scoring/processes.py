"""The server's side of the processes that hold artefacts: started, ended, and told how they ended."""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

from mlops_core.domain.errors import ScoringError

__all__ = ["Ending", "Process", "start_process"]

_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[1]); from mlops_core.scoring.host import main; main(sys.argv[2])"
)
_PACKAGES: Final = str(Path(__file__).parents[2])
_PASSED_ON: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
)
_THREADS: Final = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")
# Pools that reserve a gigabyte of addresses would use up the limit; a thread of theirs does not fork well.
_MEMORY: Final = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MALLOC_ARENA_MAX": "2",
}
_PACKET: Final = 1 << 16
_START_SECONDS: Final = 120.0
_REPLY_SECONDS: Final = 20.0
_PATIENCE: Final = 1.0
_BUFFER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended.

    Attributes
    ----------
    status
        What it returned, or below zero the signal that ended it.
    killed
        Whether it had to be killed: it had not ended by itself.
    peak_bytes
        The most memory that it has held, with its libraries; 0 if that is not known.
    """

    status: int
    killed: bool
    peak_bytes: int


class Process(Protocol):
    """A process that answers the messages of `mlops_core.scoring.wire`."""

    pid: int
    reader: BinaryIO
    writer: BinaryIO

    def end(self, *, at_once: bool = True) -> Ending | None:
        """End it with everything that it started; None when nobody knows how it ended."""


def start_process() -> Process:
    """Start a process that has the libraries and waits for an artefact.

    On Linux it is forked from a host, which is started with the first of them and again if it dies.
    `BIGBOARD_SCORING=fresh` has each started as a program of its own, as it is on other systems.

    Raises
    ------
    ScoringError
        It cannot be started.
    """
    if sys.platform != "linux" or os.environ.get("BIGBOARD_SCORING") == "fresh":
        return _Fresh()
    try:
        return _fork(_the_host())
    except _HostGone:
        try:
            return _fork(_the_host())
        except _HostGone as error:
            raise ScoringError(f"the process that loads artefacts cannot be started: {error}") from error


class _HostGone(Exception):
    """The host has ended, or does not answer."""


class _Host:
    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._program = _started("host", stdin=theirs.fileno(), stdout=subprocess.DEVNULL)
        self._control.settimeout(_START_SECONDS)
        hello = self._heard()
        if "error" in hello:
            self.close()
            raise ScoringError(
                f"the process that loads artefacts cannot be started: {hello['error']}: "
                "install Bigboard again, with scikit-learn and skops"
            )
        self.started_in = float(hello["ready"])
        self._control.settimeout(_REPLY_SECONDS)

    @property
    def is_alive(self) -> bool:
        return self._program.poll() is None

    @property
    def pid(self) -> int:
        return self._program.pid

    def ask(self, wish: dict[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        with self._lock:
            try:
                socket.send_fds(self._control, [json.dumps(wish).encode()], descriptors)
            except OSError as error:
                raise _HostGone(str(error)) from error
            return self._heard()

    def close(self) -> None:
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(2)
            return
        self._program.kill()
        self._program.wait()

    def _heard(self) -> dict[str, Any]:
        try:
            packet = self._control.recv(_PACKET)
            answer: dict[str, Any] = json.loads(packet)
        except (OSError, ValueError) as error:
            self.close()
            raise _HostGone("it ended before it answered") from error
        return answer


_host: _Host | None = None
_starting = threading.Lock()


def _the_host() -> _Host:
    global _host
    with _starting:
        if _host is not None and _host.owner == os.getpid() and not _host.is_alive:
            _host.close()
            _host = None
        if _host is None or _host.owner != os.getpid():  # the host of a process that forked us is not ours
            _host = _Host()
        return _host


@atexit.register
def _end_host() -> None:
    if _host is not None and _host.owner == os.getpid():
        _host.close()


def _fork(host: _Host) -> "_Forked":
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            pid = int(host.ask({"do": "open"}, (theirs.fileno(),))["pid"])
    except _HostGone:
        ours.close()
        raise
    return _Forked(host, pid, ours)


class _Forked:
    def __init__(self, host: _Host, pid: int, channel: socket.socket) -> None:
        with suppress(OSError):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        with channel:  # the files keep it open
            self.reader: BinaryIO = channel.makefile("rb")
            self.writer: BinaryIO = channel.makefile("wb")
        self._host, self.pid = host, pid
        self._lock = threading.Lock()
        self._ending: Ending | None = None
        self._is_over = False

    def end(self, *, at_once: bool = True) -> Ending | None:
        with self._lock:
            if not self._is_over:
                self._is_over = True
                wish = {"do": "end", "pid": self.pid, "patience": 0.0 if at_once else _PATIENCE}
                with suppress(_HostGone):
                    self._ending = Ending(**self._host.ask(wish))
            return self._ending


class _Fresh:
    def __init__(self) -> None:
        self._program = _started("alone", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._program.pid
        self.reader = cast("BinaryIO", self._program.stdout)
        self.writer = cast("BinaryIO", self._program.stdin)
        self._lock = threading.Lock()
        self._ending: Ending | None = None

    def end(self, *, at_once: bool = True) -> Ending | None:
        with self._lock:
            if self._ending is None:
                killed = not self._has_ended(0.0 if at_once else _PATIENCE)
                _kill_group(self._program)
                self._ending = Ending(self._program.wait(), killed, 0)
            return self._ending

    def _has_ended(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(seconds)
        return self._program.returncode is not None


def _kill_group(program: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        program.kill()
        return
    import signal

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)


def _started(how: str, *, stdin: int, stdout: int) -> "subprocess.Popen[bytes]":
    """Start the host's program without what our environment holds: passwords are in there, often."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    environment |= _MEMORY
    return subprocess.Popen(  # noqa: S603 - this interpreter and a fixed program
        [sys.executable, "-I", "-c", _PROGRAM, _PACKAGES, how],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
