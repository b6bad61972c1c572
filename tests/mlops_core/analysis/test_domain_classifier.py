from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from mlops_core.analysis import domain_classifier
from mlops_core.analysis.classifier_columns import column_for_classifier, strata_of, stratified_sample
from mlops_core.analysis.classifier_screening import most_suspicious
from mlops_core.analysis.domain_classifier import tell_apart
from mlops_core.domain.errors import InvalidInput, SchemaMismatch

START = datetime(2026, 1, 5, tzinfo=UTC)


def customers(rows, seed, columns=4):
    """Income rises with age; the other columns are noise."""
    random = np.random.default_rng(seed)
    age = random.normal(45, 12, rows)
    values = {"age": age, "income": 800 * age + random.normal(0, 6_000, rows)}
    noise = random.normal(size=(columns - 2, rows))
    return pd.DataFrame(values | {f"noise_{number}": row for number, row in enumerate(noise)})


def table(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def with_the_correlation_flipped(frame):
    """Give the highest income's row the lowest: every value of every column stays as often as it was."""
    income = frame["income"].to_numpy()
    ranks = np.argsort(np.argsort(income))
    return frame.assign(income=np.sort(income)[::-1][ranks])


def population_stability(reference, current):
    edges = np.quantile(reference, np.linspace(0, 1, 11)[1:-1])
    shares = [
        np.bincount(np.searchsorted(edges, side), minlength=10) / len(side) for side in (reference, current)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


@pytest.fixture
def three_trees(monkeypatch):
    monkeypatch.setitem(domain_classifier._SETTINGS, "max_iter", 3)


def test_a_flipped_correlation_is_found_although_no_single_column_moved():
    reference, window = customers(2_000, 1), with_the_correlation_flipped(customers(2_000, 2))
    assert np.corrcoef(window["age"], window["income"])[0, 1] < -0.8
    assert max(population_stability(reference[name], window[name]) for name in reference) < 0.02
    found = tell_apart(table(reference), table(window), repeats=19)
    assert found.auc > 0.9 > 0.6 > found.baseline
    assert found.p_value == pytest.approx(1 / 20)
    assert {column.column for column in found.columns[:2]} == {"age", "income"}
    assert all(abs(column.alone - 0.5) < 0.03 for column in found.columns[:2])
    assert found.columns[1].importance > 0.1 > 0.02 > abs(found.columns[2].importance)


def test_the_auc_is_that_of_a_plain_scikit_learn_classifier_on_the_same_folds():
    random = np.random.default_rng(3)
    # Whole numbers of few values: the bins are the values themselves.
    reference = pd.DataFrame({"a": random.integers(0, 40, 700), "b": random.integers(0, 9, 700)})
    window = pd.DataFrame({"a": random.integers(4, 44, 500), "b": random.integers(0, 9, 500)})
    found = tell_apart(table(reference), table(window), repeats=1, seed=5)
    assert (found.reference_rows, found.rows) == (700, 500)
    rows, sides = pd.concat([reference, window]), np.repeat([0, 1], [700, 500])
    plain = HistGradientBoostingClassifier(**domain_classifier._SETTINGS, random_state=5)
    folds = StratifiedKFold(5, shuffle=True, random_state=5)
    with threadpool_limits(1):
        chances = cross_val_predict(plain, rows.to_numpy(float), sides, cv=folds, method="predict_proba")[
            :, 1
        ]
    assert found.auc == pytest.approx(roc_auc_score(sides, chances), abs=1e-12)


@pytest.mark.usefixtures("three_trees")
def test_without_drift_the_p_values_are_uniform(monkeypatch):
    monkeypatch.setattr(domain_classifier, "_ranked", lambda *_: [])  # takes time, and no part in the p-value
    draws = [
        tell_apart(table(customers(60, 2 * n)), table(customers(60, 2 * n + 1)), repeats=4, seed=n).p_value
        for n in range(60)
    ]
    counts = [sum(abs(draw - k / 5) < 1e-9 for draw in draws) for k in range(1, 6)]
    assert sum(counts) == 60
    assert stats.chisquare(counts).pvalue > 0.01
    assert stats.binomtest(counts[0], 60, 0.2).pvalue > 0.05  # false alarms at a level of 20 %


@pytest.mark.usefixtures("three_trees")
def test_a_moved_mean_is_found_and_its_column_named_alone():
    window = customers(300, 2).assign(noise_1=lambda frame: frame["noise_1"] + 1.5)
    found = tell_apart(table(customers(300, 1)), table(window), repeats=9)
    assert found.p_value == pytest.approx(0.1)
    assert found.columns[0].column == "noise_1"
    # The best that can be done with two normal distributions: Phi(shift / sqrt(2)).
    assert found.columns[0].alone == pytest.approx(stats.norm.cdf(1.5 / np.sqrt(2)), abs=0.05)


@pytest.mark.usefixtures("three_trees")
def test_an_output_does_not_hide_the_columns_that_it_follows_from():
    window = customers(400, 2).assign(age=lambda frame: frame["age"] + 12)
    sides = [frame.assign(prediction=frame["age"] / 100) for frame in (customers(400, 1), window)]
    hidden = tell_apart(*map(table, sides), repeats=1)
    found = tell_apart(*map(table, sides), outputs=["prediction", "score"], repeats=1)
    assert found.columns[0].column == "age"
    assert found.columns[-1].column == "prediction"
    assert found.auc == hidden.auc
    without = tell_apart(*(table(frame.drop(columns="prediction")) for frame in sides), repeats=1)
    assert found.auc_of_inputs == without.auc
    assert found.columns[:-1] == without.columns


@pytest.mark.usefixtures("three_trees")
def test_every_kind_of_column_is_looked_at_and_a_constant_tells_nothing():
    random = np.random.default_rng(8)

    def rows(n, moved):
        return pa.table(
            {
                "number": pa.array([None if x < 0.1 else x for x in random.random(n)]),
                "whole": random.integers(0, 5, n),
                "infinite": np.where(random.random(n) < 0.1, np.inf, random.normal(size=n)),
                "flag": random.random(n) < 0.5,
                "text": random.choice(["a", "b", "c" if moved else "a"], n),
                "shop": [f"s{number}" for number in random.integers(0, 700, n)],
                "city": pa.array(random.choice(["x", "y"], n)).dictionary_encode(),
                "born": pa.array([START + timedelta(days=int(d)) for d in random.integers(0, 900, n)]),
                "same": ["one"] * n,
                "empty": pa.nulls(n),
                "several": [[1, 2]] * n,
            }
        )

    found = tell_apart(rows(400, moved=False), rows(400, moved=True), repeats=4)
    assert found.columns[0].column == "text"
    assert len(found.columns) == 10
    assert {column.column: column.importance for column in found.columns[-2:]} == {"same": 0.0, "empty": 0.0}
    assert list(found.skipped) == ["several"]
    assert "holds list" in found.skipped["several"]


def test_rows_that_are_all_the_same_are_not_told_apart():
    rows = pa.table({"a": [1] * 60, "b": ["x"] * 60})
    found = tell_apart(rows, rows)
    assert (found.auc, found.baseline, found.p_value) == (0.5, 0.5, 1.0)
    assert [column.importance for column in found.columns] == [0.0, 0.0]


@pytest.mark.usefixtures("three_trees")
def test_a_column_that_became_constant_or_lost_its_values_tells_everything():
    reference = customers(200, 1)
    for lost in (reference.assign(age=40.0), reference.assign(age=np.nan)):
        found = tell_apart(table(reference), table(lost), repeats=1)
        assert found.columns[0].column == "age"
        assert found.auc > 0.95


@pytest.mark.usefixtures("three_trees")
def test_the_same_rows_and_seed_give_the_same_result_and_another_seed_another():
    reference, window = table(customers(150, 1)), table(customers(150, 2))
    first, again = (tell_apart(reference, window, repeats=3, seed=4) for _ in range(2))
    assert first == again
    assert tell_apart(reference, window, repeats=3, seed=5) != first


@pytest.mark.parametrize("rows", [0, 1, 49])
def test_too_few_rows_are_refused_in_words(rows):
    many, few = table(customers(300, 1)), table(customers(300, 1)[:rows])
    with pytest.raises(InvalidInput, match=rf"the window has {rows} rows?, .* at least 50"):
        tell_apart(many, few)
    with pytest.raises(InvalidInput, match=rf"the reference has {rows} rows?, .* at least 50"):
        tell_apart(few, many)


def test_what_cannot_be_compared_is_refused_in_words():
    rows = table(customers(60, 1))
    with pytest.raises(SchemaMismatch, match=r"the rows of the window lack income"):
        tell_apart(rows, rows.drop_columns(["income"]))
    with pytest.raises(SchemaMismatch, match=r"the rows of the reference lack income"):
        tell_apart(rows.drop_columns(["income"]), rows)
    with pytest.raises(SchemaMismatch, match=r"no column day"):
        tell_apart(rows, rows, time_column="day")
    with pytest.raises(InvalidInput, match=r"'age' holds double, not times"):
        tell_apart(rows, rows, time_column="age")
    with pytest.raises(InvalidInput, match=r"no column that could tell them apart"):
        tell_apart(rows.select(["age"]), rows.select(["age"]), time_column="age")
    with pytest.raises(InvalidInput, match=r"no column can be compared \(l: it holds list"):
        tell_apart(pa.table({"l": [[1]] * 60}), pa.table({"l": [[1]] * 60}))
    with pytest.raises(InvalidInput, match=r"0 permutations"):
        tell_apart(rows, rows, repeats=0)
    with pytest.raises(InvalidInput, match=r"sample of 99 rows is too small"):
        tell_apart(rows, rows, most_rows=99)


@pytest.mark.usefixtures("three_trees")
def test_it_tells_how_far_it_is_and_can_be_interrupted_between_repeats():
    rows, seen = table(customers(100, 1)), []
    tell_apart(rows, rows, repeats=5, progress=lambda share, doing: seen.append((share, doing)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert "chance, repeat 5 of 5" in [doing for _, doing in seen]

    class Enough(Exception):
        pass

    def stop(_share, doing):
        if doing.startswith("chance, repeat 2"):
            raise Enough

    with pytest.raises(Enough):
        tell_apart(rows, rows, repeats=5, progress=stop)


@pytest.mark.usefixtures("three_trees")
def test_both_sides_are_sampled_to_the_same_size():
    found = tell_apart(table(customers(9_000, 1)), table(customers(4_000, 2)), repeats=1, most_rows=3_000)
    assert (found.reference_rows, found.rows) == (1_500, 1_500)
    found = tell_apart(table(customers(9_000, 1)), table(customers(80, 2)), repeats=1)
    assert (found.reference_rows, found.rows) == (1_000, 80)


@pytest.mark.usefixtures("three_trees")
def test_of_many_columns_a_pair_that_moved_only_together_is_still_found():
    reference = customers(3_000, 1, columns=150)
    window = with_the_correlation_flipped(customers(3_000, 2, columns=150))
    found = tell_apart(table(reference), table(window), outputs=["noise_80"], repeats=1)
    assert found.screened == 150
    assert found.columns[-1].column == "noise_80"
    assert len(found.columns) == 17
    assert {column.column for column in found.columns[:2]} == {"age", "income"}


def test_screening_keeps_what_moved_alone_and_what_moved_together():
    reference = customers(1_500, 1, columns=100).assign(shop="a", none=None)
    window = with_the_correlation_flipped(customers(1_500, 2, columns=100))
    window = window.assign(shop="b", none=None, noise_7=window["noise_7"] + 0.4)
    window.loc[:300, "noise_9"] = np.nan
    kept = most_suspicious(list(reference), table(reference), table(window), 8)
    assert {"shop", "noise_7", "noise_9", "age", "income"} <= set(kept)
    assert len(kept) == 8


def test_a_sample_gives_each_stratum_its_share_to_within_one_row():
    random = np.random.default_rng(1)
    days, segments = random.integers(0, 9, 5_000), random.integers(0, 3, 5_000)
    chosen = stratified_sample(5_000, 700, [days, segments], random)
    assert len(set(chosen.tolist())) == 700
    for day in range(9):
        for segment in range(3):
            inside = (days == day) & (segments == segment)
            assert abs(inside[chosen].sum() - 700 * inside.mean()) < 2
        assert abs((days == day)[chosen].sum() - 700 * (days == day).mean()) < 2


def test_strata_are_days_and_segments_with_nulls_of_their_own():
    at = pa.array([START, START + timedelta(hours=23), START + timedelta(days=1), None])
    rows = pa.table({"at": at, "region": ["north", None, "north", "south"]})
    days, regions = strata_of(rows, "at", ["region"])
    assert days[0] == days[1] == days[2] - 1
    assert days[3] not in days[:3]
    assert regions[0] == regions[2]
    assert len(set(regions.tolist())) == 3


def test_of_a_text_column_the_200_most_frequent_values_are_told_apart():
    values = [f"v{n:03}" for n in range(300) for _ in range(300 - n)]
    column = column_for_classifier("v", pa.chunked_array([values]), pa.chunked_array([["v000", None]]))
    codes = dict(zip(values, column.values, strict=False))
    assert codes["v000"] == 0
    assert codes["v199"] == 199
    assert {codes[f"v{n:03}"] for n in range(200, 300)} == {200}
    assert np.isnan(column.values[-1])


def test_a_number_has_one_bin_for_each_value_or_as_many_rows_in_each_bin():
    few = column_for_classifier("v", pa.chunked_array([[7, None, 3, 3]]), pa.chunked_array([[5]])).bins
    np.testing.assert_array_equal(few, [2, np.nan, 0, 0, 1])
    values = np.random.default_rng(0).normal(size=6_400)
    column = column_for_classifier(
        "v", pa.chunked_array([values[:5_000]]), pa.chunked_array([values[5_000:]])
    )
    order = np.argsort(values)
    assert (np.diff(column.bins[order]) >= 0).all()
    assert set(np.bincount(column.bins.astype(int)).tolist()) == {100}
