"""The closed sets of words: roles, stages, kinds and levels."""

from enum import StrEnum

__all__ = [
    "FeatureKind",
    "FeatureStatus",
    "JobState",
    "Level",
    "LogKind",
    "MonitorKind",
    "Origin",
    "ProblemType",
    "Role",
    "SnapshotUse",
    "Stage",
    "TestStatus",
    "Verdict",
]


class Role(StrEnum):
    """What a person does in the department; permissions hang on it."""

    DIRECTOR = "director"
    LEAD = "lead"
    DATA_SCIENTIST = "data_scientist"
    ML_ENGINEER = "ml_engineer"
    EXECUTIVE = "executive"
    ADMIN = "admin"


class Stage(StrEnum):
    """Where a model version stands on its way to production."""

    DEVELOPMENT = "development"
    CANDIDATE = "candidate"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    PRODUCTION = "production"
    ARCHIVED = "archived"
    REJECTED = "rejected"


class ProblemType(StrEnum):
    """What a model predicts, which decides how its outcomes are measured."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    CLUSTERING = "clustering"


class FeatureKind(StrEnum):
    """Where a feature's values come from: a source column, other values, or a model."""

    PRIMARY = "primary"
    DERIVED = "derived"
    PREDICTION = "prediction"


class FeatureStatus(StrEnum):
    """Whether new work should use a feature."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class MonitorKind(StrEnum):
    """What a monitor watches; an estimate is performance before its outcomes are known."""

    DRIFT = "drift"
    PERFORMANCE = "performance"
    ESTIMATE = "estimate"
    LATENCY = "latency"
    USAGE = "usage"
    FRESHNESS = "freshness"


class Level(StrEnum):
    """How bad a measurement is.

    `UNJUDGED` is measured beside a monitor's own statistic; `UNKNOWN` when there was too little to measure.
    Past `RETRAIN`, the most severe, a new version is due.
    """

    UNJUDGED = "unjudged"
    UNKNOWN = "unknown"
    IN_RANGE = "in_range"
    WARNING = "warning"
    CRITICAL = "critical"
    RETRAIN = "retrain"

    def __init__(self, _: str) -> None:
        self._place = len(type(self).__members__)

    @property
    def severity(self) -> int:
        """Return 0 for unjudged up to 5 for retrain, for sorting the worst first."""
        return self._place

    @property
    def is_outside(self) -> bool:
        """Return whether a threshold was reached: the measurement needs attention."""
        return self._place >= Level.WARNING._place


class LogKind(StrEnum):
    """The two logs that a production model writes to the warehouse, and the measurements made of them."""

    PREDICTIONS = "predictions"
    OUTCOMES = "outcomes"
    MEASUREMENTS = "measurements"


class Origin(StrEnum):
    """Which rows a slice has counted: the reference window's, or what production scored."""

    REFERENCE = "reference"
    PRODUCTION = "production"


class JobState(StrEnum):
    """How a job or a run stands or ended."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will happen."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class SnapshotUse(StrEnum):
    """What a version has done with a snapshot."""

    TRAINING = "training"
    EVALUATION = "evaluation"


class TestStatus(StrEnum):
    """How a test of a version ended; only `passed` and `skipped` let the version pass.

    `SKIPPED` says that the test does not apply, `ERROR` that it could not be carried out.
    """

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What a comparison says of the challenger."""

    BETTER = "better"
    WORSE = "worse"
    NO_EVIDENCE = "no_evidence"
    WORSE_IN_SEGMENT = "worse_in_segment"
