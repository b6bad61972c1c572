"""What there is to look at: the segments of a model, and since when it has predicted."""

from sqlmodel import select

from mlops_core.domain import ModelVersion, StoredSlice
from mlops_core.explanation.history import read_history
from mlops_core.monitoring.windows import Window
from mlops_core.registry.models import champion_of, find_model
from mlops_core.workspace import Workspace

__all__ = ["segments_of", "span_of"]


def segments_of(workspace: Workspace, model_name: str) -> list[str]:
    """Return the segments that a model's figures are kept apart by, as `column=value`, by name.

    Raises
    ------
    NotFound
        There is no such model, or it has no champion.
    """
    version = _champion(workspace, model_name)
    with workspace.store.read() as session:
        found = session.exec(
            select(StoredSlice.segment).where(StoredSlice.model_version_id == version.id).distinct()
        )
        return sorted(segment for segment in found if segment)


def span_of(workspace: Workspace, model_name: str) -> Window | None:
    """Return the weeks in which a model's champion has predicted, None when it has not yet.

    Raises
    ------
    NotFound
        There is no such model, or it has no champion.
    """
    weeks = read_history(workspace, _champion(workspace, model_name)).weeks
    return Window(weeks[0].start, weeks[-1].end) if weeks else None


def _champion(workspace: Workspace, model_name: str) -> ModelVersion:
    with workspace.store.read() as session:
        return champion_of(session, find_model(session, model_name))
