"""Models and versions by the API: listed and searched, page by page."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from mlops_core.domain.states import JobState, ProblemType, Stage, Verdict
from mlops_core.registry import find_model
from mlops_core.registry.catalogue import VersionQuery, search_versions
from mlops_core.registry.model_lines import list_model_lines
from mlops_core.workspace import Workspace

__all__ = ["ModelShown", "VersionSearch", "VersionsShown", "versions_router"]


class ModelShown(BaseModel):
    """A model of the registry, whether it has versions or not."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    description: str
    problem_type: str
    primary_metric: str | None
    owner: str
    tags: list[str]
    versions: int
    champion: int | None
    champion_value: float | None = Field(description="Its primary metric")
    newest: int | None
    newest_stage: Stage | None
    newest_at: datetime | None
    latency_objective_ms: float
    created_at: datetime


class TestsInShort(BaseModel):
    """How a version's newest test run stands, or ended."""

    model_config = ConfigDict(from_attributes=True)

    run_id: int
    state: JobState
    all_passed: bool
    passed: int
    failed: int
    errors: int
    skipped: int
    at: datetime


class ComparisonInShort(BaseModel):
    """A version's newest comparison with the present champion."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    champion: int
    verdict: Verdict
    segment: str
    metric: str
    higher_is_better: bool
    challenger_value: float | None
    champion_value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    rows: int
    at: datetime


class VersionInShort(BaseModel):
    """A version as a line of the registry."""

    model_config = ConfigDict(from_attributes=True)

    model: str
    number: int
    stage: Stage
    is_champion: bool
    is_challenger: bool
    is_update: bool = Field(description="Its model had a champion when it was registered")
    description: str
    tags: list[str]
    owner: str
    author: str
    estimator: str
    primary_metric: str | None
    primary: float | None
    metrics: dict[str, float]
    metric_rows: int
    features: int
    snapshot: str
    snapshot_rows: int
    snapshot_digest: str
    git_commit: str
    git_dirty: bool
    artefact_digest: str
    artefact_bytes: int
    created_at: datetime
    entered_stage: datetime
    last_activity: datetime
    tests: TestsInShort | None
    comparison: ComparisonInShort | None
    version_id: int


class VersionsShown(BaseModel):
    """A page of versions: how many match in all, and in each stage whichever stages were asked for."""

    versions: list[VersionInShort]
    total: int
    counts: dict[Stage, int]


class ModelSearch(BaseModel):
    """Which models are asked for; what is left out does not narrow them."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="", description="Words that the name, description, owner or a tag holds")
    owner: str = ""
    tag: str = ""
    problem: ProblemType | None = None


class VersionSearch(BaseModel):
    """Which versions are asked for; what is left out does not narrow them."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="", description="Words that the model, owner, tags or estimator hold")
    owner: str = ""
    tag: str = ""
    stage: list[Stage] = []
    kind: Literal["any", "update", "new"] = Field(
        default="any", description="update: its model had a champion when it was registered"
    )
    tests: Literal["any", "passed", "failed", "untested"] = "any"
    verdict: Verdict | None = None
    metric_least: float | None = None
    metric_most: float | None = None
    feature: str = Field(default="", description="Name of an input column")
    active_since: AwareDatetime | None = None
    order: Literal["activity", "registered", "model", "metric", "difference"] = "activity"
    limit: int = Field(default=50, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)


def versions_router(workspace: Workspace) -> APIRouter:
    """Return the routes that list models and versions."""
    router = APIRouter(tags=["registry"])

    @router.get("/registry/models")
    def models(search: Annotated[ModelSearch, Query()]) -> list[ModelShown]:
        """Return models by name."""
        lines = list_model_lines(
            workspace, text=search.text, owner=search.owner, tag=search.tag, problem=search.problem or ""
        )
        return [ModelShown.model_validate(line) for line in lines]

    @router.get("/registry/versions")
    def versions(search: Annotated[VersionSearch, Query()]) -> VersionsShown:
        """Search among the versions of all models."""
        return _found(workspace, search)

    @router.get("/models/{model}/versions")
    def versions_of(model: str, search: Annotated[VersionSearch, Query()]) -> VersionsShown:
        """Search among the versions of one model."""
        with workspace.store.read() as session:
            find_model(session, model)
        return _found(workspace, search, model)

    return router


def _found(workspace: Workspace, search: VersionSearch, model: str = "") -> VersionsShown:
    wanted = search.model_dump(exclude={"stage"})
    page = search_versions(workspace, VersionQuery(**wanted, model=model, stages=tuple(search.stage)))
    return VersionsShown(
        versions=[VersionInShort.model_validate(line) for line in page.lines],
        total=page.total,
        counts=dict(page.counts),
    )
