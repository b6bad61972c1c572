"""Whether the groups of a protected attribute are treated alike."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlops_core.domain.states import ProblemType
from mlops_core.version_tests.context import TestContext
from mlops_core.version_tests.declared import Parameter, version_test
from mlops_core.version_tests.known_rows import KnownRows
from mlops_core.version_tests.outcome import NotJudged, Outcome

__all__ = ["bias"]

_ONE_SIDED: Final = 0.95
_GAP: Final = "missing"


@dataclass(frozen=True, slots=True)
class _Gap:
    """How far apart the groups of an attribute are, by one measure.

    Attributes
    ----------
    value
        What is held to the limit; a ratio is turned into what it lacks to 1.
    lower
        What it is at least, with 95 % confidence over all pairs of groups.
    groups
        The two that are furthest apart.
    """

    attribute: str
    measure: str
    value: float
    lower: float
    limit: float
    groups: tuple[str, str]

    @property
    def is_broken(self) -> bool:
        return self.lower > self.limit


@version_test(
    "bias",
    title="Groups are treated alike",
    problem_types=(ProblemType.BINARY, ProblemType.MULTICLASS, ProblemType.REGRESSION),
    parameters=[
        Parameter("demographic_parity", 0.2, "limit of the difference in how often 1 is predicted", 0, 1),
        Parameter("equalized_odds", 0.2, "limit of the difference in true or false positives", 0, 1),
        Parameter("mean_ratio", 0.8, "least ratio of mean predictions (regression)", lowest=0, highest=1),
        Parameter("threshold", 0.5, "probability from which 1 is predicted", lowest=0, highest=1),
        Parameter("leave_out", "unknown", "groups that are none: names separated by commas"),
        Parameter("min_rows", 50, "rows that a group needs to be judged", lowest=2, highest=1e9),
    ],
)
def bias(context: TestContext) -> Outcome:
    """Compare the groups of each protected attribute that the version's card declares.

    Binary models and classes: demographic parity difference (how often 1, or a class, is predicted) and
    equalized odds difference (the larger of the differences in true and in false positive rate; Hardt et al.,
    2016). Regressions: the ratio of mean predictions, the lowest to the highest. It fails only when a pair of
    groups is apart by more than the limit with 95 % confidence (one-sided; rates with a case added to each
    side, after Agresti and Caffo, 2000; corrected for the number of pairs). Groups with too few rows, and
    rows of which the group is not known, are left out and named.
    """
    attributes = list(context.card.protected_attributes) if context.card is not None else []
    if not attributes:
        raise NotJudged("The version's card declares no protected attribute.")
    known, rows = context.known, context.rows
    missing = [name for name in attributes if name not in rows.column_names]
    if missing:
        return Outcome.judged(
            False, f"Protected attribute {missing[0]} is not in the evaluation snapshot, so nobody can tell."
        )
    gaps: list[_Gap] = []
    left_out: list[str] = []
    no_groups = {part.strip() for part in str(context.parameters["leave_out"]).split(",")}
    for name in attributes:
        groups, small = _groups_of(rows[name], known, int(context.number("min_rows")), no_groups)
        left_out += [f"{name} {group} ({count:,} rows)" for group, count in small.items()]
        gaps += _gaps(context, known, name, groups)
    if not gaps:
        raise NotJudged(
            f"No protected attribute has two groups of {context.number('min_rows'):,.0f} rows to compare."
        )
    worst = max(gaps, key=lambda gap: (gap.is_broken, gap.value - gap.limit))
    broken = [gap for gap in gaps if gap.is_broken]
    return Outcome.judged(
        not broken,
        _sentence(worst, broken, left_out),
        figure=worst.value,
        limit=worst.limit,
        evidence={
            "columns": ["attribute", "measure", "difference", "at least", "limit", "furthest apart", ""],
            "rows": [
                [
                    gap.attribute,
                    gap.measure,
                    gap.value,
                    gap.lower,
                    gap.limit,
                    " and ".join(gap.groups),
                    "too far apart" if gap.is_broken else "",
                ]
                for gap in gaps
            ],
        }
        | ({"facts": {"left out": left_out}} if left_out else {}),
    )


def _groups_of(
    column: pa.ChunkedArray, known: KnownRows, least: int, no_groups: Collection[str]
) -> tuple[dict[str, NDArray[np.intp]], dict[str, int]]:
    """Return the rows of each group that is large enough, and the sizes of the others; a gap is no group."""
    words = np.asarray(pc.fill_null(pc.cast(column, pa.string()), _GAP).to_pylist(), dtype=object)
    here = words[known.places]
    rows = {str(name): np.flatnonzero(here == name) for name in sorted(set(here.tolist()))}
    large = {
        name: places
        for name, places in rows.items()
        if len(places) >= least and name not in no_groups and name != _GAP
    }
    return large, {name: len(places) for name, places in rows.items() if name not in large}


def _gaps(
    context: TestContext, known: KnownRows, attribute: str, groups: Mapping[str, NDArray[np.intp]]
) -> list[_Gap]:
    if len(groups) < 2:
        return []
    if known.problem == ProblemType.REGRESSION:
        return _ratio_gap(known, attribute, groups, 1.0 - context.number("mean_ratio"))
    gaps: list[_Gap] = []
    least = int(context.number("min_rows"))
    parity, odds = context.number("demographic_parity"), context.number("equalized_odds")
    for label, chosen, actual in _decisions(known, context.number("threshold")):
        of = f" of {label}" if label else ""
        gaps += _rate_gap(attribute, f"demographic parity difference{of}", parity, groups, chosen, least)
        rates = [
            gap
            for wanted in (True, False)
            for gap in _rate_gap(
                attribute,
                f"equalized odds difference{of}",
                odds,
                {name: places[actual[places] == wanted] for name, places in groups.items()},
                chosen,
                max(least // 2, 2),
            )
        ]
        if rates:
            furthest = max(rates, key=lambda gap: gap.value)
            gaps.append(
                max(rates, key=lambda gap: gap.lower) if any(g.is_broken for g in rates) else furthest
            )
    if known.problem == ProblemType.MULTICLASS:  # of the classes, the one that is treated most unlike
        measures = {gap.measure.partition(" of ")[0] for gap in gaps}
        gaps = [
            max(
                (gap for gap in gaps if gap.measure.startswith(measure)),
                key=lambda gap: (gap.is_broken, gap.value),
            )
            for measure in sorted(measures)
        ]
    return gaps


def _decisions(known: KnownRows, threshold: float) -> list[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return, for 1 or for each class: its name, which rows are predicted to be it, and which are."""
    if known.problem == ProblemType.BINARY:
        truth, predicted = known.numbers()
        return [("", predicted >= threshold, truth == 1.0)]
    return [(str(label), known.prediction == label, known.truth == label) for label in np.unique(known.truth)]


