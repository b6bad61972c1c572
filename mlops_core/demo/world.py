"""The demo department before the replay: its people, its features, its trained models.

Everything is done with the calls that any user has; nothing here writes a table by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from mlops_core.console_root import console_root
from mlops_core.demo.household_features import FEATURE_TABLES
from mlops_core.demo.purchases import FIRST_FEATURE_WEEK, week_end
from mlops_core.demo.recipes import SEGMENT, SEGMENTATION, Recipe, predict, recipes, train
from mlops_core.demo.scenario import Scenario
from mlops_core.domain import Actor, ModelVersion
from mlops_core.domain.states import FeatureKind, ProblemType, Role, Stage
from mlops_core.features import (
    NewFeature,
    create_entity,
    create_feature_table,
    read_features,
    store_training_data,
    write_features,
)
from mlops_core.registry import (
    NewVersion,
    commit_state,
    create_model,
    load_estimator,
    move_version,
    promote_version,
    register_version,
)
from mlops_core.workspace import Workspace, add_actor

__all__ = [
    "HOUSEHOLD",
    "SEGMENT_TABLE",
    "Demo",
    "Served",
    "add_people",
    "declare_features",
    "segment_rows",
    "train_models",
    "weeks_of",
    "write_week",
]

HOUSEHOLD = "household_id"
SEGMENT_TABLE = "household_segment"
REFERENCE_WEEKS = range(9, 27)
"""The panel has ramped up by then, and the second half of the year has not begun."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model in production: how it was made, which version serves, and the estimator from its artefact."""

    recipe: Recipe
    version: ModelVersion
    estimator: BaseEstimator


@dataclass(slots=True)
class Demo:
    """What the build carries from step to step."""

    workspace: Workspace
    scenario: Scenario
    features: Mapping[str, pa.Table]
    targets: Mapping[str, pa.Table]
    people: dict[str, Actor] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)
    reference: pd.DataFrame | None = None

    def person(self, role: Role) -> Actor:
        """Return the first person with a role."""
        return next(actor for actor in self.people.values() if actor.role == role)


def add_people(demo: Demo, system: Actor) -> None:
    """Add the scenario's people."""
    for one in demo.scenario.actors:
        demo.people[one.name] = add_actor(
            demo.workspace,
            system,
            name=one.name,
            full_name=one.full_name,
            role=one.role,
            email=one.email,
        )


def declare_features(demo: Demo) -> None:
    """Declare the entity and the feature tables, and write the weeks before the replay."""
    engineer, scientist = demo.person(Role.ML_ENGINEER), demo.person(Role.DATA_SCIENTIST)
    create_entity(
        demo.workspace,
        scientist,
        name="household",
        key_column=HOUSEHOLD,
        description="A household with a loyalty card",
    )
    for table in FEATURE_TABLES:
        create_feature_table(
            demo.workspace,
            scientist,
            name=table.name,
            entity="household",
            description=table.description,
            owner=engineer,
            features=[
                NewFeature(one.name, one.dtype, one.kind, one.description, one.sources)
                for one in table.features
            ],
        )
    write_weeks(demo, range(FIRST_FEATURE_WEEK, demo.scenario.clock.first_week))


def write_week(demo: Demo, week: int) -> None:
    """Write one week's rows to every feature table that is computed from purchases."""
    write_weeks(demo, range(week, week + 1))


def write_weeks(demo: Demo, weeks: range) -> None:
    """Write the rows of some weeks to the feature tables."""
    engineer = demo.person(Role.ML_ENGINEER)
    for name, rows in demo.features.items():
        write_features(demo.workspace, engineer, name, weeks_of(rows, weeks).drop_columns(["week"]))


def train_models(demo: Demo, progress: Callable[[str], None]) -> None:
    """Train, register and promote every recipe; the segmentation's output becomes a feature."""
    for recipe in recipes(demo.scenario):
        progress(f"training {recipe.name}")
        demo.served[recipe.name] = _train_one(demo, recipe)
        if recipe.name == SEGMENTATION:
            _publish_segment(demo)


def segment_rows(frame: pd.DataFrame, segments: npt.NDArray[np.generic]) -> pa.Table:
    """Return rows of the segment's feature table for scored households."""
    return pa.table(
        {
            HOUSEHOLD: pa.array(frame[HOUSEHOLD], pa.int64()),
            "as_of": pa.array(frame["as_of"], pa.timestamp("us", tz="UTC")),
            SEGMENT.name: pa.array(segments.astype(str), pa.string()),
        }
    )


def weeks_of(rows: pa.Table, weeks: range) -> pa.Table:
    """Return the rows of some weeks."""
    week = rows["week"].to_numpy()
    return rows.filter(pa.array((week >= weeks.start) & (week < weeks.stop)))


