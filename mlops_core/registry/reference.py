"""The reference of a version: what it is counted into, and the sample of its rows that is kept."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.domain import Model, ModelVersion, OutcomeSlice, ReferenceProfile, StoredSlice
from mlops_core.domain.errors import InvalidInput
from mlops_core.domain.states import Origin, ProblemType
from mlops_core.registry.columns import LATENCY, OUTCOME, PREDICTED_AT, PREDICTION, SCORE, latency_grid
from mlops_core.slices import (
    ALL_ROWS,
    Grids,
    OutcomePlan,
    Outcomes,
    Slice,
    SliceKey,
    SlicePlan,
    build_outcome_slices,
    build_slices,
    encode_grids,
    encode_outcomes,
    encode_slice,
    grids_from_table,
    merge_outcomes,
    merge_slices,
)
from mlops_core.slices import ProblemType as OutcomeProblem
from mlops_core.store import UnitOfWork

if TYPE_CHECKING:
    from mlops_core.registry.versions import NewVersion

__all__ = ["CountedReference", "add_reference", "count_reference", "outcome_plan"]

_OUTCOMES: dict[ProblemType, OutcomeProblem] = {
    ProblemType.BINARY: "binary",
    ProblemType.MULTICLASS: "multiclass",
}


@dataclass(frozen=True, slots=True)
class CountedReference:
    """The counts of a reference; outcomes are empty where none is known."""

    grids: Grids
    slices: dict[SliceKey, Slice]
    outcomes: dict[SliceKey, Outcomes]


def outcome_plan(model: Model, *, scored: bool) -> OutcomePlan:
    """Return how a model's predictions are counted with their outcomes.

    Parameters
    ----------
    scored
        Whether a column holds the score beside the predicted label.
    """
    binary = model.problem_type == ProblemType.BINARY
    return OutcomePlan(
        time_column=PREDICTED_AT,
        period="day",
        problem_type=_OUTCOMES.get(ProblemType(model.problem_type), "regression"),
        prediction_column=PREDICTION,
        outcome_column=OUTCOME,
        segment_columns=tuple(model.segment_columns),
        score_column=SCORE if binary and scored else None,
    )


def count_reference(model: Model, new: "NewVersion") -> CountedReference:
    """Count the reference day by day, each segment and the outcomes as a whole.

    Raises
    ------
    InvalidInput
        A column is missing, there are no rows, or times have no time zone.
    """
    reference = new.reference
    needed = {PREDICTED_AT, PREDICTION, *new.columns, *model.segment_columns}
    missing = sorted(needed - set(reference.column_names))
    if missing:
        raise InvalidInput(
            f"the reference of model '{model.name}' lacks {', '.join(missing)}: score the reference window "
            "with every column and segment column in it"
        )
    if not reference.num_rows:
        raise InvalidInput(f"the reference of model '{model.name}' has no rows")
    kind = reference.schema.field(PREDICTED_AT).type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise InvalidInput(
            f"column '{PREDICTED_AT}' of the reference of model '{model.name}' holds {kind}: give times with "
            "a time zone"
        )
    watched = list(dict.fromkeys([*new.columns, *model.segment_columns, PREDICTION]))
    if SCORE in reference.column_names and SCORE not in watched:
        watched.append(SCORE)
    grids = dict(grids_from_table(reference, watched))
    plan = SlicePlan(
        time_column=PREDICTED_AT,
        period="day",
        grids=dict(grids),
        segment_columns=tuple(model.segment_columns),
    )
    if new.estimator is not None or new.artefact is not None:
        grids[LATENCY] = latency_grid()
    slices = build_slices(reference.to_batches(), plan)
    return CountedReference(grids, _by_day_and_by_segment(slices), _outcomes(model, reference))


def add_reference(
    unit: UnitOfWork, version: ModelVersion, reference: pa.Table, counted: CountedReference, digest: str
) -> None:
    """Store the profile of a version's reference with its counts; `digest` names the sample's artefact."""
    span = pc.min_max(reference[PREDICTED_AT]).as_py()
    unit.session.add(
        ReferenceProfile(
            model_version_id=version.id,
            start=span["min"],
            end=span["max"] + timedelta(microseconds=1),
            rows=reference.num_rows,
            grids=encode_grids(counted.grids),
            sample_digest=digest,
        )
    )
    unit.session.add_all(
        StoredSlice(
            model_version_id=version.id,
            origin=Origin.REFERENCE,
            start=key.start,
            segment=key.segment,
            rows=found.rows,
            revision=unit.revision,
            payload=encode_slice(found),
        )
        for key, found in counted.slices.items()
    )
    unit.session.add_all(
        OutcomeSlice(
            model_version_id=version.id,
            origin=Origin.REFERENCE,
            start=key.start,
            segment=key.segment,
            rows=found.rows,
            revision=unit.revision,
            payload=encode_outcomes(found),
        )
        for key, found in counted.outcomes.items()
    )


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


def _outcomes(model: Model, reference: pa.Table) -> dict[SliceKey, Outcomes]:
    """Return the outcomes of each segment over the whole reference, nothing where none is known."""
    if OUTCOME not in reference.column_names or model.problem_type == ProblemType.CLUSTERING:
        return {}
    plan = outcome_plan(model, scored=SCORE in reference.column_names)
    known = reference.filter(pc.is_valid(reference[OUTCOME]))
    segments: dict[str, list[Outcomes]] = defaultdict(list)
    counted = build_outcome_slices(known.to_batches(), plan)
    for key, found in counted.items():
        segments[key.segment].append(found)
    if not counted:
        return {}
    first = min(key.start for key in counted)
    return {SliceKey(first, segment): merge_outcomes(parts) for segment, parts in segments.items()}
