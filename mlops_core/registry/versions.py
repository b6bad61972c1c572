"""Register a model version with everything that it was made from."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import col, func, select

from mlops_core.domain import (
    Actor,
    Feature,
    FeatureUse,
    Metric,
    Model,
    ModelVersion,
    ReferenceProfile,
    Snapshot,
    StageChange,
    StoredSlice,
)
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import Origin, Stage
from mlops_core.registry.artefacts import Artefact, store_estimator
from mlops_core.registry.columns import LATENCY, PREDICTED_AT, PREDICTION, SCORE, latency_grid
from mlops_core.registry.models import MAKERS, find_model
from mlops_core.registry.source_control import CommitState
from mlops_core.slices import (
    ALL_ROWS,
    Grids,
    Slice,
    SliceKey,
    SlicePlan,
    build_slices,
    encode_grids,
    encode_slice,
    grids_from_table,
    merge_slices,
)
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
        if the prediction is a label that comes with a probability.
    """

    estimator: "BaseEstimator | None"
    columns: Sequence[str]
    snapshot: Snapshot
    metrics: Mapping[str, tuple[float, int]]
    reference: pa.Table
    commit: CommitState
    metrics_data: str = "held-out"


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
    grids, slices = _count_reference(model, new)
    artefact = store_estimator(workspace, new.estimator) if new.estimator is not None else _ELSEWHERE

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
        _add_reference(unit, version, new, grids, slices)
        unit.record(
            "version.registered",
            "model version",
            f"{model.name}:{version.number}",
            f"{model.name} version {version.number} was registered",
            artefact=artefact.digest,
            snapshot=new.snapshot.id,
        )
        return version

    return workspace.store.write(actor, work)


def _count_reference(model: Model, new: NewVersion) -> tuple[Grids, dict[SliceKey, Slice]]:
    needed = {PREDICTED_AT, PREDICTION, *new.columns, *model.segment_columns}
    missing = sorted(needed - set(new.reference.column_names))
    if missing:
        raise InvalidInput(
            f"the reference of model '{model.name}' lacks {', '.join(missing)}: score the reference window "
            "with every column and segment column in it"
        )
    if not new.reference.num_rows:
        raise InvalidInput(f"the reference of model '{model.name}' has no rows")
    kind = new.reference.schema.field(PREDICTED_AT).type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise InvalidInput(
            f"column '{PREDICTED_AT}' of the reference of model '{model.name}' holds {kind}: give times with "
            "a time zone"
        )
    watched = list(dict.fromkeys([*new.columns, *model.segment_columns, PREDICTION]))
    if SCORE in new.reference.column_names and SCORE not in watched:
        watched.append(SCORE)
    grids = dict(grids_from_table(new.reference, watched))
    if new.estimator is not None:
        grids[LATENCY] = latency_grid()
    plan = SlicePlan(
        time_column=PREDICTED_AT,
        period="day",
        grids={name: grid for name, grid in grids.items() if name != LATENCY},
        segment_columns=tuple(model.segment_columns),
    )
    return grids, _by_day_and_by_segment(build_slices(new.reference.to_batches(), plan))


def _by_day_and_by_segment(slices: dict[SliceKey, Slice]) -> dict[SliceKey, Slice]:
    """Keep all rows day by day, whose spread tells what is normal, and each segment as a whole."""
    first = min(key.start for key in slices)
    segments: dict[str, list[Slice]] = defaultdict(list)
    for key, counted in slices.items():
        segments[key.segment].append(counted)
    days = {key: counted for key, counted in slices.items() if key.segment == ALL_ROWS}
    wholes = {
        SliceKey(first, segment): merge_slices(parts)
        for segment, parts in segments.items()
        if segment != ALL_ROWS
    }
    return days | wholes


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


def _add_reference(
    unit: UnitOfWork, version: ModelVersion, new: NewVersion, grids: Grids, slices: dict[SliceKey, Slice]
) -> None:
    span = pc.min_max(new.reference[PREDICTED_AT]).as_py()
    unit.session.add(
        ReferenceProfile(
            model_version_id=version.id,
            start=span["min"],
            end=span["max"] + timedelta(microseconds=1),
            rows=new.reference.num_rows,
            grids=encode_grids(grids),
        )
    )
    unit.session.add_all(
        StoredSlice(
            model_version_id=version.id,
            origin=Origin.REFERENCE,
            start=key.start,
            segment=key.segment,
            rows=counted.rows,
            revision=unit.revision,
            payload=encode_slice(counted),
        )
        for key, counted in slices.items()
    )


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
