import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mlops_core.domain.errors import EngineError, InvalidInput, SchemaMismatch
from mlops_core.feeders import ParquetFiles, SqlQuery, count_slices
from mlops_core.settings import Settings
from mlops_core.slices import CategoricalGrid, NumericCounts, NumericGrid, SlicePlan, build_slices
from mlops_core.workspace import open_workspace
from tests.conftest import missing
from tests.mlops_core.feeders.logs import EDGES, make_log

LOCAL = Settings(engine="local")
SPARK = Settings(engine="spark", spark_master="local[1]")
PLAN = SlicePlan("at", "day", {"amount": NumericGrid(EDGES)})
AT = pa.array([0, 1], pa.timestamp("us"))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return make_log(tmp_path_factory.mktemp("log"), rows=8_000)


@pytest.fixture
def stored(tmp_path):
    def store(name, **columns):
        pq.write_table(pa.table({"at": AT, **columns}), tmp_path / name)
        return str(tmp_path / name)

    return store


def counts_of(slices):
    """Everything but the sums, which differ by rounding."""
    found = {}
    for key, part in slices.items():
        for name, counts in part.columns.items():
            if isinstance(counts, NumericCounts):
                seen = (counts.nulls, counts.nans, counts.negative_infinite, counts.positive_infinite)
                found[key, name] = (*seen, counts.minimum, counts.maximum, counts.cells.tolist())
            else:
                found[key, name] = (counts.nulls, counts.known.tolist(), dict(counts.unseen))
    return found


def test_files_are_counted_as_the_table_that_they_hold(log):
    found = count_slices(ParquetFiles(log.files), log.plan, LOCAL)
    assert counts_of(found) == counts_of(build_slices(log.table.to_batches(), log.plan))


def test_a_query_is_counted_as_the_table_that_it_returns(log):
    query = SqlQuery("SELECT * FROM read_parquet($files, union_by_name = true)", {"files": log.files})
    found = count_slices(query, log.plan, LOCAL)
    assert counts_of(found) == counts_of(build_slices(log.table.to_batches(), log.plan))


def test_only_the_rows_that_hold_a_value_are_counted(log):
    found = count_slices(ParquetFiles(log.files, where={"version": 2, "yes": True}), log.plan, LOCAL)
    chosen = log.table.filter(pc.field("version") == 2).filter(pc.field("yes"))
    assert counts_of(found) == counts_of(build_slices(chosen.to_batches(), log.plan))


def test_only_the_rows_that_hold_a_text_are_counted(log):
    found = count_slices(ParquetFiles(log.files, where={"colour": "red=blue"}), log.plan, LOCAL)
    chosen = log.table.filter(pc.equal(log.table["colour"].cast(pa.string()), "red=blue"))
    assert counts_of(found) == counts_of(build_slices(chosen.to_batches(), log.plan))


def test_no_row_holds_a_value_in_a_column_that_its_file_lacks(stored):
    files = [stored("a.parquet", amount=pa.array([1.0, 2.0])), stored("b.parquet", amount=pa.nulls(2))]
    files.append(stored("c.parquet", amount=pa.array([3.0, 4.0]), version=pa.array([1, 2])))
    (part,) = count_slices(ParquetFiles(files, where={"version": 2}), PLAN, LOCAL).values()
    assert (part.rows, part.columns["amount"].total) == (1, 4.0)


def test_a_column_may_be_text_here_and_encoded_there_or_without_a_type(stored):
    files = [
        stored("a.parquet", kind=pa.array(["x", "y"])),
        stored("b.parquet", kind=pa.array(["x", None]).dictionary_encode()),
        stored("c.parquet", kind=pa.array(["z", "x"], pa.large_string())),
        stored("d.parquet", kind=pa.nulls(2)),
        stored("e.parquet"),
    ]
    plan = SlicePlan("at", "day", {"kind": CategoricalGrid(("x", "y"))})
    (part,) = count_slices(ParquetFiles(files), plan, LOCAL).values()
    kind = part.columns["kind"]
    assert (kind.rows, kind.nulls, kind.known.tolist(), kind.unseen) == (10, 5, [3, 1], {"z": 1})


