"""Asking artefacts: each is loaded and asked in a process of its own, which is watched and can be stopped.

What is named here is imported when it is asked for: the processes that hold artefacts import this package
too, and start without the workspace, the store and the warehouse.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mlops_core.scoring.limits import Limits
    from mlops_core.scoring.predictions import Predictions
    from mlops_core.scoring.sandbox import SandboxedModel, can_be_asked, open_model
    from mlops_core.scoring.snapshots import ScoredSnapshot, score_snapshot

__all__ = [
    "Limits",
    "Predictions",
    "SandboxedModel",
    "ScoredSnapshot",
    "can_be_asked",
    "open_model",
    "score_snapshot",
]

_HOMES: Final = {
    "Limits": "limits",
    "Predictions": "predictions",
    "SandboxedModel": "sandbox",
    "ScoredSnapshot": "snapshots",
    "can_be_asked": "sandbox",
    "open_model": "sandbox",
    "score_snapshot": "snapshots",
}


def __getattr__(name: str) -> Any:
    """Import a name's module when the name is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
