"""Compare two binary versions on 100,000 rows with 2,000 resamples, every metric paired row by row.

Beside it: the same draws measured by a plain loop over scikit-learn's metrics, extrapolated from a few
resamples, and drawing the row numbers alone, without which no bootstrap of rows can be. All in processor
time, which hardly depends on what else the machine does.

Run it alone: ``python benchmarks/paired.py [--rows 100000] [--resamples 2000] [--loop 5] [--segments 20]``.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from measure import peak_megabytes
from sklearn import metrics

from mlops_core.analysis.paired_bootstrap import Part, paired_bootstrap
from mlops_core.analysis.paired_metrics import Answers, PairedRows, metrics_of
from mlops_core.comparison.differences import compare_metrics
from mlops_core.comparison.segments import SegmentRows

_FIVE = ("roc_auc", "log_loss", "brier", "accuracy", "f1")


def main() -> None:
    """Print the processor time of each way, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--loop", type=int, default=5, help="resamples of the plain loop")
    parser.add_argument("--segments", type=int, default=20)
    options = parser.parse_args()
    rows = _rows(options.rows)
    before = peak_megabytes()
    drawing = _seconds(lambda: _draw(options.rows, options.resamples))
    five = _seconds(lambda: paired_bootstrap(rows, [Part(_FIVE)], resamples=options.resamples))
    every = _seconds(lambda: paired_bootstrap(rows, [Part(metrics_of(rows))], resamples=options.resamples))
    print(f"{options.rows:,} rows, {options.resamples:,} resamples, seconds of processor time")
    print(f"drawing row numbers alone                      {drawing:7.2f}")
    print(f"{', '.join(_FIVE):46s} {five:7.2f}   {five / drawing:.1f} x drawing")
    print(f"{f'all {len(metrics_of(rows))} metrics':46s} {every:7.2f}   {every / drawing:.1f} x drawing")
    for primary in ("roc_auc", "log_loss", "average_precision"):
        spent = _seconds(lambda primary=primary: _compare(rows, primary, options))
        title = f"a comparison by {primary}, {options.segments} segments"
        print(f"{title:46s} {spent:7.2f}   {spent / drawing:.1f} x drawing")
    print(f"peak {peak_megabytes():.0f} MB, {before:.0f} MB of it before")
    loop = _seconds(lambda: _plain_loop(rows, options.loop)) * options.resamples / options.loop
    print(
        f"a loop over scikit-learn's {len(_FIVE)} metrics, extrapolated from {options.loop} resamples: "
        f"{loop:.0f} s, {loop / five:.0f} x ours"
    )


def _rows(n: int) -> PairedRows:
    """Return scores of two versions of which one is a little better; the champion's have ties."""
    random = np.random.default_rng(1)
    signal = random.normal(size=n)
    truth = (random.random(n) < 1 / (1 + np.exp(1.5 - signal))).astype(np.float64)
    first = 1 / (1 + np.exp(1.5 - signal - 0.5 * random.normal(size=n)))
    second = np.round(1 / (1 + np.exp(1.5 - signal - 0.6 * random.normal(size=n))), 3)
    answers = (Answers((score >= 0.5).astype(np.int64), score) for score in (first, second))
    return PairedRows("binary", truth, *answers, 2)


def _compare(rows: PairedRows, primary: str, options: argparse.Namespace) -> object:
    place = np.random.default_rng(2).integers(0, options.segments, len(rows))
    segments = [SegmentRows(f"place={one}", np.flatnonzero(place == one)) for one in range(options.segments)]
    return compare_metrics(rows, primary, segments, resamples=options.resamples)


def _draw(n: int, resamples: int) -> None:
    random = np.random.default_rng(3)
    for _ in range(0, resamples, 5):
        random.integers(0, n, (5, n), dtype=np.uint32)


def _plain_loop(rows: PairedRows, resamples: int) -> None:
    random = np.random.default_rng(4)
    for _ in range(resamples):
        chosen = random.integers(0, len(rows), len(rows))
        truth = rows.outcomes[chosen]
        for answers in (rows.challenger, rows.champion):
            if answers.numbers is None or answers.labels is None:
                raise TypeError("the rows have scores and labels")
            score, label = answers.numbers[chosen], answers.labels[chosen]
            metrics.roc_auc_score(truth, score)
            metrics.log_loss(truth, score)
            metrics.brier_score_loss(truth, score)
            metrics.accuracy_score(truth, label)
            metrics.f1_score(truth, label)


def _seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
