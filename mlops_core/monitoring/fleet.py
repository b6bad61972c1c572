"""The four figures above the fleet, each from the board's rows."""

from dataclasses import dataclass
from statistics import median

from mlops_core.domain.states import MonitorKind
from mlops_core.monitoring.board import Board, BoardRow

__all__ = ["FleetFigures", "fleet_figures"]

_RECENT = 4


@dataclass(frozen=True, slots=True)
class FleetFigures:
    """What the whole fleet does.

    Attributes
    ----------
    predictions, predictions_change
        Of the newest window, and the relative change from the mean of the four before (None at first).
    slowest
        The model whose 95th percentile comes nearest to its objective, or exceeds it most.
    measured_auc, auc_change, auc_models
        Median of the measured AUC, median of its difference from training, and of how many models.
    most_drifted
        The model whose worst column is furthest from its reference.
    """

    predictions: int
    predictions_change: float | None
    slowest: BoardRow | None
    measured_auc: float | None
    auc_change: float | None
    auc_models: int
    most_drifted: BoardRow | None


def fleet_figures(board: Board) -> FleetFigures:
    """Return the figures of a board."""
    rows = board.rows
    measured = [row for row in rows if row.metric == "roc_auc" and row.measured is not None]
    timed = [row for row in rows if row.latency.p95 is not None]
    drifted = [row for row in rows if _drift(row) is not None]
    changes = [row.measured - row.trained for row in measured if row.measured and row.trained]
    now, before = _usage(board)
    return FleetFigures(
        predictions=now,
        predictions_change=now / before - 1 if before else None,
        slowest=max(timed, key=lambda row: (row.latency.p95 or 0.0) / row.latency.objective, default=None),
        measured_auc=median(row.measured or 0.0 for row in measured) if measured else None,
        auc_change=median(changes) if changes else None,
        auc_models=len(measured),
        most_drifted=max(drifted, key=lambda row: _drift(row) or 0.0, default=None),
    )


def _drift(row: BoardRow) -> float | None:
    finding = row.finding(MonitorKind.DRIFT)
    return finding.value if finding else None


def _usage(board: Board) -> tuple[int, float | None]:
    now = sum(row.predictions for row in board.rows)
    recent = [sum(row.usage[-n] for row in board.rows if len(row.usage) >= n) for n in range(2, _RECENT + 2)]
    recent = [count for count in recent if count]
    return now, sum(recent) / len(recent) if recent else None
