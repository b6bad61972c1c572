"""The loss of a regression in production, estimated from its prediction log before outcomes arrive."""

from functools import lru_cache
from typing import Final

from mlops_core.domain import Model, ModelVersion
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import LogKind
from mlops_core.monitoring.log_queries import predictions_in
from mlops_core.monitoring.logs import log_table
from mlops_core.monitoring.loss_model import LossEstimate, LossModel, fit_loss
from mlops_core.monitoring.reading import read_grids
from mlops_core.monitoring.windows import Window
from mlops_core.registry.columns import OUTCOME
from mlops_core.registry.reference_sample import read_reference_sample
from mlops_core.store import Store
from mlops_core.workspace import Workspace

__all__ = ["estimate_loss", "loss_model_of"]

_MOST_ROWS: Final = 20_000


def estimate_loss(
    workspace: Workspace, model: Model, version: ModelVersion, fitted: LossModel, window: Window, segment: str
) -> LossEstimate:
    """Estimate the statistic of the predictions that a version made in a window.

    Parameters
    ----------
    segment
        `column=value`, empty for all rows.

    Raises
    ------
    InvalidInput
        If there are no such predictions.
    """
    log = log_table(model, LogKind.PREDICTIONS)
    files = workspace.warehouse.files(log) if workspace.warehouse.exists(log) else []
    found = predictions_in(files, version.number, window, fitted.columns, segment=segment, most=_MOST_ROWS)
    return fitted.estimate(found.rows, of=found.total)


def loss_model_of(workspace: Workspace, version: ModelVersion, statistic: str) -> LossModel:
    """Return what a version's reference says about the loss; learned once in a process.

    Raises
    ------
    InvalidInput
        If the reference has no sample, or too few outcomes.
    NotFound
        The file of the sample is gone.
    """
    return _loss_model(workspace.store, workspace, version.id, statistic)


@lru_cache(maxsize=64)
def _loss_model(store: Store, workspace: Workspace, version_id: int, statistic: str) -> LossModel:
    with store.read() as session:
        version = session.get_one(ModelVersion, version_id)
    sample = read_reference_sample(workspace, version)
    if sample is None or OUTCOME not in sample.column_names:
        raise InvalidInput(
            "the reference has no outcomes: a loss cannot be learned from it, register the next version with "
            f"a column '{OUTCOME}' in its reference"
        )
    return fit_loss(sample, version.columns, read_grids(workspace, version), statistic)
