import math
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.slices import (
    CategoricalCounts,
    CategoricalGrid,
    NumericCounts,
    NumericGrid,
    SliceKey,
    SlicePlan,
    build_slices,
    merge_slices,
)

START = datetime(2025, 3, 29, 22, tzinfo=UTC)
SCHEMA = pa.schema(
    {"at": pa.timestamp("us", tz="UTC"), "x": pa.float64(), "c": pa.string(), "region": pa.string()}
)
GRIDS = {"x": NumericGrid.from_values([0.0, 0.0, 1.0, 2.5, 7.0]), "c": CategoricalGrid(("a", "b"))}
NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.5, 1e300]),
    st.floats(-10, 10),
)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 60 * 24 * 3).map(lambda minutes: START + timedelta(minutes=minutes)),
        NUMBERS,
        st.sampled_from([None, "a", "b", "new", "newer"]),
        st.sampled_from([None, "north", "south"]),
    ),
    max_size=60,
)


def batch_of(rows):
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    return pa.record_batch(
        [pa.array(values, kind) for values, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA
    )


def plan(period="day", grids=GRIDS, segments=("region",)):
    return SlicePlan("at", period, grids, segments)


def brute_force(rows, period):
    """The same counts by a loop over the rows and a scan over the edges."""
    groups = defaultdict(list)
    for row in rows:
        start = row[0].replace(minute=0, second=0, microsecond=0)
        start = start if period == "hour" else start.replace(hour=0)
        start = start - timedelta(days=start.weekday()) if period == "week" else start
        start = start.replace(day=1) if period == "month" else start
        groups[SliceKey(start, "")].append(row)
        groups[SliceKey(start, f"region={row[3] or '(missing)'}")].append(row)
    return groups


def assert_counts_are_those_of(part, rows):
    x, c = part.columns["x"], part.columns["c"]
    values = [row[1] for row in rows if row[1] is not None]
    finite = [value for value in values if math.isfinite(value)]
    cells = [sum(edge <= value for edge in GRIDS["x"].edges) for value in finite]
    assert part.rows == x.rows == c.rows == len(rows)
    assert x.nulls == len(rows) - len(values)
    assert x.nans == sum(map(math.isnan, values))
    assert (x.negative_infinite, x.positive_infinite) == (values.count(-math.inf), values.count(math.inf))
    assert x.cells.tolist() == [cells.count(cell) for cell in range(GRIDS["x"].n_cells)]
    assert x.total == pytest.approx(math.fsum(finite), rel=1e-12, abs=1e-9)
    squares = [value * value for value in finite]
    assert x.total_squares == pytest.approx(sum(squares), rel=1e-12)
    edges = GRIDS["x"].edges
    assert x.total_below == pytest.approx(math.fsum(value for value in finite if value < edges[0]), rel=1e-12)
    assert x.total_above == pytest.approx(
        math.fsum(value for value in finite if value >= edges[-1]), rel=1e-12
    )
    assert x.minimum == min(finite, default=math.inf)
    assert x.maximum == max(finite, default=-math.inf)
    categories = Counter(row[2] for row in rows)
    assert c.nulls == categories.pop(None, 0)
    assert c.known.tolist() == [categories.pop("a", 0), categories.pop("b", 0)]
    assert c.unseen == dict(categories)


@given(rows=ROWS, period=st.sampled_from(["hour", "day", "week", "month"]))
def test_slices_equal_a_loop_over_the_rows(rows, period):
    slices = build_slices([batch_of(rows)], plan(period))
    groups = brute_force(rows, period)
    assert set(slices) == set(groups)
    for key, part in slices.items():
        assert_counts_are_those_of(part, groups[key])


@given(rows=ROWS, data=st.data())
def test_any_partition_merged_in_any_order_equals_the_whole(rows, data):
    whole = build_slices([batch_of(rows)], plan())
    shuffled = data.draw(st.permutations(rows))
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=3))
    built = []
    for owner in data.draw(st.permutations(range(4))):
        mine = [row for row, place in zip(shuffled, owners, strict=True) if place == owner]
        bounds = sorted({0, len(mine), *(min(cut, len(mine)) for cut in cuts)})
        pieces = [batch_of(mine[low:high]) for low, high in pairwise(bounds)]
        built.append(build_slices(pieces, plan()))
    keys = {key for slices in built for key in slices}
    assert keys == set(whole)
    groups = brute_force(rows, "day")
    for key in keys:
        merged = merge_slices(slices[key] for slices in built if key in slices)
        assert_counts_are_those_of(merged, groups[key])
        assert np.array_equal(merged.columns["x"].cells, whole[key].columns["x"].cells)
        assert merged.columns["c"] == whole[key].columns["c"]


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("share_of_nulls", [0.0, 0.1])
def test_many_rows_in_blocks_and_threads_equal_numpy(in_order, share_of_nulls):
    rng = np.random.default_rng(3)
    n = 150_000
    hours = rng.integers(0, 24 * 40, n)
    hours = np.sort(hours) if in_order else hours
    x = rng.lognormal(size=n)
    here = rng.random(n) >= share_of_nulls
    region = rng.integers(0, 3, n)
    table = pa.table(
        {
            "at": pa.array(np.datetime64("2025-01-01T00", "s") + hours.astype("m8[h]")),
            "x": pa.array(x, mask=~here),
            "y": pa.array(rng.integers(0, 50, n)),
            "region": pa.DictionaryArray.from_arrays(region.astype(np.int32), ["n", "s", "w"]),
        }
    )
    grids = {"x": NumericGrid.from_values(x[:20_000]), "y": NumericGrid.from_values(np.arange(40))}
    slices = build_slices(table.to_batches(70_000), plan(grids=grids), threads=3)
    assert len(slices) == 40 * 4
    for day in (0, 17, 39):
        for place, name in enumerate(["n", "s", "w"]):
            key = SliceKey(datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day), f"region={name}")
            mine = (hours // 24 == day) & (region == place)
            counts = slices[key].columns["x"]
            values = x[mine & here]
            expected = np.bincount(
                np.searchsorted(grids["x"].edges, values, side="right"), minlength=grids["x"].n_cells
            )
            assert np.array_equal(counts.cells, expected)
            assert (counts.rows, counts.nulls) == (mine.sum(), (mine & ~here).sum())
            assert counts.total == pytest.approx(values.sum(), rel=1e-12)
            assert counts.total_squares == pytest.approx(np.square(values).sum(), rel=1e-12)
            assert (counts.minimum, counts.maximum) == (values.min(), values.max())
            assert slices[key].columns["y"].cells.sum() == mine.sum()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Zurich"])
def test_times_of_any_unit_and_zone_fall_into_utc_days(unit, zone):
    moments = ["1969-12-31T23:59", "2025-03-30T23:00", "2025-03-31T00:00"]
    times = pa.array(np.array(moments, dtype="M8[s]"), pa.timestamp(unit)).cast(pa.timestamp(unit, tz=zone))
    slices = build_slices([pa.record_batch({"at": times})], plan(grids={}, segments=()))
    assert list(slices) == [
        SliceKey(datetime(1969, 12, 31, tzinfo=UTC)),
        SliceKey(datetime(2025, 3, 30, tzinfo=UTC)),
        SliceKey(datetime(2025, 3, 31, tzinfo=UTC)),
    ]


def test_dates_are_times_too():
    batch = pa.record_batch({"at": pa.array([date(2025, 1, 2)])})
    assert list(build_slices([batch], plan(grids={}, segments=()))) == [
        SliceKey(datetime(2025, 1, 2, tzinfo=UTC))
    ]


def test_numbers_of_any_width_and_dictionary_are_counted():
    for kind in (pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 2)):
        values = pa.array([1, 2, None]).cast(pa.float32()).cast(kind, safe=False)
        for array in (values, values if kind == pa.float16() else values.dictionary_encode()):
            batch = pa.record_batch({"at": pa.array([START] * 3), "x": array})
            (part,) = build_slices([batch], plan(grids={"x": GRIDS["x"]}, segments=())).values()
            counts = part.columns["x"]
            assert (counts.nulls, counts.total, counts.total_squares) == (1, 3.0, 5.0), kind


