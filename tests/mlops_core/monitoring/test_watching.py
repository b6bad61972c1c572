from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from sqlmodel import select

from mlops_core.analysis.sources import open_source
from mlops_core.domain import Measurement, Metric, Model, Monitor, StoredSlice
from mlops_core.domain.errors import Conflict, InvalidInput, SchemaMismatch
from mlops_core.domain.states import Level, MonitorKind, ProblemType
from mlops_core.monitoring.reading import read_outcomes, read_slices
from mlops_core.monitoring.watched_file import FileColumns, WatchPlan
from mlops_core.monitoring.watching import watch_file
from mlops_core.monitoring.windows import Window
from mlops_core.registry import champion_of
from mlops_core.registry.models import find_model
from mlops_core.warehouse import warehouse_sql
from mlops_core.workspace import set_clock
from tests.factories import NOW, system

START = datetime(2025, 1, 1, tzinfo=UTC)
UNTIL = START + timedelta(days=20)
COLUMNS = FileColumns("scored_at", "label", score="proba", target="churned", id="key", segments=("country",))
PLAN = WatchPlan("churn", COLUMNS, reference_until=UNTIL)


def scored(rows=4_000, days=60, seed=3, shift_from=1.0):
    """Predictions of a made-up churn model; from a share of the rows on, customers are nine years older."""
    random = np.random.default_rng(seed)
    times = START + pd.to_timedelta(np.sort(random.uniform(0, days * 86_400, rows)), unit="s")
    age = random.normal(45, 14, rows).round()
    age[int(shift_from * rows) :] += 9
    probability = 1 / (1 + np.exp(-((age - 45) / 14 + random.normal(0, 0.5, rows))))
    return pd.DataFrame(
        {
            "scored_at": times.astype("datetime64[us, UTC]"),
            "key": [f"c{number}" for number in range(rows)],
            "age": age,
            "country": random.choice(["DE", "FR", "NL"], rows),
            "label": (probability > 0.4).astype(int),
            "proba": probability,
            "churned": (random.random(rows) < probability).astype(float),
        }
    )


def watch(workspace, frame, plan=PLAN, **options):
    return watch_file(workspace, system(workspace), open_source(frame), plan, **options)


def logged(workspace, log):
    with warehouse_sql() as connection:
        files = workspace.warehouse.files(log)
        return connection.execute(
            "SELECT * FROM read_parquet($f, union_by_name = true)", {"f": files}
        ).to_arrow_table()


def champion(workspace, name="churn"):
    with workspace.store.read() as session:
        return champion_of(session, find_model(session, name))


def metrics(workspace):
    with workspace.store.read() as session:
        return {row.name: row.value for row in session.exec(select(Metric))}


def test_a_file_becomes_a_monitored_model(workspace):
    frame = scored(shift_from=0.8)
    watched = watch(workspace, frame)
    production = frame[frame.scored_at >= UNTIL]
    assert (watched.is_new, watched.problem, watched.known) == (True, "binary", 0)
    assert watched.predictions == watched.outcomes == len(production)
    assert watched.reference_rows == len(frame) - len(production)
    drift = watched.row.finding(MonitorKind.DRIFT)
    assert drift.level == Level.CRITICAL
    assert watched.row.finding(MonitorKind.PERFORMANCE).statistic == "roc_auc"


def test_a_model_without_response_times_has_no_latency_monitor(workspace):
    watched = watch(workspace, scored())
    with workspace.store.read() as session:
        kinds = {row.kind for row in session.exec(select(Monitor))}
    assert kinds == {"drift", "usage", "freshness", "performance", "estimate"}
    assert watched.row.finding(MonitorKind.LATENCY) is None
    assert watched.row.latency.p95 is None


