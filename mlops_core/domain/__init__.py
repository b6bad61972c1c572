"""The vocabulary: tables, closed sets of words, errors. No input, no output."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel

from mlops_core.domain.actors import Actor, AuditEvent
from mlops_core.domain.features import Entity, Feature, FeatureInput, FeatureTable, FeatureUse, Snapshot
from mlops_core.domain.models import Alias, Metric, Model, ModelVersion, ReferenceProfile, StageChange
from mlops_core.domain.monitoring import (
    JobRun,
    LogProgress,
    Measurement,
    Monitor,
    OutcomeSlice,
    StoredSlice,
    Threshold,
)
from mlops_core.domain.workspace import Setting, StoreRevision

__all__ = [
    "Actor",
    "Alias",
    "AuditEvent",
    "Entity",
    "Feature",
    "FeatureInput",
    "FeatureTable",
    "FeatureUse",
    "JobRun",
    "LogProgress",
    "Measurement",
    "Metric",
    "Model",
    "ModelVersion",
    "Monitor",
    "OutcomeSlice",
    "ReferenceProfile",
    "Setting",
    "Snapshot",
    "StageChange",
    "StoreRevision",
    "StoredSlice",
    "Threshold",
    "metadata",
]

metadata: MetaData = SQLModel.metadata
