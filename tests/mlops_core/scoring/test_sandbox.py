import io
import json
import os
import pickle
import threading
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from skops import io as skops_io
from threadpoolctl import threadpool_limits

from mlops_core.domain.errors import ArtefactRefused, InvalidInput, OutOfMemory, OutOfTime, ScoringError
from mlops_core.domain.states import ProblemType
from mlops_core.registry.artefacts import artefact_path
from mlops_core.scoring import Limits, open_model
from tests.mlops_core.scoring.watching import is_there, wait_until

RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "income": np.where(RANDOM.random(800) < 0.1, np.nan, RANDOM.normal(50, 15, 800)),
        "age": RANDOM.integers(18, 90, 800),
        "region": RANDOM.choice(["north", "south", "west"], 800),
    }
)
ROWS = pa.Table.from_pandas(FRAME, preserve_index=False)
YES = (FRAME["age"] + RANDOM.normal(0, 20, 800) > 55).astype(int).to_numpy()
WORDS = np.array(["lapsed", "occasional", "regular", "top"])[RANDOM.integers(0, 2, 800) + 2 * YES]
NUMBERS = ["age"]
ENCODED = (OneHotEncoder(sparse_output=False), ["region"])
LINEAR = make_column_transformer((StandardScaler(), NUMBERS), ENCODED)
TREES = make_column_transformer((OrdinalEncoder(), ["region"]), remainder="passthrough")
ESTIMATORS = {
    "logistic": (ProblemType.BINARY, make_pipeline(LINEAR, LogisticRegression()), YES),
    "boosting": (
        ProblemType.BINARY,
        make_pipeline(TREES, HistGradientBoostingClassifier(max_iter=5, random_state=0)),
        YES,
    ),
    "labels alone": (ProblemType.BINARY, make_pipeline(LINEAR, RidgeClassifier()), YES),
    "forest": (
        ProblemType.MULTICLASS,
        make_pipeline(TREES, RandomForestClassifier(5, random_state=0, n_jobs=2)),
        WORDS,
    ),
    "numbered classes": (ProblemType.MULTICLASS, make_pipeline(LINEAR, LogisticRegression()), 3 * YES),
    "line": (ProblemType.REGRESSION, make_pipeline(LINEAR, LinearRegression()), FRAME["age"] * 2.5),
    "line of a column": (
        ProblemType.REGRESSION,
        make_pipeline(LINEAR, LinearRegression()),
        FRAME[["age"]] * 2.5,
    ),
    "groups": (ProblemType.CLUSTERING, make_pipeline(LINEAR, KMeans(3, n_init=1, random_state=0)), None),
}
PLAIN = ROWS.select(["income", "age"])


class Touch:
    """What pickle runs when it loads this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def fitted(name):
    problem, estimator, truth = ESTIMATORS[name]
    with threadpool_limits(1):
        return problem, estimator.fit(FRAME, truth)


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def rewritten(archive, change):
    """The archive with another description."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as before, zipfile.ZipFile(written, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, change(content.decode()) if name == "schema.json" else content)
    return written.getvalue()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_predictions_are_exactly_those_of_the_estimator_itself(workspace, version_of, name):
    problem, estimator = fitted(name)
    with open_model(workspace, version_of(estimator, problem=problem, columns=FRAME.columns)) as opened:
        found = opened.predict(ROWS)
    # Trees that answer side by side are added up in the order in which they come.
    with threadpool_limits(1), joblib.parallel_config("sequential"):
        has_chances = hasattr(estimator, "predict_proba")
        if problem == ProblemType.BINARY and has_chances:
            assert np.array_equal(found.prediction, estimator.predict_proba(FRAME)[:, 1])
        else:
            assert np.array_equal(found.prediction, np.ravel(estimator.predict(FRAME)))
        if problem == ProblemType.MULTICLASS and has_chances:
            chances = estimator.predict_proba(FRAME)
            assert np.array_equal(found.probabilities, chances)
            assert np.array_equal(found.score, chances.max(axis=1))
            assert found.classes == tuple(str(one) for one in estimator.classes_)
        else:
            assert found.probabilities is found.score is found.classes is None
    assert found.seconds > 0


def test_columns_are_handed_over_in_the_order_of_the_version_and_others_left_out(workspace, version_of):
    _, estimator = fitted("line")
    with open_model(workspace, version_of(estimator, columns=FRAME.columns)) as opened:
        turned = ROWS.append_column("more", ROWS["age"]).select(["more", "region", "age", "income"])
        assert np.array_equal(opened.predict(turned).prediction, opened.predict(ROWS).prediction)
        assert opened.columns == ("income", "age", "region")


