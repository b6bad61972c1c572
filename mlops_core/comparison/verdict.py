"""The rule by which a comparison is judged; it knows nothing but intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlops_core.comparison.report import Difference, SegmentDifference
from mlops_core.domain.states import Verdict

__all__ = ["MARGIN", "SIGNIFICANCE", "Judgement", "holm", "judge", "margin_of"]

MARGIN: Final = 0.01
"""By how much a segment may be worse: of a metric with a largest value of 1, or as a share of the
champion's value of any other."""

SIGNIFICANCE: Final = 0.05
"""The chance that the rule names some segment although none is worse by more than the margin."""

_UP_TO_ONE: Final = frozenset(
    {"roc_auc", "average_precision", "accuracy", "balanced_accuracy", "specificity", "brier", "r_squared"}
)
_ALSO_UP_TO_ONE: Final = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and for `worse_in_segment` the segment that it names."""

    verdict: Verdict
    segment: SegmentDifference | None = None


def judge(primary: Difference, segments: Sequence[SegmentDifference]) -> Judgement:
    """Judge a challenger; the first line that holds decides.

    1. `worse`: the whole interval of the primary metric speaks against it.
    2. `worse_in_segment`: in a segment it is significantly worse by more than the margin, whatever the
       primary metric says; the one where it is worst is named.
    3. `better`: the whole interval speaks for it.
    4. `no_evidence`: anything else, also a metric that has no interval.
    """
    if primary.is_worse:
        return Judgement(Verdict.WORSE)
    worse = [one for one in segments if one.is_worse]
    if worse:
        return Judgement(Verdict.WORSE_IN_SEGMENT, min(worse, key=lambda one: _gain(one.difference)))
    return Judgement(Verdict.BETTER if primary.is_better else Verdict.NO_EVIDENCE)


def margin_of(metric: str, champion: float | None, margin: float = MARGIN) -> float:
    """Return by how much of a metric a segment may be worse.

    Parameters
    ----------
    champion
        Its value on all rows.
    margin
        In the metric's unit where its largest value is 1; of any other the share of the champion's value.
    """
    if metric in _UP_TO_ONE or metric.startswith(_ALSO_UP_TO_ONE):
        return margin
    return margin * abs(champion or 0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, so that one at most `q` is wrong with chance `q` at most.

    Holm, A simple sequentially rejective multiple test procedure, 1979: the largest, over all ranks up to
    its own, of ``p * (number - rank + 1)``.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = largest
    return corrected


def _gain(difference: Difference) -> float:
    gained = difference.difference or 0.0
    return gained if difference.higher_is_better else -gained
