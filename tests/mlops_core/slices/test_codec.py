import contextlib
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.domain.errors import InvalidInput
from mlops_core.slices import (
    SCORE_CELLS,
    BinaryOutcomes,
    CategoricalCounts,
    CategoricalGrid,
    MulticlassOutcomes,
    NumericCounts,
    NumericGrid,
    RegressionOutcomes,
    Slice,
    decode_grids,
    decode_outcomes,
    decode_slice,
    encode_grids,
    encode_outcomes,
    encode_slice,
)
from mlops_core.slices.codec import arrow_stream

COUNT = st.integers(0, 2**62)
SUM = st.floats(allow_nan=False)
CELLS = st.lists(st.one_of(st.just(0), COUNT), max_size=30).map(lambda cells: np.array(cells, dtype=np.int64))
NUMERIC = st.builds(
    NumericCounts,
    COUNT,
    COUNT,
    COUNT,
    COUNT,
    COUNT,
    SUM,
    SUM,
    SUM,
    SUM,
    CELLS,
    total_below=SUM,
    total_above=SUM,
)
CATEGORICAL = st.builds(
    CategoricalCounts, COUNT, COUNT, CELLS, st.dictionaries(st.text(), COUNT, max_size=9), COUNT
)
SLICES = st.builds(Slice, COUNT, st.dictionaries(st.text(), NUMERIC | CATEGORICAL, max_size=5))


@given(SLICES)
def test_a_slice_comes_back_as_it_was(part):
    again = decode_slice(encode_slice(part))
    assert again == part
    assert list(again.columns) == list(part.columns)


@given(SLICES, st.data())
def test_chosen_columns_alone_come_back(part, data):
    wanted = data.draw(st.lists(st.sampled_from([*part.columns, "absent"])))
    again = decode_slice(encode_slice(part), columns=wanted)
    assert again == Slice(part.rows, {name: part.columns[name] for name in part.columns if name in wanted})


def test_a_stored_slice_names_a_thousand_unseen_values():
    counts = CategoricalCounts(1500, 0, np.zeros(1, dtype=np.int64), {str(i): 1 for i in range(1500)})
    again = decode_slice(encode_slice(Slice(1500, {"c": counts}))).columns["c"]
    assert again == counts.capped()


@given(st.builds(RegressionOutcomes, COUNT, SUM, SUM, SUM, SUM, SUM, SUM))
def test_regression_outcomes_come_back_as_they_were(outcomes):
    assert decode_outcomes(encode_outcomes(outcomes)) == outcomes


@given(CELLS, st.integers(1, 7), SUM)
def test_binary_outcomes_come_back_as_they_were(cells, count, loss):
    outcomes = BinaryOutcomes(count, cells, cells[::-1].copy(), loss, 0.25, 1, 2, 3, 4)
    assert decode_outcomes(encode_outcomes(outcomes)) == outcomes


@given(st.sets(st.text(), max_size=6), st.integers(0, 9))
def test_multiclass_outcomes_come_back_as_they_were(classes, count):
    confusion = np.arange(len(classes) ** 2).reshape(len(classes), len(classes)) % 3 * count
    outcomes = MulticlassOutcomes(tuple(sorted(classes)), confusion)
    assert decode_outcomes(encode_outcomes(outcomes)) == outcomes


def test_empty_score_cells_take_next_to_no_room():
    cells = np.zeros(2000, dtype=np.int64)
    cells[[3, 900]] = 5
    assert len(encode_outcomes(BinaryOutcomes(10, cells, cells, 1.0, 0.25, 1, 2, 3, 4))) < 6000


