"""Models and their versions: register, move through the stages, promote."""

from mlops_core.registry.artefacts import artefact_path, load_estimator
from mlops_core.registry.cards import Card, card_of, write_card
from mlops_core.registry.evaluation_data import evaluation_of, store_evaluation_data, training_of
from mlops_core.registry.models import (
    champion_of,
    champions,
    create_model,
    find_model,
    find_version,
    list_models,
)
from mlops_core.registry.predictions import predictions_of
from mlops_core.registry.promotions import move_version, promote_version
from mlops_core.registry.snapshots import read_snapshot, take_snapshot
from mlops_core.registry.source_control import CommitState, commit_state
from mlops_core.registry.tags import tag_model, tags_of, untag_model
from mlops_core.registry.versions import NewVersion, register_version

__all__ = [
    "Card",
    "CommitState",
    "NewVersion",
    "artefact_path",
    "card_of",
    "champion_of",
    "champions",
    "commit_state",
    "create_model",
    "evaluation_of",
    "find_model",
    "find_version",
    "list_models",
    "load_estimator",
    "move_version",
    "predictions_of",
    "promote_version",
    "read_snapshot",
    "register_version",
    "store_evaluation_data",
    "tag_model",
    "tags_of",
    "take_snapshot",
    "training_of",
    "untag_model",
    "write_card",
]
