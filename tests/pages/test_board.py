"""The board against the logs and the store, read without the code under test."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_core.workspace import Workspace
from tests.demo_workspace import Facts
from tests.pages.conftest import DRIFTED, SLOW
from tests.pages.measuring import half_of_pairs_within_a_cell
from tests.pages.screen import headline, instructions, numbers, open_page, parts, table

LATENCY_CELL = 1.027  # a response time is known to the cell of a grid whose cells grow by 2.6 %
ROUNDED = 0.051  # the board shows one decimal


def newest_week(facts: Facts, model: str) -> int:
    log = facts.predictions(model)
    return int((log["week"] == log["week"].max()).sum())


def test_the_fleet_holds_every_model_in_production(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page()

    assert sorted(table(screen, "fleet")["model"]) == demo_facts.models
    assert len(demo_facts.models) in numbers(headline(screen))


def test_the_predictions_of_this_week_add_up_from_the_logs(console: Workspace, demo_facts: Facts) -> None:
    screen = open_page()

    counted = {model: newest_week(demo_facts, model) for model in demo_facts.models}
    fleet = table(screen, "fleet")
    assert dict(zip(fleet["model"], fleet["predictions"], strict=True)) == counted
    assert numbers(screen.metric[0].value) == [sum(counted.values())]


def test_the_usage_curve_of_a_model_is_its_log_week_by_week(console: Workspace, demo_facts: Facts) -> None:
    fleet = table(open_page(), "fleet").set_index("model")

    for model in ("churn-risk", "customer-segmentation"):
        weekly = demo_facts.predictions(model).groupby("week").size()
        assert list(fleet.loc[model, "usage"]) == weekly.tolist()


def test_response_times_are_the_quantiles_of_the_log(console: Workspace, demo_facts: Facts) -> None:
    fleet = table(open_page(), "fleet").set_index("model")

    for model in demo_facts.models:
        log = demo_facts.predictions(model)
        times = log.loc[log["week"] == log["week"].max(), "latency_ms"]
        exact = np.quantile(times, [0.5, 0.95, 0.99], method="inverted_cdf")
        shown = np.array(numbers(fleet.loc[model, "latency"]))
        assert (shown <= exact * LATENCY_CELL + ROUNDED).all(), model
        assert (shown >= exact / LATENCY_CELL - ROUNDED).all(), model


def test_the_median_measured_auc_is_the_one_that_scikit_learn_computes(
    console: Workspace, demo_facts: Facts
) -> None:
    areas, bounds = [], []
    for (model,) in demo_facts.rows("SELECT name FROM model WHERE primary_metric = 'roc_auc'"):
        if model not in demo_facts.models:
            continue
        known = demo_facts.judged(model)
        known = known[known["week"] == known["week"].max()]
        areas.append(roc_auc_score(known["outcome"], known["prediction"]))
        bounds.append(half_of_pairs_within_a_cell(known["prediction"], known["outcome"]))

    shown = next(one for one in open_page().metric if "AUC" in one.label)

    assert numbers(shown.value)[0] == pytest.approx(np.median(areas), abs=max(bounds) + 0.0005)
    assert len(areas) in numbers(shown.label)


def test_searching_keeps_the_models_of_an_owner(console: Workspace, demo_facts: Facts) -> None:
    owner, owned = demo_facts.rows(
        "SELECT a.full_name, list(m.name ORDER BY m.name) "
        "FROM model AS m JOIN actor AS a ON a.id = m.owner_id "
        "JOIN model_version AS v ON v.model_id = m.id AND v.stage = 'production' "
        "GROUP BY a.full_name ORDER BY a.full_name LIMIT 1"
    )[0]

    screen = open_page()
    screen.text_input(key="find").set_value(owner.upper()).run()

    assert sorted(table(screen, "fleet")["model"]) == owned
    assert [float(len(owned)), float(len(demo_facts.models))] in [
        numbers(line) for line in parts(screen).splitlines()
    ]


def test_a_search_that_finds_nothing_says_how_to_get_back(console: Workspace) -> None:
    screen = open_page(find="no such model")

    assert instructions(screen)
    assert not screen.dataframe


@pytest.mark.parametrize(("show", "kind"), [("Drifting", "drift"), ("Slow", "latency")])
def test_a_filter_keeps_the_models_that_it_names(
    eventful_console: Workspace, outside: dict[str, set[str]], show: str, kind: str
) -> None:
    screen = open_page(show=show)

    assert screen.button_group(key="show").value == show
    assert set(table(screen, "fleet")["model"]) == outside[kind]


def test_what_needs_attention_comes_first_and_is_counted(
    eventful_console: Workspace, outside: dict[str, set[str]]
) -> None:
    models = set().union(*outside.values())

    everything = table(open_page(), "fleet")
    attention = table(open_page(show="Needs attention"), "fleet")

    assert set(attention["model"]) == set(everything["model"][: len(models)]) == models
    assert len(everything) > len(models)


def test_changing_the_filter_changes_the_fleet(
    eventful_console: Workspace, outside: dict[str, set[str]]
) -> None:
    screen = open_page()
    everything = table(screen, "fleet")

    screen.button_group(key="show").set_value("Drifting").run()

    assert len(everything) > 20
    assert table(screen, "fleet")["model"].tolist() == [DRIFTED]


def test_the_first_line_counts_what_is_critical(eventful_console: Workspace) -> None:
    screen = open_page()

    symbols = table(screen, "fleet")["status"].str[0]
    critical = (symbols == symbols[0]).sum()  # the drift is, and the worst come first
    assert {DRIFTED, SLOW} <= set(table(screen, "fleet")["model"][:critical])
    assert critical in numbers(headline(screen))


def test_a_status_is_a_symbol_and_a_word_on_every_line(eventful_console: Workspace) -> None:
    for status in table(open_page(), "fleet")["status"]:
        assert re.fullmatch(r"[^\w\s] \w[\w ]+", status), status


def test_a_model_that_was_not_used_this_week_adds_nothing_to_this_week(eventful_console: Workspace) -> None:
    """Two models have predicted in the week that has just begun, and 20 have not."""
    screen = open_page()

    fleet = table(screen, "fleet").set_index("model")
    assert numbers(screen.metric[0].value) == [fleet.loc[[DRIFTED, SLOW], "predictions"].sum()]
