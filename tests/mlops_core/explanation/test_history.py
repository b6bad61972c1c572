"""The history of a version against plain readings of its slices."""

from datetime import UTC, datetime, timedelta

import pytest

from mlops_core.explanation.history import MOST_WINDOWS, read_history, reference_slice
from mlops_core.monitoring import log_predictions, monitor_model
from mlops_core.monitoring.reading import read_slices
from mlops_core.monitoring.windows import Window
from mlops_core.slices import NumericGrid
from mlops_core.statistics import DRIFT_STATISTICS
from mlops_core.workspace import Workspace
from tests.factories import NOW, Trained, champion, population, system, workspace_in

START = datetime(2025, 1, 1, tzinfo=UTC)  # a Wednesday


def log(workspace: Workspace, trained: Trained, start: datetime, days: int, seed: int = 3) -> None:
    rows = trained.predictions(population(40 * days, start=start, days=days, seed=seed), prefix=str(seed))
    log_predictions(workspace, system(workspace), trained.model.name, trained.version.number, rows)
    monitor_model(workspace, system(workspace), trained.model.name)


def compared(trained: Trained) -> list[str]:
    return [*trained.version.columns, "prediction"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    opened = workspace_in(tmp_path_factory.mktemp("history"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def trained(workspace):
    found = champion(workspace)
    log(workspace, found, START, 50)
    return found


@pytest.mark.parametrize("segment", ["", "region=north"])
@pytest.mark.parametrize(("first", "days"), [(0, 50), (3, 1), (2, 26), (5, 7), (12, 30), (48, 40)])
def test_a_window_is_the_sum_of_its_days(workspace, trained, segment, first, days):
    window = Window(START + timedelta(days=first), START + timedelta(days=first + days))

    found = read_history(workspace, trained.version, segment).slice_of(window)

    plain = read_slices(workspace, trained.version, window, segment=segment)
    assert found.rows == plain.rows > 0
    for name, counts in plain.columns.items():
        counted = getattr(counts, "cells", None) if hasattr(counts, "cells") else counts.known
        other = found.columns[name]
        again = other.cells if hasattr(other, "cells") else other.known
        assert (counted == again).all(), name


def test_the_weeks_are_calendar_weeks_that_add_up_to_everything(workspace, trained):
    history = read_history(workspace, trained.version)

    assert all(week.start.weekday() == 0 and week.end - week.start == timedelta(7) for week in history.weeks)
    assert sum(one.rows for one in history.weekly()) == 40 * 50
    assert history.span == Window(START, START + timedelta(50))


def test_a_long_history_is_cut_into_equal_runs_of_whole_weeks(workspace):
    trained = champion(workspace, "long-lived")
    log(workspace, trained, START, 20)
    log(workspace, trained, NOW - timedelta(days=430), 12, seed=4)

    history = read_history(workspace, trained.version)

    lengths = {week.end - week.start for week in history.weeks}
    assert len(lengths) == 1
    assert lengths.pop() % timedelta(7) == timedelta(0)
    assert len(history.weeks) <= MOST_WINDOWS
    for week, counted in zip(history.weeks, history.slices, strict=True):
        assert counted.rows == read_slices(workspace, trained.version, week).rows > 0


def test_new_predictions_are_seen(workspace):
    trained = champion(workspace, "growing")
    log(workspace, trained, START, 4)
    before = read_history(workspace, trained.version)
    assert read_history(workspace, trained.version) is before

    log(workspace, trained, START + timedelta(days=4), 3, seed=5)

    assert sum(one.rows for one in read_history(workspace, trained.version).weekly()) == 40 * 7


def test_a_version_without_predictions_has_no_span(workspace):
    found = champion(workspace, "silent")
    assert read_history(workspace, found.version).span is None
    window = Window(START, START + timedelta(days=7))
    assert read_history(workspace, found.version).slice_of(window).rows == 0


def test_a_segment_that_the_reference_lacks_has_no_rows_there(workspace, trained):
    assert reference_slice(workspace, trained.version, "region=nowhere")[1].rows == 0
    assert reference_slice(workspace, trained.version, "region=north")[1].rows > 0


@pytest.mark.parametrize("statistic", ["psi", "wasserstein_normalised", "l_infinity"])
def test_a_trend_that_was_kept_is_that_of_each_week_alone(workspace, trained, statistic):
    history = read_history(workspace, trained.version)
    grids, whole = reference_slice(workspace, trained.version)
    earlier = history.slice_of(Window(START, START + timedelta(days=14)))
    columns, kinds = compared(trained), ("categorical", "numeric")

    for reference in (whole, earlier, whole, earlier):
        history.trends(statistic, reference, columns[:2], grids)
        found = history.trends(statistic, reference, columns, grids)
        for name in columns:
            chosen = DRIFT_STATISTICS[statistic]
            if kinds[isinstance(grids[name], NumericGrid)] not in chosen.kinds:
                assert set(found[name]) == {None}, name
                continue
            counts = reference.columns[name]
            plain = [chosen.compute(counts, week.columns[name], grids[name]) for week in history.weekly()]
            assert found[name] == pytest.approx(plain, rel=1e-9), name


def test_a_trend_against_another_reference_is_another(workspace, trained):
    history = read_history(workspace, trained.version)
    grids, _ = reference_slice(workspace, trained.version)
    columns = compared(trained)

    trends = []
    for first in range(40):  # more than are kept, and the references are forgotten in between
        window = Window(START + timedelta(days=first), START + timedelta(days=first + 1))
        trends.append(history.trends("psi", history.slice_of(window), columns, grids))

    assert len({str(one) for one in trends}) == 40


def test_the_trends_of_new_predictions_are_new(workspace):
    trained = champion(workspace, "lengthening")
    log(workspace, trained, START, 4)
    grids, reference = reference_slice(workspace, trained.version)
    before = read_history(workspace, trained.version).trends("psi", reference, compared(trained), grids)

    log(workspace, trained, START + timedelta(days=7), 7, seed=5)

    after = read_history(workspace, trained.version).trends("psi", reference, compared(trained), grids)
    assert {len(trend) for trend in before.values()} == {1}
    assert {len(trend) for trend in after.values()} == {3}