def test_binary_outcomes_of_an_earlier_release_are_read_but_not_added_to_new_ones():
    counted = np.ones(1000, dtype=np.int64)
    now = encode_outcomes(BinaryOutcomes(2000, counted, counted, 1.0, 0.25, 1, 2, 3, 4))
    with pa.ipc.open_stream(arrow_stream(now)) as reader:
        metadata, batch = reader.schema.metadata, reader.read_next_batch()
    later = {"score_cells", "positives_steps", "negatives_steps", "log_loss_squared_sum", "brier_squared_sum"}
    older = batch.drop_columns([name for name in batch.schema.names if name in later])
    older = older.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, older.schema) as writer:
        writer.write_batch(older)
    before = decode_outcomes(bytes(sink.getvalue()))
    assert before.positives.tolist() == counted.tolist()
    assert math.isnan(before.brier_squared_sum)
    fine = np.zeros(SCORE_CELLS, dtype=np.int64)
    with pytest.raises(InvalidInput, match="different score grids"):
        before.merge(BinaryOutcomes(0, fine, fine, 0.0, 0.0, 0, 0, 0, 0))


def test_grids_come_back_as_they_were():
    grids = {
        "x": NumericGrid.from_values(np.random.default_rng(0).normal(size=5000)),
        "nothing": NumericGrid.from_values([]),
        "c": CategoricalGrid(("b", "a", "")),
        "none": CategoricalGrid(()),
    }
    again = decode_grids(encode_grids(grids))
    assert again == grids
    assert list(again) == list(grids)
    assert decode_grids(encode_grids({})) == {}


SLICE_BYTES = encode_slice(
    Slice(1, {"x": NumericCounts(1, 0, 0, 0, 0, 1.0, 1.0, 1.0, math.inf, np.array([1, 0]))})
)


@pytest.mark.parametrize(
    "payload", [b"", b"PAR1", b"\x00" * 64, SLICE_BYTES[:40], SLICE_BYTES[: len(SLICE_BYTES) // 2]]
)
def test_bytes_of_something_else_or_a_part_are_refused(payload):
    with pytest.raises(InvalidInput, match="slice"):
        decode_slice(payload)


def test_the_payload_of_another_kind_is_named():
    outcomes = encode_outcomes(RegressionOutcomes(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    with pytest.raises(InvalidInput, match="these bytes hold outcomes, not slice"):
        decode_slice(outcomes)
    with pytest.raises(InvalidInput, match="these bytes hold slice, not grids"):
        decode_grids(SLICE_BYTES)


def stream_of(metadata):
    schema = pa.schema({"a": pa.int64()}, metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array([1])], schema=schema))
    return bytes(sink.getvalue())


def test_a_foreign_arrow_stream_is_refused():
    with pytest.raises(InvalidInput, match="these bytes hold something else, not slice"):
        decode_slice(stream_of({}))
    with pytest.raises(InvalidInput, match="no whole slice"):
        decode_slice(stream_of({"bigboard": "slice", "format": "2"}))


def test_a_newer_format_asks_for_an_upgrade():
    with pytest.raises(InvalidInput, match="upgrade Bigboard"):
        decode_slice(stream_of({"bigboard": "slice", "format": "4"}))


def test_a_slice_of_the_first_format_has_unknown_outer_sums():
    with pa.ipc.open_stream(arrow_stream(SLICE_BYTES)) as reader:
        metadata, batch = reader.schema.metadata, reader.read_next_batch()
    older = batch.drop_columns(["total_below", "total_above"])
    older = older.replace_schema_metadata({**metadata, b"format": b"1"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, older.schema) as writer:
        writer.write_batch(older)
    before, now = decode_slice(bytes(sink.getvalue())), decode_slice(SLICE_BYTES)
    for name, counts in now.columns.items():
        if isinstance(counts, NumericCounts):
            assert math.isnan(before.columns[name].total_below)
            assert math.isnan(before.columns[name].total_above)
            assert before.columns[name].total == counts.total
            assert np.array_equal(before.columns[name].cells, counts.cells)


@pytest.mark.parametrize("place", range(0, len(SLICE_BYTES), 37))
def test_a_flipped_bit_never_raises_anything_else(place):
    damaged = bytearray(SLICE_BYTES)
    damaged[place] ^= 0x10
    with contextlib.suppress(InvalidInput):
        decode_slice(bytes(damaged))
