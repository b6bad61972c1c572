"""How far each log of a model has been counted, and each version measured."""

from sqlmodel import Session, select

from mlops_core.domain import LogProgress, Model, ModelVersion
from mlops_core.domain.states import LogKind

__all__ = ["NEVER", "Progress", "measurements_of"]

NEVER = -1
"""The progress of what was never looked at."""


def measurements_of(version: ModelVersion) -> str:
    """Return the name under which the progress of measuring a version is kept."""
    return f"{LogKind.MEASUREMENTS}:{version.number}"


class Progress:
    """How far the logs of one model have been counted and its versions measured, read at one moment.

    Attributes
    ----------
    model
        Whose progress it is.
    """

    def __init__(self, session: Session, model: Model) -> None:
        self.model = model
        self._session = session
        rows = session.exec(select(LogProgress).where(LogProgress.model_id == model.id))
        self._rows = {row.log: row for row in rows}

    def of(self, log: str) -> int:
        """Return how far a log has been counted, `NEVER` when it never was."""
        row = self._rows.get(log)
        return NEVER if row is None else row.version

    def put(self, log: str, version: int) -> None:
        """Note how far a log has been counted, in the session of a unit of work.

        What was counted from an older progress than `of` tells in that unit must not be stored: another
        run has counted it meanwhile.
        """
        row = self._rows.get(log)
        if row is not None:
            row.version = version
        elif version != NEVER:
            self._rows[log] = LogProgress(model_id=self.model.id, log=log, version=version)
            self._session.add(self._rows[log])
