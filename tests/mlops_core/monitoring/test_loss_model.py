"""Direct loss estimation on simulated rows whose spread is known."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from mlops_core.domain.errors import InvalidInput
from mlops_core.monitoring.loss_model import fit_loss
from mlops_core.slices import grids_from_table

COLUMNS = ("x", "z", "group")
SCIKIT_LEARN = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "mape": metrics.mean_absolute_percentage_error,
}


def rows(n, seed, *, shift=0.0, share=0.1):
    """Errors grow with x and are three times as large in group c."""
    random = np.random.default_rng(seed)
    x, z = random.normal(shift, 1.0, n), random.random(n)
    group = random.choice(["a", "b", "c"], n, p=[0.9 - share, 0.1, share])
    noise = np.exp(0.4 * x) * np.where(group == "c", 3.0, 1.0)
    prediction = 20 + 2 * x + z
    return pa.table(
        {
            "x": x,
            "z": z,
            "group": group,
            "prediction": prediction,
            "outcome": prediction + noise * random.normal(size=n),
        }
    )


def fitted(reference, statistic="mae"):
    return fit_loss(reference, COLUMNS, grids_from_table(reference, [*COLUMNS, "prediction"]), statistic)


def truth(table, statistic):
    return SCIKIT_LEARN[statistic](table["outcome"].to_numpy(), table["prediction"].to_numpy())


@pytest.mark.parametrize("statistic", SCIKIT_LEARN)
def test_an_estimate_follows_harder_rows_as_scikit_learn_measures_them(statistic):
    reference, window = rows(6_000, 1), rows(4_000, 2, shift=0.6, share=0.3)
    found = fitted(reference, statistic).estimate(window)
    measured = truth(window, statistic)
    assert found.value == pytest.approx(measured, rel=0.1)
    assert abs(found.value - measured) < abs(truth(reference, statistic) - measured) / 4
    assert found.interval.lower < found.value < found.interval.upper


@pytest.mark.parametrize(("statistic", "shift", "share"), [("mae", 0.0, 0.1), ("rmse", 0.3, 0.2)])
def test_nine_in_ten_intervals_hold_what_is_measured(statistic, shift, share):
    inside = 0
    for seed in range(20):
        window = rows(800, 500 + seed, shift=shift, share=share)
        lower, upper = fitted(rows(2_000, seed), statistic).estimate(window).interval
        inside += lower <= truth(window, statistic) <= upper
    assert inside >= 16  # of 18 expected, a standard error of 1.3 below


def test_a_sample_of_a_window_keeps_the_chance_of_all_its_rows():
    model, window = fitted(rows(3_000, 1)), rows(500, 2)
    few, many = model.estimate(window), model.estimate(window, of=50_000)
    assert few.value == many.value
    assert many.rows == 50_000
    assert many.interval.upper - many.interval.lower < few.interval.upper - few.interval.lower


def test_rows_that_trained_the_model_are_left_out():
    reference = rows(1_000, 1)
    outcome = pa.array([None if n % 2 else y for n, y in enumerate(reference["outcome"].to_pylist())])
    found = fitted(reference.set_column(4, "outcome", outcome))
    assert found.rows == 500


def test_what_is_missing_or_new_is_no_obstacle_and_is_reported():
    window = pa.table(
        {
            "x": pa.array([None, float("nan"), float("inf"), 0.0]),
            "z": [0.5, 0.5, 0.5, 7.0],
            "group": pa.array([None, "a", "new", "a"]),
            "prediction": [20.0, 20.0, 20.0, 20.0],
        }
    )
    found = fitted(rows(1_000, 1)).estimate(window)
    assert np.isfinite(found.value)
    assert found.unknown == 0.5  # a category that never occurred, and a z out of its range


def test_a_column_without_a_value_is_no_obstacle():
    reference, window = rows(2_000, 1), rows(2_000, 2, shift=0.6, share=0.3)
    empty = pa.nulls(2_000, pa.float64())
    nearly = pa.array([1.0, *[None] * 1_999])
    for name, column in (("empty", empty), ("nearly", nearly)):
        reference = reference.append_column(name, column)
        window = window.append_column(name, pa.array(np.ones(2_000)))
    columns = [*COLUMNS, "empty", "nearly"]
    grids = grids_from_table(reference, [*columns, "prediction"])
    found = fit_loss(reference, columns, grids, "mae").estimate(window)
    assert found.value == pytest.approx(truth(window, "mae"), rel=0.15)


def test_a_perfect_model_has_no_loss():
    reference = rows(500, 1)
    perfect = reference.set_column(4, "outcome", reference["prediction"])
    found = fitted(perfect).estimate(rows(100, 2))
    assert found.value == pytest.approx(0.0, abs=1e-6)


def test_the_same_rows_give_the_same_estimate():
    reference, window = rows(1_000, 1), rows(300, 2)
    assert fitted(reference).estimate(window) == fitted(reference).estimate(window)


def test_a_loss_that_no_column_tells_is_that_of_the_reference():
    random = np.random.default_rng(99)
    reference = rows(2_000, 1)
    noise = reference["prediction"].to_numpy() + random.normal(size=2_000)
    model = fitted(reference.set_column(4, "outcome", pa.array(noise)))
    assert model.explained < 0.05
    found = model.estimate(rows(2_000, 2, shift=0.5, share=0.3))
    assert found.value == pytest.approx(np.sqrt(2 / np.pi), rel=0.08)  # the mean of |N(0, 1)|


def test_too_few_outcomes_are_refused():
    with pytest.raises(InvalidInput, match="150 rows of the reference have an outcome: 200 are needed"):
        fitted(rows(150, 1))


def test_a_statistic_that_is_no_mean_is_refused():
    with pytest.raises(InvalidInput, match="r_squared is no mean of losses: choose mae, rmse, mape"):
        fitted(rows(300, 1), "r_squared")


def test_no_rows_are_refused():
    with pytest.raises(InvalidInput, match="no prediction in the window"):
        fitted(rows(300, 1)).estimate(rows(10, 2).slice(0, 0))
