"""A project's test runs in a process of its own, which can be stopped; its questions are answered here."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final

from mlops_core.domain.errors import Cancelled
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.outcome import Outcome
from mlops_core.version_tests.project_host import QUESTIONS, Wish

__all__ = ["run_project_test"]

_LOOK_SECONDS: Final = 0.2


def run_project_test(
    named: str, test: str, seconds: float, context: TestContext, look_up: Callable[[], None]
) -> Outcome:
    """Carry out a test of the project's module; after its time its process is killed, and it is an `error`.

    Parameters
    ----------
    named
        The module, as `BIGBOARD_TESTS` names it.
    seconds
        What the test may take in all, with the start of its process.
    look_up
        Called several times a second; raises `Cancelled` to stop the test.

    Raises
    ------
    Cancelled
    """
    deadline = time.monotonic() + seconds
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "mlops_core.version_tests.project_host", str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
    try:
        with Connection(here.detach()) as connection:
            connection.send(Wish(named, test, replace(context, source=None)))  # type: ignore[arg-type]  # the host sets it
            while True:
                look_up()
                if connection.poll(_LOOK_SECONDS):
                    kind, *arguments = connection.recv()
                    if kind == "outcome":
                        return _checked(arguments[0])
                    connection.send(_answer(context, kind, arguments))
                elif time.monotonic() > deadline:
                    return Outcome.error(f"The test did not end within {seconds:g} s and was stopped.")
    except (EOFError, OSError):
        process.wait()
        return Outcome.error(f"The test ended its process (exit code {process.returncode}).")
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answer(context: TestContext, kind: str, arguments: list[Any]) -> tuple[bool, Any]:
    if kind not in QUESTIONS:
        return False, AttributeError(kind)
    try:
        return True, getattr(context.source, kind)(*arguments)
    except Cancelled:
        raise
    except Exception as error:
        return False, error


def _checked(found: object) -> Outcome:
    return found if isinstance(found, Outcome) else Outcome.error("The test's answer could not be read.")
