"""Train a recipe and hand the version over to the registry, as any data scientist would."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from mlops_core.console_root import console_root
from mlops_core.demo.purchases import week_end
from mlops_core.demo.recipes import Recipe, predict, train
from mlops_core.demo.world import HOUSEHOLD, Demo
from mlops_core.domain import ModelVersion
from mlops_core.domain.states import ProblemType
from mlops_core.features import store_training_data
from mlops_core.registry import NewVersion, commit_state, create_model, register_version
from mlops_core.registry.cards import Card
from mlops_core.registry.evaluation_data import store_evaluation_data

__all__ = ["Handover", "create_model_of", "train_version"]


@dataclass(frozen=True, slots=True)
class Handover:
    """What goes to the registry beside the estimator.

    Parameters
    ----------
    reference_weeks
        Weeks that its production is compared with.
    card
        The model card, None for none.
    is_evaluated
        Whether the held-out weeks are handed over too, so that it can be tested and compared.
    evaluated_with
        Columns of the held-out weeks that other versions read.
    """

    reference_weeks: range
    card: Card | None = None
    is_evaluated: bool = False
    evaluated_with: Sequence[str] = ()


def create_model_of(demo: Demo, recipe: Recipe) -> None:
    """Create the model of a recipe, still without a version."""
    owner = demo.people[recipe.owner]
    create_model(
        demo.workspace,
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


def train_version(demo: Demo, recipe: Recipe, frame: pd.DataFrame, handover: Handover) -> ModelVersion:
    """Train a recipe on its weeks of a frame, and register the version.

    Parameters
    ----------
    frame
        Every column that the recipe, its segments and its card name, with `household_id` and `as_of`.
    """
    workspace, owner = demo.workspace, demo.people[recipe.owner]
    protected = handover.card.protected_attributes if handover.card else ()
    columns = list(dict.fromkeys([*recipe.features, *recipe.segment_columns, *protected]))
    others = [name for name in handover.evaluated_with if name not in columns]
    weeks = {*recipe.training_weeks, *recipe.held_out_weeks, *handover.reference_weeks}
    rows = _with_outcome(demo, recipe, frame[[HOUSEHOLD, "as_of", *columns, *others]], weeks)
    training = rows[rows["week"].isin(recipe.training_weeks)].reset_index(drop=True)
    snapshot = store_training_data(
        workspace, owner, recipe.name, _arrow(training.drop(columns=["week", *others]))
    )
    estimator = train(recipe, training, training["outcome"] if recipe.target else None)
    seen = rows[rows["week"].isin({*handover.reference_weeks, *recipe.held_out_weeks})]
    scored = seen.assign(prediction=predict(recipe, estimator, seen), predicted_at=seen["as_of"])
    held_out = scored[scored["week"].isin(recipe.held_out_weeks)]
    evaluation = None
    if handover.is_evaluated:
        cases = held_out.drop(columns=["week", "prediction", "predicted_at"])
        evaluation = store_evaluation_data(workspace, owner, recipe.name, _arrow(cases))
    return register_version(
        workspace,
        owner,
        recipe.name,
        NewVersion(
            estimator=estimator,
            columns=recipe.features,
            snapshot=snapshot,
            metrics=_metrics(recipe, held_out),
            reference=_scored_reference(recipe, scored, columns, handover.reference_weeks),
            commit=commit_state(console_root()),
            evaluation=evaluation,
            card=handover.card,
        ),
    )


def _scored_reference(recipe: Recipe, scored: pd.DataFrame, columns: list[str], weeks: range) -> pa.Table:
    """Return the scored reference; outcomes only where the model was not trained on them."""
    scored = scored[scored["week"].isin(weeks)]
    reference = scored[[*columns, "prediction", "predicted_at"]]
    if recipe.target:
        unseen = scored["week"].isin(recipe.held_out_weeks) & ~scored["week"].isin(recipe.training_weeks)
        reference = reference.assign(outcome=scored["outcome"].astype(float).where(unseen))
    return _arrow(reference)


def _with_outcome(demo: Demo, recipe: Recipe, frame: pd.DataFrame, weeks: set[int]) -> pd.DataFrame:
    ends: dict[datetime, int] = {week_end(week): week for week in weeks}
    frame = frame.assign(week=frame["as_of"].map({pd.Timestamp(end): week for end, week in ends.items()}))
    frame = frame[frame["week"].notna()]
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


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)
