"""Readable names for the bins of a numeric column."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["bin_labels"]

_DASH: Final = "\N{EN DASH}"
_AT_LEAST: Final = "\N{GREATER-THAN OR EQUAL TO}"
_MOST_DIGITS: Final = 15  # at one more, a number and its next neighbour would look different


def bin_labels(edges: NDArray[np.float64], starts: NDArray[np.int64]) -> list[str]:
    r"""Return a label for each bin of cells, with as few digits as keep its bounds apart.

    Parameters
    ----------
    edges
        Of the grid; cell i is ``[edges[i-1], edges[i])``.
    starts
        The first cell of each bin, rising from 0.

    Examples
    --------
    >>> labels = bin_labels(np.array([0.0, 5e-324, 12.25, 1234.5]), np.array([0, 1, 2, 3, 4]))
    >>> [label.replace("\N{EN DASH}", " to ") for label in labels]
    ['< 0', '0', '0 to 12.2', '12.2 to 1,234', '≥ 1,234']
    """
    bounds = edges[starts[1:] - 1].tolist()
    texts = _texts(bounds)
    labels = []
    for place in range(len(starts)):
        low, high = texts[place - 1] if place else None, texts[place] if place < len(texts) else None
        if low is None and high is None:
            labels.append("all")
        elif low is None:
            labels.append(f"< {high}")
        elif high is None:
            labels.append(f"{_AT_LEAST} {low}")
        elif bounds[place] == math.nextafter(bounds[place - 1], math.inf):
            labels.append(low)
        else:
            space = " " if "-" in low + high else ""
            labels.append(f"{low}{space}{_DASH}{space}{high}")
    return labels


def _texts(bounds: list[float]) -> list[str]:
    distinct = len({_text(bound, _MOST_DIGITS) for bound in bounds})
    for digits in range(3, _MOST_DIGITS):
        texts = [_text(bound, digits) for bound in bounds]
        if len(set(texts)) == distinct:
            return texts
    return [_text(bound, _MOST_DIGITS) for bound in bounds]


def _text(value: float, digits: int) -> str:
    if abs(value) < 1e-300:  # what follows a spike at zero starts at 5e-324
        return "0"
    if not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
