"""What the explorer reads beside an explanation."""

from mlops_core.explanation.history import read_history
from mlops_core.monitoring.windows import Window
from mlops_core.registry.models import champion_of, find_model
from mlops_core.workspace import Workspace

__all__ = ["rows_by_week"]


def rows_by_week(workspace: Workspace, name: str, segment: str) -> dict[Window, int]:
    """Return the predictions of a model's champion in a segment, in each week of its explanation."""
    with workspace.store.read() as session:
        version = champion_of(session, find_model(session, name))
    history = read_history(workspace, version, segment)
    return {week: one.rows for week, one in zip(history.weeks, history.slices, strict=True)}
