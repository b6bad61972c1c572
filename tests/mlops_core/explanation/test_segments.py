"""In which segments a column moved, against shares that are counted in raw rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.explanation.moves import Part, PartKind
from mlops_core.explanation.segments import explain_by_segment
from mlops_core.statistics import DRIFT_STATISTICS
from tests.mlops_core.explanation.rows import grids_of, slices_of

SEGMENTS = ("region", "tier")
PART = Part(PartKind.VALUE, 0, 1)


def explained(before: pd.DataFrame, after: pd.DataFrame, column: str = "x", part: Part = PART):
    grids = grids_of(before)
    first, second = (slices_of(frame, grids, SEGMENTS) for frame in (before, after))
    grid = grids[column]
    return explain_by_segment(column, part, grid, "psi", SEGMENTS, first, second), grid


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["north", "south", None]), st.sampled_from("gs")),
    min_size=1,
    max_size=40,
)


def framed(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["x", "region", "tier"])
    return frame.astype({"region": "str"})


@given(ROWS, ROWS)
def test_each_segment_explains_its_part_of_the_change_and_all_of_a_column_explain_it_whole(first, second):
    before, after = framed(first), framed(second)
    (found, _), grid = explained(before, after)
    value = grid.categories[0]
    change = (after["x"] == value).mean() - (before["x"] == value).mean()
    if abs(change) < 1e-12:
        return
    for one in found:
        column, _, name = one.segment.partition("=")
        inside = [
            frame[column].isna() if name == "(missing)" else frame[column] == name
            for frame in (before, after)
        ]
        shares = [
            (rows & (frame["x"] == value)).mean() for rows, frame in zip(inside, (before, after), strict=True)
        ]
        assert one.explained == pytest.approx((shares[1] - shares[0]) / change, abs=1e-9)
        assert (one.reference_rows, one.rows) == (inside[0].sum(), inside[1].sum())
    for column in SEGMENTS:
        parts = [one.explained for one in found if one.segment.startswith(f"{column}=")]
        assert sum(parts) == pytest.approx(1.0)


def people(rows: int, seed: int, moved: str | None = None) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": random.choice(["a", "b"], rows, p=[0.8, 0.2]),
            "region": random.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2]),
            "tier": random.choice(["g", "s"], rows),
        }
    )
    if moved is not None:
        here = (frame["region"] == moved) if moved != "all" else np.ones(rows, bool)
        frame.loc[here & (random.random(rows) < 0.6), "x"] = "b"
    return frame


def b_of(grid) -> Part:
    place = grid.categories.index("b")
    return Part(PartKind.VALUE, place, place + 1)


def test_the_segment_that_explains_most_comes_first_and_is_named():
    before, after = people(3_000, 1), people(2_000, 2, moved="west")
    (found, sentence), _ = explained(before, after, part=b_of(grids_of(before)["x"]))
    assert found[0].segment == "region=west"
    assert found[0].explained > 0.8
    assert [one.segment for one in found if one.stands_out] == ["region=west"]
    share = (after["region"] == "west").mean()
    assert sentence.endswith(
        f" of it happened with region west, which has {100 * share:.1f} % of the predictions."
    )
    assert len(found) == 5


def test_a_segment_has_the_statistic_of_its_own_rows():
    before, after = people(3_000, 1), people(2_000, 2, moved="west")
    grids = grids_of(before)
    (found, _), grid = explained(before, after, part=b_of(grids["x"]))
    for one in found:
        column, _, name = one.segment.partition("=")
        inside = [
            slices_of(frame[frame[column] == name], grids)[""].columns["x"] for frame in (before, after)
        ]
        assert one.value == pytest.approx(DRIFT_STATISTICS["psi"].compute(*inside, grid))


def test_a_move_in_all_segments_alike_is_said_to_be():
    before, after = people(3_000, 1), people(2_000, 2, moved="all")
    (found, sentence), _ = explained(before, after, part=b_of(grids_of(before)["x"]))
    assert sentence == "It happened in all segments of region and tier alike."
    assert not any(one.stands_out for one in found)


def test_of_a_window_that_lies_in_a_single_segment_nothing_is_said():
    before, after = people(3_000, 1), people(2_000, 2, moved="all")
    part = b_of(grids_of(before)["x"])
    (_, sentence), _ = explained(before, after.assign(region="new"), part=part)
    assert sentence == "It happened in all segments of tier alike."
    (found, sentence), _ = explained(before, after.assign(region="west", tier="s"), part=part)
    assert (len(found), sentence) == (5, "")


def test_a_part_that_is_mostly_in_one_segment_and_fell_everywhere_alike_fell_alike():
    before = people(4_000, 1)
    before["x"] = np.where((before["region"] == "west") & (before["x"] == "b"), "b", "a")
    random = np.random.default_rng(3)
    after = before.assign(x=np.where(random.random(4_000) < 0.5, "a", before["x"]))
    (found, sentence), _ = explained(before, after, part=b_of(grids_of(before)["x"]))
    assert next(one.explained for one in found if one.segment == "region=west") == pytest.approx(1)
    assert sentence == "It happened in all segments of region and tier alike."


def test_a_segment_that_grew_explains_what_it_brought_with_it():
    before = people(3_000, 1)
    before.loc[before["region"] == "west", "x"] = "b"
    after = pd.concat([before, before[before["region"] == "west"], before[before["region"] == "west"]])
    (found, sentence), _ = explained(before, after, part=b_of(grids_of(before)["x"]))
    assert found[0].segment == "region=west"
    assert found[0].explained > 1
    assert sentence.startswith("All of it happened with region west")


def test_the_drifted_column_is_no_segment_of_its_own():
    before, after = people(3_000, 1), people(2_000, 2).assign(region="north")
    grids = grids_of(before)
    place = grids["region"].categories.index("north")
    (found, sentence), _ = explained(before, after, "region", Part(PartKind.VALUE, place, place + 1))
    assert {one.segment for one in found} == {"tier=g", "tier=s"}
    assert sentence == "It happened in all segments of tier alike."


def test_a_segment_that_is_new_or_gone_has_no_statistic_and_counts_all_the_same():
    before, after = people(3_000, 1), people(2_000, 2, moved="west")
    before = before[before["region"] != "west"]
    (found, _), _ = explained(before, after, part=b_of(grids_of(before)["x"]))
    west = next(one for one in found if one.segment == "region=west")
    assert (west.value, west.reference_rows, west.rows) == (None, 0, (after["region"] == "west").sum())
    assert sum(one.explained for one in found if one.segment.startswith("region=")) == pytest.approx(1)
