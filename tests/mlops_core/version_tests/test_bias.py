import numpy as np
import pytest

from mlops_core.version_tests import NotJudged
from tests.mlops_core.version_tests.given import outcome_of


def treated(rows=3_000, gap=0.0, groups=("a", "b", "c"), seed=1):
    random = np.random.default_rng(seed)
    group = random.choice(groups, rows)
    truth = random.integers(0, 2, rows)
    score = np.clip(0.3 + 0.4 * truth + random.normal(0, 0.25, rows), 0, 1)
    return truth, np.clip(score + gap * (group == groups[0]), 0, 1), group


def rates(chosen, group, where):
    return [chosen[(group == name) & where].mean() for name in np.unique(group)]


def apart(values):
    return max(values) - min(values)


def line(found, measure):
    (row,) = [row for row in found.evidence["rows"] if row[1] == measure]
    return dict(zip(found.evidence["columns"], row, strict=True))


def test_the_differences_are_those_of_a_loop_over_the_groups():
    truth, score, group = treated(gap=0.12)
    found = outcome_of("bias", "binary", truth, score, columns={"group": group}, protected=["group"])
    chosen, everybody = score >= 0.5, np.ones(len(truth), dtype=bool)
    assert line(found, "demographic parity difference")["difference"] == pytest.approx(
        apart(rates(chosen, group, everybody))
    )
    odds = max(apart(rates(chosen, group, truth == 1)), apart(rates(chosen, group, truth == 0)))
    assert line(found, "equalized odds difference")["difference"] == pytest.approx(odds)


def test_the_lower_bound_holds_for_all_pairs_at_once_nineteen_times_in_twenty():
    broken = 0
    for seed in range(300):
        truth, score, group = treated(rows=600, groups=("a", "b", "c", "d"), seed=seed)
        found = outcome_of(
            "bias",
            "binary",
            truth,
            score,
            columns={"group": group},
            protected=["group"],
            demographic_parity=0.0,
        )
        broken += line(found, "demographic parity difference")["at least"] > 0
    assert broken / 300 <= 0.12  # one-sided 95 % of either sign, over six pairs


def test_groups_that_are_treated_apart_fail_and_are_named():
    truth, score, group = treated(gap=0.35)
    found = outcome_of("bias", "binary", truth, score, columns={"group": group}, protected=["group"])
    assert found.status == "failed"
    assert found.sentence.startswith("By group, a and ")
    assert found.figure > found.limit


def test_small_groups_do_not_cry_wolf_and_are_named():
    truth, score, group = treated(rows=400, groups=("a", "b"))
    group = group.astype(object)
    group[:20] = "few"
    score[:20] = 1.0
    found = outcome_of("bias", "binary", truth, score, columns={"group": group.tolist()}, protected=["group"])
    assert found.status == "passed"
    assert found.evidence["facts"]["left out"] == ["group few (20 rows)"]
    assert found.sentence.endswith("Left out: group few (20 rows).")
    noisy = outcome_of(
        "bias",
        "binary",
        truth[:80],
        score[:80] * 0 + (np.arange(80) % 3 > 0),
        columns={"group": group[:80].tolist()},
        protected=["group"],
        min_rows=10,
        demographic_parity=0.1,
    )
    assert noisy.evidence["rows"]


def test_the_ratio_of_mean_predictions_is_held_to_four_fifths():
    random = np.random.default_rng(3)
    group = random.choice(["a", "b"], 1_000)
    predicted = random.gamma(5, 20, 1_000) * np.where(group == "a", 0.6, 1.0)
    found = outcome_of(
        "bias", "regression", predicted, predicted, columns={"group": group}, protected=["group"]
    )
    ratio = predicted[group == "a"].mean() / predicted[group == "b"].mean()
    assert found.status == "failed"
    assert found.figure == pytest.approx(1 - ratio)
    assert found.limit == pytest.approx(0.2)
    drawn = []
    for _ in range(600):
        a = random.choice(predicted[group == "a"], (group == "a").sum())
        b = random.choice(predicted[group == "b"], (group == "b").sum())
        drawn.append(1 - a.mean() / b.mean())
    assert line(found, "mean prediction ratio, short of 1")["at least"] == pytest.approx(
        np.quantile(drawn, 0.05), abs=0.01
    )


def test_of_several_classes_the_one_that_is_treated_most_unlike_is_told():
    random = np.random.default_rng(4)
    group = random.choice(["a", "b"], 2_000)
    truth = random.choice(["x", "y", "z"], 2_000)
    predicted = np.where((group == "a") & (random.random(2_000) < 0.5), "z", truth)
    found = outcome_of("bias", "multiclass", truth, predicted, columns={"group": group}, protected=["group"])
    everybody = np.ones(2_000, dtype=bool)
    gaps = {label: apart(rates(predicted == label, group, everybody)) for label in "xyz"}
    worst = max(gaps, key=gaps.get)
    assert line(found, f"demographic parity difference of {worst}")["difference"] == pytest.approx(
        gaps[worst]
    )
    assert found.status == "failed"


def test_an_attribute_that_is_not_in_the_data_fails():
    truth, score, group = treated(rows=200)
    found = outcome_of("bias", "binary", truth, score, columns={"group": group}, protected=["age_band"])
    assert found.status == "failed"
    assert "age_band is not in the evaluation snapshot" in found.sentence


def test_without_groups_to_compare_nothing_is_judged():
    truth, score, group = treated(rows=200)
    with pytest.raises(NotJudged, match="declares no protected attribute"):
        outcome_of("bias", "binary", truth, score)
    with pytest.raises(NotJudged, match="two groups of 150 rows"):
        outcome_of(
            "bias", "binary", truth, score, columns={"group": group}, protected=["group"], min_rows=150
        )


def test_rows_whose_group_is_not_known_are_no_group():
    truth, score, group = treated(rows=900, groups=("a", "b", "x"), gap=0.0)
    score[group == "x"] = 1.0
    for gap in (None, "unknown"):
        named = [gap if name == "x" else name for name in group.tolist()]
        found = outcome_of("bias", "binary", truth, score, columns={"group": named}, protected=["group"])
        assert found.status == "passed"
        assert found.evidence["facts"]["left out"] == [
            f"group {gap or 'missing'} ({(group == 'x').sum()} rows)"
        ]
    judged = outcome_of(
        "bias", "binary", truth, score, columns={"group": named}, protected=["group"], leave_out=""
    )
    assert judged.status == "failed"
