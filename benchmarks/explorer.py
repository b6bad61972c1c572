"""How long the explorer's core takes on a wide model: 200 columns, 104 weeks, 10 segments.

The first view (the process has read nothing yet), and then a change of window, of segment and of statistic of
`explain_model`, and backtests. Each is beside a limit of the same run: decompressing and decoding, to Arrow
and no further, the slices of all weeks and all rows. Medians of the repeats, by the clock and of the
processor, which depends less on what else the machine does; the ratio is that of processor time.

Run it alone: ``python benchmarks/explorer.py [--daily] [--columns 200] [--weeks 104] [--repeats 7]``.
``--workspace FOLDER`` keeps the workspace there, to be measured again or served
(``bigboard serve --workspace FOLDER``); ``--profile`` prints where the time goes.
"""

import argparse
import cProfile
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from sqlmodel import select

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import peak_megabytes, seconds
from wide_workspace import MODEL, SEGMENTS, Size, build_workspace, open_built

from mlops_core.domain import StoredSlice
from mlops_core.domain.states import Origin
from mlops_core.explanation.backtest import backtest_column
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.spans import span_of
from mlops_core.monitoring.windows import Window
from mlops_core.slices.codec import arrow_stream
from mlops_core.workspace import Workspace

_OTHERS = ("jensen_shannon", "hellinger", "kolmogorov_smirnov", "l_infinity", "wasserstein_normalised")
_DAY = timedelta(days=1)


class _Spent(NamedTuple):
    """Seconds of one call, by the clock and of the processor."""

    clock: float
    processor: float


def main() -> None:
    """Build what is not there yet, and print what each redraw costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daily", action="store_true", help="a slice for each day, not for each week")
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--rows", type=int, default=5_000, help="predictions a week")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--workspace", type=Path, help="keep the workspace in this folder")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--step", choices=("build", "first", "profile"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "build":
        size = Size(options.columns, options.weeks, options.rows, options.daily)
        build_workspace(options.workspace, size)
    elif options.step:
        _first_view(options.workspace, profile=options.step == "profile")
    elif options.workspace:
        _measure(options.workspace, options.repeats, options.profile)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder) / "wide", options.repeats, options.profile)


def _measure(folder: Path, repeats: int, profile: bool) -> None:
    if not folder.exists():
        spent = seconds(lambda: _again(folder, "--step", "build"))
        print(f"built in {spent:.0f} s")
    firsts = [_Spent(*map(float, _again(folder, "--step", "first").split()[-2:])) for _ in range(3)]
    workspace = open_built(folder)
    payloads = _payloads(workspace)
    limit = statistics.median(_spent(lambda: _decode(payloads)).processor for _ in range(5))
    megabytes = sum(map(len, payloads)) / 2**20
    print(f"decoding {len(payloads)} slices of all rows, {megabytes:.0f} MB: {limit * 1e3:.0f} ms")
    _line("first view of a process", firsts, limit)
    for title, calls in _redraws(workspace, repeats).items():
        explain_model(workspace, MODEL)
        _line(title, [_spent(call) for call in calls], limit)
    print(f"peak {peak_megabytes():.0f} MB")
    if profile:
        for title, calls in _redraws(workspace, repeats).items():
            _profile(title, calls[-1])
    workspace.close()
    if profile:
        print(_again(folder, "--step", "profile"))


def _again(folder: Path, *arguments: str) -> str:
    """Run this script again, on its own, with the options it was given; return what it prints."""
    done = subprocess.run(  # noqa: S603 - this script itself
        [sys.executable, sys.argv[0], *sys.argv[1:], "--workspace", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def _first_view(folder: Path, *, profile: bool) -> None:
    """Print the seconds of the first explanation, imports left out: a server has long done them."""
    import scipy.special
    import scipy.stats  # noqa: F401

    workspace = open_built(folder)
    if profile:
        _profile("first view of a process", lambda: explain_model(workspace, MODEL))
    else:
        print(*_spent(lambda: explain_model(workspace, MODEL)))


def _payloads(workspace: Workspace) -> Sequence[bytes]:
    with workspace.store.read() as session:
        return session.exec(
            select(StoredSlice.payload).where(
                StoredSlice.origin == Origin.PRODUCTION, StoredSlice.segment == ""
            )
        ).all()


def _decode(payloads: Sequence[bytes]) -> int:
    """Decompress each slice and read its batch: what no way of reading can do without."""
    rows = 0
    for payload in payloads:
        with pa.ipc.open_stream(arrow_stream(payload)) as reader:
            rows += reader.read_next_batch().num_rows
    return rows


def _spent(call: Callable[[], object]) -> _Spent:
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return _Spent(time.perf_counter() - clock, time.process_time() - processor)


def _line(title: str, spent: Sequence[_Spent], limit: float) -> None:
    clock, processor = (statistics.median(column) for column in zip(*spent, strict=True))
    print(
        f"{title:32s} {clock * 1e3:6.0f} ms, {processor * 1e3:6.0f} ms of processor, "
        f"{processor / limit:5.1f} decodings",
        flush=True,
    )


def _profile(title: str, call: Callable[[], object]) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(call)
    print(f"\n{title}")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(14)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("mlops_core", 30)


def _redraws(workspace: Workspace, repeats: int) -> dict[str, Sequence[Callable[[], object]]]:
    """Return what a person changes, each time to something that was not asked for before."""
    span = span_of(workspace, MODEL)
    if span is None:
        raise SystemExit("the workspace has no slices")
    ends = [span.end - timedelta(weeks=number) for number in range(1, repeats + 1)]
    windows = [Window(end - timedelta(weeks=4), end) for end in ends]
    odd = [Window(one.start + 3 * _DAY, one.end - 2 * _DAY) for one in windows]
    calm = [one.moved(-timedelta(weeks=8)) for one in windows]
    before = [Window(span.start, end - timedelta(weeks=8)) for end in ends]
    newest = Window(span.end - timedelta(weeks=4), span.end)
    others = [_OTHERS[number % len(_OTHERS)] for number in range(repeats)]
    columns = [one.column for one in explain_model(workspace, MODEL).columns if not one.is_categorical]

    def explain(**changed: object) -> Callable[[], object]:
        return lambda: explain_model(workspace, MODEL, **changed)

    def backtest(column: str, **changed: object) -> Callable[[], object]:
        return lambda: backtest_column(workspace, MODEL, column=column, **changed)

    return {
        "nothing changed": [explain() for _ in range(repeats)],
        "window, of whole weeks": [explain(window=one) for one in windows],
        "window, of parts of weeks": [explain(window=one) for one in odd],
        "window in which nothing drifted": [explain(window=one) for one in calm],
        "window of half of all weeks": [
            explain(window=Window(span.start + (end - span.start) / 2, end)) for end in ends
        ],
        "reference, all weeks before": [explain(window=newest, reference=one) for one in before],
        "segment": [explain(segment=one) for one in SEGMENTS[:repeats]],
        "statistic": [explain(statistic=one) for one in others],
        "backtest": [backtest(one) for one in columns[:repeats]],
        "backtest of another statistic": [backtest(one, statistic="hellinger") for one in columns[:repeats]],
        "backtest in a segment": [backtest(one, segment=SEGMENTS[0]) for one in columns[:repeats]],
    }


if __name__ == "__main__":
    main()
