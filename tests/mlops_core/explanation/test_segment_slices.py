"""The slices of segments over a window, against plain readings of each segment."""

from datetime import UTC, datetime, timedelta

import pytest

from mlops_core.domain.states import Origin
from mlops_core.explanation.segment_slices import read_segments
from mlops_core.monitoring import log_predictions, monitor_model
from mlops_core.monitoring.reading import read_slices
from mlops_core.monitoring.windows import Window
from mlops_core.slices import NumericCounts
from mlops_core.workspace import Workspace
from tests.factories import Trained, champion, population, system, workspace_in

START = datetime(2025, 1, 1, tzinfo=UTC)  # a Wednesday


def log(workspace: Workspace, trained: Trained, start: datetime, days: int, seed: int) -> None:
    rows = trained.predictions(population(20 * days, start=start, days=days, seed=seed), prefix=str(seed))
    log_predictions(workspace, system(workspace), trained.model.name, trained.version.number, rows)
    monitor_model(workspace, system(workspace), trained.model.name)


def span(first: int, days: int) -> Window:
    return Window(START + timedelta(days=first), START + timedelta(days=first + days))


def check(workspace, trained, window, columns, origin=Origin.PRODUCTION) -> None:
    found = read_segments(workspace, trained.version, window, origin=origin, columns=columns)
    assert found
    for segment, one in found.items():
        plain = read_slices(workspace, trained.version, window, segment=segment, origin=origin)
        assert one.rows == plain.rows > 0, segment
        for name in columns:
            mine, counts = one.columns[name], plain.columns[name]
            assert mine.rows == counts.rows
            if isinstance(counts, NumericCounts):
                assert (mine.cells == counts.cells).all(), (segment, name)
                assert (mine.minimum, mine.maximum) == (counts.minimum, counts.maximum)
                assert mine.total == pytest.approx(counts.total)
            else:
                assert (mine.known == counts.known).all(), (segment, name)
                assert mine.unseen == counts.unseen
    rows = read_slices(workspace, trained.version, window, origin=origin).rows
    assert sum(one.rows for segment, one in found.items() if segment.startswith("region=")) == rows


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    opened = workspace_in(tmp_path_factory.mktemp("segments"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def trained(workspace):
    found = champion(workspace)
    log(workspace, found, START, 200, seed=3)  # more weeks than a trend has points
    return found


@pytest.mark.parametrize(
    ("first", "days"), [(0, 200), (0, 3), (5, 30), (2, 130), (0, 120), (40, 160), (61, 110)]
)
def test_every_segment_is_the_sum_of_its_days(workspace, trained, first, days):
    for columns in (trained.version.columns[:1], trained.version.columns):
        check(workspace, trained, span(first, days), columns)


def test_the_reference_is_read_as_a_whole(workspace, trained):
    check(workspace, trained, None, trained.version.columns, Origin.REFERENCE)


def test_columns_that_are_asked_for_later_are_added(workspace, trained):
    columns = trained.version.columns
    for some in (columns[-1:], columns[:2], columns[-2:], columns[:1]):
        check(workspace, trained, span(0, 150), some)
        check(workspace, trained, span(3, 170), some)


def test_new_predictions_are_seen_in_segments(workspace):
    trained = champion(workspace, "growing")
    log(workspace, trained, START, 100, seed=4)
    check(workspace, trained, span(0, 130), trained.version.columns)

    log(workspace, trained, START + timedelta(days=100), 20, seed=5)

    check(workspace, trained, span(0, 130), trained.version.columns)
    assert read_slices(workspace, trained.version, span(0, 130)).rows == 20 * 120
