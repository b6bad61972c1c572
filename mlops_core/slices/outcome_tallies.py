"""Running sums of outcomes over all slices at once, one tally for each problem type."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.slices.arrow_columns import Categories
from mlops_core.slices.outcome_counts import BinaryOutcomes, MulticlassOutcomes, check_classes
from mlops_core.slices.regression_counts import RegressionOutcomes, moved
from mlops_core.slices.score_grid import score_grid
from mlops_core.slices.tallies import grown

__all__ = ["BinaryTally", "MulticlassTally", "RegressionTally"]

Numbered = list[NDArray[np.int64]]
"""The slice of each counted row, for each grouping."""

_SMALLEST: Final = float(np.finfo(np.float64).eps)  # scikit-learn's floor under an outcome that divides


class BinaryTally:
    """Sums of all slices: the scalars in the columns of one matrix, and the two histograms."""

    def __init__(self, cells: int) -> None:
        self._grid = score_grid(cells)
        self._width = cells
        self._losses = np.zeros((0, 4))
        self._confusion = np.zeros((0, 4), dtype=np.int64)
        self._scores = np.zeros((0, 2 * cells), dtype=np.int64)

    def add(
        self,
        scores: NDArray[np.float64] | None,
        decided: NDArray[np.bool_],
        outcomes: NDArray[np.float64],
        numbered: Numbered,
        n_groups: int,
        precision: float,
    ) -> None:
        """Count rows by score (if there is one) and by decision; `precision` is what log loss clips at."""
        self._make_room(n_groups)
        label = outcomes.astype(np.int64)
        confusion = 2 * label + decided
        for groups in numbered:
            np.add.at(self._confusion.reshape(-1), 4 * groups + confusion, 1)
        if scores is None:
            return
        cells = label * self._width + self._grid.index.find(scores) - 1  # the grid's first cell is below 0
        given = np.where(label == 1, scores, 1.0 - scores)
        log_loss = -np.log(np.clip(given, precision, 1.0 - precision))
        brier = np.square(scores - outcomes)
        for groups in numbered:
            np.add.at(self._scores.reshape(-1), groups * (2 * self._width) + cells, 1)
            for place, loss in enumerate((log_loss, brier, np.square(log_loss), np.square(brier))):
                self._losses[:, place] += np.bincount(groups, loss, minlength=len(self._losses))

    def _make_room(self, n_groups: int) -> None:
        self._losses = grown(self._losses, n_groups)
        self._confusion = grown(self._confusion, n_groups)
        self._scores = grown(self._scores, n_groups)

    def sums(self, n_groups: int) -> list[BinaryOutcomes]:
        """Return the outcomes of each slice."""
        self._make_room(n_groups)
        found = []
        for number in range(n_groups):
            log_loss, brier, log_loss_squared, brier_squared = self._losses[number].tolist()
            tn, fp, fn, tp = self._confusion[number].tolist()
            found.append(
                BinaryOutcomes(
                    rows=tn + fp + fn + tp,
                    positives=self._scores[number, self._width :],
                    negatives=self._scores[number, : self._width],
                    log_loss_sum=log_loss,
                    brier_sum=brier,
                    true_positives=tp,
                    false_positives=fp,
                    true_negatives=tn,
                    false_negatives=fn,
                    log_loss_squared_sum=log_loss_squared,
                    brier_squared_sum=brier_squared,
                )
            )
        return found


class MulticlassTally:
    """Rows of all slices by class that occurred and class that was predicted; only pairs that occur."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._pairs: dict[tuple[int, int, int], int] = {}

    def add(
        self,
        predicted: Categories,
        actual: Categories,
        counted: NDArray[np.intp],
        numbered: Numbered,
    ) -> None:
        """Count the rows at the places `counted`; neither class is null there."""
        guess = self._number(predicted.texts, predicted.codes[counted])
        truth = self._number(actual.texts, actual.codes[counted])
        n_classes = max(len(self._numbers), 1)
        for groups in numbered:
            keys, counts = np.unique((groups * n_classes + truth) * n_classes + guess, return_counts=True)
            for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
                rest, column = divmod(key, n_classes)
                group, row = divmod(rest, n_classes)
                pair = (group, row, column)
                self._pairs[pair] = self._pairs.get(pair, 0) + count

    def _number(self, texts: pa.Array, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        table = np.zeros(len(texts), dtype=np.int64)
        used = np.unique(codes)
        for code, text in zip(used.tolist(), texts.take(pa.array(used)).to_pylist(), strict=True):
            table[code] = self._numbers.setdefault(text, len(self._numbers))
        check_classes(len(self._numbers))
        return table.take(codes)

    def sums(self, n_groups: int) -> list[MulticlassOutcomes]:
        """Return the outcomes of each slice, with the classes that occur in it."""
        names = list(self._numbers)
        found: list[list[tuple[int, int, int]]] = [[] for _ in range(n_groups)]
        for (group, row, column), count in self._pairs.items():
            found[group].append((row, column, count))
        return [_confusion_of(pairs, names) for pairs in found]


def _confusion_of(pairs: list[tuple[int, int, int]], names: list[str]) -> MulticlassOutcomes:
    numbers = sorted({number for row, column, _ in pairs for number in (row, column)}, key=names.__getitem__)
    places = {number: place for place, number in enumerate(numbers)}
    confusion = np.zeros((len(numbers), len(numbers)), dtype=np.int64)
    for row, column, count in pairs:
        confusion[places[row], places[column]] += count
    return MulticlassOutcomes(tuple(names[number] for number in numbers), confusion)


class RegressionTally:
    """Sums of all slices, in the columns of two matrices in the order of `RegressionOutcomes`."""

    def __init__(self) -> None:
        self._rows = np.zeros(0, dtype=np.int64)
        self._sums = np.zeros((0, 8))
        self._moments = np.zeros((0, 5))

    def add(
        self,
        predictions: NDArray[np.float64],
        outcomes: NDArray[np.float64],
        numbered: Numbered,
        n_groups: int,
    ) -> None:
        """Add rows whose prediction and outcome are finite."""
        self._rows = grown(self._rows, n_groups)
        self._sums = grown(self._sums, n_groups)
        self._moments = grown(self._moments, n_groups)
        with np.errstate(all="ignore"):
            error = predictions - outcomes
            magnitude = np.abs(error)
            square = np.square(error)
            share = magnitude / np.maximum(np.abs(outcomes), _SMALLEST)
            terms = (error, magnitude, square, outcomes, np.square(outcomes), share)
            for groups in numbered:
                met, places = np.unique(groups, return_inverse=True)
                rows = np.bincount(places, minlength=len(met)).astype(np.float64)
                sums = _sums_of((*terms, np.square(square), np.square(share)), places, len(met))
                mean = sums[:, 3] / rows
                off = outcomes - mean[places]
                powers = (off**2, off**3, off**4, square * off, square * off**2)
                moments = _sums_of(powers, places, len(met))
                self._merge(met, rows, sums, moments)

    def _merge(
        self,
        met: NDArray[np.int64],
        rows: NDArray[np.float64],
        sums: NDArray[np.float64],
        moments: NDArray[np.float64],
    ) -> None:
        before, old = self._rows[met].astype(np.float64), self._sums[met]
        total = old + sums
        mean = total[:, 3] / (before + rows)
        earlier = np.where(before > 0, old[:, 3] / np.maximum(before, 1) - mean, 0.0)
        self._moments[met] = moved(self._moments[met], before, old[:, 2], earlier) + moved(
            moments, rows, sums[:, 2], sums[:, 3] / rows - mean
        )
        self._sums[met] = total
        self._rows[met] += rows.astype(np.int64)

    def sums(self, n_groups: int) -> list[RegressionOutcomes]:
        """Return the outcomes of each slice."""
        self._rows = grown(self._rows, n_groups)
        self._sums = grown(self._sums, n_groups)
        self._moments = grown(self._moments, n_groups)
        rows = self._rows[:n_groups].tolist()
        values = np.concatenate((self._sums[:n_groups], self._moments[:n_groups]), axis=1).tolist()
        return [RegressionOutcomes(count, *sums) for count, sums in zip(rows, values, strict=True)]


def _sums_of(
    terms: tuple[NDArray[np.float64], ...], places: NDArray[np.intp], n_groups: int
) -> NDArray[np.float64]:
    return np.stack([np.bincount(places, term, minlength=n_groups) for term in terms], axis=1)
