import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from mlops_core.domain.errors import InvalidInput, NotFound, SchemaMismatch, WarehouseError
from mlops_core.warehouse import Warehouse
from tests.factories import run_as_ordinary_user

DAY = datetime(2025, 3, 10, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path):
    return Warehouse(tmp_path / "warehouse")


def batch(*numbers, **columns):
    table = pa.table(
        {
            "n": pa.array(numbers, pa.int64()),
            "word": pa.array([f"w{number}" for number in numbers], pa.string()),
            "at": pa.array([DAY + timedelta(hours=n) for n in numbers], pa.timestamp("us", tz="UTC")),
        }
    )
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def numbers_in(warehouse, table, **how):
    return sorted(warehouse.read(table, **how)["n"].to_pylist())


# ── writing and reading ──────────────────────────────────────────────────────────────────────────


def test_appended_rows_are_all_there_and_every_version_stays_readable(warehouse):
    assert warehouse.append("t", batch(1, 2), actor="me") == 0
    assert warehouse.append("t", batch(3), actor="me") == 1
    assert warehouse.version("t") == 1
    assert numbers_in(warehouse, "t") == [1, 2, 3]
    assert numbers_in(warehouse, "t", version=0) == [1, 2]


def test_overwriting_replaces_the_rows_and_keeps_the_version_before(warehouse):
    warehouse.append("t", batch(1, 2), actor="me")
    assert warehouse.overwrite("t", batch(9), actor="me") == 1
    assert numbers_in(warehouse, "t") == [9]
    assert numbers_in(warehouse, "t", version=0) == [1, 2]


def test_values_come_back_as_they_went_in(warehouse):
    rows = batch(1, 2, x=pa.array([0.1, None]), flag=pa.array([True, None]))
    warehouse.append("t", rows, actor="me")
    assert warehouse.read("t").sort_by("n").equals(rows)


def test_only_the_columns_that_are_asked_for_are_read(warehouse):
    warehouse.append("t", batch(1), actor="me")
    assert warehouse.read("t", columns=["word"]).to_pydict() == {"word": ["w1"]}


def test_the_log_of_a_table_names_who_wrote_it(warehouse):
    warehouse.append("t", batch(1), actor="ann")
    warehouse.append("t", batch(2), actor="bob")
    assert [entry["actor"] for entry in DeltaTable(warehouse.root / "t").history()] == ["bob", "ann"]


def test_columns_of_a_batch_may_come_in_any_order(warehouse):
    warehouse.append("t", batch(1), actor="me")
    warehouse.append("t", batch(2).select(["at", "word", "n"]), actor="me")
    assert warehouse.read("t").sort_by("n").to_pylist() == batch(1, 2).to_pylist()


def test_a_column_of_untyped_nulls_takes_the_type_of_the_table(warehouse):
    warehouse.append("t", batch(1), actor="me")
    warehouse.append("t", batch(2).set_column(1, "word", pa.nulls(1)), actor="me")
    assert warehouse.read("t").sort_by("n")["word"].to_pylist() == ["w1", None]


def test_files_since_a_version_hold_exactly_the_rows_that_were_appended_since(warehouse):
    for number in range(4):
        warehouse.append("t", batch(number), actor="me")
    for since in range(-1, 4):
        version, files = warehouse.files_since("t", since)
        gained = [n for file in files for n in pq.read_table(file)["n"].to_pylist()]
        assert (version, sorted(gained)) == (3, list(range(since + 1, 4)))


def test_a_table_that_was_never_written_is_reported(warehouse):
    assert not warehouse.exists("none")
    for ask in (warehouse.read, warehouse.files, warehouse.version, warehouse.state):
        with pytest.raises(NotFound, match="no table 'none'"):
            ask("none")


