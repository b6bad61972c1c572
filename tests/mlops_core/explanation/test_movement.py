"""How far columns moved, since when, and in which order they are named."""

import math

import numpy as np
import pandas as pd
import pytest

from mlops_core.domain.states import Level
from mlops_core.explanation.movement import limits_of, measure_movements
from mlops_core.explanation.ranking import rank_columns, relative_importance
from mlops_core.slices import CategoricalCounts, CategoricalGrid, NumericCounts, NumericGrid, Slice
from tests.mlops_core.explanation.rows import WEEK, counted, grids_of, movement, week
from tests.mlops_core.monitoring.figures import population_stability_index


def frame(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "income": random.normal(50 + 15 * shift, 15, rows),
            "age": np.where(random.random(rows) < 0.1, np.nan, random.integers(18, 90, rows)),
            "region": random.choice(["north", "south", "west", "new"], rows, p=[0.5, 0.3, 0.19, 0.01]),
        }
    )


def measured(before, by_week, window, statistic="psi"):
    grids = grids_of(before)
    weeks = [week(number) for number in range(len(by_week))]
    inside = [rows for one, rows in zip(weeks, by_week, strict=True) if window.holds(one.start)]
    return measure_movements(
        statistic,
        list(before.columns),
        grids,
        counted(before, grids),
        counted(pd.concat(inside), grids),
        window,
        weeks,
        [counted(rows, grids) if len(rows) else Slice(0, {}) for rows in by_week],
    )


def test_the_value_of_a_column_is_the_stability_index_of_its_rows():
    before, after = frame(3_000, 1), frame(1_500, 2, shift=0.5)
    income, age, region = measured(before, [after], week(0))
    expected = population_stability_index(before["income"], after["income"])
    assert income.value == pytest.approx(expected, rel=0.05)
    assert (income.level, age.level, region.level) == (Level.WARNING, Level.IN_RANGE, Level.IN_RANGE)
    assert income.adjusted_p_value < 1e-10 < 0.01 < age.adjusted_p_value
    assert [one.is_categorical for one in (income, age, region)] == [False, False, True]


def test_since_is_the_first_of_the_weeks_outside_without_a_gap():
    before = frame(3_000, 1)
    shifts = (0, 1, 0, 0, 1, 1, 1)
    by_week = [frame(500, 10 + place, shift) for place, shift in enumerate(shifts)]
    income = measured(before, by_week, week(6))[0]
    assert income.since == week(4).start
    assert [value > 0.25 for value in income.trend] == [bool(shift) for shift in shifts]


def test_a_week_without_predictions_or_with_few_does_not_end_the_run():
    before = frame(3_000, 1)
    rows = (500, 500, 0, 20, 500)
    by_week = [frame(n, 10 + place, shift=float(place > 0)) for place, n in enumerate(rows)]
    income = measured(before, by_week, week(4))[0]
    assert income.since == week(1).start
    assert income.trend[2] is None


def test_a_run_that_ended_within_the_window_is_the_one_that_counts():
    before = frame(3_000, 1)
    by_week = [frame(500, 10 + place, shift) for place, shift in enumerate((0, 1.5, 1.5, 0))]
    window = type(week(0))(week(0).start, week(3).end)
    assert measured(before, by_week, window)[0].since == week(1).start


def test_drift_that_no_week_shows_alone_began_with_the_window():
    before = frame(3_000, 1)
    by_week = [frame(150, 10 + place, shift=1.0) for place in range(3)]  # too few a week to be judged
    window = type(week(0))(week(1).start, week(2).end)
    income = measured(before, by_week, window)[0]
    assert (income.level, income.since) == (Level.CRITICAL, week(1).start)


def test_weeks_after_the_window_do_not_matter():
    before = frame(3_000, 1)
    by_week = [frame(500, 10 + place, shift) for place, shift in enumerate((0, 1, 0, 0))]
    assert measured(before, by_week, week(1))[0].since == week(1).start
    assert measured(before, by_week, week(2))[0].since is None


def test_a_move_that_may_be_chance_is_in_range_however_large_it_is():
    before = pd.DataFrame({"x": [f"{number % 40}" for number in range(400)]})
    random = np.random.default_rng(3)
    after = pd.DataFrame({"x": random.choice([str(number) for number in range(40)], 250)})
    found = measured(before, [after], week(0))[0]
    assert found.value > 0.1
    assert (found.level, found.since) == (Level.IN_RANGE, None)


