"""The vocabulary: tables, closed sets of words, errors. No input, no output.

The tables are imported together when the first of them is asked for: what reads files alone needs
`mlops_core.domain.errors`, and starts in half the time without SQLAlchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from mlops_core.domain.actors import Actor, AuditEvent
    from mlops_core.domain.features import Entity, Feature, FeatureInput, FeatureTable, FeatureUse, Snapshot
    from mlops_core.domain.jobs import Job
    from mlops_core.domain.models import (
        Alias,
        ColumnImportance,
        Metric,
        Model,
        ModelCard,
        ModelTag,
        ModelVersion,
        ReferenceProfile,
        StageChange,
        VersionSnapshot,
    )
    from mlops_core.domain.monitoring import (
        CalendarEvent,
        JobRun,
        LogProgress,
        Measurement,
        Monitor,
        OutcomeSlice,
        StoredSlice,
        Threshold,
    )
    from mlops_core.domain.testing import Comparison, TestResult, TestRun, TestSetting
    from mlops_core.domain.workspace import Setting, StoreRevision

    metadata: MetaData

__all__ = [
    "Actor",
    "Alias",
    "AuditEvent",
    "CalendarEvent",
    "ColumnImportance",
    "Comparison",
    "Entity",
    "Feature",
    "FeatureInput",
    "FeatureTable",
    "FeatureUse",
    "Job",
    "JobRun",
    "LogProgress",
    "Measurement",
    "Metric",
    "Model",
    "ModelCard",
    "ModelTag",
    "ModelVersion",
    "Monitor",
    "OutcomeSlice",
    "ReferenceProfile",
    "Setting",
    "Snapshot",
    "StageChange",
    "StoreRevision",
    "StoredSlice",
    "TestResult",
    "TestRun",
    "TestSetting",
    "Threshold",
    "VersionSnapshot",
    "metadata",
]

_MODULES: Final = ("actors", "features", "jobs", "models", "monitoring", "testing", "workspace")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sqlmodel import SQLModel

    found: dict[str, Any] = {"metadata": SQLModel.metadata}
    for module in _MODULES:
        found |= vars(import_module(f"{__name__}.{module}"))
    globals().update({known: found[known] for known in __all__})
    return globals()[name]
