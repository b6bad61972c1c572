"""The grids of a reference that is read in batches: the same whatever the order of its rows.

Up to `MOST_EXACT` rows, edges are quantiles of all of them. Of a longer reference about `SAMPLED` rows are
chosen by a hash of what they hold, so that shuffling the rows chooses the same ones. Where many rows hold the
same, a hash chooses all of them or none: then each column is read once more and sorted whole.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.analysis.source import Source
from mlops_core.slices.arrow_columns import Numbers, categories_of, numbers_of
from mlops_core.slices.grid import MOST_CATEGORIES, CategoricalGrid, Grid, NumericGrid
from mlops_core.statistics.registry import ColumnKind

__all__ = ["MOST_EXACT", "SAMPLED", "GridMaker"]

MOST_EXACT: Final = 2_000_000
"""A reference with more rows than this is sampled for the edges of its grids."""

SAMPLED: Final = 500_000
"""About how many rows of a longer reference are looked at."""

_HASHED_COLUMNS: Final = 8
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)


class GridMaker:
    """Makes the grids of some columns of a reference from one pass over it.

    Parameters
    ----------
    source, kinds
        The reference, and how each column is counted.
    most_exact
        How many rows are looked at, one by one, for the edges.
    """

    def __init__(self, source: Source, kinds: Mapping[str, ColumnKind], most_exact: int = MOST_EXACT) -> None:
        self._source = source
        self._numeric = [name for name, kind in kinds.items() if kind == "numeric"]
        self._values: dict[str, list[NDArray[np.float64]]] = {name: [] for name in self._numeric}
        self._met = dict.fromkeys(self._numeric, 0)
        self._lowest = dict.fromkeys(self._numeric, np.inf)
        self._highest = dict.fromkeys(self._numeric, -np.inf)
        self._categories: dict[str, Counter[str]] = {
            name: Counter() for name, kind in kinds.items() if kind == "categorical"
        }
        self._identifiers: set[str] = set()
        self._hashes: list[NDArray[np.uint64]] = []
        self._sampled = source.rows > most_exact
        self._most = min(most_exact, SAMPLED)
        self._hashed = _columns_to_hash(source) if self._sampled else []
        share = self._most / max(1, source.rows)
        self._limit = np.uint64(min(2**64 - 1, int(share * 2**64)))

    @property
    def columns(self) -> list[str]:
        """The columns to read, each once: those that were asked for, and those that choose rows."""
        return list(dict.fromkeys([*self._numeric, *self._categories, *self._hashed]))

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on and remember of each what the grids need."""
        for batch in batches:
            chosen = self._chosen(batch) if self._sampled else None
            for name in self._numeric:
                self._add_numbers(name, batch.column(name), chosen)
            for name in self._categories:
                if name not in self._identifiers:
                    self._add_categories(name, batch.column(name))
            yield batch

    def grids(self) -> dict[str, Grid]:
        """Return the grid of each column; identifiers have none."""
        if self._sampled and not self._sample_is_fair():
            values = {name: self._all_values(name) for name in self._numeric}
        else:
            values = {name: self._kept(name) for name in self._numeric}
        with ThreadPoolExecutor() as pool:
            made = pool.map(_grid_of, values.values())
            grids: dict[str, Grid] = dict(zip(values, made, strict=True))
        for name, counted in self._categories.items():
            if name not in self._identifiers:
                ordered = sorted(counted, key=lambda text: (-counted[text], text))
                grids[name] = CategoricalGrid(tuple(ordered))
        return grids

    @property
    def identifiers(self) -> set[str]:
        """The columns that hold more than `MOST_CATEGORIES` distinct values."""
        return self._identifiers

    def _add_numbers(self, name: str, array: pa.Array, chosen: NDArray[np.bool_] | None) -> None:
        numbers = numbers_of(array, name)
        if chosen is None:
            self._add_all(name, numbers)
            return
        values = numbers.values if numbers.valid is None else numbers.values[numbers.valid]
        finite = values[np.isfinite(values)]
        if len(finite):
            self._lowest[name] = min(self._lowest[name], float(finite.min()))
            self._highest[name] = max(self._highest[name], float(finite.max()))
        kept = chosen if numbers.valid is None else chosen & numbers.valid
        self._values[name].append(numbers.values[kept])

    def _add_all(self, name: str, numbers: Numbers) -> None:
        """Keep every value, with NaN for null, in one array for the whole reference."""
        if not self._values[name]:
            self._values[name].append(np.full(self._source.rows, np.nan))
        place = slice(self._met[name], self._met[name] + len(numbers.values))
        rows = self._values[name][0][place]
        rows[:] = numbers.values
        if numbers.valid is not None:
            rows[~numbers.valid] = np.nan
        self._met[name] = place.stop

    def _add_categories(self, name: str, array: pa.Array) -> None:
        categories = categories_of(array, name)
        rows = np.bincount(categories.codes, minlength=len(categories.texts) + 1)[:-1]
        counted = self._categories[name]
        for text, count in zip(categories.texts.to_pylist(), rows.tolist(), strict=True):
            if count:
                counted[text] += count
        if len(counted) > MOST_CATEGORIES:
            self._identifiers.add(name)
            counted.clear()

    def _chosen(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        """Choose rows by what they hold."""
        mixed = np.zeros(batch.num_rows, dtype=np.uint64)
        for name in self._hashed:
            numbers = numbers_of(batch.column(name), name)
            mixed += (numbers.values + 0.0).view(np.uint64)
            mixed ^= mixed >> _SHIFT
            mixed *= _MULTIPLIER
            mixed ^= mixed >> _SHIFT
            mixed *= _MULTIPLIER
        mixed ^= mixed >> _SHIFT
        chosen = mixed < self._limit
        self._hashes.append(mixed[chosen])
        return chosen

    def _sample_is_fair(self) -> bool:
        """Say whether rows were chosen nearly one by one: few hold the same as another one."""
        if not self._hashed:
            return not self._numeric
        hashes = np.concatenate(self._hashes)
        return bool(abs(len(hashes) / self._most - 1) < 0.02 and len(np.unique(hashes)) > 0.98 * len(hashes))

    def _kept(self, name: str) -> NDArray[np.float64]:
        parts = self._values[name]
        if not self._sampled:
            return parts[0] if parts else np.zeros(0)
        ends = [self._lowest[name], self._highest[name]]
        return np.concatenate([*parts, np.array(ends, dtype=np.float64)])

    def _all_values(self, name: str) -> NDArray[np.float64]:
        """Read a column once more, and take evenly spaced ones of its ordered values."""
        parts = []
        for batch in self._source.batches([name]):
            numbers = numbers_of(batch.column(0), name)
            values = numbers.values if numbers.valid is None else numbers.values[numbers.valid]
            parts.append(values[np.isfinite(values)])
        ordered = np.sort(np.concatenate(parts))
        if len(ordered) <= self._most:
            return ordered
        places = np.arange(self._most) * len(ordered) // self._most
        return np.append(ordered[places], ordered[-1])


def _grid_of(values: NDArray[np.float64]) -> NumericGrid:
    """Make a grid of values that nobody else needs: they are sorted where they lie."""
    values.sort()
    return NumericGrid.from_ordered(values)


def _columns_to_hash(source: Source) -> Sequence[str]:
    """Return numeric columns that tell rows apart: floating-point ones first."""
    floats = [field.name for field in source.schema if pa.types.is_floating(field.type)]
    others = [
        field.name
        for field in source.schema
        if pa.types.is_integer(field.type) or pa.types.is_decimal(field.type)
    ]
    return [*floats, *others][:_HASHED_COLUMNS]
