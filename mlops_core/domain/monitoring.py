"""Slices, monitors, thresholds, measurements, and the jobs that make them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import count, identity, payload, utc_time

__all__ = [
    "CalendarEvent",
    "JobRun",
    "LogProgress",
    "Measurement",
    "Monitor",
    "OutcomeSlice",
    "StoredSlice",
    "Threshold",
]


class StoredSlice(SQLModel, table=True):
    """Mergeable counts of one version's predictions in one time slice and one segment.

    `latest` is when the last prediction of the day was made, None in the reference; `revision` is the
    store revision that changed the row last: what has to be measured again.
    """

    __tablename__ = "slice"
    __table_args__ = (
        UniqueConstraint(
            "model_version_id",
            "origin",
            "start",
            "segment",
            name="slice_model_version_id_origin_start_segment_key",
        ),
    )

    id: int = identity("slice")
    model_version_id: int = Field(foreign_key="model_version.id")
    origin: str
    start: datetime = utc_time()
    segment: str
    rows: int = count()
    latest: datetime | None = utc_time(optional=True)
    revision: int = count()
    payload: bytes = payload()


class OutcomeSlice(SQLModel, table=True):
    """Mergeable counts of the predictions of one slice whose outcome is known."""

    __tablename__ = "outcome_slice"
    __table_args__ = (
        UniqueConstraint(
            "model_version_id",
            "origin",
            "start",
            "segment",
            name="outcome_slice_model_version_id_origin_start_segment_key",
        ),
    )

    id: int = identity("outcome_slice")
    model_version_id: int = Field(foreign_key="model_version.id")
    origin: str
    start: datetime = utc_time()
    segment: str
    rows: int = count()
    revision: int = count()
    payload: bytes = payload()


class LogProgress(SQLModel, table=True):
    """Up to which table version a model's log has been counted, or which revision was measured."""

    __tablename__ = "log_progress"
    __table_args__ = (UniqueConstraint("model_id", "log", name="log_progress_model_id_log_key"),)

    id: int = identity("log_progress")
    model_id: int = Field(foreign_key="model.id")
    log: str
    version: int


class Monitor(SQLModel, table=True):
    """Watches one aspect of a model version in production, window by window.

    `column` is the one that a drift monitor watches, empty for all of them; `segment` is `column=value`,
    empty for all rows. `ended_at` is when somebody ended it, None while it watches; what it measured stays.
    """

    __tablename__ = "monitor"
    __table_args__ = (
        UniqueConstraint("model_version_id", "kind", "statistic", "column", "segment", "window_days"),
    )

    id: int = identity("monitor")
    model_version_id: int = Field(foreign_key="model_version.id")
    kind: str
    statistic: str
    column: str = ""
    segment: str = ""
    window_days: int
    created_at: datetime = utc_time()
    ended_at: datetime | None = utc_time(optional=True)


class Threshold(SQLModel, table=True):
    """The value at which a level begins; the newest row of a level and side holds.

    `kind` and `parameters` say how the value was chosen (constant, learned, rule of thumb), so that it can
    be shown and learned again; None in rows that are older than this.
    """

    __tablename__ = "threshold"

    id: int = identity("threshold")
    monitor_id: int = Field(foreign_key="monitor.id")
    level: str
    value: float
    above: bool
    reason: str
    at: datetime = utc_time()
    kind: str | None = None
    parameters: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))


class Measurement(SQLModel, table=True):
    """A statistic of one window; measured again when more is known, the newest row holds.

    Only the monitor's own statistic is judged; what is measured beside it has the level `unjudged`.
    `lower` and `upper` are the 95 % interval of the value, `outcomes_share` how many of the window's
    predictions have an outcome, between 0 and 1; None where there is none.
    """

    __tablename__ = "measurement"
    __table_args__ = (Index("measurement_monitor_window", "monitor_id", "window_start"),)

    id: int = identity("measurement")
    monitor_id: int = Field(foreign_key="monitor.id")
    statistic: str
    column: str
    window_start: datetime = utc_time()
    window_end: datetime = utc_time()
    value: float | None
    rows: int = count()
    level: str
    measured_at: datetime = utc_time()
    lower: float | None = None
    upper: float | None = None
    outcomes_share: float | None = None


class CalendarEvent(SQLModel, table=True):
    """Something that happened in the world and may explain a drift: a campaign, a strike, a holiday.

    `model_id` is None where it concerns every model, `end` where it was a moment.
    """

    __tablename__ = "calendar_event"

    id: int = identity("calendar_event")
    title: str
    start: datetime = utc_time()
    end: datetime | None = utc_time(optional=True)
    model_id: int | None = Field(default=None, foreign_key="model.id")
    actor_id: int = Field(foreign_key="actor.id")
    at: datetime = utc_time()


class JobRun(SQLModel, table=True):
    """One run of a named job, from start to end."""

    __tablename__ = "job_run"

    id: int = identity("job_run")
    job: str
    state: str
    started_at: datetime = utc_time()
    finished_at: datetime | None = utc_time(optional=True)
    message: str = ""