def test_slices_and_figures_are_those_of_the_rows(workspace):
    frame = scored()
    watch(workspace, frame)
    version = champion(workspace)
    window = Window(START + timedelta(days=28), START + timedelta(days=35))
    inside = frame[(frame.scored_at >= window.start) & (frame.scored_at < window.end)]
    assert read_slices(workspace, version, window).rows == len(inside)
    outcomes = read_outcomes(workspace, version, window)
    assert outcomes.rows == len(inside)
    assert outcomes.true_positives == int(((inside.label == 1) & (inside.churned == 1)).sum())
    for country, part in inside.groupby("country"):
        assert read_slices(workspace, version, window, segment=f"country={country}").rows == len(part)
    reference = frame[frame.scored_at < UNTIL]
    found = metrics(workspace)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(reference.churned, reference.proba), abs=0.002)
    assert found["f1"] == pytest.approx(f1_score(reference.churned, reference.label))


def test_the_same_file_again_adds_nothing(workspace):
    frame = scored()
    first = watch(workspace, frame)
    before = (logged(workspace, "predictions/churn"), logged(workspace, "outcomes/churn"))
    again = watch(workspace, frame)
    assert (again.is_new, again.predictions, again.outcomes) == (False, 0, 0)
    assert again.known == first.predictions
    for log, rows in zip(("predictions/churn", "outcomes/churn"), before, strict=True):
        assert len(logged(workspace, log)) == len(rows)


def test_a_newer_file_adds_what_is_new_and_outcomes_that_arrived(workspace):
    whole = scored()
    older = whole.iloc[:3_000].copy()
    older.loc[older.index[-400:], "churned"] = np.nan
    watch(workspace, older)
    newer = watch(workspace, whole)
    assert (newer.predictions, newer.outcomes) == (1_000, 1_400)
    version = champion(workspace)
    production = whole[whole.scored_at >= UNTIL]
    assert read_slices(workspace, version, None).rows == len(production)
    assert read_outcomes(workspace, version, None).rows == len(production)


def test_a_corrected_outcome_replaces_the_one_before(workspace):
    frame = scored(1_000)
    watch(workspace, frame)
    corrected = frame.copy()
    last = corrected.index[-1]
    corrected.loc[last, "churned"] = 1.0 - corrected.loc[last, "churned"]
    set_clock(workspace, system(workspace), NOW + timedelta(hours=1))
    assert watch(workspace, corrected).outcomes == 1
    production = corrected[corrected.scored_at >= UNTIL]
    outcomes = read_outcomes(workspace, champion(workspace), None)
    assert outcomes.rows == len(production)
    assert outcomes.true_positives == int(((production.label == 1) & (production.churned == 1)).sum())
    assert outcomes.false_positives == int(((production.label == 1) & (production.churned == 0)).sum())


@pytest.mark.parametrize("stop_at", ["reading the reference", "logging", "measuring"])
def test_an_interrupted_run_is_made_up_for_by_the_next(workspace, stop_at):
    frame = scored()

    def stop(doing, _share):
        if doing == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(workspace, frame, progress=stop)
    watch(workspace, frame)
    production = frame[frame.scored_at >= UNTIL]
    assert len(logged(workspace, "predictions/churn")) == len(production)
    assert read_slices(workspace, champion(workspace), None).rows == len(production)


def test_rows_without_an_id_are_told_apart_by_what_they_hold(workspace):
    frame = scored(2_000).drop(columns="key")
    frame = pd.concat([frame, frame.iloc[-5:]])
    plan = WatchPlan("churn", FileColumns("scored_at", "label", "proba", "churned"), reference_until=UNTIL)
    first = watch(workspace, frame, plan)
    assert first.predictions == int((frame.scored_at >= UNTIL).sum())
    later = frame.assign(churned=1.0).sample(frac=1.0, random_state=1)
    assert watch(workspace, later, plan).predictions == 0


def test_csv_and_parquet_of_the_same_rows_are_the_same_rows(workspace, tmp_path):
    frame = scored(2_000).drop(columns="key")
    plan = WatchPlan("churn", FileColumns("scored_at", "label", "proba", "churned"), reference_until=UNTIL)
    frame.to_csv(tmp_path / "scores.csv", index=False)
    frame.to_parquet(tmp_path / "scores.parquet")
    assert watch(workspace, tmp_path / "scores.csv", plan).predictions > 0
    assert watch(workspace, tmp_path / "scores.parquet", plan).predictions == 0


