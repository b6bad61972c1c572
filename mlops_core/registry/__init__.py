"""Models and their versions: register, move through the stages, promote."""

from mlops_core.registry.artefacts import load_estimator
from mlops_core.registry.models import (
    champion_of,
    champions,
    create_model,
    find_model,
    find_version,
    list_models,
)
from mlops_core.registry.promotions import move_version, promote_version
from mlops_core.registry.source_control import CommitState, commit_state
from mlops_core.registry.versions import NewVersion, register_version

__all__ = [
    "CommitState",
    "NewVersion",
    "champion_of",
    "champions",
    "commit_state",
    "create_model",
    "find_model",
    "find_version",
    "list_models",
    "load_estimator",
    "move_version",
    "promote_version",
    "register_version",
]
