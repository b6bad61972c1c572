"""Monitoring: the logs, their slices, and what the monitors measure on them."""

from mlops_core.monitoring.board import Board, BoardRow, read_board
from mlops_core.monitoring.logs import Logged, log_outcomes, log_predictions
from mlops_core.monitoring.run import close_interrupted_runs, last_run, monitor_model, run_monitoring

__all__ = [
    "Board",
    "BoardRow",
    "Logged",
    "close_interrupted_runs",
    "last_run",
    "log_outcomes",
    "log_predictions",
    "monitor_model",
    "read_board",
    "run_monitoring",
]
