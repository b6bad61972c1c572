"""Take turns: what two ways of doing something cost, in the same process and under the same load."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Pair", "child_peak", "compare", "peak_megabytes", "seconds"]


@dataclass(frozen=True)
class Pair:
    """Seconds of two ways, medians over the repeats, and the median of the ratios of neighbours."""

    limit: float
    ours: float
    ratio: float

    def line(self, title: str, limit: str = "bare scans") -> str:
        """Return a line to print: ``title   2.10 bare scans (0.252 s against 0.120 s)``."""
        return f"{title:44s} {self.ratio:6.3g} {limit} ({self.ours:.3f} s against {self.limit:.3f} s)"


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(limit: Callable[[], object], ours: Callable[[], object], repeats: int) -> Pair:
    """Call both once to warm up, then in turns."""
    limit(), ours()
    pairs = [(seconds(limit), seconds(ours)) for _ in range(repeats)]
    limits, own = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Pair(limits, own, statistics.median(mine / bare for bare, mine in pairs))


def peak_megabytes() -> float:
    """Return the most memory that this process has had.

    From /proc where there is one: what `getrusage` says of a child begins with the memory of its parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child_peak(*arguments: str) -> float:
    """Run this script again with other arguments; return the peak that it prints as its last word."""
    done = subprocess.run(  # noqa: S603 - this script itself
        [sys.executable, sys.argv[0], *arguments], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])
