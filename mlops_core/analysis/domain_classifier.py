"""Whether two sets of rows can be told apart: drift of many columns together.

A classifier is trained to tell the rows of a window from those of the reference. What it finds out on rows
that it was not trained on, no single column needs to show: Lopez-Paz and Oquab (2017), Revisiting classifier
two-sample tests; Rabanser, Günnemann and Lipton (2019), Failing loudly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.analysis.classifier_columns import (
    MOST_BINS,
    MOST_VALUES,
    Column,
    column_for_classifier,
    strata_of,
    stratified_sample,
)
from mlops_core.analysis.classifier_screening import most_suspicious
from mlops_core.domain.errors import InvalidInput, SchemaMismatch

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

__all__ = ["FEWEST_ROWS", "MOST_ROWS", "Report", "Separation", "TellingColumn", "rows_needed", "tell_apart"]

MOST_ROWS: Final = 50_000
"""Both sides together are sampled down to this."""

FEWEST_ROWS: Final = 50
"""A side with fewer rows cannot be told from anything."""

Report: TypeAlias = Callable[[float, str], None]
"""Called with the share that is done, 0 to 1, and what is being done; what it raises ends the work."""

_FOLDS = 5
_CELLS = 150_000  # rows x columns that keep fifty repeats within ten seconds or so on one core
_ENOUGH_ROWS = 5_000  # never cut below this for having many columns
_ENOUGH_OF_A_SIDE = 1_000  # how many rows a side may have whatever the other has
_MOST_COLUMNS = 16  # of more, half of the rows choose: trees hardly find a pair among many others
_ALONE = 5
_SHUFFLES = 2
_SETTINGS: Final[dict[str, Any]] = {
    "max_iter": 20,
    "learning_rate": 0.3,
    "max_leaf_nodes": 8,
    "max_features": 0.5,  # of a pair that shows only together, neither would ever be split on first
    "early_stopping": False,
    "class_weight": "balanced",
}


@dataclass(frozen=True, slots=True)
class TellingColumn:
    """What one column adds to telling the two sides apart.

    Attributes
    ----------
    importance
        How much the AUC falls, on rows that the classifier was not trained on, when the column is shuffled
        (Breiman 2001). Two columns that say the same share it.
    alone
        The AUC with this column and no other; None where it was not measured.
    """

    column: str
    importance: float
    alone: float | None = None


@dataclass(frozen=True, slots=True)
class Separation:
    """How well two sets of rows can be told apart.

    Attributes
    ----------
    auc
        Area under the ROC curve of the out-of-fold probabilities: 0.5 for rows that are alike, 1 for rows
        that can always be told apart. By chance also below 0.5.
    baseline
        The 95th percentile of the AUC by chance: with the sides of the rows permuted.
    p_value
        The share of permutations, the rows as they are among them, that did as well:
        ``(1 + b) / (1 + k)`` (Phipson and Smyth 2010).
    rows, reference_rows
        How many rows of each side were used.
    columns
        The column that tells most first, those of `outputs` after the others.
    auc_of_inputs
        The AUC without the columns of `outputs`; equal to `auc` where there are none.
    skipped
        Why a column was left out, by name.
    screened
        How many columns there were, when only those that looked suspicious in a part of the rows were used;
        0 when all were.
    """

    auc: float
    baseline: float
    p_value: float
    rows: int
    reference_rows: int
    columns: tuple[TellingColumn, ...]
    auc_of_inputs: float
    skipped: dict[str, str] = field(default_factory=dict)
    screened: int = 0


def tell_apart(
    reference: pa.Table,
    window: pa.Table,
    *,
    time_column: str | None = None,
    segment_columns: Sequence[str] = (),
    outputs: Sequence[str] = (),
    most_rows: int = MOST_ROWS,
    repeats: int = 49,
    seed: int = 0,
    progress: Report | None = None,
) -> Separation:
    """Train a classifier to tell the rows of a window from those of the reference, and say how well it does.

    Five-fold, out of fold, by boosted trees over histograms (scikit-learn), on a sample with as many rows of
    either side as far as there are; the fewer columns, the more rows. The same rows with their sides permuted
    give what chance would do. Of more than 16 columns, those that moved most by themselves or against another
    in half of the rows are tried on the other half. The same rows and seed give the same result.

    Parameters
    ----------
    reference, window
        Rows with the same columns, in any order of columns.
    time_column
        What the sample is stratified by, by day; it is no column to tell by, because it always would.
    segment_columns
        What the sample is stratified by as well.
    outputs
        Columns that follow from the others, as a prediction does, and would hide them: how much the others
        tell is found out without these, which count for the AUC all the same.
    most_rows
        How many rows of both sides together are used at most, up to 50,000.
    repeats
        Permutations, at least 1; with `k` of them the p-value is at least ``1 / (1 + k)``.

    Raises
    ------
    InvalidInput
        A side has fewer than 50 rows, or there is no column to compare.
    SchemaMismatch
        The columns are not the same.
    """
    report = progress or (lambda _share, _doing: None)
    names = _columns_of(reference, window, time_column, segment_columns)
    _check_sizes(reference, window, most_rows, repeats)
    random = np.random.default_rng(seed)
    report(0.0, "sampling rows")
    many = len(names) > _MOST_COLUMNS
    sizes = _sizes(reference.num_rows, window.num_rows, rows_needed(len(names), most_rows))
    samples = [
        side.take(
            stratified_sample(side.num_rows, size, strata_of(side, time_column, segment_columns), random)
        )
        for side, size in zip((reference, window), sizes, strict=True)
    ]
    screened = 0
    if many:
        halves = [_halved(sample, random) for sample in samples]
        report(0.02, f"looking through {len(names):,} columns")
        screened = len(names)
        candidates = [name for name in names if name not in outputs]
        chosen = most_suspicious(candidates, halves[0][0], halves[1][0], _MOST_COLUMNS)
        names = [*chosen, *(name for name in names if name in outputs)]
        samples = [half[1] for half in halves]
    columns, skipped = _comparable(names, samples)
    sides = np.repeat([0, 1], [sample.num_rows for sample in samples])
    counts = samples[1].num_rows, samples[0].num_rows
    telling = [column for column in columns if not column.is_constant]
    if not telling:
        return Separation(0.5, 0.5, 1.0, *counts, _unmoved(columns, ()), 0.5, skipped, screened)

    from sklearn.metrics import roc_auc_score

    judged = _Judged(telling, seed)
    report(0.05, "telling the rows apart")
    probabilities, models = judged.out_of_fold(sides)
    auc = float(roc_auc_score(sides, probabilities))
    by_chance = np.empty(repeats)
    for repeat in range(repeats):
        report(0.1 + 0.8 * repeat / repeats, f"chance, repeat {repeat + 1} of {repeats}")
        permuted = random.permutation(sides)
        by_chance[repeat] = roc_auc_score(permuted, judged.out_of_fold(permuted)[0])
    report(0.9, "the columns that tell most")
    ranked = _ranked(judged, models, sides, seed)
    auc_of_inputs = auc
    inputs = [column for column in telling if column.name not in outputs]
    if 0 < len(inputs) < len(telling):
        report(0.95, "the columns that tell most, without the outputs")
        judged = _Judged(inputs, seed)
        probabilities, models = judged.out_of_fold(sides)
        auc_of_inputs = float(roc_auc_score(sides, probabilities))
        ranked = [
            *_ranked(judged, models, sides, seed),
            *(column for column in ranked if column.column in outputs),
        ]
    report(1.0, "done")
    return Separation(
        auc=auc,
        baseline=float(np.quantile(by_chance, 0.95)),
        p_value=float((1 + (by_chance >= auc).sum()) / (1 + repeats)),
        rows=counts[0],
        reference_rows=counts[1],
        columns=(*ranked, *_unmoved(columns, telling)),
        auc_of_inputs=auc_of_inputs,
        skipped=skipped,
        screened=screened,
    )


def rows_needed(columns: int, most_rows: int = MOST_ROWS) -> int:
    """Return how many rows of both sides together `tell_apart` uses at most; half of them of one side."""
    rows = min(most_rows, MOST_ROWS, max(_ENOUGH_ROWS, _CELLS // min(max(columns, 1), _MOST_COLUMNS)))
    return min(most_rows, MOST_ROWS, 2 * rows) if columns > _MOST_COLUMNS else rows


class _Judged:
    """The columns as one matrix, and the classifier that is trained on it."""

    def __init__(self, columns: Sequence[Column], seed: int) -> None:
        self.columns = columns
        self.matrix = np.column_stack([column.bins for column in columns])
        self._seed = seed

    def out_of_fold(
        self, sides: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], list[tuple["HistGradientBoostingClassifier", NDArray[np.int64]]]]:
        """Return each row's chance to be of the window, and the models with the rows they did not see."""
        from sklearn.model_selection import StratifiedKFold
        from threadpoolctl import threadpool_limits

        probabilities = np.empty(len(sides))
        models = []
        # OpenMP's threads wait for each other in a busy loop: on busy cores, fifty times as long.
        with threadpool_limits(1, user_api="openmp"):
            for seen, held_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=self._seed).split(
                self.matrix, sides
            ):
                model = self.classifier().fit(self.matrix[seen], sides[seen])
                probabilities[held_out] = model.predict_proba(self.matrix[held_out])[:, 1]
                models.append((model, held_out))
        return probabilities, models

    def classifier(self) -> "HistGradientBoostingClassifier":
        """Return the classifier, not trained."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        categorical = [column.is_categorical for column in self.columns]
        return HistGradientBoostingClassifier(
            **_SETTINGS,
            categorical_features=categorical if any(categorical) else None,
            max_bins=MOST_VALUES + 1 if any(categorical) else MOST_BINS,
            random_state=self._seed,
        )


def _columns_of(
    reference: pa.Table, window: pa.Table, time_column: str | None, segment_columns: Sequence[str]
) -> list[str]:
    for what, side, other in (("window", reference, window), ("reference", window, reference)):
        missing = [name for name in side.column_names if name not in other.column_names]
        if missing:
            raise SchemaMismatch(
                f"the rows of the {what} lack {', '.join(missing)}: give both sides the same columns"
            )
    if (
        len(set(reference.column_names)) < reference.num_columns
        or window.num_columns != reference.num_columns
    ):
        raise SchemaMismatch("a column occurs twice: give each column its own name")
    asked = [name for name in (time_column, *segment_columns) if name is not None]
    unknown = [name for name in asked if name not in reference.column_names]
    if unknown:
        raise SchemaMismatch(f"the rows have no column {', '.join(unknown)}: leave it out, or add it")
    names = [name for name in reference.column_names if name != time_column]
    if not names:
        raise InvalidInput("the rows have no column that could tell them apart: give at least one")
    return names


def _check_sizes(reference: pa.Table, window: pa.Table, most_rows: int, repeats: int) -> None:
    for what, side in (("window", window), ("reference", reference)):
        if side.num_rows < FEWEST_ROWS:
            one = "row" if side.num_rows == 1 else "rows"
            raise InvalidInput(
                f"the {what} has {side.num_rows} {one}, and telling rows apart needs at least {FEWEST_ROWS} "
                "of either side: choose a longer one"
            )
    if most_rows < 2 * FEWEST_ROWS:
        raise InvalidInput(f"a sample of {most_rows} rows is too small: allow at least {2 * FEWEST_ROWS}")
    if repeats < 1:
        raise InvalidInput(f"chance cannot be told from {repeats} permutations: ask for at least 1")


def _sizes(reference: int, window: int, budget: int) -> tuple[int, int]:
    """Return how many rows of either side to use: as many of one as of the other, if there are enough."""
    half = budget // 2
    fewer = min(reference, window, half)
    most = max(fewer, min(_ENOUGH_OF_A_SIDE, half))
    return min(reference, most), min(window, most)


def _halved(rows: pa.Table, random: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    order = random.permutation(rows.num_rows)
    half = rows.num_rows // 2
    return rows.take(np.sort(order[:half])), rows.take(np.sort(order[half:]))


def _comparable(names: Sequence[str], samples: Sequence[pa.Table]) -> tuple[list[Column], dict[str, str]]:
    columns: list[Column] = []
    skipped: dict[str, str] = {}
    for name in names:
        found = column_for_classifier(name, samples[0][name], samples[1][name])
        if isinstance(found, str):
            skipped[name] = found
        else:
            columns.append(found)
    if not columns:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise InvalidInput(f"no column can be compared ({why}): give at least one that can")
    return columns, skipped


def _ranked(
    judged: _Judged,
    models: Sequence[tuple["HistGradientBoostingClassifier", NDArray[np.int64]]],
    sides: NDArray[np.int64],
    seed: int,
) -> list[TellingColumn]:
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    falls = np.zeros(len(judged.columns))
    with threadpool_limits(1, user_api="openmp"):
        for model, held_out in models:
            falls += permutation_importance(
                model,
                judged.matrix[held_out],
                sides[held_out],
                scoring="roc_auc",
                n_repeats=_SHUFFLES,
                random_state=seed,
            ).importances_mean
    falls /= len(models)
    order = np.lexsort((np.arange(len(falls)), -falls))
    ranked = []
    for place, index in enumerate(order):
        column = judged.columns[index]
        alone: float | None = None
        if place < _ALONE and falls[index] > 0:
            alone = float(roc_auc_score(sides, _Judged([column], seed).out_of_fold(sides)[0]))
        ranked.append(TellingColumn(column.name, float(falls[index]), alone))
    return ranked


def _unmoved(columns: Sequence[Column], telling: Sequence[Column]) -> tuple[TellingColumn, ...]:
    told = {column.name for column in telling}
    return tuple(TellingColumn(column.name, 0.0) for column in columns if column.name not in told)
