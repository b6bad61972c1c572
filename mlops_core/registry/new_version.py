"""What a training run hands over, and whether it can be registered."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlops_core.domain import Model, Snapshot
from mlops_core.domain.errors import InvalidInput
from mlops_core.registry.artefacts import check_file
from mlops_core.registry.cards import Card, check_card
from mlops_core.registry.environment import this_environment
from mlops_core.registry.evaluation_data import check_evaluation
from mlops_core.registry.predictions import check_predictions
from mlops_core.registry.snapshots import check_snapshot
from mlops_core.registry.source_control import CommitState
from mlops_core.workspace import Workspace

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CheckedVersion", "NewVersion", "check_metrics", "check_new_version"]

_SIMPLE = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a training run hands over.

    Attributes
    ----------
    estimator
        Fitted; `columns` are its input, in order. None for a file in `artefact`, or for a model that runs
        elsewhere: nothing but its predictions is known.
    snapshot
        The training data.
    metrics
        Name to (value, rows), measured on the part of the data called `metrics_data`, or on the evaluation
        snapshot where there is one.
    reference
        The reference window, scored: `predicted_at`, `prediction`, every column and segment column; `score`
        if the prediction is a label that comes with a probability; `outcome` if it is known, null in the
        rows that trained the model, whose errors are smaller than those of new rows.
    importance
        How much the model depends on each column, from 0 up; None has it found by permutation, and of
        a model that is not loaded here by a surrogate.
    more_snapshots
        Other data that it was trained on.
    evaluation
        The snapshot that it is tested and compared on; see `store_evaluation_data`.
    environment
        `python` and packages to their versions; None takes those of this process, an empty one
        says that they are not known.
    card
        What it is for, and where it must not be used.
    artefact
        A file instead of an estimator. A .skops file is stored as an estimator, once its types were checked;
        any other is stored as bytes and never loaded.
    predictions
        What the artefact predicts for the rows of `evaluation`, in their order: `prediction` and perhaps
        `score`, as it logs them in production. For artefacts that cannot be asked.
    hyper_parameters
        None takes those of the estimator.
    """

    estimator: "BaseEstimator | None"
    columns: Sequence[str]
    snapshot: Snapshot
    metrics: Mapping[str, tuple[float, int]]
    reference: pa.Table
    commit: CommitState
    metrics_data: str = "held-out"
    importance: Mapping[str, float] | None = None
    more_snapshots: Sequence[Snapshot] = ()
    evaluation: Snapshot | None = None
    environment: Mapping[str, str] | None = None
    card: Card | None = None
    artefact: Path | None = None
    predictions: pa.Table | None = None
    hyper_parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CheckedVersion:
    """What is recorded of a version beside its artefact.

    Attributes
    ----------
    estimator
        Its class, or what is known instead.
    predictions
        Those handed over, with no other column.
    warnings
        What was accepted and should be known.
    """

    estimator: str
    hyper_parameters: dict[str, Any]
    environment: dict[str, str] | None
    predictions: pa.Table | None
    warnings: list[str]


def check_new_version(workspace: Workspace, model: Model, new: NewVersion) -> CheckedVersion:
    """Check everything that is handed over but the reference, before anything is stored.

    Raises
    ------
    InvalidInput
        A metric is no number, a column or parameter is given wrongly, a snapshot is gone or lacks a column,
        or the artefact cannot be stored.
    """
    label = f"the new version of model '{model.name}'"
    if new.estimator is not None and new.artefact is not None:
        raise InvalidInput(f"{label} has an estimator and an artefact: hand over one of them")
    twice = sorted({name for name in new.columns if list(new.columns).count(name) > 1})
    if twice:
        raise InvalidInput(f"{label} has input column '{twice[0]}' twice")
    check_metrics(label, new.metrics)
    if new.card is not None:
        check_card(new.card)
    for snapshot in (new.snapshot, *new.more_snapshots):
        check_snapshot(workspace, snapshot)
    warnings = []
    if new.evaluation is not None:
        protected = new.card.protected_attributes if new.card else ()
        warnings += check_evaluation(workspace, model, new.evaluation, new.columns, protected)
    predictions = None
    if new.predictions is not None:
        predictions = check_predictions(model, new.evaluation, new.predictions)
    name, parameters, environment = _described(new, warnings)
    if new.hyper_parameters is not None:
        parameters = {str(key): _as_json(value) for key, value in new.hyper_parameters.items()}
    return CheckedVersion(name, parameters, environment, predictions, warnings)


def _described(new: NewVersion, warnings: list[str]) -> tuple[str, dict[str, Any], dict[str, str] | None]:
    """Return the estimator's name, its parameters and the environment that it was trained in."""
    if new.estimator is not None:
        steps = getattr(new.estimator, "steps", None)
        name = type(steps[-1][1] if steps else new.estimator).__name__
        return name, _plain(new.estimator.get_params(deep=True)), _environment(new)
    if new.artefact is None:
        return "runs elsewhere", {}, None if new.environment is None else _environment(new)
    environment = _environment(new)
    described = check_file(new.artefact)
    if described is None:
        return f"{new.artefact.suffix.lower().removeprefix('.') or 'unnamed'} file", {}, environment
    written_with, here = described.library_version, this_environment().get("scikit-learn")
    if written_with is not None and new.environment is None and environment is not None:
        environment["scikit-learn"] = written_with
    if written_with is not None and written_with != here:
        warnings.append(f"the artefact was written with scikit-learn {written_with}, and here is {here}")
    return described.name, _plain(described.parameters), environment


def _environment(new: NewVersion) -> dict[str, str] | None:
    """Return this process's where none is given, None where it is given as not known."""
    if new.environment is None:
        return this_environment()
    return {str(name): str(version) for name, version in new.environment.items()} or None


def check_metrics(label: str, metrics: Mapping[str, tuple[float, int]]) -> None:
    """Check that every metric is a number with a name.

    Raises
    ------
    InvalidInput
    """
    for name, (value, rows) in metrics.items():
        if not name.strip():
            raise InvalidInput(f"{label} has a metric without a name")
        if isinstance(value, bool) or not math.isfinite(value):
            raise InvalidInput(
                f"{label}: metric '{name}' is {value}, no number: leave it out, or measure it on rows where "
                "it is defined"
            )
        if rows < 0:
            raise InvalidInput(f"{label}: metric '{name}' was measured on {rows} rows")


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that JSON can hold, lists of such among them; estimators are left out."""
    return {
        name: _as_json(value)
        for name, value in sorted(parameters.items())
        if isinstance(value, _SIMPLE)
        or (isinstance(value, list | tuple) and all(isinstance(one, _SIMPLE) for one in value))
    }


def _as_json(value: Any) -> Any:
    """Return a value as JSON has it; what is not finite becomes a word, for JSON has no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, Mapping):
        return {str(key): _as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    return str(value)
