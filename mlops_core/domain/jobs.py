"""Work that was asked for and is done beside the server's pages: queued, run, and never lost."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import document, identity, utc_time

__all__ = ["Job"]


class Job(SQLModel, table=True):
    """One piece of work, from the wish to its end.

    `name` is the kind of job, `subject` what it works on (`churn-risk:5`), `arguments` what its function is
    given. `done` of `total` steps are made, and `doing` says what it is at. `worker` names the process that
    runs it, which says every few seconds, by the real clock, that it is alive.
    """

    __tablename__ = "job"

    id: int = identity("job")
    name: str
    subject: str
    arguments: dict[str, Any] = document()
    actor_id: int = Field(foreign_key="actor.id")
    state: str
    queued_at: datetime = utc_time()
    started_at: datetime | None = utc_time(optional=True)
    finished_at: datetime | None = utc_time(optional=True)
    done: int = 0
    total: int = 0
    doing: str = ""
    message: str = ""
    attempts: int = 0
    cancel_requested: bool = False
    worker: str = ""
    alive_at: datetime | None = utc_time(optional=True)