def test_a_version_that_does_not_exist_is_reported(warehouse):
    warehouse.append("t", batch(1), actor="me")
    with pytest.raises(WarehouseError, match="'t' cannot be read"):
        warehouse.read("t", version=7)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (batch(2).drop_columns(["word"]), r"lacks column 'word' \(string\)"),
        (batch(2, extra=pa.array([1])), "no column 'extra'"),
        (batch(2).set_column(0, "n", pa.array(["2"])), "column 'n' of table 't' holds int64.* string"),
        (batch(2).set_column(0, "n", pa.array([2.0])), "column 'n' of table 't' holds int64.* double"),
        (
            batch(2).set_column(0, "n", pa.array([2], pa.int32())),
            "column 'n' of table 't' holds int64.* int32",
        ),
        (batch(2).rename_columns(["N", "word", "at"]), "lacks column 'n'"),
    ],
    ids=["missing", "extra", "text", "float", "narrower", "case"],
)
@pytest.mark.parametrize("write", ["append", "overwrite"])
def test_a_batch_that_does_not_fit_is_refused_whole_and_names_the_column(warehouse, wrong, message, write):
    warehouse.append("t", batch(1), actor="me")
    files = warehouse.files("t")
    with pytest.raises(SchemaMismatch, match=message):
        getattr(warehouse, write)("t", wrong, actor="me")
    assert (warehouse.version("t"), warehouse.files("t")) == (0, files)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([datetime(2025, 3, 10)]), "'x' holds times without a time zone"),  # noqa: DTZ001 - that it has no zone is tested
        (pa.array([datetime(2025, 3, 10)]).dictionary_encode(), "times without a time zone"),  # noqa: DTZ001 - that it has no zone is tested
        (pa.array([2**64 - 1], pa.uint64()), "cannot be stored"),
        (pa.array([1], pa.time64("us")), "'x' holds time64"),
        (pa.array([1], pa.duration("s")), "'x' holds duration"),
        (pa.array([1.0], pa.float16()), "'x' holds halffloat"),
        (pa.nulls(1), "'x' of the first batch for table 't' is null throughout"),
    ],
    ids=["naive", "naive-codes", "too-large", "time-of-day", "duration", "half", "untyped"],
)
def test_a_first_batch_that_cannot_be_stored_is_refused_and_makes_no_table(warehouse, column, message):
    with pytest.raises(InvalidInput, match=message):
        warehouse.append("t", batch(1, x=column), actor="me")
    assert not warehouse.exists("t")


def test_a_batch_without_columns_or_with_one_twice_is_refused(warehouse):
    with pytest.raises(InvalidInput, match="has no columns"):
        warehouse.append("t", pa.table({}), actor="me")
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    with pytest.raises(InvalidInput, match="has column 'n' twice"):
        warehouse.append("t", twice, actor="me")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (pa.array(["a", "b"]).dictionary_encode(), pa.string()),
        (pa.array(["a", "b"], pa.large_string()), pa.string()),
        (pa.array(["a", "b"], pa.string_view()), pa.string()),
        (pa.array([b"a", b"b"], pa.large_binary()), pa.binary()),
        (pa.array([1, 2], pa.uint8()), pa.int32()),
        (pa.array([1, 2], pa.uint32()), pa.int64()),
        (pa.array([DAY, DAY], pa.timestamp("ms", tz="America/New_York")), pa.timestamp("us", tz="UTC")),
        (pa.array([DAY.date(), None], pa.date64()), pa.date32()),
    ],
    ids=["codes", "large", "view", "binary", "uint8", "uint32", "zone", "date64"],
)
def test_equivalent_types_are_stored_alike_and_a_second_batch_of_them_fits(warehouse, given, stored):
    rows = pa.table({"x": given})
    warehouse.append("t", rows, actor="me")
    warehouse.append("t", rows, actor="me")
    found = warehouse.read("t")
    assert found.schema.field("x").type == stored
    assert found["x"].to_pylist() == [*given.to_pylist(), *given.to_pylist()]


# ── snapshots ────────────────────────────────────────────────────────────────────────────────────


def test_a_state_describes_the_table_as_of_a_version(warehouse):
    warehouse.append("t", batch(1, 2), actor="me")
    warehouse.append("t", batch(3), actor="me")
    first, second = warehouse.state("t", version=0), warehouse.state("t")
    assert (first.version, first.rows, second.version, second.rows) == (0, 2, 1, 3)
    assert second.schema == batch(1).schema


def test_equal_bytes_have_an_equal_digest_and_others_a_different_one(warehouse, tmp_path):
    other = Warehouse(tmp_path / "other")
    for place in (warehouse, other):
        place.append("t", batch(1, 2), actor="me")
    renamed = batch(1, 2).rename_columns(["m", "word", "at"])
    digests = {
        warehouse.state("t").digest,
        other.state("t").digest,
        other.state("t", version=other.append("t", batch(3), actor="me") - 1).digest,
    }
    assert len(digests) == 1
    warehouse.append("more", batch(1, 3), actor="me")
    warehouse.append("named", renamed, actor="me")
    others = {warehouse.state("more").digest, warehouse.state("named").digest, other.state("t").digest}
    assert len(others) == 3
    assert not others & digests


