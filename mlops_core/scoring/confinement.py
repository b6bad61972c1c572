"""What a process gives up before it touches an artefact. Linux knows all of it, other systems a part."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mlops_core.scoring.landlock import deny_writing

__all__ = ["adopt_orphans", "allow_processor_seconds", "confine", "die_with_parent"]

_SET_PARENT_DEATH_SIGNAL: Final = 1
_SET_CHILD_SUBREAPER: Final = 36
_SET_NO_NEW_PRIVILEGES: Final = 38
_OPEN_FILES: Final = 64
_SPARE_SECONDS: Final = 2


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that it can be found and killed."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def confine(memory_bytes: int) -> None:
    """Limit memory to what is mapped now and `memory_bytes`, and give up writing files and new privileges."""
    with suppress(ImportError):
        import resource

        _limit(resource, resource.RLIMIT_CORE, 0)
        _limit(resource, resource.RLIMIT_FSIZE, 0)
        _limit(resource, resource.RLIMIT_NOFILE, _OPEN_FILES)
        _prctl(_SET_NO_NEW_PRIVILEGES, 1)
        deny_writing()
        mapped = _mapped_bytes()
        _limit(resource, resource.RLIMIT_AS, mapped + memory_bytes)
        _limit(resource, resource.RLIMIT_DATA, mapped + memory_bytes)


def allow_processor_seconds(seconds: float) -> None:
    """Have the kernel end this process when it has used so much more processor time.

    The server stops it when its time is over; this holds where the server itself has come to a halt.
    """
    with suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime + seconds) + _SPARE_SECONDS
        _, hardest = resource.getrlimit(resource.RLIMIT_CPU)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CPU, (until, hardest))


def _limit(resource: Any, what: int, most: int) -> None:
    _, hardest = resource.getrlimit(what)
    if hardest != resource.RLIM_INFINITY:
        most = min(most, hardest)
    with suppress(ValueError, OSError):  # a system that does not know the limit
        resource.setrlimit(what, (most, most))


def _mapped_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 4 * 1024**3
    return pages * os.sysconf("SC_PAGE_SIZE")


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