def test_several_classes_are_watched_by_their_macro_f1(workspace):
    frame = scored()
    random = np.random.default_rng(5)
    truth = random.choice(["gold", "silver", "bronze"], len(frame))
    guess = np.where(random.random(len(frame)) < 0.7, truth, random.choice(["gold", "silver", "bronze"]))
    frame = frame.assign(tier=truth, guess=guess)
    columns = FileColumns("scored_at", "guess", target="tier", id="key")
    watched = watch(workspace, frame, WatchPlan("tiers", columns, reference_until=UNTIL))
    reference = frame[frame.scored_at < UNTIL]
    expected = f1_score(reference.tier, reference.guess, average="macro")
    assert watched.problem == ProblemType.MULTICLASS
    assert metrics(workspace)["f1_macro"] == pytest.approx(expected)


def test_numbers_are_a_regression(workspace):
    frame = scored()
    frame["spent"] = frame.age * 3.0 + np.random.default_rng(2).normal(0, 10, len(frame))
    columns = FileColumns("scored_at", "proba", target="spent", id="key")
    watched = watch(workspace, frame, WatchPlan("spending", columns, reference_until=UNTIL))
    reference = frame[frame.scored_at < UNTIL]
    rmse = float(np.sqrt(((reference.proba - reference.spent) ** 2).mean()))
    assert watched.problem == ProblemType.REGRESSION
    assert metrics(workspace)["rmse"] == pytest.approx(rmse)


def test_labels_in_words_need_to_say_which_counts_as_one(workspace):
    frame = scored().assign(churned=lambda rows: np.where(rows.churned == 1, "left", "stayed"))
    with pytest.raises(InvalidInput, match=r"'(left|stayed)', neither 0 nor 1.*--positive"):
        watch(workspace, frame)
    frame["label"] = np.where(frame.label == 1, "left", "stayed")
    watched = watch(workspace, frame, WatchPlan("churn", COLUMNS, positive="left", reference_until=UNTIL))
    assert metrics(workspace)["roc_auc"] > 0.6
    assert watched.outcomes == watched.predictions


def test_without_a_reference_the_first_quarter_is_one(workspace):
    frame = scored()
    watched = watch(workspace, frame, WatchPlan("churn", COLUMNS))
    assert watched.reference_rows == pytest.approx(len(frame) / 4, rel=0.1)


def test_a_reference_of_its_own_leaves_every_row_to_production(workspace):
    plan = WatchPlan("churn", COLUMNS, reference=open_source(scored(seed=8)))
    assert watch(workspace, scored(), plan).predictions == 4_000


