import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import CategoricalCounts, NumericCounts, Slice, merge_slices


def categorical(unseen, known=(1, 2)):
    return CategoricalCounts(sum(known) + sum(unseen.values()), 0, np.array(known), unseen)


def test_merging_with_no_rows_changes_nothing():
    counts = NumericCounts(3, 1, 0, 0, 0, 5.0, 13.0, 2.0, 3.0, np.array([0, 1, 1]))
    assert counts.merge(NumericCounts.empty(3)) == counts
    assert NumericCounts.empty(3).merge(counts) == counts
    named = categorical({"z": 4})
    assert named.merge(CategoricalCounts.empty(2)) == named


@given(
    st.lists(st.dictionaries(st.sampled_from("pqrst"), st.integers(1, 9)), min_size=1, max_size=5),
    st.randoms(),
)
def test_unseen_values_add_up_in_any_order(parts, random):
    merged = CategoricalCounts.sum_of([categorical(part) for part in parts])
    random.shuffle(parts)
    again = categorical(parts[0])
    for part in parts[1:]:
        again = again.merge(categorical(part))
    assert merged == again
    for value in "pqrst":
        assert merged.unseen.get(value, 0) == sum(part.get(value, 0) for part in parts)
    assert merged.rows == merged.known.sum() + merged.unseen_rows


def test_the_cap_keeps_the_most_frequent_and_every_row():
    counts = categorical({f"v{i:04}": 1 + (i == 700) for i in range(1500)})
    capped = counts.capped()
    assert len(capped.unseen) == 1000
    assert next(iter(capped.unseen)) == "v0700"
    assert "v1000" not in capped.unseen
    assert (capped.unseen_other, capped.unseen_rows, capped.rows) == (500, 1501, counts.rows)
    reversed_order = categorical(dict(reversed(counts.unseen.items())))
    assert reversed_order.capped() == capped
    assert capped.capped() is capped


def test_capped_counts_add_up_in_any_order():
    parts = [categorical({f"v{i}": i + 1 for i in range(start, start + 8)}).capped(5) for start in (0, 4, 20)]
    forward = parts[0].merge(parts[1]).merge(parts[2])
    assert forward == parts[2].merge(parts[0].merge(parts[1]))
    assert forward.unseen_rows == sum(part.unseen_rows for part in parts)


def test_a_column_that_was_added_later_counts_the_rows_that_had_it():
    merged = merge_slices([Slice(5, {}), Slice(3, {"c": categorical({})})])
    assert (merged.rows, merged.columns["c"].rows) == (8, 3)


def test_merging_nothing_gives_no_rows():
    assert merge_slices([]) == Slice(0, {})


def test_counts_of_different_grids_are_refused_and_the_column_named():
    small, large = NumericCounts.empty(3), NumericCounts.empty(4)
    with pytest.raises(InvalidInput, match="column 'x': counts of different grids"):
        merge_slices([Slice(0, {"x": small}), Slice(0, {"x": large})])
    with pytest.raises(InvalidInput, match="column 'x' was counted both as numbers and by value"):
        merge_slices([Slice(0, {"x": small}), Slice(0, {"x": CategoricalCounts.empty(3)})])
    with pytest.raises(InvalidInput):
        small.merge(large)


def test_merging_leaves_its_parts_untouched():
    first, second = categorical({"z": 1}), categorical({"z": 2})
    first.merge(second)
    assert first == categorical({"z": 1})
