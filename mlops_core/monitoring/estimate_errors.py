"""How far estimates were off once the outcomes had arrived: what tells whether to rely on the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, floor, log10
from typing import Final

from sqlmodel import Session, col, select

from mlops_core.domain import Measurement, ModelVersion, Monitor
from mlops_core.domain.states import MonitorKind
from mlops_core.monitoring.windows import Window
from mlops_core.registry.models import find_model
from mlops_core.workspace import Workspace

__all__ = ["EstimateErrors", "EstimatePair", "estimate_errors"]

_ENOUGH_OUTCOMES: Final = 0.9
_CONFIDENCE: Final = 0.95
_NEWEST: Final = 3
_BY_CHANCE: Final = 0.01
_FEW_INSIDE: Final = 0.75


@dataclass(frozen=True, slots=True)
class EstimatePair:
    """What was estimated of a window, and what was measured of it later.

    Attributes
    ----------
    version
        The number of the version that predicted.
    lower, upper
        Of the estimate.
    """

    window: Window
    version: int
    estimated: float
    lower: float | None
    upper: float | None
    measured: float

    @property
    def error(self) -> float:
        """Return estimated minus measured."""
        return self.estimated - self.measured

    @property
    def is_inside(self) -> bool:
        """Return whether the measured figure lies inside the interval of the estimate."""
        return self.lower is not None and self.upper is not None and self.lower <= self.measured <= self.upper


@dataclass(frozen=True, slots=True)
class EstimateErrors:
    """The estimates of a model beside what was measured of the same windows, oldest first.

    Attributes
    ----------
    statistic
        None when nothing is estimated.
    pairs
        Of windows in which at least 90 % of the outcomes are known.
    mean_absolute_error, bias
        Of estimated minus measured; None without a pair.
    is_trusted
        False when outcomes contradict the estimates: the last three windows lie outside their intervals, or
        fewer than three quarters do and chance does not explain it. None with fewer than three pairs.
    sentence
        One sentence, two where the estimates are contradicted.
    """

    model: str
    statistic: str | None
    pairs: Sequence[EstimatePair]
    mean_absolute_error: float | None
    bias: float | None
    is_trusted: bool | None
    sentence: str

    @property
    def windows(self) -> int:
        """Return how many windows were compared."""
        return len(self.pairs)

    @property
    def inside(self) -> int:
        """Return in how many of them the measured figure lay inside the interval."""
        return sum(pair.is_inside for pair in self.pairs)


def estimate_errors(workspace: Workspace, model_name: str) -> EstimateErrors:
    """Compare the stored estimates of a model, of all its versions, with what was measured later.

    Raises
    ------
    NotFound
        There is no such model.
    """
    with workspace.store.read() as session:
        model = find_model(session, model_name)
        pairs: list[EstimatePair] = []
        found = False
        if model.primary_metric:
            for version in session.exec(select(ModelVersion).where(ModelVersion.model_id == model.id)):
                estimates = _newest(session, version, MonitorKind.ESTIMATE, model.primary_metric)
                found = found or bool(estimates)
                measured = _newest(session, version, MonitorKind.PERFORMANCE, model.primary_metric)
                pairs += [
                    EstimatePair(
                        Window(row.window_start, row.window_end),
                        version.number,
                        row.value,
                        row.lower,
                        row.upper,
                        later.value,
                    )
                    for key, row in estimates.items()
                    if row.value is not None
                    and (later := measured.get(key)) is not None
                    and later.value is not None
                    and (later.outcomes_share or 0.0) >= _ENOUGH_OUTCOMES
                ]
    pairs.sort(key=lambda pair: (pair.window, pair.version))
    errors = [pair.error for pair in pairs]
    trusted = _is_trusted(pairs)
    return EstimateErrors(
        model=model_name,
        statistic=model.primary_metric if found else None,
        pairs=pairs,
        mean_absolute_error=sum(abs(error) for error in errors) / len(errors) if errors else None,
        bias=sum(errors) / len(errors) if errors else None,
        is_trusted=trusted,
        sentence=_sentence(pairs, trusted, estimated=found),
    )


def _newest(
    session: Session, version: ModelVersion, kind: MonitorKind, statistic: str
) -> dict[Window, Measurement]:
    rows = session.exec(
        select(Measurement)
        .join(Monitor, col(Monitor.id) == col(Measurement.monitor_id))
        .where(
            Monitor.model_version_id == version.id,
            Monitor.kind == kind,
            Monitor.segment == "",
            Measurement.statistic == statistic,
        )
        .order_by(col(Measurement.id))
    )
    return {Window(row.window_start, row.window_end): row for row in rows}


def _is_trusted(pairs: Sequence[EstimatePair]) -> bool | None:
    if len(pairs) < _NEWEST:
        return None
    if not any(pair.is_inside for pair in pairs[-_NEWEST:]):
        return False
    inside, n = sum(pair.is_inside for pair in pairs), len(pairs)
    by_chance = sum(comb(n, k) * _CONFIDENCE**k * (1 - _CONFIDENCE) ** (n - k) for k in range(inside + 1))
    return inside >= _FEW_INSIDE * n or by_chance >= _BY_CHANCE


def _sentence(pairs: Sequence[EstimatePair], trusted: bool | None, *, estimated: bool) -> str:
    if not estimated:
        return "Nothing is estimated for this model."
    if not pairs:
        return "No estimate can be compared yet: no window has 90 % of its outcomes."
    n, inside = len(pairs), sum(pair.is_inside for pair in pairs)
    off = sum(abs(pair.error) for pair in pairs) / n
    unit = "week" if (pairs[-1].window.end - pairs[-1].window.start).days > 1 else "day"
    if n == 1:
        said = f"The estimate of one {unit} was off by {_figure(off)}, "
        said += "inside its interval." if inside else "outside its interval."
    else:
        said = (
            f"Estimates of the last {n} {unit}s were off by {_figure(off)} on average; "
            f"{inside} of {n} inside their interval."
        )
    if trusted is False:
        bias = sum(pair.error for pair in pairs) / n
        side = "high" if bias > 0 else "low"
        said += (
            f" They were {_figure(abs(bias))} too {side} on average, more than chance: outcomes do not "
            "follow as they did in the reference (concept drift, which an estimate cannot see), do not rely "
            "on it."
        )
    return said


def _figure(value: float) -> str:
    """Return a figure with two digits that count, or all before the point: `0.012`, `4.7`, `1,204`."""
    if not value:
        return "0"
    return f"{value:,.{max(0, 1 - floor(log10(value)))}f}"