def test_columns_are_handed_over_as_they_are_given_if_that_is_wanted(workspace, version_of):
    by_place = LinearRegression().fit(FRAME[["age"]].assign(more=1.5).to_numpy(), FRAME["age"])
    by_name = LinearRegression().fit(FRAME[["age"]].assign(more=1.5), FRAME["age"])
    rows = pa.table({"other": FRAME["age"], "more": np.full(800, 1.5), "age": FRAME["age"]})
    turned = rows.select(["more", "age"]).to_pandas().to_numpy()
    with open_model(workspace, version_of(by_place, columns=["age", "more"])) as opened:
        found = opened.predict(rows, as_given=True).prediction
        assert np.array_equal(found, by_place.predict(turned))
    with open_model(workspace, version_of(by_name, columns=["age", "more"])) as opened:
        with pytest.raises(ScoringError, match="Feature names"):
            opened.predict(rows, as_given=True)
        opened.predict(rows)


def test_a_model_says_how_large_it_is_and_how_long_it_took_to_load(workspace, version_of):
    version = version_of(fitted("line")[1])
    with open_model(workspace, version) as opened:
        file = artefact_path(workspace, version.artefact_digest, "skops")
        assert opened.artefact_bytes == file.stat().st_size
        assert 0 < opened.load_seconds < 30
        assert opened.warnings == ()


def test_rows_without_a_column_or_no_rows_are_refused_by_name(workspace, version_of):
    with open_model(workspace, version_of(fitted("line")[1], columns=FRAME.columns)) as opened:
        with pytest.raises(InvalidInput, match="lack columns of a-regression:1: income, region"):
            opened.predict(ROWS.select(["age"]))
        with pytest.raises(InvalidInput, match="no rows"):
            opened.predict(ROWS.slice(0, 0))


@pytest.mark.parametrize("suffix", ["pkl", "skops"])
def test_a_pickle_does_not_run_under_whatever_name(workspace, version_of, tmp_path, suffix):
    version = version_of(pickle.dumps(Touch(tmp_path / "ran")), suffix=suffix)
    with (
        pytest.raises(ArtefactRefused, match=r"never loaded|no skops archive"),
        open_model(workspace, version),
    ):
        pass
    assert not (tmp_path / "ran").exists()


def test_a_skops_file_that_names_a_function_of_the_system_is_refused(workspace, version_of):
    version = version_of(FunctionTransformer(os.system))
    with pytest.raises(ArtefactRefused, match=r"not trusted: posix\.system"), open_model(workspace, version):
        pass


def test_a_type_that_only_these_tests_trust_is_refused_without_them(
    workspace, version_of, hostile, monkeypatch
):
    hostile("nothing")
    monkeypatch.undo()
    with pytest.raises(ArtefactRefused, match=r"hostile\.Hostile"):
        hostile("nothing")


