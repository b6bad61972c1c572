"""The stages of a model version: one table of transitions, with who may make each."""

from mlops_core.domain import Actor
from mlops_core.domain.errors import Conflict
from mlops_core.domain.states import Role, Stage
from mlops_core.workspace import require_role

__all__ = ["TRANSITIONS", "check_transition"]

_MAKERS = frozenset({Role.DATA_SCIENTIST, Role.ML_ENGINEER, Role.LEAD})
_JUDGES = frozenset({Role.ML_ENGINEER, Role.LEAD})

TRANSITIONS: dict[tuple[Stage, Stage], frozenset[Role]] = {
    (Stage.DEVELOPMENT, Stage.CANDIDATE): _MAKERS,
    (Stage.DEVELOPMENT, Stage.ARCHIVED): _MAKERS,
    (Stage.CANDIDATE, Stage.APPROVED): _JUDGES,
    (Stage.CANDIDATE, Stage.REJECTED): _JUDGES,
    (Stage.CANDIDATE, Stage.ARCHIVED): _MAKERS,
    (Stage.APPROVED, Stage.SCHEDULED): _JUDGES,
    (Stage.APPROVED, Stage.PRODUCTION): _JUDGES,
    (Stage.APPROVED, Stage.REJECTED): _JUDGES,
    (Stage.SCHEDULED, Stage.PRODUCTION): _JUDGES,
    (Stage.SCHEDULED, Stage.APPROVED): _JUDGES,
    (Stage.PRODUCTION, Stage.ARCHIVED): _JUDGES,
    (Stage.ARCHIVED, Stage.PRODUCTION): _JUDGES,
}


def check_transition(actor: Actor, label: str, current: Stage, wanted: Stage) -> None:
    """Check that a version may go from one stage to another, and that the actor may send it.

    Raises
    ------
    Conflict
        No such transition; the message lists what is possible.
    NotPermitted
        The actor's role may not make it.
    """
    roles = TRANSITIONS.get((current, wanted))
    if roles is None:
        possible = ", ".join(to for origin, to in TRANSITIONS if origin == current) or "nothing: it is final"
        raise Conflict(f"{label} is in stage '{current}' and cannot go to '{wanted}'; possible: {possible}")
    require_role(actor, f"move {label} to {wanted}", *sorted(roles))
