"""How far each log of a model has been counted, and each version measured."""

from sqlmodel import Session, select

from mlops_core.domain import LogProgress, Model, ModelVersion
from mlops_core.domain.states import LogKind
from mlops_core.store import UnitOfWork

__all__ = ["NEVER", "advance", "measurements_of", "progress_of"]

NEVER = -1
"""The progress of what was never looked at."""


def measurements_of(version: ModelVersion) -> str:
    """Return the name under which the progress of measuring a version is kept."""
    return f"{LogKind.MEASUREMENTS}:{version.number}"


def progress_of(session: Session, model: Model, log: str) -> int:
    """Return how far a model's log has been counted, `NEVER` when it never was."""
    found = session.exec(
        select(LogProgress.version).where(LogProgress.model_id == model.id, LogProgress.log == log)
    ).first()
    return NEVER if found is None else found


def advance(unit: UnitOfWork, model: Model, log: str, *, since: int, version: int) -> bool:
    """Move a log's progress from `since` to `version`; False when it stands elsewhere by now.

    What was computed from `since` must then not be stored: another run has counted meanwhile.
    """
    progress = unit.session.exec(
        select(LogProgress).where(LogProgress.model_id == model.id, LogProgress.log == log)
    ).first()
    if since != (progress.version if progress else NEVER):
        return False
    if progress is None:
        unit.session.add(LogProgress(model_id=model.id, log=log, version=version))
    else:
        progress.version = version
    return True
