"""Usage on the value page against the prediction logs."""

from __future__ import annotations

import pytest

from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.screen import bars, headline, numbers, open_page, table


@pytest.fixture(scope="module")
def weekly(demo_facts: Facts) -> dict[str, list[int]]:
    """The predictions of every model, week by week, from its log."""
    return {
        model: demo_facts.predictions(model).groupby("week").size().tolist() for model in demo_facts.models
    }


def test_every_model_is_listed_with_its_predictions_the_most_used_first(
    console: Workspace, weekly: dict[str, list[int]]
) -> None:
    lines = table(open_page("value"), "models")

    assert dict(zip(lines["model"], map(list, lines["weekly"]), strict=True)) == weekly
    assert lines["total"].tolist() == sorted(map(sum, weekly.values()), reverse=True)
    assert lines["share"].sum() == pytest.approx(100)


def test_the_first_line_counts_models_and_the_newest_week(
    console: Workspace, weekly: dict[str, list[int]]
) -> None:
    found = numbers(headline(open_page("value")))

    assert len(weekly) in found
    assert sum(counts[-1] for counts in weekly.values()) in found


def test_the_chart_shows_the_sum_of_all_models_in_each_week(
    console: Workspace, weekly: dict[str, list[int]]
) -> None:
    (heights,) = bars(open_page("value"))

    assert heights == [sum(counts) for counts in zip(*weekly.values(), strict=True)]
