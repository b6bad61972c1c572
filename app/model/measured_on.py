"""On which data a version's figures were measured when it was registered, in words."""

from mlops_core.domain import Metric
from mlops_core.monitoring.model_view import ModelView

__all__ = ["fact_name", "line_name", "phrase"]

_WORDS = {
    "held-out": ("Held out", "held out", "held-out data"),
    "reference": ("Reference outcomes", "reference", "its reference"),
}


def fact_name(metric: Metric) -> str:
    """Return the name of a fact: `Held out`."""
    return _words(metric.data)[0]


def line_name(view: ModelView) -> str:
    """Return the name of a line in a chart of the primary metric: `held out`."""
    return _words(_primary(view))[1]


def phrase(view: ModelView) -> str:
    """Return what the primary metric is compared with, within a sentence: `held-out data`."""
    return _words(_primary(view))[2]


def _primary(view: ModelView) -> str:
    return next((one.data for one in view.metrics if one.name == view.row.metric), "training")


def _words(data: str) -> tuple[str, str, str]:
    return _WORDS.get(data, (data.capitalize(), data, data))