def test_no_file_at_all_is_bad_input():
    with pytest.raises(InvalidInput, match="there is no file to count"):
        count_slices(ParquetFiles([]), PLAN, LOCAL)


def test_a_file_that_is_missing_or_no_parquet_is_named(tmp_path):
    (tmp_path / "notes.parquet").write_text("hello")
    for name in ("notes.parquet", "gone.parquet"):
        with pytest.raises(InvalidInput, match=f"{name} cannot be read as Parquet"):
            count_slices(ParquetFiles([str(tmp_path / name)]), PLAN, LOCAL)


def test_a_file_that_is_cut_short_is_named(stored, tmp_path):
    whole = stored("whole.parquet", amount=pa.array([1.0, 2.0]))
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(Path(whole).read_bytes()[:-20])
    with pytest.raises(InvalidInput, match=r"cut\.parquet cannot be read as Parquet"):
        count_slices(ParquetFiles([whole, str(cut)]), PLAN, LOCAL)


def test_the_file_whose_column_has_another_type_is_named(stored):
    files = [
        stored("a.parquet", amount=pa.array([1.0, 2.0])),
        stored("b.parquet", amount=pa.array(["x", "y"])),
    ]
    with pytest.raises(SchemaMismatch, match=r"b\.parquet does not fit the files before it.*amount"):
        count_slices(ParquetFiles(files), PLAN, LOCAL)


def test_a_column_that_no_file_has_is_named(stored):
    with pytest.raises(SchemaMismatch, match="column 'amount' is missing"):
        count_slices(ParquetFiles([stored("a.parquet")]), PLAN, LOCAL)


def test_a_query_that_fails_is_bad_input():
    with pytest.raises(InvalidInput, match=r"DuckDB cannot answer the query: .*nowhere"):
        count_slices(SqlQuery("FROM nowhere"), PLAN, LOCAL)


def test_the_query_of_a_column_by_value_keeps_its_enumeration(log):
    query = SqlQuery("SELECT timestamp '1970-01-01' AS at, 'b'::ENUM('a', 'b') AS kind")
    (part,) = count_slices(
        query, SlicePlan("at", "day", {"kind": CategoricalGrid(("a", "b"))}), LOCAL
    ).values()
    assert part.columns["kind"].known.tolist() == [0, 1]


def test_the_engine_comes_from_the_environment(monkeypatch, stored):
    monkeypatch.setenv("BIGBOARD_ENGINE", "abacus")
    with pytest.raises(InvalidInput, match="engine 'abacus' is unknown: choose local or spark"):
        count_slices(ParquetFiles([stored("a.parquet")]), PLAN)


def test_a_workspace_is_not_opened_with_an_unknown_engine(tmp_path):
    with pytest.raises(InvalidInput, match="BIGBOARD_ENGINE is 'abacus', no engine: choose local or spark"):
        open_workspace(Settings(workspace=tmp_path, engine="abacus"), create=True)


def test_without_pyspark_the_message_names_the_extra(monkeypatch, stored):
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(EngineError, match=r"is not installed: install the extra .*bigboard\[spark\]"):
        count_slices(ParquetFiles([stored("a.parquet", amount=pa.array([1.0, 2.0]))]), PLAN, SPARK)


@pytest.fixture
def pyspark_installed():
    if find_spec("pyspark") is None:
        missing("pyspark is not installed (make spark)")


@pytest.mark.usefixtures("pyspark_installed")
def test_without_java_the_message_says_how_to_get_it(monkeypatch, stored, tmp_path):
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="there is no Java: install Java 17"):
        count_slices(ParquetFiles([stored("a.parquet", amount=pa.array([1.0, 2.0]))]), PLAN, SPARK)


@pytest.mark.usefixtures("pyspark_installed")
def test_a_spark_server_that_does_not_answer_is_named(monkeypatch, stored):
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens
        monkeypatch.setenv("SPARK_REMOTE", f"sc://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(EngineError, match=r"Spark does not start \(sc://127\.0\.0\.1:\d+\): .*refused"):
            count_slices(ParquetFiles([stored("a.parquet", amount=pa.array([1.0, 2.0]))]), PLAN, SPARK)
