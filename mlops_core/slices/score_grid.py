"""The cells of score histograms: fixed, so that slices of all models and times can be added up.

A thousand equal cells keep scores of three decimals apart; equal steps of the log-odds below 0.1 and above
0.9 resolve the scores of rare (and of almost certain) events.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlops_core.slices.grid import NumericGrid

__all__ = ["SCORE_CELLS", "score_edges", "score_grid"]

_EQUAL: Final = 1000
_STEP: Final = 0.02  # of the log-odds
_LOWEST: Final = -14.0  # log-odds of 8e-7
_HIGHEST: Final = -2.2  # log-odds of 0.1, from where on equal cells are as fine


def _fine_edges() -> NDArray[np.float64]:
    steps = np.arange(round((_HIGHEST - _LOWEST) / _STEP) + 1)
    low = 1.0 / (1.0 + np.exp(-(_LOWEST + _STEP * steps)))
    edges = np.unique(np.concatenate((np.arange(_EQUAL + 1) / _EQUAL, low, 1.0 - low)))
    edges.flags.writeable = False
    return edges


_FINE: Final = _fine_edges()
SCORE_CELLS: Final = len(_FINE) - 1
"""How many cells the score histograms have."""


def score_edges(cells: int) -> NDArray[np.float64]:
    """Return the edges of score histograms of so many cells, shape ``(cells + 1,)``, from 0 to 1.

    Any number but `SCORE_CELLS` means equal cells, as releases before the fine cells stored them.
    """
    return _FINE if cells == SCORE_CELLS else np.linspace(0.0, 1.0, cells + 1)


@cache
def score_grid(cells: int) -> NumericGrid:
    """Return a grid whose cell ``i + 1`` is cell ``i`` of the histogram; a score of 1 is in the last one."""
    if cells == SCORE_CELLS:
        return NumericGrid(_FINE[:-1])
    return NumericGrid.uniform(0.0, 1.0, cells)
