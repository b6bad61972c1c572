"""Whether a window differs from the reference in a way that no single column shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.analysis.classifier_columns import column_for_classifier
from mlops_core.analysis.domain_classifier import (
    FEWEST_ROWS,
    Report,
    Separation,
    TellingColumn,
    rows_needed,
    tell_apart,
)
from mlops_core.domain.errors import InvalidInput
from mlops_core.explanation.log_sample import Sample, logged_columns, rows_in_segment, sample_log
from mlops_core.explanation.question import Question, look_up
from mlops_core.explanation.ranking import OUTPUTS
from mlops_core.explanation.wording import name_text, number_text, span_text
from mlops_core.monitoring.windows import Window
from mlops_core.registry.columns import PREDICTED_AT
from mlops_core.registry.reference_sample import read_reference_sample
from mlops_core.workspace import Workspace

__all__ = ["CorrelationChange", "TellingColumn", "Together", "tell_windows_apart"]

_LEVEL: Final = 0.05
_MOST_NAMED: Final = 3
_FEWEST_POINTS: Final = 0.005  # of AUC: a column below this is not named
_BESIDE_THE_FIRST: Final = 0.3  # nor one that tells less than this part of what the first does
_HARDLY_APART: Final = 0.6
_NEARLY_ALL: Final = 0.8  # of what all columns tell: a column that does so does it alone
_LEAST_CHANGE: Final = 0.1  # of a rank correlation, to be mentioned
_HARDLY: Final = 0.2  # of what all columns tell: a column that does no more does not show it alone


@dataclass(frozen=True, slots=True)
class CorrelationChange:
    """How two numeric columns went together, by Spearman's rank correlation, -1 to 1."""

    first: str
    second: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Together:
    """How well a classifier tells a window from its reference, and by which columns.

    Attributes
    ----------
    auc
        Out of fold; 0.5 for windows that are alike, 1 for windows that can always be told apart.
    baseline
        The 95th percentile of the AUC by chance.
    p_value
        By permutation.
    rows, reference_rows
        How many rows of each window it was given: a sample of those that there are.
    columns
        The column that tells most first; the prediction and the score, which follow from the others, last.
        What the others tell is measured without those two.
    auc_of_inputs
        The AUC without the prediction and the score.
    sentence
        What was found, in words a director can repeat.
    notes
        What was left out, and why, in words.
    correlation
        Where no column that tells shows it alone: the pair with one of them whose rank correlation changed
        most, if there is one.
    """

    auc: float
    baseline: float
    p_value: float
    rows: int
    reference_rows: int
    columns: Sequence[TellingColumn]
    auc_of_inputs: float
    sentence: str
    notes: Sequence[str]
    correlation: CorrelationChange | None = None

    @property
    def differs(self) -> bool:
        """Return whether the windows can be told apart, and not by chance."""
        return self.p_value <= _LEVEL and self.auc > self.baseline

    @property
    def telling(self) -> Sequence[TellingColumn]:
        """Return the columns, three at most, that do most of the telling; none if it may be chance.

        Outputs are among them only where the inputs tell less than half: the model itself has changed.
        """
        if not self.differs:
            return []
        columns = self.columns
        if self.inputs_explain:
            columns = [one for one in columns if one.column not in OUTPUTS]
        columns = sorted(columns, key=lambda one: -one.importance)[:_MOST_NAMED]
        least = max(_FEWEST_POINTS, _BESIDE_THE_FIRST * columns[0].importance) if columns else 0.0
        return [one for one in columns if one.importance >= least]

    @property
    def shown_alone(self) -> bool:
        """Return whether one of the telling columns tells the windows apart by itself."""
        told = (self.auc_of_inputs if self.inputs_explain else self.auc) - 0.5
        alone = max((one.alone for one in self.telling if one.alone is not None), default=1.0)
        return alone >= max(self.baseline, 0.5 + _HARDLY * told)

    @property
    def inputs_explain(self) -> bool:
        """Return whether the inputs tell at least half of what they tell together with the outputs."""
        return self.auc_of_inputs - 0.5 >= (self.auc - 0.5) / 2


