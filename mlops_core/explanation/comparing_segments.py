"""How far one column moved in each segment, whether it drifted or not."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_core.domain.errors import NotFound
from mlops_core.domain.states import Origin
from mlops_core.explanation.history import read_history, reference_slice
from mlops_core.explanation.moves import moved_part
from mlops_core.explanation.results import SegmentShare
from mlops_core.explanation.segment_slices import read_segments
from mlops_core.explanation.segments import explain_by_segment
from mlops_core.monitoring.windows import Window
from mlops_core.registry.models import champion_of, find_model
from mlops_core.workspace import Workspace

__all__ = ["SegmentComparison", "compare_segments"]


@dataclass(frozen=True, slots=True)
class SegmentComparison:
    """The segments of a model, the one that explains most of a column's move first.

    Attributes
    ----------
    segments
        Empty where the model has none, or no row of the column moved.
    sentence
        Which segment explains most, or that all moved alike; empty without segments.
    """

    segments: Sequence[SegmentShare]
    sentence: str


def compare_segments(
    workspace: Workspace,
    name: str,
    *,
    column: str,
    window: Window,
    reference: Window | None = None,
    statistic: str = "psi",
) -> SegmentComparison:
    """Return in which segments a column of a model's champion moved between two windows.

    Parameters
    ----------
    reference
        None takes the version's own reference window.
    statistic
        A key of `DRIFT_STATISTICS`.

    Raises
    ------
    NotFound
        There is no such model, or a window does not hold the column.
    """
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = champion_of(session, model)
    history = read_history(workspace, version)
    grids, before = reference_slice(workspace, version)
    if reference is not None:
        before = history.slice_of(reference)
    after = history.slice_of(window)
    if column not in before.columns or column not in after.columns:
        raise NotFound(f"'{column}' of model '{name}' is not in both windows: choose another column")
    part = moved_part(before.columns[column], after.columns[column], grids[column])
    if part is None:
        return SegmentComparison([], "")
    origin = Origin.REFERENCE if reference is None else Origin.PRODUCTION
    segments, sentence = explain_by_segment(
        column,
        part,
        grids[column],
        statistic,
        model.segment_columns,
        read_segments(workspace, version, reference, origin=origin, columns=[column]),
        read_segments(workspace, version, window, origin=Origin.PRODUCTION, columns=[column]),
    )
    return SegmentComparison(segments, sentence)