def _publish_segment(demo: Demo) -> None:
    served = demo.served[SEGMENTATION]
    owner = demo.people[served.recipe.owner]
    create_feature_table(
        demo.workspace,
        owner,
        name=SEGMENT_TABLE,
        entity="household",
        description="The customer segment, as the segmentation model sees it each week",
        owner=owner,
        features=[
            NewFeature(
                SEGMENT.name, SEGMENT.dtype, FeatureKind.PREDICTION, SEGMENT.description, (), SEGMENTATION
            )
        ],
    )
    frame = _frame(demo, served.recipe.features, range(FIRST_FEATURE_WEEK, demo.scenario.clock.first_week))
    segments = predict(served.recipe, served.estimator, frame)
    write_features(demo.workspace, owner, SEGMENT_TABLE, segment_rows(frame, segments))


def _train_one(demo: Demo, recipe: Recipe) -> Served:
    workspace, owner = demo.workspace, demo.people[recipe.owner]
    create_model(
        workspace,
        owner,
        name=recipe.name,
        description=recipe.description,
        owner=owner,
        problem_type=recipe.problem_type,
        primary_metric=recipe.primary_metric,
        latency_objective_ms=recipe.latency_objective_ms,
        cadence_hours=demo.scenario.serving.cadence_hours,
        segment_columns=recipe.segment_columns,
    )
    columns = list(dict.fromkeys([*recipe.features, *recipe.segment_columns]))
    rows = _with_outcome(demo, recipe, _reference_frame(demo)[[HOUSEHOLD, "as_of", *columns]])
    training = rows[rows["week"].isin(recipe.training_weeks)].reset_index(drop=True)
    outcome = training["outcome"] if recipe.target else None
    snapshot = store_training_data(
        workspace,
        owner,
        recipe.name,
        pa.Table.from_pandas(training.drop(columns="week"), preserve_index=False),
    )
    estimator = train(recipe, training, outcome)
    scored = rows.assign(prediction=predict(recipe, estimator, rows), predicted_at=rows["as_of"])
    held_out = scored[scored["week"].isin(recipe.held_out_weeks)]
    version = register_version(
        workspace,
        owner,
        recipe.name,
        NewVersion(
            estimator=estimator,
            columns=recipe.features,
            snapshot=snapshot,
            metrics=_metrics(recipe, held_out),
            reference=_scored_reference(recipe, scored, columns),
            commit=commit_state(console_root()),
        ),
    )
    lead = demo.person(Role.LEAD)
    move_version(workspace, owner, recipe.name, version.number, Stage.CANDIDATE)
    move_version(workspace, lead, recipe.name, version.number, Stage.APPROVED)
    version = promote_version(workspace, lead, recipe.name, version.number)
    return Served(recipe, version, load_estimator(workspace, version.artefact_digest))


def _scored_reference(recipe: Recipe, scored: pd.DataFrame, columns: list[str]) -> pa.Table:
    """Return the scored reference; outcomes only where the model was not trained on them."""
    reference = scored[[*columns, "prediction", "predicted_at"]]
    if recipe.target:
        held_out = scored["week"].isin(recipe.held_out_weeks)
        reference = reference.assign(outcome=scored["outcome"].astype(float).where(held_out))
    return pa.Table.from_pandas(reference, preserve_index=False)


def _reference_frame(demo: Demo) -> pd.DataFrame:
    """Read every feature that there is, for the reference weeks; the segment once it is published."""
    has_segment = SEGMENTATION in demo.served
    if demo.reference is None or has_segment != (SEGMENT.name in demo.reference):
        names = [feature.name for table in FEATURE_TABLES for feature in table.features]
        demo.reference = _frame(demo, [*names, SEGMENT.name] if has_segment else names, REFERENCE_WEEKS)
    return demo.reference


def _frame(demo: Demo, columns: list[str] | tuple[str, ...], weeks: range) -> pd.DataFrame:
    rows = read_features(
        demo.workspace, list(columns), start=week_end(weeks.start), end=week_end(weeks.stop - 1)
    )
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def _with_outcome(demo: Demo, recipe: Recipe, frame: pd.DataFrame) -> pd.DataFrame:
    ends: dict[datetime, int] = {week_end(week): week for week in REFERENCE_WEEKS}
    frame = frame.assign(week=frame["as_of"].map({pd.Timestamp(end): week for end, week in ends.items()}))
    if not recipe.target:
        return frame
    outcome = demo.targets[recipe.target].select([HOUSEHOLD, "week", "outcome"]).to_pandas()
    return frame.merge(outcome, on=[HOUSEHOLD, "week"], how="left")


def _metrics(recipe: Recipe, held_out: pd.DataFrame) -> dict[str, tuple[float, int]]:
    if not recipe.target:
        return {}
    truth, scored = held_out["outcome"].to_numpy(), held_out["prediction"].to_numpy()
    rows = len(held_out)
    if recipe.problem_type == ProblemType.BINARY:
        return {
            "roc_auc": (float(roc_auc_score(truth, scored)), rows),
            "log_loss": (float(log_loss(truth, scored)), rows),
            "accuracy": (float(accuracy_score(truth, scored.astype(float) >= 0.5)), rows),
        }
    return {
        "rmse": (float(root_mean_squared_error(truth, scored)), rows),
        "mae": (float(mean_absolute_error(truth, scored)), rows),
    }