def test_text_in_any_encoding_gives_the_same_counts():
    plain = pa.array(["a", None, "z", "b", "z"])
    doubled = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1, 2, 3], pa.int8()), pa.array(["a", "z", "b", "z"])
    )
    hole = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, 2]), pa.array(["a", None, "z", "b"]))
    for array in (plain, plain.cast(pa.large_string()), plain.cast(pa.string_view()), doubled, hole):
        batch = pa.record_batch({"at": pa.array([START] * 5), "c": array})
        (part,) = build_slices([batch], plan(grids={"c": GRIDS["c"]}, segments=())).values()
        assert part.columns["c"] == CategoricalCounts(5, 1, np.array([1, 1]), {"z": 2}), array.type


def test_a_segment_column_may_carry_a_dictionary_with_unused_values():
    region = pa.DictionaryArray.from_arrays(pa.array([3, 1, None]), ["unused", "s", "unused too", "n"])
    batch = pa.record_batch({"at": pa.array([START] * 3), "region": region})
    slices = build_slices([batch], plan(grids={}))
    assert {key.segment for key in slices} == {"", "region=n", "region=s", "region=(missing)"}
    assert sorted(part.rows for part in slices.values()) == [1, 1, 1, 3]


def test_integers_and_booleans_can_be_categories():
    batch = pa.record_batch(
        {"at": pa.array([START] * 2), "c": pa.array([17, 18]), "b": pa.array([True, None])}
    )
    grids = {"c": CategoricalGrid.from_values([17, 17]), "b": CategoricalGrid.from_values([True])}
    (part,) = build_slices([batch], plan(grids=grids, segments=())).values()
    assert part.columns["c"] == CategoricalCounts(2, 0, np.array([1]), {"18": 1})
    assert part.columns["b"] == CategoricalCounts(2, 1, np.array([1]))


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        (pa.null(), NumericGrid.from_values([])),
        (pa.null(), CategoricalGrid(())),
        (pa.float64(), NumericGrid.from_values([])),
        (pa.string(), CategoricalGrid(())),
    ],
)
def test_a_column_of_nulls_alone_works(kind, grid):
    batch = pa.record_batch({"at": pa.array([START] * 3), "x": pa.nulls(3, kind)})
    (part,) = build_slices([batch], plan(grids={"x": grid}, segments=())).values()
    counts = part.columns["x"]
    assert (counts.rows, counts.nulls, counts.missing) == (3, 3, 3)
    if isinstance(counts, NumericCounts):
        assert (counts.finite, counts.minimum, counts.maximum) == (0, math.inf, -math.inf)


