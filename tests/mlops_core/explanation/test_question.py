"""Windows that hold nothing, and windows that share days with the reference."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_core.domain.errors import InvalidInput
from mlops_core.explanation.explain import explain_model
from mlops_core.monitoring import log_predictions, monitor_model
from mlops_core.monitoring.windows import Window
from tests.factories import champion, population, system, workspace_in

NAME = "churn-risk"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAYS = [datetime(2025, 2, 3, tzinfo=UTC), datetime(2025, 2, 10, tzinfo=UTC)]
TRAINED = datetime(2024, 12, 20, tzinfo=UTC)  # its reference is of 18 to 31 December


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A model that has predicted on two days of its reference, and on two Mondays."""
    workspace = workspace_in(tmp_path_factory.mktemp("days"))
    trained = champion(workspace, NAME, cadence_hours=168)
    days = [TRAINED, TRAINED + DAY, *MONDAYS]
    rows = pd.concat([population(300, start=day, days=1, seed=one) for one, day in enumerate(days)])
    rows["customer"] = range(len(rows))
    log_predictions(workspace, system(workspace), NAME, 1, trained.predictions(rows))
    monitor_model(workspace, system(workspace), NAME)
    yield workspace
    workspace.close()


@pytest.mark.parametrize(
    ("start", "days", "message"),
    [
        (
            MONDAYS[0] + DAY,
            1,
            "made no prediction on 4 Feb 2025: choose other days, of which 2025-02-03 and 2025-02-10 ",
        ),
        (MONDAYS[0] + DAY, 6, "made no prediction in 4 Feb 2025 to 9 Feb 2025: choose other days, of which "),
        (MONDAYS[1] + DAY, 6, "choose days between 2024-12-20 and 2025-02-10"),
        (TRAINED - 9 * DAY, 6, "choose days between 2024-12-20 and 2025-02-10"),
    ],
)
def test_a_window_without_rows_names_days_that_have_some(workspace, start, days, message):
    with pytest.raises(InvalidInput) as refused:
        explain_model(workspace, NAME, window=Window(start, start + days * DAY))
    assert message in str(refused.value)


def test_days_that_the_window_shares_with_the_versions_own_reference_are_told(workspace):
    (note,) = [one for one in notes_of(workspace, TRAINED - DAY, 7) if "share" in one]
    assert note.endswith("share 2 days with predictions: rows that are in both are compared with themselves")
    assert "reference (18 Dec 2024 to 31 Dec 2024)" in note
    (note,) = [one for one in notes_of(workspace, TRAINED, 1) if "share" in one]
    assert "share 1 day with" in note


def test_a_window_apart_from_the_reference_or_compared_with_another_window_needs_no_such_note(workspace):
    assert not [one for one in notes_of(workspace, MONDAYS[0], 7) if "share" in one]
    other = Window(MONDAYS[1], MONDAYS[1] + DAY)
    assert not [one for one in notes_of(workspace, TRAINED, 7, other) if "share" in one]


def test_a_window_is_shown_from_midnight_to_midnight_as_its_rows_are_counted(workspace):
    """A day counts where it begins: noon to noon holds the second of two days."""
    hours = Window(MONDAYS[0] - 12 * HOUR, MONDAYS[1] + 12 * HOUR)
    found = explain_model(workspace, NAME, window=hours)
    assert found.window == Window(MONDAYS[0], MONDAYS[1] + DAY)
    assert found == explain_model(workspace, NAME, window=found.window)
    against = explain_model(
        workspace, NAME, window=found.window, reference=Window(TRAINED - HOUR, TRAINED + HOUR)
    )
    assert against.reference == Window(TRAINED, TRAINED + DAY)
    with pytest.raises(InvalidInput, match="no day begins between 2025-02-03 06:00 and 2025-02-03 18:00 UTC"):
        explain_model(workspace, NAME, window=Window(MONDAYS[0] + 6 * HOUR, MONDAYS[0] + 18 * HOUR))


def notes_of(workspace, start, days, reference=None):
    window = Window(start, start + days * DAY)
    return explain_model(workspace, NAME, window=window, reference=reference).notes
