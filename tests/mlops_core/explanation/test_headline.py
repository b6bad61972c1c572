"""The sentence above everything else."""

import pytest

from mlops_core.domain.states import Level
from mlops_core.explanation.headline import headline_of
from mlops_core.explanation.results import SegmentDrift
from tests.mlops_core.explanation.rows import SINCE, WEEK, movement, week

CALM = [movement(f"c{number}", 0.01 * number, Level.IN_RANGE) for number in range(3)]


def headline(ranked, **given):
    asked = {"rows": 1_000, "window": week(8), "reference": None, "segment": "", "statistic": "psi"}
    return headline_of("customer-loyalty", ranked, **(asked | given))


def test_it_counts_and_names_the_columns_that_drifted_and_says_since_when():
    assert headline([movement("age"), *CALM]) == (
        "customer-loyalty drifted in 1 of 4 columns: age, since 3 Feb"
    )
    many = [movement(name, since=SINCE + number * WEEK) for number, name in enumerate("abcde")]
    assert headline([*many, *CALM]) == (
        "customer-loyalty drifted in 5 of 8 columns: a, b, c and 2 more, since 3 Feb"
    )


def test_a_year_that_is_not_the_windows_own_is_named():
    since = SINCE.replace(year=2024)
    assert headline([movement("age", since=since)]).endswith("in 1 of 1 column: age, since 3 Feb 2024")


def test_a_model_that_did_not_drift_names_the_column_that_moved_furthest():
    assert headline(CALM) == "customer-loyalty did not drift: of 3 columns c2 moved furthest"
    p_values = [movement(name, value, Level.IN_RANGE) for name, value in (("a", 0.9), ("b", 0.2))]
    assert headline(p_values, statistic="chi_squared_p_value").endswith("b moved furthest")
    moved = [movement("a", 2.0, Level.UNJUDGED), movement("b", 3.0, Level.UNJUDGED)]
    assert headline(moved, statistic="wasserstein") == (
        "customer-loyalty moved: of 2 columns b moved furthest"
    )


def inside(*places):
    return [SegmentDrift(column, segment, 0.4, 0.0, 400, 300, "") for column, segment in places]


def test_what_drifted_inside_a_segment_is_named_where_nothing_drifted_over_all_rows():
    one = inside(("spend_8w", "age=45-54"))
    assert headline(CALM, in_segments=one) == (
        "customer-loyalty did not drift over all rows; spend_8w did in age 45-54"
    )
    many = inside(*[("spend_8w", f"age={age}") for age in ("25-34", "45-54")], *[("c1", "region=x")] * 3)
    assert headline(CALM, reference=week(1), in_segments=many) == (
        "customer-loyalty did not drift against 13 Jan to 19 Jan over all rows; "
        "spend_8w did in age 25-34, in age 45-54, c1 in region x and 2 more"
    )


def test_an_output_that_drifted_stands_before_what_drifted_inside_a_segment():
    one = inside(("spend_8w", "age=45-54"))
    assert headline([movement("prediction"), *CALM], in_segments=one) == (
        "customer-loyalty drifted in 1 of 4 columns: prediction, since 3 Feb; "
        "no input did over all rows, but spend_8w did in age 45-54"
    )


def test_another_window_and_a_segment_are_named():
    assert headline([movement("age")], reference=week(1), segment="region=north") == (
        "customer-loyalty (region north) drifted against 13 Jan to 19 Jan in 1 of 1 column: age, since 3 Feb"
    )


@pytest.mark.parametrize(("rows", "said"), [(3, "3 predictions are"), (1, "1 prediction is")])
def test_a_window_of_few_predictions_is_not_judged(rows, said):
    unknown = [movement("age", 2.0, Level.UNKNOWN)]
    assert headline(unknown, rows=rows) == (
        f"customer-loyalty cannot be judged: {said} too few, 200 are needed"
    )


def test_what_cannot_be_compared_is_said():
    assert headline([]) == "customer-loyalty: nothing to compare"
    undefined = [movement("a", None, Level.UNKNOWN)]
    assert headline(undefined, statistic="l_infinity").endswith(
        "l_infinity is not defined for any of 1 column"
    )
    assert headline([movement("a", 0.3, Level.UNKNOWN)]).endswith("the reference has too few rows")
