"""What is said of a column, for drifts that were planted in raw rows."""

import math

import numpy as np
import pytest

from mlops_core.explanation.wording import number_text, segment_text, sentence_start, share_text
from tests.mlops_core.explanation.rows import described, normal, sentence


def test_a_category_that_rose_is_named_with_both_shares_since_when_and_how_many():
    first = ["25-34"] * 177 + ["35-44"] * 500 + ["45-54"] * 323
    second = ["25-34"] * 522 + ["35-44"] * 900 + ["45-54"] * 578
    assert sentence(first, second) == (
        "Spend 8w 25-34 rose from 17.7 % to 26.1 % of predictions since 3 Feb (n = 522)."
    )


def test_a_range_of_whole_numbers_ends_with_a_value_that_it_holds():
    random = np.random.default_rng(1)
    first = random.integers(18, 68, 4_000).astype(float)
    extra = random.integers(25, 35, 1_500).astype(float)
    _, move = described(first, np.concatenate((first, extra)))
    low, high = (int(text) for text in move.label.split("–"))
    assert abs(low - 25) <= 2
    assert abs(high - 34) <= 2
    second = np.concatenate((first, extra))
    inside = (second >= low) & (second <= high)
    assert move.rows == inside.sum()
    assert move.after == pytest.approx(inside.mean())
    assert move.before == pytest.approx(((first >= low) & (first <= high)).mean())
    assert move.sentence.startswith(f"Spend 8w {low}–{high} rose from {share_text(move.before)} to")


def test_a_range_of_other_numbers_is_named_by_its_bounds():
    random = np.random.default_rng(2)
    first = random.uniform(0, 100, 5_000)
    second = np.concatenate((first, random.uniform(40, 60, 2_000)))
    said = sentence(first, second)
    assert said.startswith("Predictions with spend 8w between ")
    low, high = (float(text) for text in said.split("between ")[1].split(" rose")[0].split(" and "))
    assert (low, high) == (pytest.approx(40, abs=2), pytest.approx(60, abs=2))


def test_a_range_at_an_end_is_open():
    random = np.random.default_rng(3)
    first = random.uniform(0, 100, 4_000)
    top = np.concatenate((first, random.uniform(90, 100, 1_000)))
    bottom = np.concatenate((first, random.uniform(0, 10, 1_000)))
    assert " and more rose from 1" in sentence(first, top)
    assert sentence(first, bottom).startswith("Predictions with spend 8w below ")


def test_a_range_says_whether_the_value_at_its_end_belongs_to_it():
    random = np.random.default_rng(11)
    first = np.where(random.random(6_000) < 0.3, 0.0, random.uniform(0, 100, 6_000))
    extra = random.uniform(0.001, 4, 2_000)
    assert sentence(first, np.concatenate((first, extra))).startswith(
        "Predictions with spend 8w above 0 and below "
    )
    first = np.where(random.random(6_000) < 0.3, 100.0, random.uniform(0, 100, 6_000))
    second = np.concatenate((first, [100.0] * 4_000))
    _, move = described(first, second)
    assert (move.label, move.rows) == ("100", (second == 100).sum())


def test_a_value_that_holds_many_rows_is_named_alone():
    random = np.random.default_rng(4)
    first = np.where(random.random(3_000) < 0.1, 0.0, random.lognormal(3, 1, 3_000))
    second = np.where(random.random(3_000) < 0.4, 0.0, random.lognormal(3, 1, 3_000))
    assert sentence(first, second).startswith("Predictions with spend 8w of 0 rose from ")


def test_a_null_burst_says_how_much_is_missing():
    first = [*normal(980), *[math.nan] * 20]
    second = [*normal(620, seed=2), *[math.nan] * 380]
    assert sentence(first, second) == (
        "Spend 8w is missing in 38 % of predictions since 3 Feb (n = 380), 2 % before."
    )


def test_a_column_that_is_missing_altogether_says_so():
    assert sentence(normal(), [math.nan] * 300) == (
        "Spend 8w is missing in all predictions since 3 Feb (n = 300), 0 % before."
    )
    assert "is missing in all predictions" in sentence(["a", "b"] * 50, [None] * 300)


def test_infinite_values_are_named():
    second = normal(1_000, seed=2)
    second[:100] = np.inf
    assert sentence(normal(), second) == (
        "Spend 8w is infinite in 10 % of predictions since 3 Feb (n = 100), 0 % before."
    )


def test_unseen_values_are_named_the_most_frequent_first_and_counted():
    second = ["a"] * 447 + ["b"] * 448 + ["x"] * 30 + ["y"] * 60 + ["z"] * 10 + ["w"] * 5
    assert sentence(["a"] * 300 + ["b"] * 300, second) == (
        "Spend 8w holds new values, 'y', 'x', 'z' and 1 more, in 10.5 % of predictions since 3 Feb (n = 105)."
    )


def test_a_value_that_vanished_as_a_new_one_came_is_asked_about():
    first, second = ["25-34"] * 180 + ["35-44"] * 820, ["25 to 34"] * 175 + ["35-44"] * 825
    assert sentence(first, second) == (
        "Spend 8w holds a new value, '25 to 34', in 17.5 % of predictions since 3 Feb (n = 175); '25-34' "
        "fell from 18 % to 0 %: a new name?"
    )
    second = ["y"] * 60 + ["x"] * 115 + ["35-44"] * 825
    assert sentence(first, second).endswith("; '25-34' fell from 18 % to 0 %: new names?")


