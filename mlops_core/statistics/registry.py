"""Which statistics there are; adding one is one function with one decorator.

Importing `mlops_core.statistics` fills the registries, which are read-only views.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices.counts import Counts, NumericCounts
from mlops_core.slices.grid import Grid, NumericGrid
from mlops_core.slices.outcome_counts import BinaryOutcomes, MulticlassOutcomes, Outcomes
from mlops_core.slices.outcomes import ProblemType
from mlops_core.statistics.intervals import Interval

__all__ = [
    "DRIFT_STATISTICS",
    "PERFORMANCE_STATISTICS",
    "QUALITY_STATISTICS",
    "ColumnKind",
    "DriftFunction",
    "DriftStatistic",
    "PerformanceStatistic",
    "QualityStatistic",
    "drift_statistic",
    "kind_of",
    "performance_statistic",
    "problem_type_of",
    "quality_statistic",
]

ColumnKind = Literal["numeric", "categorical"]
"""How a column is counted: on a numeric grid, or by value."""

DriftFunction: TypeAlias = Callable[[Counts, Counts, Grid], float]

_Drift = TypeVar("_Drift", bound=DriftFunction)
_Performance = TypeVar("_Performance", bound=Callable[[Any], float])


@dataclass(frozen=True, slots=True)
class DriftStatistic:
    """How far a window is from the reference, as one number.

    Attributes
    ----------
    name
        The key that monitors store.
    kinds
        The kinds of column that it is defined for.
    lower, upper
        Its range; no drift is `lower`, or `upper` for a p-value.
    reference
        Where it comes from.
    function
        ``(reference, current, grid) -> float``; nan where it is undefined.
    higher_is_drift
        False for a p-value, which falls with drift: a threshold on it is a floor.
    """

    name: str
    kinds: frozenset[ColumnKind]
    lower: float
    upper: float
    reference: str
    function: DriftFunction
    higher_is_drift: bool = True

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return _first_line(self.function)

    def compute(self, reference: Counts, current: Counts, grid: Grid) -> float:
        """Return the statistic; nan when a window is empty.

        Raises
        ------
        InvalidInput
            If it is not defined for this kind of column, or the counts and the grid do not fit.
        """
        _check_kind(self, DRIFT_STATISTICS, kind_of(reference, current, grid))
        return self.function(reference, current, grid)


@dataclass(frozen=True, slots=True)
class QualityStatistic:
    """How much of a window is not as data should be, as one number.

    Attributes
    ----------
    name
        The key that monitors store.
    kinds
        The kinds of column that it is defined for.
    lower, upper
        Its range.
    reference
        Where it comes from.
    function
        ``(reference, current, grid) -> float``; nan where it is undefined.
    higher_is_worse
        Whether a threshold is a ceiling.
    """

    name: str
    kinds: frozenset[ColumnKind]
    lower: float
    upper: float
    reference: str
    function: DriftFunction
    higher_is_worse: bool = True

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return _first_line(self.function)

    def compute(self, reference: Counts, current: Counts, grid: Grid) -> float:
        """Return the statistic; nan when the window is empty.

        Raises
        ------
        InvalidInput
            If it is not defined for this kind of column, or the counts and the grid do not fit.
        """
        _check_kind(self, QUALITY_STATISTICS, kind_of(reference, current, grid))
        return self.function(reference, current, grid)


@dataclass(frozen=True, slots=True)
class PerformanceStatistic:
    """How good predictions were, as one number.

    Attributes
    ----------
    name
        The key that monitors store.
    problem_types
        The problem types that it is defined for.
    higher_is_better
        Whether a threshold is a floor or a ceiling.
    reference
        Where it comes from.
    function
        ``(outcomes) -> float``; nan where it is undefined.
    interval_function
        ``(outcomes, confidence) -> Interval``, or None if no interval is known.
    """

    name: str
    problem_types: frozenset[ProblemType]
    higher_is_better: bool
    reference: str
    function: Callable[[Any], float]
    interval_function: Callable[[Any, float], Interval] | None = None

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return _first_line(self.function)

    def compute(self, outcomes: Outcomes) -> float:
        """Return the statistic; nan when there are no rows.

        Raises
        ------
        InvalidInput
            If it is not defined for this problem type.
        """
        self._check(outcomes)
        return self.function(outcomes)

    def interval(self, outcomes: Outcomes, confidence: float = 0.95) -> Interval:
        """Return the limits between which the statistic lies with this confidence; nan where undefined.

        Raises
        ------
        InvalidInput
            If it is not defined for this problem type, or the confidence is not between 0 and 1.
        """
        self._check(outcomes)
        if self.interval_function is None:
            return Interval(math.nan, math.nan)
        return self.interval_function(outcomes, confidence)

    def _check(self, outcomes: Outcomes) -> None:
        found = problem_type_of(outcomes)
        if found not in self.problem_types:
            fitting = ", ".join(
                sorted(name for name, other in PERFORMANCE_STATISTICS.items() if found in other.problem_types)
            )
            raise InvalidInput(f"{self.name} is not defined for {found} outcomes: choose one of {fitting}")


def problem_type_of(outcomes: Outcomes) -> ProblemType:
    """Return the problem type that was counted."""
    if isinstance(outcomes, BinaryOutcomes):
        return "binary"
    return "multiclass" if isinstance(outcomes, MulticlassOutcomes) else "regression"


_drift: Final[dict[str, DriftStatistic]] = {}
_quality: Final[dict[str, QualityStatistic]] = {}
_performance: Final[dict[str, PerformanceStatistic]] = {}

DRIFT_STATISTICS: Final[Mapping[str, DriftStatistic]] = MappingProxyType(_drift)
"""Every drift statistic by name."""

QUALITY_STATISTICS: Final[Mapping[str, QualityStatistic]] = MappingProxyType(_quality)
"""Every data-quality statistic by name."""

PERFORMANCE_STATISTICS: Final[Mapping[str, PerformanceStatistic]] = MappingProxyType(_performance)
"""Every performance statistic by name."""


def drift_statistic(
    name: str,
    kinds: Collection[ColumnKind],
    lower: float,
    upper: float,
    reference: str,
    higher_is_drift: bool = True,
) -> Callable[[_Drift], _Drift]:
    """Register a function ``(reference, current, grid) -> float`` as a drift statistic.

    Raises
    ------
    InvalidInput
        If the name is taken, or a kind unknown.
    """
    _check(name, _drift, kinds, get_args(ColumnKind))

    def register(function: _Drift) -> _Drift:
        _drift[name] = DriftStatistic(
            name, frozenset(kinds), lower, upper, reference, function, higher_is_drift
        )
        return function

    return register


def quality_statistic(
    name: str,
    kinds: Collection[ColumnKind],
    lower: float,
    upper: float,
    reference: str,
    higher_is_worse: bool = True,
) -> Callable[[_Drift], _Drift]:
    """Register a function ``(reference, current, grid) -> float`` as a data-quality statistic.

    Raises
    ------
    InvalidInput
        If the name is taken, or a kind unknown.
    """
    _check(name, _quality, kinds, get_args(ColumnKind))

    def register(function: _Drift) -> _Drift:
        _quality[name] = QualityStatistic(
            name, frozenset(kinds), lower, upper, reference, function, higher_is_worse
        )
        return function

    return register


def performance_statistic(
    name: str,
    problem_types: Collection[ProblemType],
    higher_is_better: bool,
    reference: str,
    interval: Callable[[Any, float], Interval] | None = None,
) -> Callable[[_Performance], _Performance]:
    """Register a function ``(outcomes) -> float`` as a performance statistic.

    Raises
    ------
    InvalidInput
        If the name is taken, or a problem type unknown.
    """
    _check(name, _performance, problem_types, get_args(ProblemType))

    def register(function: _Performance) -> _Performance:
        _performance[name] = PerformanceStatistic(
            name, frozenset(problem_types), higher_is_better, reference, function, interval
        )
        return function

    return register


def kind_of(reference: Counts, current: Counts, grid: Grid) -> ColumnKind:
    """Return the kind of column that was counted.

    Raises
    ------
    InvalidInput
        If the three do not belong together.
    """
    numeric = {isinstance(reference, NumericCounts), isinstance(current, NumericCounts)}
    sizes = {
        len(counts.cells if isinstance(counts, NumericCounts) else counts.known)
        for counts in (reference, current)
    }
    if numeric != {isinstance(grid, NumericGrid)} or sizes != {grid.n_cells}:
        raise InvalidInput("the two windows were not counted on this grid: rebuild their slices on it")
    return "numeric" if isinstance(grid, NumericGrid) else "categorical"


def _check_kind(
    statistic: DriftStatistic | QualityStatistic,
    registry: Mapping[str, DriftStatistic] | Mapping[str, QualityStatistic],
    kind: ColumnKind,
) -> None:
    if kind not in statistic.kinds:
        fitting = ", ".join(sorted(name for name, found in registry.items() if kind in found.kinds))
        raise InvalidInput(f"{statistic.name} is not defined for a {kind} column: choose one of {fitting}")


def _check(name: str, taken: Collection[str], given: Collection[str], known: tuple[str, ...]) -> None:
    if name in taken:
        raise InvalidInput(f"statistic {name!r} is registered already: choose another name")
    if not given or not set(given) <= set(known):
        raise InvalidInput(
            f"statistic {name!r} is declared for {list(given)}: choose among {', '.join(known)}"
        )


def _first_line(function: Callable[..., float]) -> str:
    return (function.__doc__ or "").partition("\n")[0]
