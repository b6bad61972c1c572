import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

import mlops_core
from mlops_core.analysis.drift import drift
from mlops_core.analysis.reference_grids import GridMaker
from mlops_core.analysis.sources import open_source
from mlops_core.domain.errors import InvalidInput, SchemaMismatch


def frame_of(rows, seed, shift=0.0):
    random = np.random.default_rng(seed)
    price = random.lognormal(3 + shift, 1, rows)
    price[random.random(rows) < 0.02] = np.nan
    return pd.DataFrame(
        {
            "price": price,
            "visits": random.poisson(4, rows),
            "shop": random.choice(["a", "b", "c"], rows, p=[0.5, 0.3 - shift / 4, 0.2 + shift / 4]),
            "member": random.random(rows) < 0.4 + shift / 4,
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 40 * 86_400, rows), "s"),
        }
    )


REFERENCE = frame_of(5_000, 1)
CURRENT = frame_of(3_000, 2, shift=0.4)


def by_name(report):
    return {found["column"]: found for found in report.to_dict()["columns"]}


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == pytest.approx(other, rel=1e-9, abs=1e-9) if isinstance(one, float) else one == other


def test_numbers_agree_with_scipy_on_the_rows():
    found = by_name(drift(REFERENCE, CURRENT))["price"]["chunks"][0]
    first, second = REFERENCE.price.dropna(), CURRENT.price.dropna()
    statistics = found["statistics"]
    assert statistics["kolmogorov_smirnov"] == pytest.approx(
        stats.ks_2samp(first, second).statistic, abs=0.005
    )
    distance = stats.wasserstein_distance(first, second)
    assert statistics["wasserstein_normalised"] == pytest.approx(distance / first.std(ddof=0), abs=0.005)
    assert found["rows"] == 3_000
    assert found["nulls"] == CURRENT.price.isna().sum()