@pytest.mark.parametrize(
    ("change", "columns", "error", "message"),
    [
        (lambda f: f.drop(columns="proba"), COLUMNS, SchemaMismatch, "no column 'proba'"),
        (lambda f: f.assign(scored_at=1.5), COLUMNS, SchemaMismatch, "holds double, not times"),
        (lambda f: f.iloc[:0], COLUMNS, InvalidInput, "no rows"),
        (lambda f: f[f.scored_at >= UNTIL], COLUMNS, InvalidInput, "no rows before 21 Jan 2025"),
        (
            lambda f: f.assign(proba=f.proba + 0.7),
            COLUMNS,
            InvalidInput,
            r"row \d+: column 'proba' holds 1\.\d+, outside \[0, 1\]",
        ),
        (lambda f: f.assign(key=None), COLUMNS, InvalidInput, "every prediction needs its id"),
        (lambda f: f.assign(label=np.nan), COLUMNS, InvalidInput, "column 'label' of .* is empty"),
        (
            lambda f: f.rename(columns={"country": "outcome"}),
            FileColumns("scored_at", "label", "proba", "churned", "key", ("outcome",)),
            InvalidInput,
            "rename it",
        ),
        (lambda f: f, FileColumns("scored_at", "label", "label"), InvalidInput, "two things at once"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_nothing_is_stored(
    workspace, change, columns, error, message
):
    with pytest.raises(error, match=message):
        watch(workspace, change(scored(500)), WatchPlan("churn", columns, reference_until=UNTIL))
    with workspace.store.read() as session:
        assert session.exec(select(Model)).all() == []
        assert session.exec(select(StoredSlice)).all() == []


def test_a_time_that_is_missing_is_named_by_its_row(workspace):
    frame = scored(500)
    frame.loc[41, "scored_at"] = pd.NaT
    with pytest.raises(InvalidInput, match=r"row 42: column 'scored_at' is empty"):
        watch(workspace, frame)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("proba", 1.3, r"row 491: column 'proba' holds 1.3, outside \[0, 1\]"),
        ("key", "c480", r"row 491: column 'key' holds 'c480', the id of row 481, which is another one"),
        (
            "scored_at",
            datetime(2036, 1, 1, tzinfo=UTC),
            r"row 491: .* 2036-01-01 00:00, before 1970 or in the future",
        ),
    ],
)
def test_a_bad_row_behind_the_reference_is_named_as_in_the_file_and_nothing_is_stored(
    workspace, column, value, message
):
    frame = scored(500)
    frame.loc[490, column] = value
    with pytest.raises(InvalidInput, match=message):
        watch(workspace, frame)
    with workspace.store.read() as session:
        assert session.exec(select(Model)).all() == []


def test_whole_numbers_of_few_values_are_classes_also_where_some_are_not_known(workspace):
    frame = scored()
    frame["kind"] = np.digitize(frame.proba, [0.3, 0.6])
    frame["truth"] = np.where(np.arange(len(frame)) % 5 == 0, np.nan, np.digitize(frame.age, [40, 55]))
    columns = FileColumns("scored_at", "kind", target="truth", id="key")
    watched = watch(workspace, frame, WatchPlan("kinds", columns, reference_until=UNTIL))
    known = frame[(frame.scored_at < UNTIL) & frame.truth.notna()]
    assert watched.problem == ProblemType.MULTICLASS
    assert metrics(workspace)["f1_macro"] == pytest.approx(f1_score(known.truth, known.kind, average="macro"))


def test_other_columns_than_the_first_time_are_refused(workspace):
    watch(workspace, scored(1_000))
    other = FileColumns("scored_at", "label", "proba", "churned", "key")
    with pytest.raises(Conflict, match="another segments"):
        watch(workspace, scored(1_000), WatchPlan("churn", other, reference_until=UNTIL))
    with pytest.raises(Conflict, match="reference until"):
        watch(workspace, scored(1_000), WatchPlan("churn", COLUMNS, reference_until=START))


def test_identifiers_and_times_are_left_out_with_the_reason(workspace):
    frame = scored(500).assign(born=START)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    watched = watch(workspace, table)
    assert "neither numbers nor categories" in watched.skipped["born"]


@pytest.mark.parametrize(("rows", "days"), [(6_000, 7), (24_000, 1)])
def test_a_model_that_predicts_too_little_a_day_is_watched_by_the_week(workspace, rows, days):
    watch(workspace, scored(rows))
    with workspace.store.read() as session:
        assert {monitor.window_days for monitor in session.exec(select(Monitor))} == {days}


def test_the_drift_of_a_few_rows_is_measured_and_the_window_before_is_judged(workspace):
    frame = scored(6_000, days=60, shift_from=0.5)
    monday = pd.Timestamp("2025-02-24", tz="UTC")
    before = frame[frame.scored_at < monday]
    watched = watch(workspace, pd.concat([before, frame[frame.scored_at >= monday].head(150)]))
    drift = [finding for finding in watched.row.findings if finding.kind == MonitorKind.DRIFT]
    rows = len(before[before.scored_at >= monday - timedelta(days=7)])
    assert {(finding.rows, finding.window_start) for finding in drift} == {(rows, monday - timedelta(days=7))}
    assert next(finding for finding in drift if finding.column == "age").level == Level.CRITICAL
    with workspace.store.read() as session:
        few = session.exec(
            select(Measurement).where(Measurement.rows == 150, Measurement.column == "age")
        ).one()
    assert few.level == Level.UNKNOWN
    assert few.value > 0.25


def test_a_file_of_a_few_rows_is_not_judged_at_all(workspace):
    watched = watch(workspace, scored(300))
    drift = [finding for finding in watched.row.findings if finding.kind == MonitorKind.DRIFT]
    assert {finding.level for finding in drift} == {Level.UNKNOWN}
    assert "is not judged" in drift[0].sentence
