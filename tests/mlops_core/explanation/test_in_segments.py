"""A model whose income rises in the west alone, where a fifth of its customers live."""

import math
from datetime import timedelta

import numpy as np
import pytest

from mlops_core.domain.states import Level, Origin
from mlops_core.explanation import in_segments
from mlops_core.explanation.as_json import to_json
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.movement import limits_of
from mlops_core.explanation.spans import segments_of
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.monitoring.levels import judge
from mlops_core.monitoring.reading import read_reference, read_slices
from mlops_core.registry.models import champion_of, find_model
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.statistics.registry import kind_of
from mlops_core.statistics.significance import shift_p_value
from tests.factories import champion, population, system, workspace_in
from tests.mlops_core.explanation.department import START, Department, window
from tests.mlops_core.monitoring.figures import population_stability_index

LATE, EARLY = window(2, 2), window(0, 2)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    workspace = workspace_in(tmp_path_factory.mktemp("house"))
    trained = champion(workspace, cadence_hours=168)
    rows = population(6_000, start=START, days=28, seed=3)
    moved = (rows["region"] == "west") & (rows["predicted_at"] >= START + timedelta(days=14))
    rows.loc[moved, "income"] += 12
    rows["customer"] = np.arange(len(rows))
    log_predictions(workspace, system(workspace), "churn-risk", 1, trained.predictions(rows))
    run_monitoring(workspace, system(workspace))
    yield workspace, rows
    workspace.close()


def explain(house, **asked):
    return explain_model(house[0], "churn-risk", **asked)


def test_what_drifted_in_one_segment_alone_is_found(house):
    _, rows = house
    explanation = explain(house, window=LATE)
    assert not explanation.drifted
    (found,) = explanation.in_segments
    assert (found.column, found.segment) == ("income", "region=west")
    assert found.adjusted_p_value < 1e-6
    assert found.sentence.startswith("Of predictions with region west, those with income of ")
    reference = Department.reference(None)
    before = reference[reference["region"] == "west"]["income"]
    after = rows[(rows["region"] == "west") & (rows["predicted_at"] >= LATE.start)]["income"]
    assert (found.reference_rows, found.rows) == (len(before), len(after))
    assert found.value == pytest.approx(population_stability_index(before, after), rel=0.1)
    assert found.value > 0.25


def test_the_headline_names_it_and_does_not_say_that_nothing_drifted(house):
    assert explain(house, window=LATE).headline == (
        "churn-risk did not drift over all rows; income did in region west"
    )


def test_it_is_in_the_json_document(house):
    explanation = explain(house, window=LATE)
    (found,) = to_json(explanation)["in_segments"]
    assert (found["segment"], found["sentence"]) == ("region=west", explanation.in_segments[0].sentence)


def test_it_is_found_against_an_earlier_window_too(house):
    _, rows = house
    (found,) = explain(house, window=LATE, reference=EARLY).in_segments
    assert found.segment == "region=west"
    assert (
        found.reference_rows
        == ((rows["region"] == "west") & (rows["predicted_at"] < START + timedelta(days=14))).sum()
    )


def test_inside_that_segment_it_is_a_drift_like_any_other_and_no_smaller_segment_is_looked_at(house):
    inside = explain(house, window=LATE, segment="region=west")
    assert inside.drifted[0].column == "income"
    assert inside.in_segments == []


def test_where_nothing_moved_and_where_nothing_has_limits_nothing_is_found(house):
    assert explain(house, window=EARLY).in_segments == []
    assert explain(house, window=LATE, statistic="wasserstein").in_segments == []


def by_hand(house, one, reference, statistic):
    """Every input in every segment, each read and measured on its own."""
    workspace, _ = house
    with workspace.store.read() as session:
        version = champion_of(session, find_model(session, "churn-risk"))
    grids, all_before = read_reference(workspace, version)
    if reference is not None:
        all_before = read_slices(workspace, version, reference)
    all_after, limits = read_slices(workspace, version, one), limits_of(statistic)
    origin = Origin.REFERENCE if reference is None else Origin.PRODUCTION
    chosen = DRIFT_STATISTICS[statistic]
    read = {
        segment: (
            read_slices(workspace, version, reference, origin=origin, segment=segment),
            read_slices(workspace, version, one, segment=segment),
        )
        for segment in segments_of(workspace, "churn-risk")
    }
    judged = {segment: both for segment, both in read.items() if both[0].rows and both[1].rows >= 200}
    tests = len(version.columns) * len(judged)
    found = {}
    for column in version.columns:
        grid = grids[column]
        if kind_of(all_before.columns[column], all_after.columns[column], grid) not in chosen.kinds:
            continue
        whole = chosen.compute(all_before.columns[column], all_after.columns[column], grid)
        for segment, (before, after) in judged.items():
            if segment.startswith(f"{column}=") or judge(whole, limits).is_outside or math.isnan(whole):
                continue
            value = chosen.compute(before.columns[column], after.columns[column], grid)
            chance = min(1.0, tests * shift_p_value(before.columns[column], after.columns[column], grid))
            if judge(value, limits) == Level.CRITICAL and chance <= 0.05:
                found[column, segment] = value, chance
    return found


@pytest.mark.parametrize("statistic", [one for one in DRIFT_STATISTICS if limits_of(one)])
@pytest.mark.parametrize(("one", "reference"), [(LATE, None), (LATE, EARLY), (EARLY, None)])
def test_it_is_what_measuring_each_input_in_each_segment_alone_finds(house, one, reference, statistic):
    explanation = explain(house, window=one, reference=reference, statistic=statistic)
    expected = {} if explanation.drifted else by_hand(house, one, reference, statistic)
    found = {(one.column, one.segment): (one.value, one.adjusted_p_value) for one in explanation.in_segments}
    assert found.keys() == expected.keys()
    for place, figures in expected.items():
        assert found[place] == pytest.approx(figures, rel=1e-9), place


def test_of_many_inputs_the_most_important_are_looked_at_and_a_note_says_so(house, monkeypatch):
    monkeypatch.setattr(in_segments, "_MOST_LOOKED_AT", 1)
    explanation = explain(house, window=LATE)
    inputs = [one for one in explanation.columns if one.importance is not None]
    most = max(inputs, key=lambda one: one.importance).column
    assert {one.column for one in explanation.in_segments} <= {most}
    assert any(f"the 1 most important of {len(inputs)} inputs" in note for note in explanation.notes)
