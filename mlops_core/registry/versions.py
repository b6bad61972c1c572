"""Register a model version with everything that it was made from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sqlmodel import col, func, select

from mlops_core.domain import (
    Actor,
    Feature,
    FeatureUse,
    Metric,
    Model,
    ModelVersion,
    Snapshot,
    StageChange,
)
from mlops_core.domain.states import Stage
from mlops_core.registry.artefacts import Artefact, store_estimator
from mlops_core.registry.importance import (
    Importance,
    add_importance,
    check_importance,
    permutation_importance,
)
from mlops_core.registry.models import MAKERS, find_model
from mlops_core.registry.reference import add_reference, count_reference
from mlops_core.registry.reference_sample import store_reference_sample
from mlops_core.registry.source_control import CommitState
from mlops_core.registry.surrogate import surrogate_importance
from mlops_core.store import UnitOfWork
from mlops_core.workspace import Workspace, require_role

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["NewVersion", "register_version"]

_ELSEWHERE: Final = Artefact(digest="", format="none", size=0)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a training run hands over.

    Attributes
    ----------
    estimator
        Fitted; `columns` are its input, in order. None for a model that runs elsewhere: nothing but its
        predictions is known.
    snapshot
        The training data.
    metrics
        Name to (value, rows), measured on the part of the data called `metrics_data`.
    reference
        The reference window, scored: `predicted_at`, `prediction`, every column and segment column; `score`
        if the prediction is a label that comes with a probability; `outcome` if it is known, null in the
        rows that trained the model, whose errors are smaller than those of new rows.
    importance
        How much the model depends on each column, from 0 up; None has it found by permutation, and of
        a model that runs elsewhere by a surrogate.
    """

    estimator: "BaseEstimator | None"
    columns: Sequence[str]
    snapshot: Snapshot
    metrics: Mapping[str, tuple[float, int]]
    reference: pa.Table
    commit: CommitState
    metrics_data: str = "held-out"
    importance: Mapping[str, float] | None = None


def register_version(workspace: Workspace, actor: Actor, model_name: str, new: NewVersion) -> ModelVersion:
    """Register a version in stage `development`; the same artefact and snapshot give the same version.

    Raises
    ------
    NotFound
        There is no such model.
    InvalidInput
        The reference lacks a column, or the artefact cannot be stored.
    NotPermitted
    """
    require_role(actor, "register a version", *MAKERS)
    with workspace.store.read() as session:
        model = find_model(session, model_name)
    counted = count_reference(model, new)
    importance, trouble = _importance(model, new)
    artefact = store_estimator(workspace, new.estimator) if new.estimator is not None else _ELSEWHERE
    sample = store_reference_sample(workspace, new.reference)

    def work(unit: UnitOfWork) -> ModelVersion:
        known = unit.session.exec(
            select(ModelVersion).where(
                ModelVersion.model_id == model.id,
                ModelVersion.artefact_digest == artefact.digest,
                ModelVersion.snapshot_id == new.snapshot.id,
            )
        ).first()
        if known is not None:
            unit.record(
                "version.registered_again",
                "model version",
                f"{model.name}:{known.number}",
                f"The same artefact and snapshot were registered before as {model.name}:{known.number}",
            )
            return known
        version = _add_version(unit, model, new, artefact)
        add_reference(unit, version, new.reference, counted, sample)
        if importance is not None:
            add_importance(unit, version, importance)
        unit.record(
            "version.registered",
            "model version",
            f"{model.name}:{version.number}",
            f"{model.name} version {version.number} was registered",
            artefact=artefact.digest,
            snapshot=new.snapshot.id,
            **({"importance": trouble} if trouble else {}),
        )
        return version

    return workspace.store.write(actor, work)


def _importance(model: Model, new: NewVersion) -> tuple[Importance | None, str]:
    """Return the importance of the columns; None, and why, where the estimator cannot tell."""
    if new.importance is not None:
        return check_importance(new.columns, new.importance), ""
    try:
        if new.estimator is None:
            return surrogate_importance(new.columns, new.reference), ""
        return permutation_importance(new.estimator, model, new.columns, new.reference), ""
    except Exception as error:  # the estimator is not ours, and a version without importance is of use
        return None, f"unknown: {error}"[:500]


def _add_version(unit: UnitOfWork, model: Model, new: NewVersion, artefact: Artefact) -> ModelVersion:
    highest = unit.session.exec(
        select(func.max(ModelVersion.number)).where(ModelVersion.model_id == model.id)
    ).one()
    version = unit.add(
        ModelVersion(
            model_id=model.id,
            number=(highest or 0) + 1,
            stage=Stage.DEVELOPMENT,
            author_id=unit.actor.id,
            snapshot_id=new.snapshot.id,
            artefact_digest=artefact.digest,
            artefact_format=artefact.format,
            artefact_bytes=artefact.size,
            git_commit=new.commit.commit,
            git_dirty=new.commit.dirty,
            estimator=_estimator_name(new.estimator),
            hyper_parameters=_plain(new.estimator.get_params(deep=True) if new.estimator is not None else {}),
            columns=list(new.columns),
            created_at=unit.now,
        )
    )
    unit.add(
        StageChange(model_version_id=version.id, stage=Stage.DEVELOPMENT, at=unit.now, actor_id=unit.actor.id)
    )
    for name, (value, rows) in new.metrics.items():
        unit.session.add(
            Metric(model_version_id=version.id, name=name, data=new.metrics_data, value=value, rows=rows)
        )
    used = unit.session.exec(select(Feature).where(col(Feature.name).in_(list(new.columns)))).all()
    unit.session.add_all(FeatureUse(model_version_id=version.id, feature_id=feature.id) for feature in used)
    return version


def _estimator_name(estimator: "BaseEstimator | None") -> str:
    if estimator is None:
        return "runs elsewhere"
    steps = getattr(estimator, "steps", None)
    return type(steps[-1][1] if steps else estimator).__name__


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that JSON can hold; what is not finite becomes a word, for JSON has no NaN."""
    simple = (str, int, float, bool, type(None))
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in sorted(parameters.items())
        if isinstance(value, simple)
    }
