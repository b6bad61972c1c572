"""How far each log of a model has been counted, and each version measured."""

from sqlmodel import Session, select

from mlops_core.domain import LogProgress, Model, ModelVersion
from mlops_core.domain.states import LogKind
from mlops_core.store import UnitOfWork

__all__ = ["NEVER", "measurements_of", "progress_of", "put_progress"]

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


def put_progress(unit: UnitOfWork, model: Model, log: str, version: int) -> None:
    """Note how far a model's log has been counted.

    What was counted from an older progress than `progress_of` tells in this unit must not be stored:
    another run has counted it meanwhile.
    """
    progress = unit.session.exec(
        select(LogProgress).where(LogProgress.model_id == model.id, LogProgress.log == log)
    ).first()
    if progress is not None:
        progress.version = version
    elif version != NEVER:
        unit.session.add(LogProgress(model_id=model.id, log=log, version=version))
