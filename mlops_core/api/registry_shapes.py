"""What the registry's routes take and answer with."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mlops_core.api.handover import CardGiven, VersionGiven
from mlops_core.comparison.report import ComparisonReport
from mlops_core.domain.states import JobState, Stage, TestStatus

__all__ = [
    "VERSION_FORM",
    "ComparisonLine",
    "ComparisonShown",
    "ComparisonWish",
    "FeatureShown",
    "MetricShown",
    "RegisteredShown",
    "SnapshotShown",
    "TestRunShown",
    "TestShown",
    "TestsWish",
    "VersionShown",
]

VERSION_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "version": {
                            "type": "string",
                            "description": "JSON: " + ", ".join(VersionGiven.model_fields),
                        },
                        **{
                            name: {"type": "string", "format": "binary", "description": what}
                            for name, what in {
                                "artefact": "A .skops file; or any other, which is kept and never loaded",
                                "training": "Rows that it was trained on (.parquet, .csv)",
                                "evaluation": "Rows with their outcome that it is tested and compared on",
                                "reference": "Scored rows to watch it against (else the evaluation rows)",
                                "predictions": "Predictions for the evaluation rows, of what is never loaded",
                            }.items()
                        },
                    },
                }
            }
        },
    }
}


class SnapshotShown(BaseModel):
    """Rows of a table of the warehouse, as of one of its versions."""

    name: str = Field(description="table@version")
    rows: int
    digest: str


class MetricShown(BaseModel):
    """A figure that came with the version."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    value: float
    rows: int
    data: str
    snapshot: str | None


class FeatureShown(BaseModel):
    """A feature of the catalogue that the version was trained on."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    table: str
    status: str
    definition_version: int
    newest_definition: int
    importance: float | None


class TestShown(BaseModel):
    """What a test found: `figure` against `limit`, and the result in words."""

    model_config = ConfigDict(from_attributes=True)

    test: str
    status: TestStatus
    figure: float | None
    limit: float | None
    sentence: str
    evidence: dict[str, Any]
    seconds: float
    at: datetime


class TestRunShown(BaseModel):
    """A run of a version's tests; `all_passed` where it is over, one passed, and none failed or broke."""

    id: int
    model: str
    version: int
    state: JobState
    all_passed: bool
    started_at: datetime
    finished_at: datetime | None
    message: str
    job_id: int | None
    results: list[TestShown]


class ComparisonLine(BaseModel):
    """The newest comparison of a version with another, in short."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    verdict: str
    segment: str
    metric: str
    challenger_value: float | None
    champion_value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    rows: int
    at: datetime


class ComparisonShown(BaseModel):
    """A comparison, whole."""

    id: int
    report: ComparisonReport


class VersionShown(BaseModel):
    """A version, with its newest tests and comparison and one step of its lineage."""

    model: str
    number: int
    stage: Stage
    is_champion: bool
    champion: int | None
    owner: str
    author: str
    created_at: datetime
    entered_stage: datetime
    estimator: str
    columns: list[str]
    hyper_parameters: dict[str, Any]
    environment: dict[str, str] | None
    artefact_digest: str
    artefact_format: str
    artefact_bytes: int
    git_commit: str
    git_dirty: bool
    tags: list[str]
    card: CardGiven | None
    metrics: list[MetricShown]
    training: list[SnapshotShown]
    evaluation: SnapshotShown | None
    features: list[FeatureShown]
    used_by: list[str] = Field(description="Models in production that read this model's predictions")
    tests: TestRunShown | None
    comparison: ComparisonLine | None


class RegisteredShown(VersionShown):
    """A version that was just registered."""

    is_new: bool = Field(description="Whether it was not registered before")
    measured: dict[str, float] = Field(description="Metrics of what was sent; a new version has them")
    notes: list[str] = Field(description="What was found out or assumed on the way")


class TestsWish(BaseModel):
    """What to do beside the tests."""

    model_config = ConfigDict(extra="forbid")

    compare: bool = Field(
        default=False, description="Compare it with the champion afterwards, if there is one"
    )


class ComparisonWish(BaseModel):
    """Which versions to compare; the champion of the model, on the challenger's own data, by default."""

    model_config = ConfigDict(extra="forbid")

    challenger: int = Field(ge=1)
    champion: int | None = Field(default=None, ge=1)
    snapshot: int | str | None = Field(default=None, description="Number of a snapshot, or table@version")