def _rate_gap(
    attribute: str,
    measure: str,
    limit: float,
    groups: Mapping[str, NDArray[np.intp]],
    chosen: NDArray[np.bool_],
    least: int,
) -> list[_Gap]:
    """Return the largest difference of a rate between groups; none where fewer than two are large enough."""
    counts = {
        name: (int(chosen[places].sum()), len(places))
        for name, places in groups.items()
        if len(places) >= least
    }
    if len(counts) < 2:
        return []
    quantile = _quantile(len(counts))
    lower = max(_difference_at_least(*counts[a], *counts[b], quantile) for a, b in combinations(counts, 2))
    rates = {name: hits / rows for name, (hits, rows) in counts.items()}
    high, low = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
    return [_Gap(attribute, measure, rates[high] - rates[low], lower, limit, (high, low))]


def _difference_at_least(hits: int, rows: int, other_hits: int, other_rows: int, quantile: float) -> float:
    """Return what two rates differ by at least, whichever is higher (Agresti and Caffo, 2000)."""
    first, second = (hits + 1) / (rows + 2), (other_hits + 1) / (other_rows + 2)
    error = math.sqrt(first * (1 - first) / (rows + 2) + second * (1 - second) / (other_rows + 2))
    return max(abs(first - second) - quantile * error, 0.0)


def _ratio_gap(
    known: KnownRows, attribute: str, groups: Mapping[str, NDArray[np.intp]], limit: float
) -> list[_Gap]:
    """Return what the ratio of the lowest to the highest mean prediction lacks to 1, by the delta method."""
    _, predicted = known.numbers()
    means = {name: float(predicted[places].mean()) for name, places in groups.items()}
    if min(means.values()) <= 0.0:
        raise NotJudged(f"Mean predictions of {attribute} are not above zero, so they have no ratio.")
    errors = {
        name: float(predicted[places].std(ddof=1)) / math.sqrt(len(places)) / means[name]
        for name, places in groups.items()
    }
    quantile, lower = _quantile(len(groups)), 0.0
    for a, b in combinations(groups, 2):
        apart = abs(math.log(means[a] / means[b])) - quantile * math.hypot(errors[a], errors[b])
        lower = max(lower, 1.0 - math.exp(-max(apart, 0.0)))
    high, low = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    value = 1.0 - means[low] / means[high]
    return [_Gap(attribute, "mean prediction ratio, short of 1", value, lower, limit, (high, low))]


def _quantile(groups: int) -> float:
    """Return the one-sided normal quantile of 95 % for all pairs of so many groups together (Bonferroni)."""
    from scipy.special import ndtri

    return float(ndtri(1.0 - (1.0 - _ONE_SIDED) / math.comb(groups, 2)))


def _sentence(worst: _Gap, broken: Sequence[_Gap], left_out: Sequence[str]) -> str:
    more = " and more" if len(left_out) > 3 else ""
    aside = f" Left out: {', '.join(left_out[:3])}{more}." if left_out else ""
    if broken:
        return (
            f"By {worst.attribute}, {worst.groups[0]} and {worst.groups[1]} are {worst.value:.2f} apart in "
            f"{worst.measure}; {worst.limit:g} is allowed." + aside
        )
    return (
        f"No groups are shown to be further apart than allowed; the largest is {worst.value:.2f} in "
        f"{worst.measure}, by {worst.attribute}." + aside
    )
