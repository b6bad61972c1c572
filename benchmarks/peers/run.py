"""Against the peers: what Bigboard takes for the job of another tool, on the same rows.

Each peer runs in an environment of its own under ``.make/peers``, made on first use. Everybody loads the
file first and is timed from then on; the peak of memory is of the whole process. Bigboard runs before and
after each peer, so that both meet the same load. What each computes: docs/benchmarks.md. Run it alone:
``python benchmarks/peers/run.py [evidently nannyml ...] [--rows 1000000 10000000] [--limit 480]``.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data import log_file

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / ".make" / "peers"
JOBS = {
    "evidently": "two",
    "nannyml": "weekly",
    "scipy": "two",
    "alibi_detect": "two",
    "whylogs": "two",
    "popmon": "weekly",
}
TITLES = {
    "evidently": "Evidently",
    "nannyml": "NannyML",
    "scipy": "scipy loop",
    "alibi_detect": "alibi-detect",
}
SILENT = {  # none of them is to report to its maker, least of all while the clock runs
    "DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
}


class Skipped(Exception):
    """There is no figure, and the message says why; `seconds` is how long it ran until it was stopped."""

    seconds = 0.0


@dataclass(frozen=True)
class Figure:
    """What a process printed: medians of its seconds, by the clock and of processors, and its peak in MB."""

    seconds: float
    processor: float
    peak: float

    def __str__(self) -> str:
        digits = 2 if self.seconds < 10 else 1
        return (
            f"{self.seconds:.{digits}f} s ({self.processor:.{digits}f} s of processors), {self.peak:.0f} MB"
        )

    def times(self, ours: "Figure") -> str:
        """Return how many times what we take this is, by the clock and of processors."""
        clock, processor = (
            f"{ratio:.{1 if ratio < 10 else 0}f} x"
            for ratio in (self.seconds / ours.seconds, self.processor / ours.processor)
        )
        return f"{clock} ({processor} of processors)"


def environment(name: str) -> Path:
    """Return the Python of a peer's environment, made on first use and when its pins have changed."""
    root, pins = ENVIRONMENTS / name, HERE / f"{name}.txt"
    python, stamp = root / "bin" / "python", root / "installed.txt"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return python
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    print(f"installing {name} into {root}", file=sys.stderr)
    for command in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(root)],
        ["pip", "sync", "--quiet", "--python", str(python), str(pins)],
    ):
        done = subprocess.run([uv, *command], capture_output=True, text=True)  # noqa: S603 - our own words
        if done.returncode:
            raise Skipped(f"cannot be installed: {_last_line(done.stderr)}")
    stamp.write_text(pins.read_text())
    return python


def run(python: Path | str, script: str, *arguments: str, limit: float, memory: float) -> Figure:
    """Run a script and read its figures; stop it at `limit` seconds or `memory` MB."""
    command = [str(python), str(HERE / script), *arguments]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        quiet = {**os.environ, **SILENT}
        child = subprocess.Popen(command, stdout=out, stderr=errors, env=quiet)  # noqa: S603 - our own words
        started, why = time.monotonic(), ""
        try:
            while child.poll() is None and not why:
                time.sleep(0.1)
                spent = time.monotonic() - started
                if spent > limit:
                    why = f"over {limit:.0f} s"
                elif (held := _megabytes(child.pid)) > memory:
                    why = f"stopped after {spent:.0f} s at {held:.0f} MB"
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if why:
            stopped = Skipped(why)
            stopped.seconds = spent
            raise stopped
        for stream in (out, errors):
            stream.seek(0)
        printed, complaints = out.read().splitlines(), errors.read()
    if child.returncode or not printed:
        raise Skipped(f"failed with status {child.returncode}: {_last_line(complaints)}")
    found = json.loads(printed[-1])
    return Figure(
        statistics.median(found["seconds"]), statistics.median(found["processor_seconds"]), found["peak_mb"]
    )


def against(name: str, path: Path, options: argparse.Namespace) -> str:
    """Return the line that compares one peer with Bigboard."""
    limits = {"limit": options.limit, "memory": options.memory}
    version = next(
        line.split("==")[1]
        for line in (HERE / f"{name}.txt").read_text().splitlines()
        if line.startswith(f"{name.replace('_', '-')}==")
    )
    title = f"{TITLES.get(name, name)} {version}"

    def ours(job: str) -> Figure:
        return run(sys.executable, "run_bigboard.py", str(path), job, str(options.repeats), **limits)

    try:
        python = environment(name)
        before = ours(JOBS[name])
        theirs = run(python, f"run_{name}.py", str(path), **limits)
    except Skipped as reason:
        line = f"{title}: {reason}"
        return (
            f"{line}; Bigboard {before}: about {reason.seconds / before.seconds:.0f} x"
            if reason.seconds
            else line
        )
    after = ours(JOBS[name])
    mine = Figure(
        statistics.mean((before.seconds, after.seconds)),
        statistics.mean((before.processor, after.processor)),
        max(before.peak, after.peak),
    )
    line = f"{title}: {theirs}; Bigboard {mine}: {theirs.times(mine)}"
    if name == "nannyml":
        more = ours("thresholds")
        line += f"; with the reference's weeks {more}: {theirs.times(more)}"
    return line


def main() -> None:
    """Print one line for each number of rows and peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="*", help=f"which ones: {', '.join(JOBS)}; all by default")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--repeats", type=int, default=7, help="how often Bigboard runs in one process")
    parser.add_argument("--limit", type=float, default=480, help="seconds until a process is stopped")
    parser.add_argument("--memory", type=float, default=10_000, help="MB at which it is stopped (on Linux)")
    options = parser.parse_args()
    for unknown in set(options.peers) - set(JOBS):
        parser.error(f"{unknown!r} is none of {', '.join(JOBS)}")
    for rows in options.rows:
        path = log_file(rows)
        for name in options.peers or JOBS:
            line = against(name, path, options)
            print(f"{rows:,} rows: {line} [load {os.getloadavg()[0]:.1f}]", flush=True)


def _megabytes(pid: int) -> float:
    """Return the memory that a process holds now; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    held = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return float(held[0]) / 1024 if held else 0.0


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")


if __name__ == "__main__":
    main()