def tell_windows_apart(
    workspace: Workspace,
    name: str,
    *,
    window: Window,
    reference: Window | None = None,
    segment: str = "",
    progress: Report | None = None,
) -> Together:
    """Train a classifier to tell the rows of a window of a model's champion from those of its reference.

    It takes seconds: fifty classifiers are cross-validated. The columns are the version's, the model's
    segment columns, the prediction and the score. See `tell_apart` for how. Rows count as independent: where
    the same customers come back week after week, a small difference is less certain than its p-value says.

    Parameters
    ----------
    reference
        Another window of the log; None takes the rows that were kept of the version's own reference.
    segment
        `column=value`, or empty for all rows; it holds for both windows.
    progress
        Called with the share that is done and what is being done; what it raises ends the work.

    Raises
    ------
    NotFound
        The model or the segment does not exist.
    InvalidInput
        A window has fewer than 50 rows, the two overlap, or no rows of the reference were kept.
    """
    report = progress or (lambda _share, _doing: None)
    asked = look_up(workspace, name, window, reference, segment, "psi")
    report(0.0, "reading rows")
    kept = None if reference is not None else _kept_rows(asked)
    known = logged_columns(workspace, asked.model)
    wanted = list(dict.fromkeys([*asked.version.columns, *asked.model.segment_columns, *OUTPUTS]))
    columns = [one for one in wanted if one in known and (kept is None or one in kept.column_names)]
    notes = [
        f"{one} is not in {'the log' if one not in known else 'the reference'}: it was left out"
        for one in wanted
        if one not in columns and one not in OUTPUTS
    ]
    most = rows_needed(len(columns)) // 2
    after = sample_log(workspace, asked.model, asked.version, window, columns, segment=segment, most=most)
    _check_rows(asked, after, window)
    if kept is None and reference is not None:
        before = sample_log(
            workspace, asked.model, asked.version, reference, columns, segment=segment, most=most
        )
        _check_rows(asked, before, reference)
    else:
        before = _of_reference(asked, kept, [PREDICTED_AT, *columns])
    found = tell_apart(
        before.rows,
        after.rows,
        time_column=PREDICTED_AT,
        segment_columns=[one for one in asked.model.segment_columns if one in columns],
        outputs=OUTPUTS,
        progress=lambda share, doing: report(0.05 + 0.95 * share, doing),
    )
    together = Together(
        auc=found.auc,
        baseline=found.baseline,
        p_value=found.p_value,
        rows=found.rows,
        reference_rows=found.reference_rows,
        columns=found.columns,
        auc_of_inputs=found.auc_of_inputs,
        sentence="",
        notes=[*notes, *_notes(found, after, before)],
    )
    return _with_sentence(
        replace(together, correlation=_correlation(together, before.rows, after.rows)), asked
    )


def _kept_rows(asked: Question) -> pa.Table:
    kept = read_reference_sample(asked.workspace, asked.version)
    if kept is None:
        first, last = asked.days[0], asked.days[-1]
        raise InvalidInput(
            f"version {asked.version.number} of '{asked.model.name}' was registered before rows of the "
            "reference were kept: compare two windows of its predictions instead, between "
            f"{first:%Y-%m-%d} and {last:%Y-%m-%d}"
        )
    return kept


def _of_reference(asked: Question, kept: pa.Table, columns: Sequence[str]) -> Sample:
    rows = rows_in_segment(kept, asked.segment).select(columns)
    if rows.num_rows < FEWEST_ROWS:
        raise InvalidInput(
            f"the reference of '{asked.model.name}' keeps {_many(rows.num_rows)}{_with(asked.segment)}, and "
            f"to tell them apart takes at least {FEWEST_ROWS}: compare with an earlier window"
        )
    return Sample(rows, rows.num_rows)


def _check_rows(asked: Question, sample: Sample, window: Window) -> None:
    if sample.total < FEWEST_ROWS:
        raise InvalidInput(
            f"model '{asked.model.name}' made {_many(sample.total)}{_with(asked.segment)} in "
            f"{span_text(window.start, window.end, 0)}, and to tell them apart takes at least {FEWEST_ROWS}: "
            f"choose a longer window between {asked.days[0]:%Y-%m-%d} and {asked.days[-1]:%Y-%m-%d}"
        )


def _many(rows: int) -> str:
    if rows < 2:
        return ("no prediction", "1 prediction")[rows]
    return f"{rows:,} predictions"


