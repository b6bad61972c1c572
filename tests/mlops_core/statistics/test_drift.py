import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import spatial, stats

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import CategoricalGrid, NumericGrid
from mlops_core.statistics import (
    DRIFT_STATISTICS,
    chi_squared,
    chi_squared_p_value,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p_value,
    l_infinity,
    population_stability_index,
    wasserstein,
    wasserstein_normalised,
)
from tests.mlops_core.statistics.counting import categories, count, window

RNG = np.random.default_rng(23)
N = 20_000
PAIRS = {
    "the same normal": (RNG.normal(size=N), RNG.normal(size=N // 3)),
    "a moved normal": (RNG.normal(size=N), RNG.normal(0.3, 1.2, N)),
    "log-normals": (RNG.lognormal(3, 1, N), RNG.lognormal(3.2, 1, N)),
    "prices": (np.round(RNG.lognormal(2, 1, N), 2), np.round(RNG.lognormal(2.1, 1, N), 2)),
    "far apart": (RNG.normal(size=N), RNG.normal(50, 1, N)),
    "zeros and a tail": (
        np.where(RNG.random(N) < 0.6, 0.0, RNG.pareto(1, N)),
        np.where(RNG.random(N) < 0.5, 0.0, RNG.pareto(1, N)),
    ),
    "counts": (RNG.poisson(3, N).astype(float), RNG.poisson(4, N).astype(float)),
    "constants": (np.full(N, 2.0), np.full(N, 3.0)),
    "few rows": (RNG.normal(size=90), RNG.normal(0.5, 1, 40)),
}


GRID = CategoricalGrid(("a", "b", "c"))
VALUES = st.lists(st.sampled_from(["a", "b", "c", "p", "q", None]), min_size=1, max_size=80)


def psi_of(first, second):
    """From counts, by the book: half a row for a bin that is empty in one window."""
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    n, m = first.sum(), second.sum()
    used = first + second > 0
    p, q = np.where(first == 0, 0.5, first)[used] / n, np.where(second == 0, 0.5, second)[used] / m
    return float(sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True)))


def deciles_of(reference, current):
    """Both windows in the deciles of the raw reference rows."""
    inner = np.quantile(reference, np.arange(1, 10) / 10)
    edges = [-np.inf, *inner, np.inf]
    return [np.histogram(values, bins=edges)[0] for values in (reference, current)]


@pytest.mark.parametrize("name", PAIRS)
def test_kolmogorov_smirnov_is_that_of_scipy(name):
    reference, current = PAIRS[name]
    exact = stats.ks_2samp(reference, current).statistic
    found = kolmogorov_smirnov(*window(reference, current))
    assert exact - 0.005 <= found <= exact + 1e-12


@given(st.lists(st.integers(-5, 5), min_size=1), st.lists(st.floats(-6, 6), min_size=1))
def test_kolmogorov_smirnov_is_exact_when_the_reference_has_few_values(reference, current):
    reference = [float(value) for value in reference]
    exact = stats.ks_2samp(reference, current, method="asymp").statistic
    assert kolmogorov_smirnov(*window(reference, current)) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (60, 25)])
def test_the_kolmogorov_smirnov_p_value_of_few_rows_is_close_to_the_exact_one(n, m):
    for shift in (0.2, 0.5, 0.8):
        reference = stats.norm.ppf((np.arange(n) + 0.5) / n)
        current = np.random.default_rng(m).normal(shift, 1, m)
        exact = stats.ks_2samp(reference, current, method="exact").pvalue
        assert kolmogorov_smirnov_p_value(*window(reference, current)) == pytest.approx(exact, rel=0.2)


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.03, 0.05, 0.1])
def test_the_kolmogorov_smirnov_p_value_is_that_of_scipy(shift):
    rng = np.random.default_rng(5)
    reference, current = rng.normal(size=3000), rng.normal(shift, 1, 2000)
    exact = stats.ks_2samp(reference, current, method="asymp")
    lenient = stats.kstwo.sf(exact.statistic - 0.002, 1200)  # the grid may see a slightly smaller distance
    found = kolmogorov_smirnov_p_value(*window(reference, current))
    assert exact.pvalue * 0.98 - 1e-6 <= found <= lenient * 1.02 + 1e-6


def test_missing_values_do_not_enter_distances():
    reference, current = PAIRS["a moved normal"]
    grid = NumericGrid.from_values(reference)
    first, holes = count(reference, grid), count([*current.tolist(), None, math.nan], grid)
    for name in ("kolmogorov_smirnov", "kolmogorov_smirnov_p_value", "wasserstein", "wasserstein_normalised"):
        statistic = DRIFT_STATISTICS[name]
        clean = statistic.compute(first, count(current, grid), grid)
        assert statistic.compute(first, holes, grid) == pytest.approx(clean)


