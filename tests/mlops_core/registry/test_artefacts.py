import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as skops_io

from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.registry import load_estimator
from mlops_core.registry.artefacts import store_bytes, store_estimator
from tests.factories import run_as_ordinary_user

X = np.random.default_rng(3).normal(size=(200, 3))
Y = (X.sum(axis=1) > 0).astype(int)
ESTIMATORS = {
    "logistic": LogisticRegression(),
    "boosting": make_pipeline(
        ColumnTransformer([("scaled", StandardScaler(), [0, 1])], remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ),
    "forest": RandomForestClassifier(3, random_state=0),
}


class Mine(BaseEstimator):
    """A type of our own, which nobody who loads an artefact has reason to trust."""

    def fit(self, x, y=None):
        self.mean_ = 1.0
        return self

    def transform(self, x):
        return x - self.mean_


def files_in(workspace):
    return [path for path in workspace.artefact_root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_stored_estimator_predicts_the_same_when_it_is_loaded(workspace, name):
    estimator = ESTIMATORS[name].fit(X, Y)
    artefact = store_estimator(workspace, estimator)
    loaded = load_estimator(workspace, artefact.digest)
    assert np.array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    (file,) = files_in(workspace)
    assert file.stat().st_size == artefact.size


def test_equal_estimators_are_stored_once_whenever_and_wherever_they_were_trained(workspace, tmp_path):
    digests = [store_estimator(workspace, estimator.fit(X, Y)).digest for estimator in ESTIMATORS.values()]
    again = [store_estimator(workspace, estimator.fit(X.copy(), Y)) for estimator in ESTIMATORS.values()]
    assert [artefact.digest for artefact in again] == digests
    program = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
real = time.localtime
time.localtime = lambda *_: real(1_000_000_000)  # a zip archive keeps the date of its files
from tests.mlops_core.registry.test_artefacts import ESTIMATORS, X, Y, store_estimator
elsewhere = SimpleNamespace(artefact_root=Path(sys.argv[1]))
for estimator in ESTIMATORS.values():
    print(store_estimator(elsewhere, estimator.fit(X, Y)).digest)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "elsewhere"],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == digests
    assert len(files_in(workspace)) == len(ESTIMATORS)


def test_a_tampered_artefact_is_refused(workspace):
    artefact = store_estimator(workspace, LogisticRegression().fit(X, Y))
    (file,) = files_in(workspace)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="altered since it was stored"):
        load_estimator(workspace, artefact.digest)


def test_a_missing_artefact_is_reported(workspace):
    with pytest.raises(NotFound, match="artefact aaaaaaaaaaaa is not in"):
        load_estimator(workspace, "a" * 64)


def test_an_estimator_that_holds_a_foreign_type_is_refused_before_it_is_stored(workspace):
    with pytest.raises(InvalidInput, match=r"types that are not trusted: .*Mine"):
        store_estimator(workspace, make_pipeline(Mine(), LogisticRegression()).fit(X, Y))
    assert files_in(workspace) == []


def test_an_artefact_that_holds_a_foreign_type_is_not_loaded(workspace):
    foreign = skops_io.dumps(make_pipeline(Mine(), LogisticRegression()).fit(X, Y))
    digest = store_bytes(workspace, foreign, "skops")
    with pytest.raises(InvalidInput, match=r"types that are not trusted: .*Mine"):
        load_estimator(workspace, digest)


def test_an_artefact_that_would_run_code_when_it_is_loaded_is_refused_unrun(workspace, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    estimator = LogisticRegression().fit(X, Y)
    estimator.extra_ = Bomb()
    try:
        digest = store_estimator(workspace, estimator).digest
    except InvalidInput:
        return
    with pytest.raises(InvalidInput, match="not trusted"):
        load_estimator(workspace, digest)
    assert not (tmp_path / "exploded").exists()


def test_an_estimator_that_cannot_be_written_is_refused(workspace):
    estimator = LogisticRegression().fit(X, Y)
    estimator.extra_ = (number for number in range(3))
    with pytest.raises(InvalidInput, match="cannot be stored in the skops format"):
        store_estimator(workspace, estimator)
    assert files_in(workspace) == []


def test_the_archive_is_still_plain_skops(workspace):
    store_estimator(workspace, LogisticRegression().fit(X, Y))
    (file,) = files_in(workspace)
    loaded = skops_io.load(file, trusted=skops_io.get_untrusted_types(file=file))
    assert isinstance(loaded, LogisticRegression)


def test_a_folder_that_cannot_be_written_gives_a_clear_error(workspace):
    program = """
import sys
from pathlib import Path
from types import SimpleNamespace
from sklearn.linear_model import LogisticRegression
from mlops_core.domain.errors import StoreError
from mlops_core.registry.artefacts import store_estimator
try:
    store_estimator(SimpleNamespace(artefact_root=Path(sys.argv[1])), LogisticRegression())
except StoreError as error:
    print(error)
"""
    workspace.artefact_root.mkdir(mode=0o555)
    done = run_as_ordinary_user([sys.executable, "-c", program, workspace.artefact_root])
    assert "cannot be written" in done.stdout, done
    assert "Permission denied" in done.stdout
    assert files_in(workspace) == []