def _with(segment: str) -> str:
    return f" with {segment}" if segment else ""


def _notes(found: Separation, after: Sample, before: Sample) -> list[str]:
    notes = []
    if found.rows < after.total or found.reference_rows < before.total:
        notes.append(
            f"a sample: {found.rows:,} of {after.total:,} predictions, and {found.reference_rows:,} of "
            f"{before.total:,} rows of the reference"
        )
    notes += [f"{column} was left out, because {reason}" for column, reason in found.skipped.items()]
    if found.screened:
        notes.append(
            f"of {found.screened:,} columns, the {len(found.columns)} were tried that moved most, alone or "
            "with another, in other rows of the sample"
        )
    return notes


def _with_sentence(together: Together, asked: Question) -> Together:
    other = "the reference"
    if asked.reference is not None:
        other = span_text(asked.reference.start, asked.reference.end, asked.window.year)
    by_chance = f"{together.baseline:.2f} by chance, p = {together.p_value:.2f}"
    if not together.differs:
        sentence = f"A classifier cannot tell this window from {other}: AUC {together.auc:.2f} ({by_chance})."
    else:
        how = "hardly better than by chance, with" if together.auc < _HARDLY_APART else "with"
        sentence = (
            f"A classifier tells this window from {other} {how} AUC {together.auc:.2f} ({by_chance}): "
            f"{_by_what(together)}."
        )
    return replace(together, sentence=sentence)


def _by_what(together: Together) -> str:
    telling, pair = together.telling, together.correlation
    if not telling:
        return "many columns tell a little each"
    names = _listed([name_text(one.column) for one in telling])
    if not together.shown_alone:
        if pair is not None and len(telling) < 3:
            names = _listed([name_text(pair.first), name_text(pair.second)])
        elif len(telling) == 1:
            return f"{names} moved against the other columns in a way that it does not show alone"
        none = "none of them shows" if len(telling) > 2 else "neither shows"
        words = f"together, {names} moved in a way that {none} alone"
        if pair is None:
            return words
        whose = "their" if len(telling) < 3 else f"{name_text(pair.first)} and {name_text(pair.second)}'s"
        return (
            f"{words}; {whose} rank correlation went from {number_text(pair.before, 2)} to "
            f"{number_text(pair.after, 2)}"
        )
    first = telling[0]
    told = (together.auc_of_inputs if together.inputs_explain else together.auc) - 0.5
    if first.alone is not None and first.alone - 0.5 >= _NEARLY_ALL * told:
        return f"{name_text(first.column)} alone does so with {first.alone:.2f}"
    words = f"{names} {'tells' if len(telling) == 1 else 'tell'} most"
    return words if together.inputs_explain else f"{words}, and the inputs alone hardly anything"


def _correlation(together: Together, before: pa.Table, after: pa.Table) -> CorrelationChange | None:
    """Return the pair of which one tells whose rank correlation changed most, by Fisher's z.

    Of two columns that tell, it is these two if both are numeric.
    """
    telling = [one.column for one in together.telling]
    if not telling or together.shown_alone:
        return None
    ranks = {}
    for one in together.columns:
        column = column_for_classifier(one.column, before[one.column], after[one.column])
        if one.column not in OUTPUTS and not isinstance(column, str) and not column.is_categorical:
            ranks[one.column] = column.values
    others = telling if len(telling) == 2 and set(telling) <= set(ranks) else list(ranks)
    found = [
        CorrelationChange(
            first,
            second,
            _rank_correlation(ranks[first][: before.num_rows], ranks[second][: before.num_rows]),
            _rank_correlation(ranks[first][before.num_rows :], ranks[second][before.num_rows :]),
        )
        for first in telling
        for second in others
        if first != second and first in ranks
    ]
    largest = max(found, key=_change, default=None)
    return largest if largest is not None and abs(largest.after - largest.before) >= _LEAST_CHANGE else None


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation of the rows that have both; 0 where it is not defined."""
    from scipy.stats import rankdata

    both = ~(np.isnan(first) | np.isnan(second))
    one, other = rankdata(first[both]), rankdata(second[both])
    if not both.any() or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _change(pair: CorrelationChange) -> float:
    before, after = np.clip([pair.before, pair.after], -0.999, 0.999)
    return float(abs(np.arctanh(after) - np.arctanh(before)))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