def test_no_batches_and_empty_batches_give_no_slices():
    assert build_slices([], plan()) == {}
    assert build_slices([batch_of([])], plan()) == {}


@pytest.mark.parametrize(
    ("column", "array", "message"),
    [
        ("x", pa.array(["1"]), "column 'x' holds string, not numbers"),
        ("c", pa.array([1.5]), "column 'c' holds double, not categories"),
        ("at", pa.array([1]), "column 'at' holds int64, not times"),
        ("at", pa.array([None], pa.timestamp("us")), "column 'at' is null in 1 rows"),
        ("region", pa.array([1.5]), "column 'region' holds double, not categories"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(column, array, message):
    batch = batch_of([(START, 1.0, "a", "north")])
    place = batch.schema.names.index(column)
    broken = batch.remove_column(place).append_column(column, array)
    with pytest.raises(SchemaMismatch, match=message):
        build_slices([broken], plan())


@pytest.mark.parametrize("column", ["at", "x", "c", "region"])
def test_a_missing_column_is_named(column):
    batch = batch_of([(START, 1.0, "a", "north")])
    with pytest.raises(SchemaMismatch, match=f"column '{column}' is missing"):
        build_slices([batch.remove_column(batch.schema.names.index(column))], plan())


def test_a_column_that_occurs_twice_is_refused():
    batch = batch_of([(START, 1.0, "a", "north")]).append_column("x", pa.array([1.0]))
    with pytest.raises(SchemaMismatch, match="'x' occurs 2 times"):
        build_slices([batch], plan())


def test_an_identifier_is_refused_as_a_segment():
    times = pa.array([START] * 1001)
    batch = pa.record_batch({"at": times, "customer": pa.array(range(1001))})
    with pytest.raises(InvalidInput, match="segment column 'customer' has more than 1,000 values"):
        build_slices([batch], plan(grids={}, segments=("customer",)))


def test_a_time_beyond_the_calendar_is_refused():
    batch = pa.record_batch({"at": pa.array([2**61], pa.timestamp("s"))})
    with pytest.raises(InvalidInput, match="outside the years 1 to 9999"):
        build_slices([batch], plan(grids={}, segments=()))


def test_an_unknown_period_and_a_repeated_segment_are_refused():
    with pytest.raises(InvalidInput, match="period 'year' is unknown"):
        plan(period="year")
    with pytest.raises(InvalidInput, match="twice"):
        plan(segments=("region", "region"))


def test_counting_a_file_does_not_import_pandas(tmp_path):
    days = pa.array([0, 1, 9], pa.int32()).cast(pa.date32())
    table = pa.table({"day": days, "x": [0.5, None, 2.0], "c": ["a", None, "b"]})
    pq.write_table(table, tmp_path / "log.parquet")
    script = f"""
import sys
import pyarrow.parquet as pq
from mlops_core.slices import SlicePlan, build_slices, grids_from_table
table = pq.ParquetFile({str(tmp_path / "log.parquet")!r}, read_dictionary=["c"]).read()
grids = grids_from_table(table.slice(0, 2), ["x", "c"])
assert len(build_slices(table.to_batches(), SlicePlan("day", "week", grids, ("c",)))) == 5
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