def test_too_few_predictions_are_unknown_and_too_small_a_reference_unless_it_cannot_be_chance():
    before, few = frame(3_000, 1), frame(150, 2, shift=3)
    assert {one.level for one in measured(before, [few], week(0))} == {Level.UNKNOWN}
    income, age, _ = measured(few, [before], week(0))
    assert (income.level, age.level) == (Level.CRITICAL, Level.UNKNOWN)


def test_a_statistic_without_a_custom_is_not_judged_and_an_undefined_one_is_unknown():
    before, after = frame(3_000, 1), frame(1_500, 2, shift=1)
    income, _, region = measured(before, [after], week(0), "wasserstein")
    assert (income.level, region.level) == (Level.UNJUDGED, Level.UNKNOWN)
    assert region.value is None
    assert limits_of("wasserstein") == []


def test_a_p_value_is_judged_from_below():
    before, after = frame(3_000, 1), frame(1_500, 2, shift=1)
    income, age, _ = measured(before, [after], week(0), "kolmogorov_smirnov_p_value")
    assert (income.level, age.level) == (Level.CRITICAL, Level.IN_RANGE)


# ── ranking ──────────────────────────────────────────────────────────────────────────────────────


def names(movements, importance=None, statistic="psi"):
    return [one.column for one in rank_columns(movements, importance or {}, statistic)]


def test_those_that_drifted_come_first_then_movement_times_importance():
    found = [
        movement("calm", 0.09, Level.IN_RANGE),
        movement("slight-and-important", 0.3),
        movement("far-and-unimportant", 1.0),
        movement("undefined", None, Level.UNKNOWN),
    ]
    importance = {"calm": 1.0, "slight-and-important": 1.0, "far-and-unimportant": 0.2}
    assert names(found, importance) == [
        "slight-and-important", "far-and-unimportant", "calm", "undefined",
    ]  # fmt: skip
    assert names(found)[:2] == ["far-and-unimportant", "slight-and-important"]


def test_a_column_without_any_importance_that_moved_very_far_is_not_lost():
    found = [movement("important", 0.3), movement("unimportant", 4.0)]
    assert names(found, {"important": 1.0, "unimportant": 0.0}) == ["unimportant", "important"]


def test_outputs_come_after_inputs_of_their_group():
    found = [
        movement("prediction", 2.0),
        movement("score", 1.0),
        movement("age", 0.3),
        movement("income", 0.01, Level.IN_RANGE),
    ]
    assert names(found) == ["age", "prediction", "score", "income"]


def test_the_smallest_p_value_is_the_furthest_move():
    found = [movement("a", 0.04), movement("b", 1e-9), movement("c", 0.0), movement("d", 0.9, Level.IN_RANGE)]
    assert names(found, statistic="chi_squared_p_value") == ["c", "b", "a", "d"]


def test_importance_is_relative_to_the_largest():
    assert relative_importance({"a": 4.0, "b": 1.0, "c": 0.0}) == {"a": 1.0, "b": 0.25, "c": 0.0}
    assert relative_importance({"a": 0.0}) == relative_importance({}) == {}


# ── many columns ─────────────────────────────────────────────────────────────────────────────────


def test_two_thousand_columns_of_which_two_drifted_are_measured_and_no_other_is_called():
    random = np.random.default_rng(4)
    cells = 50
    grid, by_value = NumericGrid.uniform(0, 1, cells), CategoricalGrid(("a", "b", "c"))

    def counts(name: str, rows: int, moved: bool):
        if int(name) % 2:
            return CategoricalCounts(
                rows, 0, random.multinomial(rows, [0.2, 0.2, 0.6] if moved else [1 / 3] * 3)
            )
        values = random.beta(3 if moved else 2, 2, rows)
        found = np.bincount(grid.cell_of(values), minlength=grid.n_cells).astype(np.int64)
        ends = float(values.min()), float(values.max())
        return NumericCounts(rows, 0, 0, 0, 0, values.sum(), (values**2).sum(), *ends, found)

    columns = [str(number) for number in range(2_000)]
    before, after = (
        Slice(rows, {name: counts(name, rows, later and name in {"700", "701"}) for name in columns})
        for later, rows in ((False, 1_000), (True, 800))
    )
    grids = {name: by_value if int(name) % 2 else grid for name in columns}
    weeks = [week(number) for number in range(3)]
    window = type(week(0))(week(0).start, week(0).start + 3 * WEEK)
    found = measure_movements("psi", columns, grids, before, after, window, weeks, [after] * 3)
    assert [one.column for one in found if one.level.is_outside] == ["700", "701"]
    assert [one.column for one in found if one.adjusted_p_value <= 0.05] == ["700", "701"]
    assert all(math.isfinite(one.value) for one in found)
