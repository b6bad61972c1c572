"""Read the audit log, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select

from mlops_core.domain import Actor, AuditEvent
from mlops_core.workspace import Workspace

__all__ = ["AuditLine", "AuditPage", "audit_events"]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One event with the name of who did it."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    summary: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some lines of the log, and how many there are in all."""

    lines: Sequence[AuditLine]
    total: int


def audit_events(
    workspace: Workspace,
    *,
    page: int = 1,
    page_size: int = 25,
    actions: Sequence[str] = (),
    containing: str = "",
) -> AuditPage:
    """Return one page of the audit log, newest first.

    Parameters
    ----------
    page
        From 1.
    actions
        Prefixes of actions to keep, such as `version.`; none keeps all.
    containing
        Text that the summary or the subject must contain, in any case.
    """
    conditions: list[ColumnElement[bool]] = []
    if actions:
        condition = col(AuditEvent.action).startswith(actions[0])
        for prefix in actions[1:]:
            condition = condition | col(AuditEvent.action).startswith(prefix)
        conditions.append(condition)
    if containing:
        conditions.append(
            col(AuditEvent.summary).icontains(containing, autoescape=True)
            | col(AuditEvent.subject).icontains(containing, autoescape=True)
        )
    with workspace.store.read() as session:
        total = session.exec(select(func.count()).select_from(AuditEvent).where(*conditions)).one()
        rows = session.exec(
            select(AuditEvent, Actor.full_name)
            .join(Actor, col(Actor.id) == col(AuditEvent.actor_id))
            .where(*conditions)
            .order_by(col(AuditEvent.id).desc())
            .offset((page - 1) * page_size)
            .limit(page_size)
        ).all()
    lines = [
        AuditLine(event.id, event.at, name, event.action, event.subject, event.summary)
        for event, name in rows
    ]
    return AuditPage(lines, total)