@pytest.mark.parametrize("others", [0, 50])
def test_a_value_that_merely_made_room_for_a_new_one_has_no_new_name(others):
    first = ["a"] * (1_000 - others) + ["b"] * others
    said = sentence(first, [*first, *["new"] * 250])
    assert said == "Spend 8w holds a new value, 'new', in 20 % of predictions since 3 Feb (n = 250)."


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (100, "about 100 times as large"),
        (1000, "about 1,000 times as large"),
        (60, "about 60 times as large"),
        (1 / 100, "about 1/100 as large"),
        (1 / 12, "about 1/12 as large"),
    ],
)
def test_another_unit_is_recognised(factor, said):
    for first, second in (
        (np.random.default_rng(5).lognormal(3, 1, 4_000), np.random.default_rng(6).lognormal(3, 1, 1_000)),
        (normal(), normal(900, seed=7)),
    ):
        assert sentence(first, second * factor) == (
            f"All values of spend 8w are {said} since 3 Feb (n = {len(second):,}): a change of unit?"
        )


def test_values_that_merely_grew_are_no_other_unit():
    random = np.random.default_rng(8)
    first = random.lognormal(3, 1, 4_000)
    for second in (first * 2, first + 500, first * 1.2, random.lognormal(5, 0.2, 1_000), first**2):
        assert "unit" not in sentence(first, second)


def test_a_constant_column_says_which_value_it_always_holds():
    assert sentence(normal(), [0.0] * 400).startswith(
        "Spend 8w is always 0 since 3 Feb (n = 400); before, it lay between "
    )
    assert sentence(["a"] * 50 + ["b"] * 50, ["b"] * 300) == (
        "Spend 8w is always b since 3 Feb (n = 300), in 50 % of predictions before."
    )
    assert sentence(["a"] * 50 + ["b"] * 50, ["new"] * 300) == (
        "Spend 8w is always new since 3 Feb (n = 300), in 0 % of predictions before."
    )
    assert sentence([1.0] * 400, [7.0] * 300) == (
        "Spend 8w is always 7 since 3 Feb (n = 300); before, it was 1."
    )
    assert sentence([math.nan] * 400, [7.0] * 300).startswith("Spend 8w has a value in 100 % of predictions")
    assert "is always 7 where it is not missing (10 % is)" in sentence(
        normal(), [7.0] * 360 + [math.nan] * 40
    )


def test_a_whole_distribution_that_shifted_gives_the_medians():
    first, second = normal(), normal(900, seed=9) + 20
    said = sentence(first, second)
    assert "and more rose from" in said
    low, high = (float(text) for text in said.split("the median rose from ")[1].rstrip(".").split(" to "))
    assert (low, high) == (
        pytest.approx(np.median(first), abs=0.2),
        pytest.approx(np.median(second), abs=0.5),
    )
    assert "the median fell from" in sentence(first, second - 40)


def test_a_column_that_has_not_drifted_is_described_without_a_date_or_suspicion():
    first = ["a"] * 500 + ["b"] * 500
    assert sentence(first, ["a"] * 520 + ["b"] * 480, drifted=False) == (
        "Spend 8w a rose from 50 % to 52 % of predictions (n = 520)."
    )
    assert described(first, first) is None


def test_inside_a_segment_the_shares_are_those_of_its_predictions():
    said = sentence(["a"] * 90 + ["b"] * 10, ["a"] * 50 + ["b"] * 50, segment="home_region=north")
    assert "from 10 % to 50 % of predictions with home region north since 3 Feb (n = 50)" in said
    said = sentence([0.0] * 30 + [1.0] * 70, [0.0] * 60 + [1.0] * 40, segment="home_region=north")
    assert said.startswith(
        "Of predictions with home region north, those with spend 8w of 0 rose from 30 % to 60 % since 3 Feb "
        "(n = 60)"
    )


def test_a_segment_of_an_empty_value_is_quoted():
    assert (segment_text("home_region="), segment_text("code=a=b"), segment_text("code= ")) == (
        "home region ''",
        "code a=b",
        "code ' '",
    )


def test_a_range_of_the_prediction_itself_is_not_called_predictions_with_a_prediction():
    random = np.random.default_rng(12)
    first = random.uniform(0, 100, 4_000)
    second = np.concatenate((first, random.uniform(0, 10, 1_000)))
    assert sentence(first, second, column="prediction").startswith("Predictions below ")
    assert sentence(first, second, column="prediction", segment="region=north").startswith(
        "Of predictions with region north, those below "
    )


def test_a_number_that_was_not_there_before_has_a_value():
    second = [math.nan] * 300 + normal(100).tolist()
    assert sentence([math.nan] * 500, second) == (
        "Spend 8w has a value in 25 % of predictions since 3 Feb (n = 100), in 0 % before."
    )


def test_a_share_never_reads_as_none_or_all_unless_it_is():
    assert [share_text(x) for x in (0.0, 0.00001, 0.0005, 0.005, 0.5, 0.9994, 0.99999, 1.0)] == [
        "0 %", "< 0.1 %", "0.1 %", "0.5 %", "50 %", "99.9 %", "> 99.9 %", "100 %",
    ]  # fmt: skip


def test_numbers_keep_the_digits_that_count():
    assert [number_text(x) for x in (0.0, -2.0, 1234.56, 0.012345, 12.3456, 1e20, 5e-324)] == [
        "0", "-2", "1,235", "0.0123", "12.3", "1e+20", "0",
    ]  # fmt: skip
    assert (sentence_start("age"), sentence_start("iOS version")) == ("Age", "iOS version")
