"""Features: the catalogue, their values, and snapshots of the data that models are trained on."""

from mlops_core.features.catalogue import AS_OF, NewFeature, create_entity, create_feature_table
from mlops_core.features.values import read_features, store_training_data, take_snapshot, write_features

__all__ = [
    "AS_OF",
    "NewFeature",
    "create_entity",
    "create_feature_table",
    "read_features",
    "store_training_data",
    "take_snapshot",
    "write_features",
]
