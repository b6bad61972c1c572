"""A model whose income shifts in one region from 24 February on, with outcomes up to 2 March."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_core.domain.states import ProblemType
from mlops_core.monitoring import log_outcomes, log_predictions, run_monitoring
from mlops_core.monitoring.windows import Window
from tests.factories import NOW, champion, new_model, population, system, workspace_in

START = datetime(2025, 1, 27, tzinfo=UTC)  # a Monday
DRIFT = datetime(2025, 2, 24, tzinfo=UTC)
WEEKS = 6
END = START + timedelta(weeks=WEEKS)


def window(first: int, weeks: int = 1) -> Window:
    """Return some weeks of the log, counted from 0."""
    start = START + timedelta(weeks=first)
    return Window(start, start + timedelta(weeks=weeks))


class Department:
    """`churn-risk` drifts, `basket-value` does not, `not-yet` has no version and `silent` no prediction."""

    def __init__(self, folder: Path) -> None:
        self.workspace = workspace_in(folder)
        self.sick = champion(self.workspace, "churn-risk", cadence_hours=168)
        self.well = champion(self.workspace, "basket-value", ProblemType.REGRESSION, cadence_hours=168)
        new_model(self.workspace, "not-yet")
        champion(self.workspace, "silent")
        self.rows = pd.concat([self._week(number) for number in range(WEEKS)], ignore_index=True)
        self.rows["customer"] = np.arange(len(self.rows))
        known = self.rows["predicted_at"] < END - timedelta(weeks=1)
        calm = population(3_000, start=START, days=7 * WEEKS, seed=5)
        someone = system(self.workspace)
        for trained, rows, with_outcome in ((self.sick, self.rows, known), (self.well, calm, [True] * 3_000)):
            name = trained.model.name
            log_predictions(self.workspace, someone, name, 1, trained.predictions(rows))
            outcomes = trained.outcomes(rows[with_outcome], known_at=NOW)
            log_outcomes(self.workspace, someone, name, outcomes)
        run_monitoring(self.workspace, someone)

    @staticmethod
    def _week(number: int) -> pd.DataFrame:
        rows = population(800, start=START + timedelta(weeks=number), days=7, seed=30 + number)
        moved = (rows["region"] == "west") & (rows["predicted_at"] >= DRIFT)
        rows.loc[moved, "income"] += 80
        rows.loc[moved, "answer"] = 1 - rows.loc[moved, "answer"]
        return rows

    def reference(self) -> pd.DataFrame:
        """Return the rows that both champions were trained on."""
        return population(600, start=datetime(2024, 12, 18, tzinfo=UTC), days=14, seed=1)

    def inside(self, one: Window) -> pd.DataFrame:
        at = self.rows["predicted_at"]
        return self.rows[(at >= one.start) & (at < one.end)]
