import contextlib
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import (
    CategoricalCounts,
    NumericCounts,
    Slice,
    decode_slice,
    encode_slice,
    merge_encoded,
    merge_groups,
    merge_slices,
)
from mlops_core.slices.codec import arrow_stream

COUNT = st.integers(0, 2**58)
SUM = st.floats(-1e300, 1e300)
END = st.floats(allow_nan=False)
N_CELLS = {"a": 1, "b": 7, "": 300, "c": 0, "d": 4}


@st.composite
def cells(draw, n):
    filled = draw(st.dictionaries(st.integers(0, n - 1), COUNT, max_size=6)) if n else {}
    array = np.zeros(n, dtype=np.int64)
    array[list(filled)] = list(filled.values())
    return array


def numeric(n):
    sums = {"total_below": SUM, "total_above": SUM}
    return st.builds(NumericCounts, COUNT, COUNT, COUNT, COUNT, COUNT, SUM, SUM, END, END, cells(n), **sums)


def categorical(n):
    unseen = st.dictionaries(st.text(max_size=3), COUNT, max_size=5)
    return st.builds(CategoricalCounts, COUNT, COUNT, cells(n), unseen, COUNT)


COLUMNS = {name: numeric(n) if name in "ab" else categorical(n) for name, n in N_CELLS.items()}
SLICE = st.builds(Slice, COUNT, st.fixed_dictionaries({}, optional=COLUMNS))


def first_format(payload):
    with pa.ipc.open_stream(arrow_stream(payload)) as reader:
        metadata, batch = reader.schema.metadata, reader.read_next_batch()
    older = batch.drop_columns(["total_below", "total_above"])
    older = older.replace_schema_metadata({**metadata, b"format": b"1"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, older.schema) as writer:
        writer.write_batch(older)
    return sink.getvalue().to_pybytes()


def assert_same(found, expected):
    assert found.rows == expected.rows
    assert found.columns.keys() == expected.columns.keys()
    for name, wanted in expected.columns.items():
        counts = found.columns[name]
        if isinstance(wanted, CategoricalCounts):
            assert counts == wanted
            continue
        assert np.array_equal(counts.cells, wanted.cells)
        for field in (
            "rows",
            "nulls",
            "nans",
            "negative_infinite",
            "positive_infinite",
            "minimum",
            "maximum",
        ):
            assert getattr(counts, field) == getattr(wanted, field)
        for field in ("total", "total_squares", "total_below", "total_above"):
            one, other = getattr(counts, field), getattr(wanted, field)
            assert one == pytest.approx(other, rel=1e-9, abs=1e288, nan_ok=True)


@given(st.lists(SLICE, max_size=6), st.data())
def test_encoded_slices_add_up_to_what_the_decoded_ones_do(parts, data):
    payloads = [encode_slice(part) for part in parts]
    payloads = [first_format(one) if data.draw(st.booleans()) else one for one in payloads]
    assert_same(merge_encoded(payloads), merge_slices(decode_slice(one) for one in payloads))
    wanted = data.draw(st.sets(st.sampled_from([*N_CELLS, "absent"])))
    expected = merge_slices(decode_slice(one, wanted) for one in payloads)
    assert_same(merge_encoded(payloads, wanted), expected)


@given(st.lists(st.tuples(st.sampled_from(["north", "west", ""]), SLICE), max_size=8), st.data())
def test_groups_add_up_to_what_each_of_them_does_alone(parts, data):
    payloads = [(group, encode_slice(part)) for group, part in parts]
    payloads = [(group, first_format(one) if data.draw(st.booleans()) else one) for group, one in payloads]
    wanted = data.draw(st.none() | st.sets(st.sampled_from([*N_CELLS, "absent"])))
    found = merge_groups(payloads, wanted)
    assert found.keys() == {group for group, _ in parts}
    for group, merged in found.items():
        alone = [decode_slice(payload, wanted) for name, payload in payloads if name == group]
        assert_same(merged, merge_slices(alone))


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_many_slices_with_many_filled_cells_add_up(n_slices, seed):
    rng = np.random.default_rng(seed)
    arrays = rng.poisson(rng.exponential(2.0, 1200), (n_slices, 1200)) * 10 ** rng.integers(
        0, 6, (n_slices, 1)
    )
    parts = [
        Slice(int(row.sum()), {"x": NumericCounts(int(row.sum()), 0, 0, 0, 0, 1.0, 1.0, 0.0, 1.0, row)})
        for row in arrays
    ]
    merged = merge_encoded([encode_slice(part) for part in parts])
    assert merged.rows == int(arrays.sum())
    assert merged.columns["x"].cells.tolist() == arrays.sum(axis=0).tolist()


def test_counts_beyond_the_whole_numbers_of_a_float_stay_exact():
    odd = np.array([2**60 + 1, 3], dtype=np.int64)
    payload = encode_slice(Slice(1, {"c": CategoricalCounts(1, 0, odd, {"new": 2**60 + 1})}))
    found = merge_encoded([payload] * 3).columns["c"]
    assert found.known.tolist() == [3 * 2**60 + 3, 9]
    assert found.unseen == {"new": 3 * 2**60 + 3}


def test_no_payload_at_all_gives_no_rows():
    assert merge_encoded([]) == Slice(0, {})


def test_the_sum_of_slices_of_the_first_format_does_not_know_the_outer_sums():
    now = encode_slice(Slice(2, {"x": NumericCounts(2, 0, 0, 0, 0, 3.0, 5.0, 1.0, 2.0, np.array([1, 1]))}))
    found = merge_encoded([now, first_format(now)]).columns["x"]
    assert math.isnan(found.total_below)
    assert found.total == 6.0


def test_counts_of_different_grids_are_refused():
    small = encode_slice(Slice(0, {"x": NumericCounts.empty(3)}))
    for other in (NumericCounts.empty(4), CategoricalCounts.empty(3)):
        with pytest.raises(InvalidInput, match="column 'x'"):
            merge_encoded([small, encode_slice(Slice(0, {"x": other}))])


WHOLE = encode_slice(
    Slice(
        9,
        {
            "x": NumericCounts(9, 0, 0, 0, 0, 9.0, 9.0, 1.0, 1.0, np.arange(40)),
            "c": CategoricalCounts(9, 1, np.array([4, 3]), {"new": 1}),
        },
    )
)


def plain(payload):
    with pa.ipc.open_stream(arrow_stream(payload)) as reader:
        table = reader.read_all()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("payload", [b"", b"PAR1", WHOLE[:40], WHOLE[: len(WHOLE) // 2]])
def test_bytes_of_something_else_or_a_part_are_refused(payload):
    with pytest.raises(InvalidInput, match="slice"):
        merge_encoded([WHOLE, payload])


@pytest.mark.parametrize("source", [WHOLE, plain(WHOLE)], ids=["compressed", "plain"])
@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_never_raises_anything_else(source, bit):
    for place in range(5 * bit, len(source), 61):
        damaged = bytearray(source)
        damaged[place] ^= 1 << bit
        for payloads in ([bytes(damaged)], [WHOLE, bytes(damaged)]):
            with contextlib.suppress(InvalidInput):
                merge_encoded(payloads)
            with contextlib.suppress(InvalidInput):
                merge_encoded(payloads, ["x"])
