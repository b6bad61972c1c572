"""What the registry found out about a version: its test runs, and its comparisons with another version."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import count, document, identity, utc_time

__all__ = ["Comparison", "TestResult", "TestRun", "TestSetting"]


class TestRun(SQLModel, table=True):
    """One run of a version's suite of tests.

    `evaluation_snapshot_id` is the data that it was measured on, None where the version has none; `job_id`
    the job that did it, None for a run in the caller's own process.
    """

    __test__: ClassVar[bool] = False
    __tablename__ = "test_run"

    id: int = identity("test_run")
    model_version_id: int = Field(foreign_key="model_version.id")
    evaluation_snapshot_id: int | None = Field(default=None, foreign_key="snapshot.id")
    job_id: int | None = Field(default=None, foreign_key="job.id")
    actor_id: int = Field(foreign_key="actor.id")
    state: str
    started_at: datetime = utc_time()
    finished_at: datetime | None = utc_time(optional=True)
    message: str = ""


class TestResult(SQLModel, table=True):
    """What one test found: kept as soon as it is known, so that a run that was cut short goes on from there.

    `figure` is compared with `limit`; both are None where a test has none. `sentence` says the result in
    words, `evidence` holds what it rests on.
    """

    __test__: ClassVar[bool] = False
    __tablename__ = "test_result"
    __table_args__ = (UniqueConstraint("test_run_id", "test", name="test_result_test_run_id_test_key"),)

    id: int = identity("test_result")
    test_run_id: int = Field(foreign_key="test_run.id")
    test: str
    status: str
    figure: float | None = None
    limit: float | None = None
    sentence: str
    evidence: dict[str, Any] = document()
    seconds: float
    at: datetime = utc_time()


class TestSetting(SQLModel, table=True):
    """How a model's suite differs from the default in one test; the newest row of a test holds."""

    __test__: ClassVar[bool] = False
    __tablename__ = "test_setting"

    id: int = identity("test_setting")
    model_id: int = Field(foreign_key="model.id")
    test: str
    enabled: bool
    parameters: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    actor_id: int = Field(foreign_key="actor.id")
    at: datetime = utc_time()


class Comparison(SQLModel, table=True):
    """A challenger against a champion on the same rows; `report` holds all of it, the columns what is listed.

    `difference` is the challenger's primary metric minus the champion's, `lower` and `upper` its 95 %
    interval; positive is better for the challenger only where a higher metric is. `segment` is the one that
    the verdict `worse_in_segment` names, empty otherwise.
    """

    __tablename__ = "comparison"

    id: int = identity("comparison")
    challenger_id: int = Field(foreign_key="model_version.id")
    champion_id: int = Field(foreign_key="model_version.id")
    snapshot_id: int = Field(foreign_key="snapshot.id")
    job_id: int | None = Field(default=None, foreign_key="job.id")
    actor_id: int = Field(foreign_key="actor.id")
    metric: str
    challenger_value: float | None
    champion_value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    rows: int = count()
    verdict: str
    segment: str = ""
    report: dict[str, Any] = document()
    at: datetime = utc_time()
