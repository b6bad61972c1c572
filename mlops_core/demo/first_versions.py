"""The versions that are in production when the replay begins."""

from collections.abc import Callable

import pandas as pd

from mlops_core.demo.household_features import FEATURE_TABLES
from mlops_core.demo.purchases import FIRST_FEATURE_WEEK
from mlops_core.demo.recipes import SEGMENT, SEGMENTATION, Recipe, predict, recipes
from mlops_core.demo.registering import Handover, create_model_of, train_version
from mlops_core.demo.world import SEGMENT_TABLE, Demo, Served, read_frame, segment_rows
from mlops_core.domain.states import FeatureKind, Role, Stage
from mlops_core.features import NewFeature, create_feature_table, write_features
from mlops_core.registry import load_estimator, move_version, promote_version

__all__ = ["train_models"]

_REFERENCE_WEEKS = range(9, 27)
"""The panel has ramped up by then, and the second half of the year has not begun."""


def train_models(demo: Demo, progress: Callable[[str], None]) -> None:
    """Train, register and promote every recipe; the segmentation's output becomes a feature."""
    for recipe in recipes(demo.scenario):
        progress(f"training {recipe.name}")
        demo.served[recipe.name] = _put_into_production(demo, recipe)
        if recipe.name == SEGMENTATION:
            _publish_segment(demo)


def _put_into_production(demo: Demo, recipe: Recipe) -> Served:
    workspace, owner, lead = demo.workspace, demo.people[recipe.owner], demo.person(Role.LEAD)
    create_model_of(demo, recipe)
    version = train_version(demo, recipe, _reference_frame(demo), Handover(_REFERENCE_WEEKS))
    move_version(workspace, owner, recipe.name, version.number, Stage.CANDIDATE)
    move_version(workspace, lead, recipe.name, version.number, Stage.APPROVED)
    version = promote_version(workspace, lead, recipe.name, version.number)
    return Served(recipe, version, load_estimator(workspace, version.artefact_digest))


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
    weeks = range(FIRST_FEATURE_WEEK, demo.scenario.clock.first_week)
    frame = read_frame(demo, served.recipe.features, weeks)
    segments = predict(served.recipe, served.estimator, frame)
    write_features(demo.workspace, owner, SEGMENT_TABLE, segment_rows(frame, segments))


def _reference_frame(demo: Demo) -> pd.DataFrame:
    """Read every feature that there is, for the reference weeks; the segment once it is published."""
    has_segment = SEGMENTATION in demo.served
    if demo.reference is None or has_segment != (SEGMENT.name in demo.reference):
        names = [feature.name for table in FEATURE_TABLES for feature in table.features]
        demo.reference = read_frame(demo, [*names, SEGMENT.name] if has_segment else names, _REFERENCE_WEEKS)
    return demo.reference