def test_categories_agree_with_scipy_on_the_rows():
    found = by_name(drift(REFERENCE, CURRENT))["shop"]["chunks"][0]["statistics"]
    table = [frame["shop"].value_counts().sort_index() for frame in (REFERENCE, CURRENT)]
    expected = stats.chi2_contingency(table, correction=False)
    assert found["chi_squared"] == pytest.approx(expected.statistic)
    assert found["chi_squared_p_value"] == pytest.approx(expected.pvalue)
    p, q = (counts / counts.sum() for counts in table)
    assert found["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert found["l_infinity"] == pytest.approx(abs(p - q).max())


def test_the_order_of_rows_does_not_matter(tmp_path):
    for name, frame in (("r", REFERENCE), ("c", CURRENT)):
        frame.to_parquet(tmp_path / f"{name}.parquet", row_group_size=700)
        frame.sample(frac=1, random_state=3).to_parquet(tmp_path / f"{name}s.parquet", row_group_size=900)
    as_it_is = drift(tmp_path / "r.parquet", tmp_path / "c.parquet", timestamp="at", every="week").to_dict()
    shuffled = drift(tmp_path / "rs.parquet", tmp_path / "cs.parquet", timestamp="at", every="week").to_dict()
    assert [one.pop("column") for one in shuffled.pop("skipped")] == ["__index_level_0__"]
    as_it_is.pop("skipped")
    assert same(as_it_is, shuffled)


def sampled_grids(frame, most):
    source = open_source(frame)
    kinds = {"x": "numeric", "y": "numeric"}
    maker = GridMaker(source, {name: kinds[name] for name in frame.columns}, most_exact=most)
    for _ in maker.watch(source.batches(maker.columns)):
        pass
    return maker.grids()


@pytest.mark.parametrize("spike", [0.0, 0.6])
def test_a_long_reference_is_sampled_whatever_its_order_and_evenly(spike):
    random = np.random.default_rng(5)
    values = np.where(random.random(60_000) < spike, 0.0, random.normal(size=60_000))
    for frame in (pd.DataFrame({"x": values}), pd.DataFrame({"x": values, "y": random.normal(size=60_000)})):
        grids = sampled_grids(frame, most=15_000)
        assert grids == sampled_grids(frame.sample(frac=1, random_state=1), most=15_000)
        cells = np.bincount(grids["x"].cell_of(values), minlength=grids["x"].n_cells)
        zero = int(grids["x"].cell_of([0.0])[0])
        assert np.delete(cells, zero).max() < 0.01 * len(values)
        assert grids["x"].edges[0] == values.min()


def test_chunks_of_rows_are_the_rows_cut_by_hand():
    report = drift(REFERENCE, CURRENT, chunk_rows=1_300)
    chunks = by_name(report)["shop"]["chunks"]
    assert [(chunk["start"], chunk["end"]) for chunk in chunks] == [(0, 1300), (1300, 2600), (2600, 3000)]
    for chunk in chunks:
        alone = drift(REFERENCE, CURRENT[chunk["start"] : chunk["end"]])
        assert same(chunk["statistics"], by_name(alone)["shop"]["chunks"][0]["statistics"])


@pytest.mark.parametrize(("every", "frequency"), [("day", "D"), ("week", "W-SUN"), ("month", "M")])
def test_chunks_of_time_hold_the_rows_that_pandas_puts_there(every, frequency):
    report = drift(REFERENCE, CURRENT, timestamp="at", every=every)
    periods = CURRENT["at"].dt.to_period(frequency)
    expected = CURRENT.groupby(periods).size()
    (price, *_) = report.columns
    assert [chunk.rows for chunk in price.chunks] == expected.tolist()
    assert [chunk.start for chunk in price.chunks] == [
        period.start_time.to_pydatetime().replace(tzinfo=UTC) for period in expected.index
    ]
    assert [chunk.end for chunk in price.chunks] == [
        (period + 1).start_time.to_pydatetime().replace(tzinfo=UTC) for period in expected.index
    ]
    assert by_name(report)["price"]["chunks"][0]["start"].endswith("+00:00")
    assert "at" not in by_name(report)


def test_the_document_has_the_promised_shape():
    document = drift(REFERENCE, CURRENT).to_dict()
    assert document["reference"] == {"rows": 5_000}
    shop = by_name(drift(REFERENCE, CURRENT))["shop"]
    assert shop["kind"] == "categorical"
    (chunk,) = shop["chunks"]
    assert {"start", "end", "rows", "nulls", "statistics", "status"} <= chunk.keys()
    assert (chunk["start"], chunk["end"]) == (None, None)
    assert set(chunk["statistics"]) == {
        *("psi", "jensen_shannon", "hellinger", "chi_squared", "chi_squared_p_value", "l_infinity")
    }
    assert document["skipped"][0]["column"] == "at"


def test_integers_are_categories_when_asked():
    found = by_name(drift(REFERENCE, CURRENT, categorical=["visits"]))
    assert found["visits"]["kind"] == "categorical"
    with pytest.raises(InvalidInput, match="counted by value"):
        drift(REFERENCE, CURRENT, categorical=["price"])


def test_what_cannot_be_compared_is_skipped_or_refused_when_asked_for():
    odd = CURRENT.assign(visits=CURRENT.visits.astype(str)).drop(columns="member")
    report = drift(REFERENCE, odd)
    reasons = {one.column: one.reason for one in report.skipped}
    assert set(reasons) == {"visits", "member", "at"}
    assert "int64" in reasons["visits"]
    assert "missing in the current rows" in reasons["member"]
    for name in reasons:
        with pytest.raises(SchemaMismatch, match=f"column '{name}'"):
            drift(REFERENCE, odd, columns=["price", name])
    with pytest.raises(InvalidInput, match="neither"):
        drift(REFERENCE, odd, columns=["nope"])


def test_an_identifier_is_skipped_and_ten_thousand_categories_are_not():
    table = pa.table({"id": [str(i) for i in range(60_000)], "k": [str(i % 10_000) for i in range(60_000)]})
    report = drift(table, table)
    assert [found.column for found in report.columns] == ["k"]
    assert "identifier" in report.skipped[0].reason


def test_windows_without_values_give_null_and_a_reason():
    nothing = pd.DataFrame({"price": pd.Series([None, None], dtype=float)})
    (found,) = by_name(drift(REFERENCE[["price"]], nothing)).values()
    (chunk,) = found["chunks"]
    assert chunk["statistics"]["kolmogorov_smirnov"] is None
    assert "no value" in chunk["reasons"]["kolmogorov_smirnov"]
    (empty,) = by_name(drift(REFERENCE[["price"]], nothing[:0])).values()
    assert empty["chunks"][0]["reasons"]["psi"] == "no row in the current window"
    assert drift(REFERENCE[:1], CURRENT[:1]).current_rows == 1
    with pytest.raises(InvalidInput, match="no rows"):
        drift(nothing[:0], REFERENCE)


def test_bad_times_are_named_with_file_column_and_row(tmp_path):
    def message(table):
        path = tmp_path / "c.parquet"
        pq.write_table(table, path)
        with pytest.raises(InvalidInput) as caught:
            drift(table.select(["x"]), path, timestamp="at", every="day")
        return str(caught.value)

    moments = [datetime(2026, 1, 1, tzinfo=UTC), None]
    null = message(pa.table({"x": [1, 2], "at": pa.array(moments, pa.timestamp("us", "UTC"))}))
    assert "c.parquet, row 2: column 'at' holds no time" in null
    far = message(pa.table({"x": [1, 2], "at": pa.array([0, 2**60], pa.timestamp("us"))}))
    assert "c.parquet, row 2: column 'at' holds a time outside the years 1 to 9999" in far
    mixed = message(pa.table({"x": [1, 2], "at": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00"]}))
    assert "a zone (row 1) and without one (row 2)" in mixed
    word = message(pa.table({"x": [1, 2], "at": ["2026-01-01", "soon"]}))
    assert "row 2: column 'at' holds 'soon'" in word
    assert "int64, not times" in message(pa.table({"x": [1, 2], "at": [1, 2]}))


@pytest.mark.parametrize(
    "options",
    [
        {"timestamp": "at"},
        {"every": "day"},
        {"timestamp": "at", "every": "day", "chunk_rows": 5},
        {"chunk_rows": 0},
        {"timestamp": "nope", "every": "day"},
        {"timestamp": "at", "every": "year"},
        {"columns": ["price", "price"]},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(InvalidInput):
        drift(REFERENCE, CURRENT, **options)


def test_a_notebook_sees_a_frame_and_a_table():
    report = mlops_core.drift(REFERENCE, CURRENT, chunk_rows=1_000)
    frame = report.to_frame()
    assert len(frame) == 4 * 3
    assert frame.loc[frame.column == "shop", "rows"].tolist() == [1_000, 1_000, 1_000]
    assert frame["psi"].notna().all()
    assert "psi" in repr(report)
    assert report.worst_first[0].column in repr(report).splitlines()[1]
    hostile = REFERENCE.rename(columns={"price": "<script>"})
    assert "<script>" not in drift(hostile, hostile)._repr_html_()


def test_progress_ends_at_the_total():
    seen = []
    drift(REFERENCE, CURRENT, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (8_000, 8_000)


def test_the_analysis_starts_without_heavy_imports():
    code = "import mlops_core.analysis.drift, sys; print([m for m in ('pandas', 'sklearn', 'sqlalchemy', "
    code += "'duckdb', 'streamlit', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
