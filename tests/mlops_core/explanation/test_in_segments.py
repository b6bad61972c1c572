"""A model whose income rises in the west alone, where a fifth of its customers live."""

from datetime import timedelta

import numpy as np
import pytest

from mlops_core.domain.errors import NotFound
from mlops_core.explanation.explain import explain_model
from mlops_core.explanation.in_segments import drift_in_segments
from mlops_core.monitoring import log_predictions, run_monitoring
from tests.factories import champion, population, system, workspace_in
from tests.mlops_core.explanation.department import START, Department, window
from tests.mlops_core.monitoring.figures import population_stability_index


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


def test_what_drifted_in_one_segment_alone_is_found(house):
    workspace, rows = house
    late = window(2, 2)
    assert not explain_model(workspace, "churn-risk", window=late).drifted
    (found,) = drift_in_segments(workspace, "churn-risk", window=late)
    assert (found.column, found.segment) == ("income", "region=west")
    assert found.adjusted_p_value < 1e-6
    assert found.sentence.startswith("Of predictions with region west, those with income of ")
    reference = Department.reference(None)
    before = reference[reference["region"] == "west"]["income"]
    after = rows[(rows["region"] == "west") & (rows["predicted_at"] >= late.start)]["income"]
    assert (found.reference_rows, found.rows) == (len(before), len(after))
    assert found.value == pytest.approx(population_stability_index(before, after), rel=0.1)
    assert found.value > 0.25


def test_it_is_found_against_an_earlier_window_too(house):
    workspace, rows = house
    (found,) = drift_in_segments(workspace, "churn-risk", window=window(2, 2), reference=window(0, 2))
    assert found.segment == "region=west"
    assert (
        found.reference_rows
        == ((rows["region"] == "west") & (rows["predicted_at"] < START + timedelta(days=14))).sum()
    )


def test_where_nothing_moved_and_where_nothing_has_limits_nothing_is_found(house):
    workspace, _ = house
    assert not drift_in_segments(workspace, "churn-risk", window=window(0, 2))
    assert not drift_in_segments(workspace, "churn-risk", window=window(2, 2), statistic="wasserstein")
    with pytest.raises(NotFound):
        drift_in_segments(workspace, "nobody")
