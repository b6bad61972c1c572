import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skops import io as skops_io

from mlops_core.domain.errors import InvalidInput
from mlops_core.registry.skops_archive import foreign_types, normalise, read_archive

RANDOM = np.random.default_rng(4)
FRAME = pd.DataFrame(
    {"income": RANDOM.normal(size=80), "age": RANDOM.normal(size=80), "region": RANDOM.choice(["n", "s"], 80)}
)
Y = (FRAME["income"] > 0).astype(int)
PIPELINE = make_pipeline(
    ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), SelectKBest(f_classif, k=1)), ["income", "age"]),
            ("words", OneHotEncoder(), ["region"]),
        ]
    ),
    HistGradientBoostingClassifier(max_iter=3, learning_rate=0.3),
).fit(FRAME, Y)
NUMBERS = FRAME[["income", "age"]]
ESTIMATORS = {
    "pipeline": PIPELINE,
    "forest": RandomForestRegressor(3).fit(NUMBERS.to_numpy(), Y),
    "gradient": SGDClassifier(loss="log_loss").fit(NUMBERS, Y),
}


def archive(estimator):
    return io.BytesIO(skops_io.dumps(estimator))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_types_are_found_as_skops_finds_them_with_all_the_arrays_in_hand(name):
    data = archive(ESTIMATORS[name])
    untrusted = skops_io.get_untrusted_types(data=data.getvalue())
    assert foreign_types(data, "it") == [
        one for one in untrusted if not one.startswith(("sklearn.", "numpy.", "scipy."))
    ]


def test_an_archive_says_what_its_estimator_is_without_being_loaded():
    found = read_archive(archive(PIPELINE), "it")
    assert (found.name, found.columns) == ("HistGradientBoostingClassifier", tuple(FRAME))
    assert found.parameters["histgradientboostingclassifier__learning_rate"] == 0.3
    plain = {
        name: value
        for name, value in PIPELINE.get_params().items()
        if isinstance(value, str | int | float | bool) and name.count("__") < 2
    }
    assert plain.items() <= found.parameters.items()
    unnamed = read_archive(archive(ESTIMATORS["forest"]), "it")
    assert (unnamed.name, unnamed.columns) == ("RandomForestRegressor", None)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_normalised_archive_is_the_same_estimator(name):
    written = io.BytesIO()
    normalise(archive(ESTIMATORS[name]), written, "it")
    data = written.getvalue()
    loaded = skops_io.loads(data, trusted=skops_io.get_untrusted_types(data=data))
    rows = FRAME if name == "pipeline" else NUMBERS
    rows = rows.to_numpy() if name == "forest" else rows
    assert np.array_equal(loaded.predict(rows), ESTIMATORS[name].predict(rows))


def test_a_packed_archive_becomes_the_same_bytes_as_an_unpacked_one():
    packed = io.BytesIO(skops_io.dumps(PIPELINE, compression=zipfile.ZIP_DEFLATED))
    one, other = io.BytesIO(), io.BytesIO()
    normalise(packed, one, "it")
    normalise(archive(PIPELINE), other, "it")
    assert one.getvalue() == other.getvalue()


@pytest.mark.parametrize("function", [np.load, np.memmap, np.fromfile, np.genfromtxt])
def test_a_function_that_reads_files_is_not_trusted_though_numpy_has_it(function):
    (found,) = foreign_types(archive(FunctionTransformer(function).fit(FRAME)), "it")
    assert found.endswith(f".{function.__name__}")


def test_a_function_that_computes_is_trusted():
    assert foreign_types(archive(FunctionTransformer(np.log1p).fit(NUMBERS)), "it") == []


def zipped(**members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("_json", ".json"), content)
    return data


@pytest.mark.parametrize(
    "data",
    [
        io.BytesIO(b"not a zip"),
        zipped(other="x"),
        zipped(schema_json="{"),
        zipped(schema_json="[]"),
        zipped(schema_json="{}"),
        zipped(schema_json=b"\xff\xfe"),
        zipped(schema_json=json.dumps({"__class__": "X", "__module__": "y", "__loader__": "Nothing"})),
        zipped(schema_json='{"__class__": "X", "content": ' + "[" * 50_000 + "]" * 50_000 + "}"),
    ],
    ids=["no zip", "no description", "half JSON", "a list", "nothing", "no text", "no loader", "deep"],
)
def test_what_is_no_skops_archive_is_refused(data):
    with pytest.raises(InvalidInput, match="the file is no skops archive, or a truncated one"):
        foreign_types(data, "the file")


def test_an_archive_that_lacks_an_array_is_refused():
    whole = archive(ESTIMATORS["gradient"])
    without = io.BytesIO()
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(without, "w") as after:
        after.writestr("schema.json", before.read("schema.json"))
    with pytest.raises(InvalidInput, match="truncated"):
        normalise(without, io.BytesIO(), "the file")
