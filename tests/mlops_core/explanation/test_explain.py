"""An explanation of a model of which one column shifted in one region."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sqlmodel import select

from mlops_core.domain import Model, ModelVersion
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.domain.states import Level
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.performance import _figures, measure_performance
from mlops_core.monitoring.estimating import estimate_windows
from mlops_core.monitoring.windows import Window
from mlops_core.registry.importance import Importance
from tests.mlops_core.explanation.department import DRIFT, END, START, Department, window
from tests.mlops_core.monitoring.figures import population_stability_index


@pytest.fixture(scope="module")
def department(tmp_path_factory):
    department = Department(tmp_path_factory.mktemp("department"))
    yield department
    department.workspace.close()


@pytest.fixture(scope="module")
def found(department):
    return explain_model(department.workspace, "churn-risk")


def test_it_takes_the_newest_four_weeks_and_names_what_drifted_and_since_when(found, department):
    assert found.window == Window(END - timedelta(weeks=4), END)
    assert found.headline == ("churn-risk drifted in 2 of 3 columns: income, prediction, since 24 Feb")
    assert (found.model, found.version, found.statistic, found.segment) == ("churn-risk", 1, "psi", "")
    assert (found.rows, found.reference_rows) == (len(department.inside(found.window)), 600)
    assert [one.column for one in found.columns] == ["income", "prediction", "age"]
    assert [one.drifted for one in found.columns] == [True, True, False]
    assert found.since == DRIFT


def test_the_values_and_the_trend_are_those_of_the_rows(found, department):
    income = found.columns[0]
    reference = department.reference()["income"]
    assert income.value == pytest.approx(
        population_stability_index(reference, department.inside(found.window)["income"]), rel=0.02
    )
    assert found.weeks == [window(number) for number in range(6)]
    expected = [
        population_stability_index(reference, department.inside(week)["income"]) for week in found.weeks
    ]
    assert income.trend == pytest.approx(expected, rel=0.05, abs=0.005)


def test_the_sentence_gives_the_shares_of_the_rows(found, department):
    move = found.columns[0].move
    bound = float(move.label.removesuffix(" and more"))
    for rows, share in ((department.reference(), move.before), (department.inside(found.window), move.after)):
        assert share == pytest.approx((rows["income"] >= bound).mean(), abs=0.005)
    assert move.rows == pytest.approx((department.inside(found.window)["income"] >= bound).sum(), abs=3)
    assert move.sentence.startswith(f"Predictions with income of {move.label} rose from ")
    assert f" since 24 Feb (n = {move.rows:,})" in move.sentence


def test_the_region_in_which_it_happened_is_named_first(found, department):
    income = found.columns[0]
    assert income.segments[0].segment == "region=west"
    assert income.segments[0].explained > 0.8
    assert "of it happened with region west, which has " in income.segments_sentence
    rows = department.inside(found.window)
    assert {one.segment.removeprefix("region="): one.rows for one in income.segments} == dict(
        rows["region"].value_counts()
    )
    assert found.columns[2].segments == []


def test_the_shares_of_each_window_add_up_to_one(found):
    assert set(found.shares) == {one.column for one in found.columns}
    for shares in found.shares.values():
        assert sum(shares.reference) == pytest.approx(1)
        assert sum(shares.current) == pytest.approx(1)


def test_accuracy_is_that_of_the_outcomes_of_the_window_and_of_the_weeks_before(found, department):
    said = found.performance

    def auc(one: Window) -> float:
        rows = department.inside(one)
        rows = rows[rows["predicted_at"] < window(5).start]
        return roc_auc_score(rows["answer"], department.sick.scores(rows))

    assert said.metric == "roc_auc"
    assert said.measured == pytest.approx(auc(found.window), abs=0.002)
    assert said.measured_before == pytest.approx(auc(Window(START, found.window.start)), abs=0.002)
    assert said.lower < said.measured < said.upper
    assert (said.held_out, said.rows) == (0.8, 2_400)
    assert said.followed is True
    assert said.sentence == (
        f"Measured AUC fell from {said.measured_before:.3f} to {said.measured:.3f} "
        f"({said.lower:.3f}–{said.upper:.3f}): accuracy followed."
    )


def test_accuracy_is_compared_with_the_weeks_before_the_drift_not_with_those_in_it(department):
    found = explain_model(department.workspace, "churn-risk", window=Window(DRIFT + timedelta(days=4), END))
    before = department.inside(Window(START, DRIFT))
    expected = roc_auc_score(before["answer"], department.sick.scores(before))
    assert found.performance.measured_before == pytest.approx(expected, abs=0.002)
    assert found.performance.followed is True


def test_accuracy_that_stayed_did_not_follow_or_where_nothing_drifted_did_not_fall(department):
    said = explain_model(department.workspace, "churn-risk", window=window(2, 2)).performance
    assert said.followed is False
    assert said.sentence.endswith(f" against {said.measured_before:.3f} before: accuracy did not fall.")
    said, _ = performance_of(department, department.sick.model, window(2, 2), since=window(2).start)
    assert said.sentence.endswith(f" against {said.measured_before:.3f} before: accuracy did not follow.")


def test_the_first_weeks_are_compared_with_held_out_data(department):
    said = explain_model(department.workspace, "churn-risk", window=window(0, 2)).performance
    assert said.measured_before is None
    assert "0.800 on held-out data" in said.sentence


def test_outcomes_that_are_not_known_yet_are_said_to_be_and_accuracy_is_estimated(department):
    said = explain_model(department.workspace, "churn-risk", window=window(5)).performance
    assert (said.measured, said.followed, said.rows) == (None, None, 0)
    now, before = estimate_windows(
        department.workspace, department.sick.version, "roc_auc", [window(5), window(0, 5)]
    )
    assert (said.estimated, said.estimated_before) == (now.value, before.value)
    assert said.sentence.startswith(
        f"No outcomes of this window are known yet; estimated AUC {now.value:.3f}"
    )


def test_where_few_outcomes_are_known_their_share_and_the_estimate_are_given(department):
    few = Window(window(5).start - timedelta(days=1), window(5).end)
    said = explain_model(department.workspace, "churn-risk", window=few).performance
    rows = department.inside(few)
    known = (rows["predicted_at"] < window(5).start).sum()
    assert said.rows == known
    assert f", {100 * known / len(rows):.0f} % of outcomes in" in said.sentence
    assert said.sentence.endswith(f"; estimated AUC {said.estimated:.3f}.") == (said.estimated_before is None)


def test_an_error_that_grows_with_the_metric_is_worse(department):
    said = explain_model(department.workspace, "basket-value").performance
    assert said.metric == "rmse"
    assert said.followed is False


def test_a_model_that_did_not_drift_says_so(department):
    found = explain_model(department.workspace, "basket-value")
    assert found.headline.startswith("basket-value did not drift: of 3 columns ")
    assert (found.drifted, found.since) == ([], None)
    assert all(one.level == Level.IN_RANGE for one in found.columns)
    assert all(one.move is not None for one in found.columns)


def test_another_window_may_be_the_reference(department):
    found = explain_model(department.workspace, "churn-risk", window=window(4, 2), reference=window(0, 3))
    assert found.reference_rows == 2_400
    assert found.headline == (
        "churn-risk drifted against 27 Jan to 16 Feb in 2 of 3 columns: income, prediction, since 24 Feb"
    )
    expected = population_stability_index(
        department.inside(window(0, 3))["income"], department.inside(window(4, 2))["income"]
    )
    assert found.columns[0].value == pytest.approx(expected, rel=0.05)
    assert found.columns[0].segments[0].segment == "region=west"


def test_a_segment_is_compared_with_itself(department):
    found = explain_model(department.workspace, "churn-risk", window=window(4, 2), segment="region=west")
    reference = department.reference()
    assert found.reference_rows == (reference["region"] == "west").sum()
    assert found.rows == (department.inside(window(4, 2))["region"] == "west").sum()
    assert found.headline.startswith("churn-risk (region west) drifted in ")
    assert found.columns[0].column == "income"
    assert found.columns[0].move.sentence.startswith("Of predictions with region west, those with income ")
    assert found.columns[0].segments == []
    assert any("inside a segment" in note for note in found.notes)
    calm = explain_model(department.workspace, "churn-risk", window=window(4, 2), segment="region=north")
    assert calm.drifted == []
    assert calm.performance.rows == (department.inside(window(4))["region"] == "north").sum()


def test_any_statistic_can_be_asked_for(department):
    by_distance = explain_model(department.workspace, "churn-risk", statistic="wasserstein")
    assert {one.level for one in by_distance.columns} == {Level.UNJUDGED}
    assert by_distance.headline.startswith("churn-risk moved: of 3 columns income moved furthest")
    by_p_value = explain_model(department.workspace, "churn-risk", statistic="kolmogorov_smirnov_p_value")
    assert by_p_value.columns[0].column == "income"
    by_value = explain_model(department.workspace, "churn-risk", statistic="l_infinity")
    assert {one.level for one in by_value.columns} == {Level.UNKNOWN}


def test_another_statistic_needs_no_reading(department, found, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("slices are read once")

    monkeypatch.setattr("mlops_core.explanation.history.merge_encoded", refuse)
    monkeypatch.setattr("mlops_core.explanation.segment_slices.merge_groups", refuse)
    monkeypatch.setattr("mlops_core.explanation.history.read_slices", refuse)
    monkeypatch.setattr("mlops_core.explanation.performance.read_outcomes", refuse)
    again = explain_model(department.workspace, "churn-risk", statistic="hellinger")
    assert [one.column for one in again.drifted] == [one.column for one in found.drifted]


# ── bad input ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"name": "gone"}, NotFound, "there is no model 'gone'"),
        ({"name": "not-yet"}, NotFound, "'not-yet' has no champion: promote a version first"),
        ({"name": "silent"}, InvalidInput, "'silent' has not predicted yet: log predictions"),
        ({"statistic": "nonsense"}, InvalidInput, "no statistic 'nonsense': choose from .*psi"),
        ({"segment": "region=east"}, NotFound, "no segment 'region=east': choose one of region=north"),
        ({"window": window(9)}, InvalidInput, "made no prediction in 31 Mar 2025 to 6 Apr 2025: choose days"),
        ({"reference": window(-9)}, InvalidInput, "made no prediction in 25 Nov 2024"),
        ({"window": window(2, 2), "reference": window(3, 2)}, InvalidInput, "overlap, so that rows would be"),
        ({"window": window(2, 0)}, InvalidInput, "is empty: the end must be later"),
    ],
)
def test_bad_input_is_answered_in_words(department, asked, error, message):
    with pytest.raises(error, match=message):
        explain_model(department.workspace, **({"name": "churn-risk"} | asked))


def test_a_window_of_a_few_rows_is_shown_and_not_judged(department):
    few = Window(START, START + timedelta(days=1))
    found = explain_model(department.workspace, "churn-risk", window=few, segment="region=west")
    assert 0 < found.rows < 200
    assert found.headline.startswith("churn-risk (region west) cannot be judged: ")
    assert {one.level for one in found.columns} == {Level.UNKNOWN}
    assert any("fewer than 200: nothing is judged" in note for note in found.notes)


def test_the_accuracy_of_a_few_rows_is_not_estimated(department):
    day = Window(window(5).start, window(5).start + timedelta(days=1))
    found = explain_model(department.workspace, "churn-risk", window=day, segment="region=west")
    assert (found.performance.measured, found.performance.estimated) == (None, None)
    few = f"AUC is not estimated: {found.rows} predictions are too few, 200 are needed"
    assert few in found.notes


def test_a_version_without_importance_is_ranked_by_movement_and_says_so(department, monkeypatch):
    monkeypatch.setattr("mlops_core.explanation.explain.importance_of", lambda *_: None)
    found = explain_model(department.workspace, "churn-risk")
    assert any("ranked by movement alone" in note for note in found.notes)
    assert {one.importance for one in found.columns} == {None}


def test_importance_is_shown_relative_to_the_largest(department, monkeypatch):
    recorded = Importance({"income": 0.02, "age": 0.2}, "declared", 0)
    monkeypatch.setattr("mlops_core.explanation.explain.importance_of", lambda *_: recorded)
    found = explain_model(department.workspace, "churn-risk")
    by_name = {one.column: one.importance for one in found.columns}
    assert by_name == {"income": pytest.approx(0.1), "age": 1.0, "prediction": None}


def test_columns_that_one_window_lacks_are_named(department, monkeypatch):
    version = department.sick.version.model_copy(update={"columns": ["income", "age", "since-last-week"]})
    monkeypatch.setattr("mlops_core.explanation.question.champion_of", lambda *_: version)
    found = explain_model(department.workspace, "churn-risk")
    assert "since-last-week is not in the reference: it cannot be compared" in found.notes
    assert [one.column for one in found.columns] == ["income", "prediction", "age"]


def test_a_column_that_was_not_logged_in_the_window_is_named(department, monkeypatch):
    from mlops_core.explanation.history import History
    from mlops_core.slices import Slice

    whole = History.slice_of

    def without_age(self, one):
        found = whole(self, one)
        return Slice(found.rows, {name: counts for name, counts in found.columns.items() if name != "age"})

    monkeypatch.setattr(History, "slice_of", without_age)
    found = explain_model(department.workspace, "churn-risk")
    assert "age was not logged in this window: it cannot be compared" in found.notes


def test_a_column_that_was_logged_in_part_of_the_window_says_in_how_much(department, monkeypatch):
    from mlops_core.explanation.history import History

    whole = History.slice_of

    def with_age_in_one_week(self, one):
        found = whole(self, one)
        return replace(found, columns={**found.columns, "age": whole(self, window(5)).columns["age"]})

    monkeypatch.setattr(History, "slice_of", with_age_in_one_week)
    found = explain_model(department.workspace, "churn-risk")
    assert any(note.startswith("age was logged in 800 of the window's 3,200") for note in found.notes)
    assert sum(found.shares["age"].current) == pytest.approx(1)


def performance_of(department, model: Model, one: Window, since=None):
    with department.workspace.store.read() as session:
        version = session.exec(select(ModelVersion).where(ModelVersion.model_id == model.id)).one()
    return measure_performance(
        department.workspace, model, version, one, first_day=START, since=since, segment="", predictions=800
    )


def test_a_model_without_a_metric_has_no_performance(department):
    model = department.sick.model.model_copy(update={"primary_metric": None})
    said, notes = performance_of(department, model, window(1))
    assert said is None
    assert notes == ["churn-risk has no metric: its accuracy cannot be measured"]


def test_outcomes_of_a_single_class_cannot_be_measured_and_say_why(department, monkeypatch):
    from mlops_core.monitoring.reading import read_outcomes

    def one_class(*arguments, **options):
        outcomes = read_outcomes(*arguments, **options)
        return replace(outcomes, positives=np.zeros_like(outcomes.positives))

    monkeypatch.setattr("mlops_core.explanation.performance.read_outcomes", one_class)
    _figures.cache_clear()
    said, notes = performance_of(department, department.sick.model, window(1))
    assert (said.measured, said.followed) == (None, None)
    assert said.sentence.startswith("Measured AUC is not defined for this window (one class only)")
    assert "AUC of this window cannot be measured: one class only" in notes
