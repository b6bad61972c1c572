"""What a model that runs elsewhere seems to depend on, learned from its predictions alone."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.analysis.classifier_columns import Column, column_for_classifier
from mlops_core.registry.columns import PREDICTION, SCORE
from mlops_core.registry.importance import Importance
from mlops_core.registry.reference_sample import sample_rows

__all__ = ["surrogate_importance"]

_ROWS: Final = 4_000
_FEWEST_ROWS: Final = 200
_REPEATS: Final = 3
_FEWEST_EXPLAINED: Final = 0.3
_MOST_COLUMNS: Final = 300
_SEED: Final = 0


def surrogate_importance(columns: Sequence[str], reference: pa.Table) -> Importance | None:
    """Return how much worse a surrogate foretells the predictions when one column's values are shuffled.

    Boosted trees learn the score (or the prediction) from the columns on one half of at most 4,000 rows and
    are judged on the other (Craven and Shavlik, Extracting tree-structured representations of trained
    networks, 1996, for the idea of a surrogate).

    Returns
    -------
    Importance or None
        None where there are fewer than 200 rows or more than 300 columns, or where the surrogate does not
        explain 0.3 of the predictions' variance (for labels, of what the most frequent label leaves wrong).
    """
    from sklearn import inspection
    from threadpoolctl import threadpool_limits

    target = SCORE if SCORE in reference.column_names else PREDICTION
    known = reference.filter(pc.is_valid(reference[target]))
    rows = sample_rows(known, _ROWS)
    if rows.num_rows < _FEWEST_ROWS or not 0 < len(columns) <= _MOST_COLUMNS:
        return None
    encoded = [column_for_classifier(name, rows[name], rows[name].slice(0, 0)) for name in columns]
    usable = [one for one in encoded if isinstance(one, Column) and not one.is_constant]
    if not usable:
        return None
    matrix = np.column_stack([one.bins for one in usable])
    values = rows[target].combine_chunks()
    is_label = not pa.types.is_floating(values.type) or pc.count_distinct(values).as_py() <= 2
    answers = np.asarray(values.cast(pa.string()).to_pylist()) if is_label else values.to_numpy()
    order = np.random.default_rng(_SEED).permutation(len(answers))
    learning, judging = order[::2], order[1::2]
    if len(np.unique(answers[learning])) < 2:
        return None
    with threadpool_limits(1):
        trees = _trees(usable, is_label=is_label).fit(matrix[learning], answers[learning])
        explained = trees.score(matrix[judging], answers[judging])
        if is_label:
            usual = np.unique(answers[judging], return_counts=True)[1].max() / len(judging)
            explained = (explained - usual) / (1 - usual) if usual < 1 else 0.0
        if explained < _FEWEST_EXPLAINED:
            return None
        found = inspection.permutation_importance(
            trees, matrix[judging], answers[judging], n_repeats=_REPEATS, random_state=_SEED
        )
    means = np.maximum(found.importances_mean, 0.0).tolist()
    values_of = dict.fromkeys(columns, 0.0) | {
        one.name: mean for one, mean in zip(usable, means, strict=True)
    }
    percent = min(int(100 * explained), 99)
    return Importance(values_of, f"surrogate that explains {percent} % of the predictions", len(judging))


def _trees(columns: Sequence[Column], *, is_label: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if is_label else HistGradientBoostingRegressor
    return kind(
        max_iter=60,
        categorical_features=[one.is_categorical for one in columns],
        early_stopping=False,
        random_state=_SEED,
    )
