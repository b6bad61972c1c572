"""The scenario that ships is complete; a broken one is refused with its file named."""

from pathlib import Path

import pytest

from mlops_core.demo.recipes import recipes
from mlops_core.demo.scenario import load_scenario
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Role


def test_every_role_is_taken_and_names_are_unique() -> None:
    actors = load_scenario().actors

    assert {actor.role for actor in actors} == set(Role)
    assert len({actor.name for actor in actors}) == len(actors) == 8


def test_the_second_half_of_the_year_is_replayed_in_whole_requests() -> None:
    scenario = load_scenario()

    assert (scenario.clock.first_week, scenario.clock.last_week) == (27, 52)
    assert scenario.serving.request_rows == 500


def test_only_models_that_exist_are_named() -> None:
    scenario = load_scenario()
    known = {"default", *(recipe.name for recipe in recipes())}

    assert set(scenario.latency_objectives_ms) <= known
    assert set(scenario.segment_columns) <= known


def test_a_model_that_is_not_named_gets_the_default() -> None:
    scenario = load_scenario()

    assert scenario.latency_objective_ms("another") == scenario.latency_objectives_ms["default"]
    assert scenario.segments("another") == scenario.segment_columns["default"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.toml is missing"):
        load_scenario(tmp_path / "gone.toml")


@pytest.mark.parametrize("text", ["[clock", "[clock]\nfirst_week = 27"])
def test_a_file_that_is_no_scenario_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(InvalidInput, match=r"scenario\.toml cannot be used"):
        load_scenario(file)
