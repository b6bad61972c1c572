"""The paired bootstrap: how far two versions' metrics may lie apart by the chance of which rows were drawn.

Rows are drawn with replacement as often as there are rows, and both versions are measured on the same draw
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993). Metrics of labels depend on how often each
combination of outcome and labels was drawn alone; these counts are drawn from their multinomial distribution,
which is that of drawing rows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlops_core.analysis.paired_metrics import Cells, PairedRows, family_of, means_of, ranks_of
from mlops_core.statistics.intervals import NO_INTERVAL, Interval

__all__ = ["RESAMPLES", "SEED", "Heard", "Part", "Resampled", "paired_bootstrap", "unheard_draws"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

RESAMPLES: Final = 2_000
"""How many times rows are drawn, unless somebody asks for more."""

SEED: Final = 20_260_101
"""Where the random numbers begin: the same rows give the same intervals."""

_BLOCK: Final = 500_000  # counts of rows that are held at a time: they stay near the processor
_MOST_CELLS: Final = 4_000_000
_MOST_UNDEFINED: Final = 0.05

Heard: TypeAlias = Callable[[int, int], None]
"""Called with the resamples that are drawn, and those to be drawn in all; raises to stop."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows, and the metrics to be measured on them.

    Attributes
    ----------
    rows
        Their numbers, rising; None for all.
    """

    metrics: Sequence[str]
    rows: _Ints | None = None


@dataclass(frozen=True, slots=True)
class Resampled:
    """The differences of a metric, challenger minus champion, over the resamples.

    Attributes
    ----------
    differences
        Shape ``(resamples,)``; nan where the metric was undefined for a draw.
    """

    differences: _Floats

    @property
    def is_usable(self) -> bool:
        """Return whether the metric was defined for nearly every draw."""
        return bool(np.isnan(self.differences).mean() <= _MOST_UNDEFINED)

    @property
    def standard_error(self) -> float:
        """Return the standard deviation of the differences; nan where they cannot be used."""
        known = self._known
        return float(known.std(ddof=1)) if self.is_usable and len(known) > 1 else math.nan

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the interval between two percentiles of the differences; nan where they cannot be used."""
        if not self.is_usable:
            return NO_INTERVAL
        tail = (1.0 - confidence) / 2
        lower, upper = np.quantile(self._known, [tail, 1.0 - tail])
        return Interval(float(lower), float(upper))

    @property
    def p_value(self) -> float:
        """Return twice the smaller share of differences on either side of 0, the observed one counted too."""
        if not self.is_usable:
            return math.nan
        known = self._known
        below, above = int((known <= 0.0).sum()), int((known >= 0.0).sum())
        return min(1.0, 2 * (1 + min(below, above)) / (1 + len(known)))

    @property
    def _known(self) -> _Floats:
        return self.differences[~np.isnan(self.differences)]


def unheard_draws(done: int, total: int) -> None:
    """Take a report that nobody listens to."""


def paired_bootstrap(
    rows: PairedRows,
    parts: Sequence[Part],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    heard: Heard = unheard_draws,
) -> list[dict[str, Resampled]]:
    """Draw the rows again and again, and measure both versions on every draw.

    All parts share the draws of rows. Memory stays bounded: a few draws are held at a time.

    Parameters
    ----------
    parts
        What to measure, on which rows.
    seed
        The same seed gives the same differences, whatever else the machine does.

    Returns
    -------
    list
        For each part its metrics by name.
    """
    streams = np.random.SeedSequence(seed).spawn(1 + len(parts))
    found: list[dict[str, Resampled]] = [{} for _ in parts]
    drawn = [_Drawn.of(rows, part) for part in parts]
    if any(one.measures for one in drawn) and len(rows):
        _draw_rows(len(rows), drawn, resamples, np.random.default_rng(streams[0]), heard)
    for part, one, stream, result in zip(parts, drawn, streams[1:], found, strict=True):
        labels = [name for name in part.metrics if family_of(name) == "label"]
        chosen = rows if part.rows is None else rows.take(part.rows)
        if labels and len(chosen):
            one.keep(labels, _draw_labels(chosen, labels, resamples, np.random.default_rng(stream)))
        empty = np.full(resamples, np.nan)
        result.update({name: Resampled(one.kept.get(name, empty)) for name in part.metrics})
    heard(resamples, resamples)
    return found


class _Drawn:
    """What is measured on the draws of one part, and its differences so far."""

    def __init__(
        self, rows: _Ints | None, measures: list[tuple[list[str], "Callable[..., _Floats]"]]
    ) -> None:
        self.rows = rows
        self.measures = measures
        self.kept: dict[str, _Floats] = {}
        self._blocks: dict[str, list[_Floats]] = {}

    @classmethod
    def of(cls, rows: PairedRows, part: Part) -> "_Drawn":
        chosen = rows if part.rows is None else rows.take(part.rows)
        measures = []
        for family, prepare in (("rank", ranks_of), ("mean", means_of)):
            names = [name for name in part.metrics if family_of(name) == family]
            if names and len(chosen):
                measures.append((names, prepare(chosen, names)))
        return cls(part.rows, measures)

    def measure(self, weights: NDArray[np.int32]) -> None:
        if not self.measures:
            return
        own = weights if self.rows is None else weights.take(self.rows, axis=1)
        for names, measure in self.measures:
            values = measure(own)
            for place, name in enumerate(names):
                self._blocks.setdefault(name, []).append(values[:, place, 0] - values[:, place, 1])

    def join(self) -> None:
        self.kept |= {name: np.concatenate(blocks) for name, blocks in self._blocks.items()}

    def keep(self, names: Sequence[str], differences: _Floats) -> None:
        self.kept |= dict(zip(names, differences.T, strict=True))


def _draw_rows(
    n: int, parts: Sequence[_Drawn], resamples: int, random: np.random.Generator, heard: Heard
) -> None:
    size = max(1, min(resamples, _BLOCK // n))
    for first in range(0, resamples, size):
        heard(first, resamples)
        many = min(size, resamples - first)
        chosen = random.integers(0, n, (many, n), dtype=np.uint32)
        weights = np.empty((many, n), np.int32)
        for place in range(many):
            weights[place] = np.bincount(chosen[place], minlength=n)
        for part in parts:
            part.measure(weights)
    for part in parts:
        part.join()


def _draw_labels(
    rows: PairedRows, metrics: Sequence[str], resamples: int, random: np.random.Generator
) -> _Floats:
    cells = Cells(rows)
    shares = cells.counts / len(rows)
    size = max(1, min(resamples, _MOST_CELLS // len(shares)))
    found = []
    for first in range(0, resamples, size):
        counts = random.multinomial(len(rows), shares, size=min(size, resamples - first))
        values = cells.measure(counts, metrics)
        found.append(values[:, :, 0] - values[:, :, 1])
    return np.concatenate(found)
