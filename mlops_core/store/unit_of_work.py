"""One change of the store: its rows and its audit events, together or not at all."""

from typing import Any, TypeVar

from sqlmodel import Session

from mlops_core.clock import Clock
from mlops_core.domain import Actor, AuditEvent

__all__ = ["UnitOfWork"]

Row = TypeVar("Row")


class UnitOfWork:
    """What a core action works with inside its transaction.

    Attributes
    ----------
    session
        The open session; it commits when the action returns.
    actor
        On whose behalf.
    now
        The one time at which everything in this unit happens.
    revision
        The store revision that this unit makes.
    """

    def __init__(self, session: Session, actor: Actor, clock: Clock, revision: int) -> None:
        self.session = session
        self.actor = actor
        self.now = clock.now()
        self.revision = revision
        self.recorded = 0

    def add(self, row: Row) -> Row:
        """Add a row and give it its identity."""
        self.session.add(row)
        self.session.flush()
        return row

    def record(self, action: str, kind: str, subject: str, summary: str, **details: Any) -> None:
        """Write an audit event of this transaction.

        Parameters
        ----------
        action
            What was done, `noun.verb` in the past tense: `version.promoted`.
        kind, subject
            What it was done to: `model version`, `churn-risk:3`.
        summary
            One sentence that a person understands without the details.
        """
        self.session.add(
            AuditEvent(
                at=self.now,
                actor_id=self.actor.id,
                action=action,
                subject_kind=kind,
                subject=subject,
                summary=summary,
                details=details,
            )
        )
        self.recorded += 1