def test_infinities_are_values_below_and_above_all_others_for_kolmogorov_smirnov():
    reference = np.concatenate((RNG.normal(size=900), [-math.inf] * 60, [math.inf] * 40))
    current = np.concatenate((RNG.normal(size=400), [-math.inf] * 100, [math.inf] * 200))
    exact = stats.ks_2samp(reference, current, method="asymp").statistic
    assert kolmogorov_smirnov(*window(reference, current)) == pytest.approx(exact, abs=0.003)
    infinite = [math.inf] * 3 + [-math.inf]
    exact = stats.ks_2samp([1.0, 2.0], infinite, method="asymp").statistic
    assert kolmogorov_smirnov(*window([1.0, 2.0], infinite)) == exact


def test_wasserstein_and_the_deviation_are_of_the_finite_values():
    reference, current = PAIRS["a moved normal"]
    holes = [math.inf, -math.inf, None, math.nan]
    exact = stats.wasserstein_distance(reference, current) / reference.std()
    found = wasserstein_normalised(*window([*reference.tolist(), math.inf], [*current.tolist(), *holes]))
    assert found == pytest.approx(exact, abs=0.001)
    assert math.isnan(wasserstein(*window([1.0], [math.inf])))


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "constants"])
def test_wasserstein_is_that_of_scipy(name):
    reference, current = PAIRS[name]
    exact = stats.wasserstein_distance(reference, current)
    counted = window(reference, current)
    assert wasserstein(*counted) == pytest.approx(exact, abs=0.005 * reference.std())
    assert wasserstein_normalised(*counted) == pytest.approx(exact / reference.std(), abs=0.005)


def test_a_constant_reference_has_no_deviation_to_measure_by():
    assert wasserstein(*window([2.0] * 5, [3.0] * 4)) == 1.0
    assert math.isnan(wasserstein_normalised(*window([2.0] * 5, [3.0] * 4)))
    assert wasserstein_normalised(*window([0.1] * 7, [0.1] * 11)) == 0.0


@given(VALUES, VALUES)
def test_hellinger_of_categories_is_its_definition(reference, current):
    pooled = [
        ["(unseen)" if value in ("p", "q") else value for value in rows] for rows in (reference, current)
    ]
    first, second = (counts / counts.sum() for counts in shares_of(*pooled))
    overlap = sum(math.sqrt(a * b) for a, b in zip(first, second, strict=True))
    found = hellinger(*categories(GRID, reference, current))
    assert found**2 == pytest.approx(1 - overlap, abs=1e-12)


@pytest.mark.parametrize("name", ["the same normal", "a moved normal", "log-normals", "prices"])
def test_hellinger_is_that_of_raw_deciles(name):
    reference, current = PAIRS[name]
    first, second = (rows / rows.sum() for rows in deciles_of(reference, current))
    expected = np.linalg.norm(np.sqrt(first) - np.sqrt(second)) / math.sqrt(2)
    assert hellinger(*window(reference, current)) == pytest.approx(expected, rel=0.03, abs=0.002)


@pytest.mark.parametrize("name", ["the same normal", "a moved normal", "log-normals", "prices"])
def test_psi_and_jensen_shannon_are_those_of_raw_deciles(name):
    reference, current = PAIRS[name]
    first, second = deciles_of(reference, current)
    counted = window(reference, current)
    assert population_stability_index(*counted) == pytest.approx(psi_of(first, second), rel=0.05, abs=0.001)
    expected = spatial.distance.jensenshannon(first, second, base=2)
    assert jensen_shannon(*counted) == pytest.approx(expected, rel=0.03, abs=0.002)


def test_a_spike_keeps_its_own_bin():
    reference, current = PAIRS["zeros and a tail"]
    tail = reference[reference > 0]
    inner = np.quantile(tail, [0.25, 0.5, 0.75])
    edges = [-np.inf, 0.0, np.nextafter(0.0, 1.0), *inner, np.inf]
    first, second = (np.histogram(values, bins=edges)[0] for values in (reference, current))
    expected = psi_of(first, second)
    assert population_stability_index(*window(reference, current)) == pytest.approx(expected, rel=0.03)


def test_values_of_few_distinct_numbers_are_bins_of_their_own():
    reference, current = [1.0] * 50 + [2.0] * 50, [1.0] * 10 + [2.0] * 80 + [3.0] * 10
    expected = psi_of([50, 50, 0], [10, 80, 10])
    assert population_stability_index(*window(reference, current)) == pytest.approx(expected)
    distance = spatial.distance.jensenshannon([50, 50, 0], [10, 80, 10], base=2)
    assert jensen_shannon(*window(reference, current)) == pytest.approx(distance)


def test_missing_and_infinite_rows_are_bins_of_psi():
    reference = [1.0] * 50 + [2.0] * 50
    current = [1.0] * 40 + [2.0] * 40 + [None] * 6 + [math.nan] * 4 + [math.inf] * 5 + [-math.inf] * 5
    counted = window(reference, current)
    counts = ([50, 50, 0, 0], [40, 40, 10, 10])
    assert population_stability_index(*counted) == pytest.approx(psi_of(*counts))
    assert jensen_shannon(*counted) == pytest.approx(spatial.distance.jensenshannon(*counts, base=2))


def shares_of(*windows):
    values = sorted({value or "" for rows in windows for value in rows})
    counters = [Counter(value or "" for value in rows) for rows in windows]
    return [np.array([counter[value] for value in values]) for counter in counters]


