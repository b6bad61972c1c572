"""Looking at processes from outside, in /proc."""

import time
from collections.abc import Callable
from pathlib import Path


def is_there(pid: float) -> bool:
    """Whether a process lives; what nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether something becomes true in time."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()
