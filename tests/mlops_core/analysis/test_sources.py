import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from mlops_core.analysis.sources import open_source
from mlops_core.domain.errors import InvalidInput, SchemaMismatch

FRAME = pd.DataFrame(
    {"price": [1.5, None, 3.0], "shop": ["a", None, "b"], "visits": [1, 2, 3], "member": [True, False, True]}
)


def rows_of(source):
    return [row for batch in source.batches(source.schema.names) for row in batch.to_pylist()]


EXPECTED = [
    {"price": 1.5, "shop": "a", "visits": 1, "member": True},
    {"price": None, "shop": None, "visits": 2, "member": False},
    {"price": 3.0, "shop": "b", "visits": 3, "member": True},
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(name, content):
    with open(name, "wb") as file:
        file.write(content)
    return name


def refusal(data, error=InvalidInput):
    with pytest.raises(error) as caught:
        rows_of(open_source(data))
    return str(caught.value)


def test_every_way_in_gives_the_same_rows(here):
    FRAME.to_parquet("x.parquet")
    FRAME.to_csv("x.csv", index=False)
    FRAME.to_csv("x.csv.gz", index=False)
    FRAME.to_csv("x.tsv", index=False, sep="\t")
    table = pa.Table.from_pandas(FRAME)
    write_deltalake("delta", table)
    objects = FRAME.astype({"shop": object})
    categories = FRAME.astype({"shop": "category"})
    for data in (
        *("x.parquet", "x.csv", "x.csv.gz", "x.tsv", "delta", here / "x.parquet", "*.parquet"),
        *(FRAME, objects, categories, table, table.to_batches()[0]),
    ):
        source = open_source(data)
        assert source.rows == 3
        assert rows_of(source) == EXPECTED
        assert rows_of(source) == EXPECTED


def test_a_glob_and_a_list_are_read_file_after_file(here):
    for number in range(3):
        pq.write_table(pa.table({"x": [number, number]}), f"part{number}.parquet")
    for data in ("part*.parquet", ["part0.parquet", "part1.parquet", "part2.parquet"]):
        source = open_source(data)
        assert [row["x"] for row in rows_of(source)] == [0, 0, 1, 1, 2, 2]
        assert source.place(3) == "part1.parquet, row 2"


def test_files_may_lack_a_column_or_hold_narrower_numbers(here):
    pq.write_table(pa.table({"x": pa.array([1], pa.int32()), "y": ["a"]}), "a.parquet")
    pq.write_table(pa.table({"x": pa.array([2.5])}), "b.parquet")
    assert rows_of(open_source("?.parquet")) == [{"x": 1.0, "y": "a"}, {"x": 2.5, "y": None}]


def test_files_whose_types_disagree_are_named_with_the_column(here):
    pq.write_table(pa.table({"x": [1]}), "a.parquet")
    pq.write_table(pa.table({"x": ["one"]}), "b.parquet")
    message = refusal("?.parquet", SchemaMismatch)
    assert all(part in message for part in ("'x'", "a.parquet", "b.parquet", "int64", "string"))


def test_text_of_parquet_comes_dictionary_encoded(here):
    FRAME.to_parquet("x.parquet")
    (batch,) = open_source("x.parquet").batches(["shop"])
    assert pa.types.is_dictionary(batch.schema.field("shop").type)


def test_a_type_that_the_first_rows_suggest_is_loosened_by_later_ones(here):
    rows = 900_000  # more than one block
    text = "a,b,c\n" + "1,7,\n" * rows + "2.5,x,9\n"
    source = open_source(written("x.csv", text.encode()))
    assert source.rows == rows + 1
    assert [field.type for field in source.schema] == [pa.float64(), pa.string(), pa.int64()]


def test_a_sample_is_spread_over_the_file(here):
    pq.write_table(pa.table({"x": np.arange(1000)}), "x.parquet")
    sample = open_source("x.parquet").sample(["x"], rows=100)
    assert sample["x"].to_pylist() == list(range(0, 1000, 10))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("e.csv", b"", "e.csv is empty"),
        ("e.parquet", b"", "e.parquet is empty"),
        ("blank.csv", b"\n\n", "blank.csv is empty"),
        ("text.parquet", b"a,b\n1,2\n3,4\n", "text.parquet cannot be read as Parquet"),
        ("ragged.csv", b"a,b\n1,2\n3\n", "ragged.csv, line 3: 1 columns where the header has 2"),
        ("long.csv", b"a,b\n1,2\n3,4,5\n", "long.csv, line 3: 3 columns where the header has 2"),
        ("latin.csv", "a,b\n1,x\n2,é\n".encode("latin1"), "latin.csv, line 3 is not in UTF-8"),
        ("header.csv", "a,é\n1,x\n".encode("latin1"), "header.csv, line 1 is not in UTF-8"),
        ("wide.csv", "a,b\n1,x\n".encode("utf-16"), "wide.csv is in UTF-16"),
        ("twice.csv", b"a,a\n1,2\n", "twice.csv has two columns named 'a'"),
        ("zip.csv.gz", b"a,b\n", "zip.csv.gz cannot be unpacked"),
        ("cut.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-12], "cut.csv.gz cannot be unpacked"),
        ("p.csv", b"PAR1....", "p.csv is a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(here, name, content, words):
    assert words in refusal(written(name, content))


def test_a_truncated_parquet_file_is_explained(here):
    FRAME.to_parquet("x.parquet")
    with open("x.parquet", "rb") as file:
        content = file.read()
    assert "cut.parquet cannot be read as Parquet" in refusal(written("cut.parquet", content[:-40]))
    assert "gap.parquet cannot be read as Parquet" in refusal(
        written("gap.parquet", content[:200] + content[-900:])
    )


def test_parquet_with_two_columns_of_one_name_is_refused(here):
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), "x.parquet")
    assert "two columns named 'a'" in refusal("x.parquet")


def test_what_is_not_there_is_explained(here):
    (here / "folder").mkdir()
    assert "nope.csv does not exist" in refusal("nope.csv")
    assert "no file matches *.parquet" in refusal("*.parquet")
    assert "folder is a folder but no Delta table" in refusal("folder")
    assert "int" in refusal(5)
    FRAME.to_parquet("x.parquet")
    with pytest.raises(SchemaMismatch, match="no column 'y'"):
        list(open_source("x.parquet").batches(["y"]))


def test_csv_and_parquet_do_not_mix(here):
    FRAME.to_parquet("x.parquet")
    FRAME.to_csv("x.csv")
    assert "one format" in refusal(["x.parquet", "x.csv"])


def test_a_delta_table_reads_its_newest_version_and_partitions_are_refused(here):
    table = pa.Table.from_pandas(FRAME)
    write_deltalake("delta", table)
    write_deltalake("delta", table.slice(0, 1), mode="overwrite")
    assert rows_of(open_source("delta")) == EXPECTED[:1]
    write_deltalake("parted", table, partition_by=["member"])
    assert "parted is partitioned by member" in refusal("parted")


def test_a_column_of_several_kinds_of_values_is_named(here):
    assert "'x'" in refusal(pd.DataFrame({"x": [1, "one", 2.5]}))


def test_a_header_without_rows_is_a_source_without_rows(here):
    source = open_source(written("h.csv", b"a,b\n"))
    assert (source.rows, source.schema.names, rows_of(source)) == (0, ["a", "b"], [])
