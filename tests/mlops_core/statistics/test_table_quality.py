import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mlops_core.domain.errors import InvalidInput
from mlops_core.statistics import check_row_count, duplicate_share, row_count_ratio, type_changes


def test_the_share_of_duplicates_is_that_of_pandas():
    import pandas as pd

    ids = pd.Series(["a", "b", "a", "c", "a"])
    assert duplicate_share(len(ids), ids.nunique()) == ids.duplicated().mean()
    assert math.isnan(duplicate_share(0, 0))
    for rows, distinct in ((3, 4), (3, -1)):
        with pytest.raises(InvalidInput):
            duplicate_share(rows, distinct)


def test_the_ratio_of_rows_is_to_the_mean_of_the_reference():
    assert row_count_ratio(50, [90, 110]) == 0.5
    assert math.isnan(row_count_ratio(5, [0, 0]))


def test_the_interval_of_even_counts_is_the_prediction_of_the_negative_binomial_distribution():
    for rows in ([100] * 8, [3, 3, 4], [0, 0, 0, 0], [7]):
        predicted = stats.nbinom(sum(rows) + 0.5, len(rows) / (len(rows) + 1))
        found = check_row_count(5, rows)
        assert (found.lower, found.upper) == (predicted.ppf(0.025), predicted.ppf(0.975))
        assert found.dispersion == 1.0


def test_the_interval_of_uneven_counts_is_that_of_student():
    rows = np.array([900, 1300, 700, 1100, 1000])
    found = check_row_count(1000, rows.tolist(), confidence=0.9)
    assert found.dispersion == pytest.approx(rows.var(ddof=1) / rows.mean())
    reach = stats.t.ppf(0.95, 4) * rows.std(ddof=1) * math.sqrt(1 + 1 / 5)
    assert (found.lower, found.upper) == pytest.approx((1000 - reach, 1000 + reach))


@pytest.mark.parametrize(
    ("mean", "dispersion"), [(4.0, 1.0), (60.0, 1.0), (60.0, 5.0), (5000.0, 1.0), (5000.0, 40.0)]
)
def test_a_further_period_lies_in_the_interval_as_often_as_promised(mean, dispersion):
    rng = np.random.default_rng(11)
    size = mean / (dispersion - 1) if dispersion > 1 else 0.0
    counts = rng.negative_binomial(size, 1 / dispersion, (600, 9)) if size else rng.poisson(mean, (600, 9))
    usual = [not check_row_count(int(row[0]), row[1:].tolist()).is_unusual for row in counts]
    assert np.mean(usual) >= 0.93


def test_too_few_and_too_many_rows_are_unusual():
    reference = [1000, 1030, 960, 1010]
    assert [check_row_count(rows, reference).is_unusual for rows in (500, 1000, 1500)] == [True, False, True]


def test_rows_cannot_be_expected_from_nothing():
    for rows, reference in ((1, []), (-1, [3]), (1, [-3])):
        with pytest.raises(InvalidInput):
            check_row_count(rows, reference)
    with pytest.raises(InvalidInput):
        check_row_count(1, [3], confidence=1.0)


def test_type_changes_are_listed_with_what_they_mean():
    before = pa.schema(
        {
            "count": pa.int64(),
            "price": pa.float64(),
            "name": pa.dictionary(pa.int32(), pa.string()),
            "flag": pa.bool_(),
            "narrow": pa.int32(),
            "when": pa.timestamp("us", "UTC"),
            "empty": pa.null(),
            "gone": pa.date32(),
        }
    )
    after = pa.schema(
        {
            "new": pa.string(),
            "count": pa.float64(),
            "price": pa.string(),
            "name": pa.large_string(),
            "flag": pa.bool_(),
            "narrow": pa.int64(),
            "when": pa.timestamp("us"),
            "empty": pa.int64(),
        }
    )
    assert type_changes(before, after) == [
        ("count", "int64", "double", "compatible: integer became float"),
        ("price", "double", "string", "float became text"),
        ("narrow", "int32", "int64", "compatible: integer of another width"),
        (
            "when",
            "timestamp[us, tz=UTC]",
            "timestamp[us]",
            "a timestamp with a time zone and one without cannot be compared",
        ),
        ("empty", "null", "int64", "compatible: an empty column became integer"),
        ("gone", "date32[day]", None, "missing column"),
        ("new", None, "string", "new column"),
    ]
    assert type_changes(after, after) == []
