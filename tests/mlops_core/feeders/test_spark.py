"""Spark in local mode, the local Parquet reader and DuckDB find the same counts in every slice."""

import dataclasses
import math
import os
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import select

from mlops_core.domain import StoredSlice
from mlops_core.domain.errors import InvalidInput, SchemaMismatch
from mlops_core.domain.states import Origin
from mlops_core.feeders import ParquetFiles, SqlQuery, count_slices, spark
from mlops_core.feeders.spark import count_on_spark
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.settings import Settings
from mlops_core.slices import CategoricalGrid, NumericGrid, SliceKey, SlicePlan, decode_slice
from tests.conftest import missing
from tests.factories import champion, population, system, workspace_in
from tests.mlops_core.feeders.logs import COLOURS, EDGES, make_log

pytestmark = pytest.mark.spark

LOCAL = Settings(engine="local")
SPARK = Settings(engine="spark", spark_master="local[2]")
SUMS = {"total", "total_squares", "total_below", "total_above"}
FROM_FILES = "SELECT * FROM read_parquet($files, union_by_name = true)"


@pytest.fixture(scope="module", autouse=True)
def spark_runs():
    if find_spec("pyspark") is None:
        missing("pyspark is not installed (make spark)")
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        missing("no Java on this machine (Debian: apt-get install openjdk-17-jre-headless)")
    yield
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return make_log(tmp_path_factory.mktemp("log"))


def assert_same(found, expected):
    """Compare two results of the builder: all counts and extremes exactly, sums but for rounding."""
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        assert found[key].rows == one.rows, key
        assert found[key].columns.keys() == one.columns.keys()
        for name, counts in one.columns.items():
            other = found[key].columns[name]
            assert type(other) is type(counts)
            for field in (field.name for field in dataclasses.fields(counts)):
                mine, theirs = getattr(other, field), getattr(counts, field)
                same = near(mine, theirs, field, counts) if field in SUMS else np.array_equal(mine, theirs)
                assert same, (key, name, field, mine, theirs)


def near(mine, theirs, field, counts):
    largest = np.float64(max(abs(counts.minimum), abs(counts.maximum)))
    with np.errstate(over="ignore", invalid="ignore"):
        bound = 1e-12 * counts.finite * (largest**2 if field == "total_squares" else largest)
    return mine == theirs or abs(mine - theirs) <= bound


def spark_counts(log, **changes):
    return count_slices(ParquetFiles(log.files), replace(log.plan, **changes), SPARK)


def test_the_three_feeders_find_the_same_counts_in_every_slice(log):
    local = count_slices(ParquetFiles(log.files), log.plan, LOCAL)
    duckdb = count_slices(SqlQuery(FROM_FILES, {"files": log.files}), log.plan, LOCAL)
    on_spark = count_slices(ParquetFiles(log.files), log.plan, SPARK)
    assert len(local) > 500
    assert_same(duckdb, local)
    assert_same(on_spark, local)


def test_spark_counts_what_a_loop_over_the_rows_counts(log):
    slices = spark_counts(log, segment_columns=("colour",))
    rows = Counter()
    doubles, colours, unseen = Counter(), Counter(), Counter()
    names = ("at", "double", "colour", "many")
    for at, double, colour, many in zip(*(log.table[name].to_pylist() for name in names), strict=True):
        week = at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=at.weekday())
        for segment in ("", f"colour={'(missing)' if colour is None else colour}"):
            key = (week, segment)
            rows[key] += 1
            if double is None:
                doubles[key, "null"] += 1
            elif math.isfinite(double):
                doubles[key, int(np.searchsorted(EDGES, double, side="right"))] += 1
            else:
                doubles[key, str(double)] += 1
            colours[key, colour] += 1
            unseen[key, many] += 1
    assert {(key.start, key.segment): found.rows for key, found in slices.items()} == rows
    for slice_key, found in slices.items():
        key = (slice_key.start, slice_key.segment)
        numeric, colour, many = (found.columns[name] for name in ("double", "colour", "many"))
        assert numeric.nulls == doubles[key, "null"]
        assert (numeric.nans, numeric.negative_infinite, numeric.positive_infinite) == (
            doubles[key, "nan"],
            doubles[key, "-inf"],
            doubles[key, "inf"],
        )
        assert numeric.cells.tolist() == [doubles[key, cell] for cell in range(len(EDGES) + 1)]
        assert colour.nulls == colours[key, None]
        assert colour.known.tolist() == [colours[key, name] for name in COLOURS]
        assert sum(many.unseen.values()) == found.rows
        assert all(unseen[key, name] == count for name, count in many.unseen.items())


@pytest.mark.parametrize("time", ["at", "at_nanos", "at_naive", "day"])
def test_spark_puts_every_kind_of_time_into_the_same_slice(log, time):
    plan = replace(log.plan, time_column=time, period="day", segment_columns=())
    plan = replace(plan, grids={"tied": log.plan.grids["tied"]})
    files = ParquetFiles(log.files)
    assert_same(count_slices(files, plan, SPARK), count_slices(files, plan, LOCAL))


@pytest.mark.parametrize(("column", "value"), [("version", 2), ("colour", "red=blue")])
def test_spark_counts_only_the_rows_that_hold_a_value(log, column, value):
    files = ParquetFiles(log.files, where={column: value})
    plan = replace(log.plan, segment_columns=())
    found = count_slices(files, plan, SPARK)
    assert_same(found, count_slices(files, plan, LOCAL))
    assert sum(part.rows for part in found.values()) == log.table[column].to_pylist().count(value) > 0