@given(VALUES, VALUES)
def test_l_infinity_is_the_largest_change_of_a_share(reference, current):
    first, second = shares_of(reference, current)
    expected = np.abs(first / len(reference) - second / len(current)).max()
    assert l_infinity(*categories(GRID, reference, current)) == pytest.approx(expected, abs=1e-12)


@given(VALUES, VALUES)
def test_chi_squared_and_its_p_value_are_those_of_scipy(reference, current):
    exact = stats.chi2_contingency(np.stack(shares_of(reference, current)), correction=False)
    counted = categories(GRID, reference, current)
    assert chi_squared(*counted) == pytest.approx(exact.statistic, abs=1e-9)
    assert chi_squared_p_value(*counted) == pytest.approx(exact.pvalue, abs=1e-9)


@given(VALUES, VALUES)
def test_psi_and_jensen_shannon_of_categories_pool_the_unseen_values(reference, current):
    pooled = [
        ["(unseen)" if value in ("p", "q") else value for value in rows] for rows in (reference, current)
    ]
    first, second = shares_of(*pooled)
    counted = categories(GRID, reference, current)
    assert population_stability_index(*counted) == pytest.approx(psi_of(first, second), abs=1e-12)
    expected = spatial.distance.jensenshannon(first, second, base=2)
    assert jensen_shannon(*counted) == pytest.approx(expected, abs=1e-7)


def test_unseen_values_that_are_no_longer_named_are_rows_but_no_value():
    grid = CategoricalGrid(("a",))
    reference, current, _ = categories(grid, ["a"] * 4, ["a"] * 2 + ["p", "q"])
    capped = current.capped(1)
    assert l_infinity(reference, capped, grid) == 0.5
    assert chi_squared(reference, capped, grid) == pytest.approx(chi_squared(reference, current, grid))


@pytest.mark.parametrize("name", DRIFT_STATISTICS)
@pytest.mark.parametrize("empty", ["reference", "current", "both"])
def test_every_statistic_is_nan_when_a_window_is_empty(name, empty):
    statistic = DRIFT_STATISTICS[name]
    for kind in statistic.kinds:
        grid = NumericGrid.from_values([1.0, 2.0]) if kind == "numeric" else GRID
        rows = [1.0, 2.0] if kind == "numeric" else ["a"]
        reference, current = count(rows, grid), count(rows, grid)
        reference = reference if empty == "current" else reference.empty(grid.n_cells)
        current = current if empty == "reference" else current.empty(grid.n_cells)
        assert math.isnan(statistic.compute(reference, current, grid))


@pytest.mark.parametrize("name", DRIFT_STATISTICS)
@given(data=st.data())
def test_every_statistic_stays_in_its_range_and_is_zero_for_the_same_rows(name, data):
    statistic = DRIFT_STATISTICS[name]
    for kind in statistic.kinds:
        values = st.lists(st.floats() | st.none(), min_size=1) if kind == "numeric" else VALUES
        reference, current = data.draw(values), data.draw(values)
        if kind == "numeric":
            finite = [value for value in reference if value is not None]
            grid = NumericGrid.from_values(finite)
            counted = (
                count(np.array(reference, dtype=float), grid),
                count(np.array(current, dtype=float), grid),
            )
        else:
            *counted, grid = categories(GRID, reference, current)
        found = statistic.compute(*counted, grid)
        assert math.isnan(found) or statistic.lower <= found <= statistic.upper + 1e-12
        same = statistic.compute(counted[0], counted[0], grid)
        nothing = statistic.lower if statistic.higher_is_drift else statistic.upper
        assert math.isnan(same) or same == pytest.approx(nothing, abs=1e-7)


def test_p_values_are_nan_when_a_window_is_empty():
    grid = NumericGrid.from_values([1.0])
    assert math.isnan(kolmogorov_smirnov_p_value(count([1.0], grid), count([], grid), grid))
    assert math.isnan(chi_squared_p_value(count(["a"], GRID), count([], GRID), GRID))


def test_a_statistic_of_the_wrong_kind_is_refused():
    numeric, text = window([1.0], [2.0]), categories(GRID, ["a"], ["b"])
    with pytest.raises(
        InvalidInput, match="kolmogorov_smirnov is not defined for a categorical column: choose"
    ):
        DRIFT_STATISTICS["kolmogorov_smirnov"].compute(*text)
    for function in (kolmogorov_smirnov, kolmogorov_smirnov_p_value):
        with pytest.raises(InvalidInput):
            function(*text)
    for function in (chi_squared, chi_squared_p_value, l_infinity):
        with pytest.raises(InvalidInput):
            function(*numeric)


def test_counts_of_another_grid_are_refused():
    reference, _, grid = window([1.0, 2.0, 3.0], [2.0])
    other = NumericGrid.from_values([1.0])
    for statistic in DRIFT_STATISTICS.values():
        with pytest.raises(InvalidInput, match="were not counted on this grid"):
            statistic.function(reference, count([1.0], other), grid)
