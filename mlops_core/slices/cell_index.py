"""Find the cell of many values at once, without a binary search for each.

The axis is squashed onto (-1, 1) by ``u = d / (scale + |d|)``, ``d = x - centre``, and cut into 32,768
equal parts. A table says how many edges certainly lie below each part; from there a value is compared
with the next edges, as many times as the fullest part needs.

Why the result equals ``numpy.searchsorted(edges, x, side="right")`` bit for bit: ``x - centre`` is
rounded correctly and so never decreases with x; the remaining arithmetic is off from the exact, strictly
growing function by less than 1e-11 parts. The table treats every edge as smeared over ± 1e-9 parts: it
counts an edge as below a part only if no value of that part can lie below the edge, and it provides a
comparison for every edge that some value of the part may have reached.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "CellIndex", "Scratch"]

BLOCK: Final = 131_072
"""Values handled at a time: few enough for the working memory to stay in the processor's outer cache, many
enough that two threads seldom wait for the interpreter's lock."""

_HALF: Final = 16_384
_PARTS: Final = 2 * _HALF
_SMEAR: Final = 1e-9 / _HALF  # in units of u
_MOST_COMPARISONS: Final = 8
_LARGEST: Final = 1e290  # beyond it, x - centre or scale + |d| could overflow

# Floating-point numbers near 1.5 * 2**38 are multiples of 2**-14: adding it to u rounds u to a whole number
# of parts, and leaves that number in the lowest bits. One addition instead of a product and a conversion.
_ROUNDER: Final = 1.5 * 2.0**38
_ROUNDER_BITS: Final = int(np.float64(_ROUNDER).view(np.int64)) - _HALF


class Scratch:
    """Working memory for one block, reused because fresh pages cost more than the arithmetic on them.

    One for each thread.
    """

    __slots__ = ("cells", "edges", "numbers", "parts", "reached")

    def __init__(self) -> None:
        self.numbers = np.empty(BLOCK)
        self.edges = np.empty(BLOCK)
        self.parts = np.empty(BLOCK)
        self.reached = np.empty(BLOCK, dtype=np.bool_)
        self.cells = np.empty(BLOCK, dtype=np.int64)


class CellIndex:
    """The table for one set of edges.

    Parameters
    ----------
    edges
        Strictly increasing finite edges, float64, shape ``(m,)``. Cell 0 lies below the first edge,
        cell i is ``[edges[i-1], edges[i])`` and cell m starts at the last edge.
    """

    __slots__ = ("_centre", "_comparisons", "_edges", "_padded", "_scale", "_table")

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self._edges = edges
        self._padded = np.append(edges, np.inf)
        self._centre, self._scale = _squash_of(edges)
        self._table: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._comparisons = _MOST_COMPARISONS + 1
        if max(abs(self._centre), self._scale) < _LARGEST:
            self._build()

    @property
    def searches(self) -> bool:
        """Whether the edges lie so unevenly that a binary search is used instead of the table."""
        return self._comparisons > _MOST_COMPARISONS

    def _build(self) -> None:
        offset = self._edges - self._centre
        squashed = offset / (np.abs(offset) + self._scale)
        certainly, possibly = (
            np.clip((squashed + smear + _ROUNDER).view(np.int64) - _ROUNDER_BITS, 0, _PARTS)
            for smear in (_SMEAR, -_SMEAR)
        )
        not_above = np.cumsum(np.bincount(certainly, minlength=_PARTS + 1))
        reached = np.cumsum(np.bincount(possibly, minlength=_PARTS + 1))
        self._table = np.append(0, not_above[:-1])
        self._comparisons = int((reached - self._table).max())

    def find(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the cell of each value.

        Parameters
        ----------
        values
            Finite float64 values, shape ``(n,)``.
        """
        if self.searches:
            return np.searchsorted(self._edges, values, side="right")
        cells = np.empty(len(values), dtype=np.int64)
        scratch = Scratch()
        for start in range(0, len(values), BLOCK):
            block = slice(start, start + BLOCK)
            cells[block] = self.find_block(values[block], scratch)
        return cells

    def find_block(self, values: NDArray[np.float64], scratch: Scratch) -> NDArray[np.int64]:
        """Return the cell of each of at most `BLOCK` finite values, as a view of ``scratch.cells``."""
        n = len(values)
        cells = scratch.cells[:n]
        if self.searches:
            cells[:] = np.searchsorted(self._edges, values, side="right")
            return cells
        squashed, divisor, reached = scratch.parts[:n], scratch.edges[:n], scratch.reached[:n]
        np.subtract(values, self._centre, out=squashed)
        np.abs(squashed, out=divisor)
        divisor += self._scale
        squashed /= divisor
        squashed += _ROUNDER
        parts = squashed.view(np.int64)
        parts -= _ROUNDER_BITS
        self._table.take(parts, out=cells, mode="clip")
        for _ in range(self._comparisons):
            self._padded.take(cells, out=divisor, mode="clip")
            np.greater_equal(values, divisor, out=reached)
            cells += reached
        return cells


def _squash_of(edges: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and the larger quartile distance of the edges; any positive scale is correct."""
    if len(edges) == 0:
        return 0.0, 1.0
    low, centre, high = (float(edges[int(q * (len(edges) - 1))]) for q in (0.25, 0.5, 0.75))
    scale = max(high - centre, centre - low)  # Python's floats overflow to inf without a warning
    return centre, scale if scale > 1e-290 else 1.0