def test_rows_that_spark_itself_reads_are_counted_as_pyarrow_reads_them(log, tmp_path):
    # What Spark cannot read stays out: nanoseconds, unsigned 64 bits.
    unreadable = ["at_nanos", "huge", "big", "untyped"]
    for place in range(2):
        rows = log.table.drop_columns(unreadable).slice(place * 25_000, 25_000)
        pq.write_table(rows, tmp_path / f"{place}.parquet")
    files = sorted(str(file) for file in tmp_path.glob("*.parquet"))
    grids = {name: grid for name, grid in log.plan.grids.items() if name not in unreadable}
    query = SqlQuery(f"SELECT * FROM parquet.`{tmp_path}`")  # noqa: S608 - a folder of ours
    for time, counted in (("at", grids), ("at_naive", {}), ("day", {})):
        plan = replace(log.plan, grids=counted, time_column=time, period="month", segment_columns=("colour",))
        found = count_slices(query, plan, SPARK)
        assert_same(found, count_slices(ParquetFiles(files), plan, LOCAL))


def test_no_row_to_count_gives_no_slice(log):
    assert count_slices(ParquetFiles(log.files, where={"version": 99}), log.plan, SPARK) == {}


def test_spark_answers_a_query_in_its_own_dialect(log, tmp_path):
    plan = replace(log.plan, segment_columns=(), grids={"kind": CategoricalGrid(("a", "b"))})
    query = "SELECT timestamp'1970-01-05 00:00:00' AS at, explode(array(:first, 'b', 'c', NULL)) AS kind"
    found = count_slices(SqlQuery(query, {"first": "a"}), plan, SPARK)
    (part,) = found.values()
    counts = part.columns["kind"]
    assert (part.rows, counts.nulls, counts.known.tolist(), counts.unseen) == (4, 1, [1, 1], {"c": 1})
    assert [key.start.isoformat() for key in found] == ["1970-01-05T00:00:00+00:00"]


def test_monitoring_counts_with_the_engine_of_the_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGBOARD_SPARK_MASTER", SPARK.spark_master)
    used, stored = [], {}
    monkeypatch.setattr(spark, "count_on_spark", lambda *given: used.append(1) or count_on_spark(*given))
    for engine in ("local", "spark"):
        monkeypatch.setenv("BIGBOARD_ENGINE", engine)
        workspace = workspace_in(tmp_path / engine)
        trained = champion(workspace)
        frame = population(500, start=datetime(2025, 2, 26, tzinfo=UTC), days=3, seed=5)
        name, number = trained.model.name, trained.version.number
        log_predictions(workspace, system(workspace), name, number, trained.predictions(frame))
        assert run_monitoring(workspace, system(workspace)).failures == {}
        with workspace.store.read() as session:
            rows = session.exec(select(StoredSlice).where(StoredSlice.origin == Origin.PRODUCTION))
            stored[engine] = {SliceKey(row.start, row.segment): decode_slice(row.payload) for row in rows}
        workspace.close()
    assert used == [1]
    assert_same(stored["spark"], stored["local"])


def test_a_session_that_was_there_keeps_its_settings(log):
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    spark_counts(log, segment_columns=())
    assert session.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("name", "values", "kind", "error", "words"),
    [
        ("at", [None], pa.timestamp("us"), SchemaMismatch, "column 'at' is null in 1 rows"),
        ("double", ["x"], pa.string(), SchemaMismatch, "column 'double' holds string, not numbers"),
        ("colour", [1.5], pa.float64(), SchemaMismatch, "column 'colour' holds double, not categories"),
        ("missing", [1.5], pa.float64(), SchemaMismatch, "column 'missing' is missing"),
    ],
)
def test_spark_refuses_what_the_builder_refuses_and_names_the_column(
    tmp_path, name, values, kind, error, words
):
    columns = {
        "at": pa.array([0], pa.timestamp("us")),
        "double": pa.array([0.0]),
        "colour": pa.array(["red"]),
        name: pa.array(values, kind),
    }
    if name == "missing":
        del columns[name]
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    grids = {"double": NumericGrid(EDGES), "colour": CategoricalGrid(COLOURS)}
    plan = SlicePlan("at", "day", grids | ({name: NumericGrid(EDGES)} if name == "missing" else {}))
    with pytest.raises(error, match=words):
        count_slices(ParquetFiles([str(tmp_path / "log.parquet")]), plan, SPARK)


def test_too_many_segments_are_refused_though_each_partition_has_few(tmp_path):
    files = []
    for place in range(3):
        numbers = pa.array(range(place * 400, place * 400 + 400))
        file = tmp_path / f"{place}.parquet"
        pq.write_table(pa.table({"at": pa.array([0] * 400, pa.timestamp("us")), "shop": numbers}), file)
        files.append(str(file))
    plan = SlicePlan("at", "day", {}, ("shop",))
    for settings in (LOCAL, SPARK):
        with pytest.raises(InvalidInput, match="segment column 'shop' has more than 1,000 values"):
            count_slices(ParquetFiles(files), plan, settings)


def test_a_query_that_spark_cannot_answer_is_bad_input():
    with pytest.raises(InvalidInput, match="Spark cannot answer the query"):
        count_slices(SqlQuery("SELECT nothing FROM nowhere"), SlicePlan("at", "day", {}), SPARK)
