"""Train the trials of the last weeks, and have the registry test them and compare them with the champions."""

import pandas as pd

from mlops_core.demo.development import Trial
from mlops_core.demo.household_features import FEATURE_TABLES
from mlops_core.demo.recipes import SEGMENT
from mlops_core.demo.registering import Handover, create_model_of, train_version
from mlops_core.demo.world import Demo, read_frame
from mlops_core.jobs import enqueue, run_job
from mlops_core.registry.cards import Card

__all__ = ["try_version"]

_FIRST_WEEK = 9
_REFERENCE_WEEKS = 8
_LIMITS = (
    "Learned from the purchases of 2,469 households of one retailer in 2017: not for new customers, other "
    "countries, or decisions about credit."
)


def try_version(demo: Demo, trial: Trial, week: int) -> None:
    """Train a trial at the end of a week, register it, run its tests, compare it if there is a champion."""
    recipe = trial.at(week)
    if not trial.is_update:
        create_model_of(demo, recipe)
    card = Card(
        intended_use=f"{recipe.description}.",
        limits=_LIMITS,
        protected_attributes=trial.protected_attributes,
        considerations=trial.reason,
    )
    last = recipe.held_out_weeks.stop
    reference = range(max(_FIRST_WEEK, last - _REFERENCE_WEEKS), last)
    handover = Handover(reference, card, is_evaluated=True, evaluated_with=trial.champion_features)
    version = train_version(demo, recipe, _recent_frame(demo, week), handover)
    owner = demo.people[recipe.owner]
    job = enqueue(
        demo.workspace,
        owner,
        "judge_version",
        f"{recipe.name}:{version.number}",
        {"model": recipe.name, "number": version.number},
    )
    run_job(demo.workspace, job.id)


def _recent_frame(demo: Demo, week: int) -> pd.DataFrame:
    """Read every feature from the panel's ninth week on, once for all trials of a week."""
    if demo.recent is None or demo.recent[0] != week:
        names = [feature.name for table in FEATURE_TABLES for feature in table.features]
        demo.recent = (week, read_frame(demo, [*names, SEGMENT.name], range(_FIRST_WEEK, week + 1)))
    return demo.recent[1]
