"""A model whose income and age go together from the third week on, each as it always was."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sqlmodel import select

from mlops_core.analysis import domain_classifier
from mlops_core.analysis.domain_classifier import Separation
from mlops_core.domain import ReferenceProfile
from mlops_core.domain.errors import InvalidInput, NotFound
from mlops_core.explanation import together
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.log_sample import sample_log
from mlops_core.explanation.together import TellingColumn, Together, tell_windows_apart
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.monitoring.windows import Window
from mlops_core.registry.models import champion_of, find_model
from mlops_core.store import UnitOfWork
from tests.factories import champion, population, system, workspace_in
from tests.mlops_core.explanation.department import START, Department, window


def coupled(rows):
    """Give the oldest the highest income: both columns keep their values."""
    ranks = rows["age"].rank(method="first").astype(int).to_numpy() - 1
    return rows.assign(income=np.sort(rows["income"].to_numpy())[ranks])


class House:
    def __init__(self, folder):
        self.workspace = workspace_in(folder)
        self.trained = champion(self.workspace, cadence_hours=168)
        calm = population(1_200, start=START, days=14, seed=3)
        moved = coupled(population(1_200, start=START + timedelta(days=14), days=14, seed=4))
        late = population(20, start=START + timedelta(days=28), days=7, seed=5)
        self.rows = pd.concat([calm, moved, late], ignore_index=True)
        self.rows["customer"] = np.arange(len(self.rows))
        self.predictions = self.trained.predictions(self.rows)
        log_predictions(self.workspace, system(self.workspace), "churn-risk", 1, self.predictions)
        run_monitoring(self.workspace, system(self.workspace))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.workspace.close()


@pytest.fixture(autouse=True)
def smaller(monkeypatch):
    """Few trees and permutations: what is found here does not need more."""
    monkeypatch.setitem(domain_classifier._SETTINGS, "max_iter", 8)
    monkeypatch.setitem(domain_classifier.tell_apart.__kwdefaults__, "repeats", 19)


def test_what_two_columns_do_together_is_told_although_neither_shows_it(house):
    moved = explain_model(house.workspace, "churn-risk", window=window(2, 2))
    assert not {one.column for one in moved.drifted} & {"income", "age"}
    found = tell_windows_apart(house.workspace, "churn-risk", window=window(2, 2), reference=window(0, 2))
    assert found.auc > 0.8 > found.baseline
    assert found.p_value == pytest.approx(0.05)
    assert {one.column for one in found.telling} == {"income", "age"}
    assert (found.rows, found.reference_rows) == (1_200, 1_200)
    first, second = (one.column for one in found.telling)
    at = house.rows["predicted_at"]
    middle = START + timedelta(days=14)
    inside = at < START + timedelta(days=28)
    before, after = (
        stats.spearmanr(house.rows[these]["income"], house.rows[these]["age"]).statistic
        for these in (at < middle, inside & (at >= middle))
    )
    words, _, figures = found.sentence.rstrip(".").partition("; their rank correlation went from ")
    assert words == (
        f"A classifier tells this window from 27 Jan to 9 Feb with AUC {found.auc:.2f} "
        f"({found.baseline:.2f} by chance, p = 0.05): together, {first} and {second} moved in a way that "
        "neither shows alone"
    )
    assert [float(one) for one in figures.split(" to ")] == pytest.approx([before, after], abs=0.01)
    assert (found.correlation.before, found.correlation.after) == pytest.approx((before, after))


def test_the_prediction_is_a_column_like_any_other(house):
    found = tell_windows_apart(house.workspace, "churn-risk", window=window(2, 2))
    assert {one.column for one in found.columns} == {"income", "age", "region", "prediction"}
    assert found.columns[-1].column == "prediction"
    assert found.columns[-1].importance > 0.01


def test_windows_that_are_alike_are_not_told_apart(house):
    found = tell_windows_apart(house.workspace, "churn-risk", window=window(0, 2))
    assert not found.differs
    assert not found.telling
    assert found.sentence == (
        f"A classifier cannot tell this window from the reference: AUC {found.auc:.2f} "
        f"({found.baseline:.2f} by chance, p = {found.p_value:.2f})."
    )


def test_a_segment_holds_for_both_windows(house):
    found = tell_windows_apart(
        house.workspace, "churn-risk", window=window(2, 2), reference=window(0, 2), segment="region=north"
    )
    at, north = house.rows["predicted_at"], house.rows["region"] == "north"
    later = at >= START + timedelta(days=14)
    assert found.rows == (north & later & (at < START + timedelta(days=28))).sum()
    assert found.reference_rows == (north & ~later).sum()
    assert found.differs
    assert {one.column: one.importance for one in found.columns}["region"] == 0.0


def test_it_says_how_much_of_what_there_is_it_used(house, monkeypatch):
    monkeypatch.setattr(domain_classifier, "_ENOUGH_ROWS", 400)
    monkeypatch.setattr(domain_classifier, "_CELLS", 400)
    found = tell_windows_apart(house.workspace, "churn-risk", window=window(0, 2))
    assert (found.rows, found.reference_rows) == (200, 200)
    assert found.notes == ["a sample: 200 of 1,200 predictions, and 200 of 600 rows of the reference"]


def test_it_tells_how_far_it_is(house):
    shares = []
    tell_windows_apart(
        house.workspace, "churn-risk", window=window(0, 2), progress=lambda share, _: shares.append(share)
    )
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_what_cannot_be_answered_is_said_in_words(house):
    ask = house.workspace, "churn-risk"
    with pytest.raises(
        InvalidInput, match=r"made 20 predictions in 24 Feb.* takes at least 50: choose a longer"
    ):
        tell_windows_apart(*ask, window=window(4))
    with pytest.raises(InvalidInput, match=r"made no prediction in"):
        tell_windows_apart(*ask, window=window(9))
    with pytest.raises(InvalidInput, match=r"overlap"):
        tell_windows_apart(*ask, window=window(0, 2), reference=window(1, 2))
    with pytest.raises(InvalidInput, match=r"is empty: the end must be later"):
        tell_windows_apart(*ask, window=Window(START, START))
    with pytest.raises(NotFound, match=r"no segment 'region=east'"):
        tell_windows_apart(*ask, window=window(0), segment="region=east")
    with pytest.raises(NotFound):
        tell_windows_apart(house.workspace, "nobody", window=window(0))


def test_a_version_without_kept_rows_is_compared_by_windows(tmp_path):
    house = House(tmp_path)

    def forget(unit: UnitOfWork) -> None:
        profile = unit.session.exec(select(ReferenceProfile)).one()
        profile.sample_digest = None
        unit.session.add(profile)

    house.workspace.store.bookkeep(system(house.workspace), forget)
    with pytest.raises(InvalidInput, match=r"version 1 of 'churn-risk' .* compare two windows of its predic"):
        tell_windows_apart(house.workspace, "churn-risk", window=window(2, 2))
    house.workspace.close()


def test_a_sample_of_the_log_gives_each_day_and_segment_its_share(house):
    with house.workspace.store.read() as session:
        model = find_model(session, "churn-risk")
        version = champion_of(session, model)
    asked = window(0, 2)
    first, again = (
        sample_log(house.workspace, model, version, asked, ["region", "income"], most=300) for _ in range(2)
    )
    assert first.rows.equals(again.rows)
    assert (first.total, first.rows.num_rows) == (1_200, 300)
    rows = house.rows[house.rows["predicted_at"] < asked.end]
    sampled = first.rows.to_pandas()
    for (day, region), group in rows.groupby([rows["predicted_at"].dt.date, "region"]):
        chosen = (sampled["predicted_at"].dt.date == day) & (sampled["region"] == region)
        assert abs(chosen.sum() - len(group) / 4) < 1
    assert set(sampled["income"]) <= set(rows["income"])
    everything = sample_log(house.workspace, model, version, asked, ["income"], most=5_000)
    assert sorted(everything.rows["income"].to_pylist()) == sorted(rows["income"])


def told(auc, *columns, p=0.02, of_inputs=None):
    telling = [TellingColumn(*one) for one in columns]
    return Together(auc, 0.52, p, 100, 100, telling, of_inputs or auc, "", [])


def test_columns_are_named_that_tell_a_good_part_of_what_the_first_does():
    found = told(0.8, ("a", 0.2, 0.5), ("b", 0.07, 0.5), ("c", 0.05, 0.5), ("d", 0.04, 0.5))
    assert [one.column for one in found.telling] == ["a", "b"]
    assert not told(0.8, ("a", 0.2, 0.5), p=0.2).telling
    assert not told(0.53, ("a", 0.004, 0.5)).telling


def test_the_prediction_is_named_only_where_the_inputs_tell_little():
    columns = ("a", 0.2, 0.6), ("prediction", 0.3, 0.7)
    assert [one.column for one in told(0.8, *columns, of_inputs=0.7).telling] == ["a"]
    assert [one.column for one in told(0.8, *columns, of_inputs=0.6).telling] == ["prediction", "a"]


def sentence_of(house, monkeypatch, rows, found):
    """The sentence for a window of the log of which the classifier had found something else."""
    monkeypatch.setattr(together, "tell_apart", lambda *_, **__: found)
    return tell_windows_apart(house.workspace, "churn-risk", window=rows).sentence


FOUND = "with AUC 0.90 (0.52 by chance, p = 0.02): "
SENTENCES = [
    ((0.9, ("income", 0.3, 0.88), ("age", 0.01, 0.5)), FOUND + "income alone does so with 0.88."),
    ((0.9, ("income", 0.3, 0.7), ("age", 0.2, 0.6)), FOUND + "income and age tell most."),
    ((0.9, ("income", 0.3, 0.7), ("age", 0.02, 0.6)), FOUND + "income tells most."),
    (
        (0.9, ("income", 0.3, 0.51), ("region", 0.2, 0.5)),
        FOUND + "together, income and region moved in a way that neither shows alone.",
    ),
    (
        (0.9, ("income", 0.3, 0.51), ("region", 0.2, 0.5), ("age", 0.2, 0.5)),
        FOUND + "together, income, region and age moved in a way that none of them shows alone.",
    ),
    (
        (0.9, ("region", 0.3, 0.51), ("age", 0.01, 0.5)),
        FOUND + "region moved against the other columns in a way that it does not show alone.",
    ),
    (
        (0.51, ("income", 0.0, None), ("prediction", 0.3, 0.6)),
        FOUND + "prediction tells most, and the inputs alone hardly anything.",
    ),
]


@pytest.mark.parametrize(("given", "words"), SENTENCES)
def test_the_sentence_says_who_tells_and_whether_it_shows_alone(house, monkeypatch, given, words):
    of_inputs, *columns = given
    telling = tuple(TellingColumn(*one) for one in columns)
    found = Separation(0.9, 0.52, 0.02, 100, 100, telling, of_inputs)
    said = sentence_of(house, monkeypatch, window(0, 2), found)
    assert said == f"A classifier tells this window from the reference {words}"


def test_a_column_that_tells_by_itself_only_with_others_is_named_with_the_one_it_turned_against(
    house, monkeypatch
):
    telling = (TellingColumn("income", 0.3, 0.5), TellingColumn("age", 0.01, 0.5))
    found = Separation(0.9, 0.52, 0.02, 100, 100, telling, 0.9)
    reference = Department.reference(house)
    before = stats.spearmanr(reference["income"], reference["age"]).statistic
    assert sentence_of(house, monkeypatch, window(2, 2), found) == (
        f"A classifier tells this window from the reference {FOUND}together, income and age moved in a way "
        f"that neither shows alone; their rank correlation went from {before:.2g} to 1."
    )


def test_a_small_difference_is_called_small(house, monkeypatch):
    found = Separation(0.55, 0.52, 0.02, 100, 100, (TellingColumn("income", 0.001, 0.5),), 0.55)
    assert sentence_of(house, monkeypatch, window(0, 2), found) == (
        "A classifier tells this window from the reference hardly better than by chance, with AUC 0.55 "
        "(0.52 by chance, p = 0.02): many columns tell a little each."
    )
