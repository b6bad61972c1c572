"""The trials of the last weeks keep the future out of training, but for the one that says it does not."""

import pytest

from mlops_core.demo.development import Trial, trials
from mlops_core.demo.household_features import FEATURE_TABLES
from mlops_core.demo.recipes import SEGMENT, recipes
from mlops_core.demo.scenario import load_scenario
from mlops_core.demo.targets import TARGETS
from mlops_core.domain.states import ProblemType

TRIALS = trials(load_scenario())
PRODUCTION = {made.name: made for made in recipes()}
KNOWN = {feature.name for table in FEATURE_TABLES for feature in table.features} | {SEGMENT.name}
each_trial = pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.recipe.name)


def test_ten_are_updates_of_models_in_production_and_ten_are_new() -> None:
    updates = [trial.recipe.name for trial in TRIALS if trial.is_update]
    new = [trial.recipe.name for trial in TRIALS if not trial.is_update]
    assert len(set(updates)) == len(set(new)) == 10
    assert set(updates) <= PRODUCTION.keys()
    assert not set(new) & PRODUCTION.keys()


@each_trial
@pytest.mark.parametrize("week", [30, 52])
def test_what_is_held_out_is_known_by_then_and_comes_after_all_that_trained(trial: Trial, week: int) -> None:
    made = trial.at(week)
    assert len(made.held_out_weeks) == 4
    assert made.held_out_weeks[-1] + made.horizon_weeks == week
    assert made.training_weeks[0] >= 9
    assert len(made.training_weeks) <= trial.training_weeks
    learned_until = made.training_weeks[-1] + made.horizon_weeks
    assert (learned_until <= made.held_out_weeks[0]) is not trial.trains_on_everything


@each_trial
def test_a_trial_is_made_of_features_and_an_outcome_that_there_are(trial: Trial) -> None:
    made = trial.recipe
    (target,) = [one for one in TARGETS if one.name == made.target]
    assert {*made.features, *made.segment_columns, *trial.protected_attributes} <= KNOWN
    assert len(set(made.features)) == len(made.features)
    assert target.horizon_weeks == made.horizon_weeks
    assert target.kind == made.problem_type


@each_trial
def test_an_update_differs_from_what_is_in_production(trial: Trial) -> None:
    if not trial.is_update:
        assert trial.recipe.primary_metric == (
            "roc_auc" if trial.recipe.problem_type == ProblemType.BINARY else "rmse"
        )
        return
    champion, made = PRODUCTION[trial.recipe.name], trial.at(52)
    assert made.training_weeks != champion.training_weeks
    assert (made.target, made.primary_metric) == (champion.target, champion.primary_metric)
