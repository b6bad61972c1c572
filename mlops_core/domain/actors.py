"""Who acts, and what was done: actors and audit events."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from mlops_core.domain.columns import document, identity, utc_time
from mlops_core.domain.states import Role

__all__ = ["Actor", "AuditEvent"]


class Actor(SQLModel, table=True):
    """A person or a service that calls the core; the name is its identity and never changes."""

    __tablename__ = "actor"

    id: int = identity("actor")
    name: str = Field(unique=True)
    full_name: str
    role: str
    email: str = ""
    created_at: datetime = utc_time()

    def has_role(self, *roles: Role) -> bool:
        """Return whether the actor holds one of the roles, or is an administrator."""
        return self.role == Role.ADMIN or self.role in roles


class AuditEvent(SQLModel, table=True):
    """One action by one actor, written in the transaction of the change itself."""

    __tablename__ = "audit_event"

    id: int = identity("audit_event")
    at: datetime = utc_time()
    actor_id: int = Field(foreign_key="actor.id")
    action: str
    subject_kind: str
    subject: str
    summary: str
    details: dict[str, Any] = document()