def test_an_altered_a_truncated_and_a_missing_artefact_are_refused_with_the_reason(workspace, version_of):
    version = version_of(fitted("line")[1])
    file = artefact_path(workspace, version.artefact_digest, "skops")
    whole = file.read_bytes()
    for changed in (whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        file.write_bytes(changed)
        with pytest.raises(ArtefactRefused, match="altered or cut short"), open_model(workspace, version):
            pass
    file.unlink()
    with pytest.raises(ArtefactRefused, match="restore it from a backup"), open_model(workspace, version):
        pass


def test_what_was_stored_damaged_is_refused(workspace, version_of):
    whole = skops_io.dumps(fitted("line")[1])
    for damaged in (whole[: len(whole) // 2], b"", b"PK\x03\x04", rewritten(whole, lambda text: text[:-9])):
        with (
            pytest.raises(ArtefactRefused, match="no skops archive"),
            open_model(workspace, version_of(damaged)),
        ):
            pass


def test_a_version_that_runs_elsewhere_is_refused(workspace, version_of):
    version = version_of(b"")
    version.artefact_format = "none"
    with pytest.raises(ArtefactRefused, match="runs elsewhere"), open_model(workspace, version):
        pass


def test_an_artefact_of_another_scikit_learn_is_loaded_with_a_warning(workspace, version_of):
    estimator = fitted("line")[1]
    old = rewritten(
        skops_io.dumps(estimator),
        lambda text: text.replace(json.dumps(json.dumps(sklearn.__version__)), json.dumps('"1.2.3"')),
    )
    with open_model(workspace, version_of(old, columns=FRAME.columns)) as opened:
        assert opened.warnings == (
            f"a-regression:1: written by scikit-learn 1.2.3, loaded by {sklearn.__version__}",
        )
        assert np.array_equal(opened.predict(ROWS).prediction, estimator.predict(FRAME))


def test_a_model_that_never_returns_is_stopped_and_may_be_asked_again(hostile):
    opened = hostile("never_return_many_rows", seconds=0.5)
    first = opened.predict(PLAIN.slice(0, 3))
    with pytest.raises(OutOfTime, match=r"a-regression:1 did not answer within 0\.5 s"):
        opened.predict(PLAIN)
    assert np.array_equal(opened.predict(PLAIN.slice(0, 3)).prediction, first.prediction)


def test_a_model_that_is_busy_for_ever_is_stopped(hostile):
    with pytest.raises(OutOfTime):
        hostile("never_return", seconds=0.3).predict(PLAIN)


@pytest.mark.parametrize("deed", ["eat_at_once", "eat_bit_by_bit"])
def test_a_model_that_eats_memory_is_stopped(hostile, deed):
    opened = hostile(deed, memory_bytes=60 * 1024**2)
    with pytest.raises(OutOfMemory, match="60 MiB"):
        opened.predict(PLAIN)


def test_an_artefact_that_needs_more_memory_than_it_may_have_is_not_loaded(workspace, version_of):
    heavy = LinearRegression().fit(np.eye(2), [0, 1])
    heavy.coef_ = np.zeros(10_000_000)
    limits = Limits(memory_bytes=30 * 1024**2)
    with pytest.raises(OutOfMemory, match="to load"), open_model(workspace, version_of(heavy), limits=limits):
        pass


@pytest.mark.parametrize(
    ("deed", "kind", "sentence"),
    [
        ("raise", ScoringError, "failed to answer: ValueError: the age is 212"),
        ("exit", ScoringError, "failed to answer: SystemExit: gone"),
        ("end_the_process", ScoringError, r"ended its process \(3\)"),
        ("crash", ScoringError, "crashed .*SIGSEGV"),
        ("be_killed", OutOfMemory, "the system killed it"),
        ("use_up_the_processor", OutOfTime, "processor time"),
        ("answer_too_few", ScoringError, r"shape \(799,\), not \(800,\)"),
        ("answer_objects", ScoringError, "failed to answer"),
        ("answer_a_date", ScoringError, "datetime64"),
    ],
)
def test_whatever_goes_wrong_is_reported_and_the_model_may_be_asked_again(hostile, deed, kind, sentence):
    opened = hostile(deed)
    for _ in range(2):
        with pytest.raises(kind, match=sentence):
            opened.predict(PLAIN)


def test_what_a_model_prints_disturbs_nobody(hostile, capfd):
    assert hostile("print").predict(PLAIN).prediction.tolist() == [7.0] * 800
    assert capfd.readouterr() == ("", "")


def test_a_model_has_one_thread_and_no_descriptor_but_its_own(hostile):
    assert hostile("tell_the_threads").predict(PLAIN).prediction[0] == 1
    assert (
        hostile("tell_descriptors").predict(PLAIN).prediction[0] <= 7
    )  # 3 to nowhere, 3 of its channel, 1 to look


def test_a_model_writes_removes_runs_and_kills_nothing(hostile, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("as it was")
    for deed, argument in (
        ("write", tmp_path / "new"),
        ("write", kept),
        ("remove", kept),
        ("run_a_program", ""),
        ("kill", os.getpid()),
    ):
        assert hostile(deed, argument).predict(PLAIN).prediction[0] == 0, deed
    assert kept.read_text() == "as it was"
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["kept"]


def test_whom_a_model_leaves_behind_is_ended_with_it(hostile):
    opened = hostile("leave_somebody_behind")
    pid = opened.predict(PLAIN).prediction[0]
    assert is_there(pid)
    opened.close()
    assert wait_until(lambda: not is_there(pid))


def test_twenty_models_one_after_another_leave_nothing_open(workspace, hostile, version_of):
    hostile("nothing").close()
    before, started = descriptors(), []
    version = version_of(fitted("line")[1], columns=FRAME.columns)
    for _ in range(20):
        with open_model(workspace, version) as opened:
            opened.predict(ROWS)
            started.append(opened._process.pid)
    assert descriptors() == before
    assert not any(is_there(pid) for pid in started)
    assert len(set(started)) == 20


def test_two_threads_score_at_once_with_two_models_and_with_one(workspace, version_of):
    _, estimator = fitted("line")
    version = version_of(estimator, columns=FRAME.columns)
    wanted, wrong = estimator.predict(FRAME), []

    def score(opened, first):
        for _ in range(10):
            found = opened.predict(ROWS.slice(first)).prediction
            if not np.array_equal(found, wanted[first:]):
                wrong.append(first)

    with open_model(workspace, version) as one, open_model(workspace, version) as other:
        pairs = [(one, 0), (one, 5), (other, 9), (other, 700)]
        threads = [threading.Thread(target=score, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_each_request_is_timed_in_milliseconds(hostile):
    milliseconds = hostile("nap").time_requests(PLAIN, 1, 12)
    assert milliseconds.shape == (12,)
    assert (milliseconds >= 20).all()


def test_timing_stops_before_its_time_is_over(hostile):
    milliseconds = hostile("nap", seconds=2).time_requests(PLAIN, 500, 10_000)
    assert 1 <= len(milliseconds) < 200


def test_a_limit_is_above_zero():
    with pytest.raises(InvalidInput, match="seconds"):
        Limits(seconds=0)
    with pytest.raises(InvalidInput, match="memory_bytes"):
        Limits(memory_bytes=float("nan"))