def test_a_version_stays_readable_when_it_is_older_than_a_month_and_many_were_written_since(warehouse):
    warehouse.append("t", pa.table({"n": [0]}), actor="me")
    # Delta tidies up its log at every checkpoint: let there be one at every tenth version, not hundredth.
    DeltaTable(warehouse.root / "t").alter.set_table_properties({"delta.checkpointInterval": "10"})
    for number in range(1, 25):
        warehouse.append("t", pa.table({"n": [number]}), actor="me")
        if number == 15:
            before = time.time() - timedelta(days=60).total_seconds()
            for path in (warehouse.root / "t").rglob("*"):
                os.utime(path, (before, before))
    assert numbers_in(warehouse, "t", version=3) == [0, 1, 2]


# ── side by side ─────────────────────────────────────────────────────────────────────────────────


def test_four_threads_that_append_at_once_to_a_new_table_lose_nothing(warehouse):
    def work(thread):
        return {
            warehouse.append("t", batch(100 * thread + n), actor="me"): 100 * thread + n for n in range(10)
        }

    with ThreadPoolExecutor(4) as pool:
        written = {version: n for part in pool.map(work, range(4)) for version, n in part.items()}
    assert numbers_in(warehouse, "t") == sorted(100 * thread + n for thread in range(4) for n in range(10))
    assert sorted(written) == list(range(40))
    for version, number in written.items():
        _, files = warehouse.files_since("t", version - 1)
        now = set(warehouse.files("t", version=version))
        assert [pq.read_table(file)["n"].to_pylist() for file in files if file in now] == [[number]]


def test_four_threads_that_overwrite_at_once_each_get_the_version_that_holds_their_rows(warehouse):
    warehouse.append("t", batch(0), actor="me")
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda n: warehouse.overwrite("t", batch(n), actor="me"), range(1, 5)))
    assert [numbers_in(warehouse, "t", version=version) for version in versions] == [[1], [2], [3], [4]]


# ── folders ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["My Documents", "Büro", "a#b", "a&b", "it's", "a:b", "a;b", "{x}", "~x"])
def test_a_warehouse_may_lie_in_a_folder_with_a_strange_name(tmp_path, name):
    warehouse = Warehouse(tmp_path / name)
    warehouse.append("t", batch(1), actor="me")
    warehouse.append("t", batch(2), actor="me")
    assert numbers_in(warehouse, "t") == [1, 2]
    assert warehouse.state("t").rows == 2
    assert all(Path(file).is_file() for file in warehouse.files("t"))


@pytest.mark.parametrize("name", ["a[1]", "50%", "a|b", "a^b", "what?", "a*b", "a\\b"])
def test_a_folder_whose_name_no_delta_table_can_bear_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(InvalidInput, match="choose another folder"):
        Warehouse(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_named_by_a_relative_path_stays_where_it_was_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    warehouse = Warehouse(Path("here"))
    warehouse.append("t", batch(1), actor="me")
    assert (tmp_path / "here" / "t" / "_delta_log").is_dir()


def test_a_folder_that_cannot_be_written_gives_a_clear_error(tmp_path):
    program = """
import sys
from pathlib import Path
import pyarrow as pa
from mlops_core.domain.errors import WarehouseError
from mlops_core.warehouse import Warehouse
try:
    Warehouse(Path(sys.argv[1])).append("t", pa.table({"n": [2]}), actor="me")
except WarehouseError as error:
    print(error)
"""
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.append("t", pa.table({"n": [1]}), actor="me")
    for folder in (warehouse.root / "t" / "_delta_log", warehouse.root / "t", warehouse.root):
        folder.chmod(0o555)
    done = run_as_ordinary_user([sys.executable, "-c", program, warehouse.root])
    assert "table 't' under" in done.stdout, done
    assert "check free space and permissions" in done.stdout
    assert numbers_in(warehouse, "t") == [1]
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o555)
    done = run_as_ordinary_user([sys.executable, "-c", program, empty])
    assert "check free space and permissions" in done.stdout, done


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_a_table_whose_data_file_is_gone_or_damaged_is_reported(warehouse, harm):
    warehouse.append("t", batch(1, 2), actor="me")
    file = Path(warehouse.files("t")[0])
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(WarehouseError, match="table 't' cannot be read"):
        warehouse.read("t")
