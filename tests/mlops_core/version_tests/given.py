"""A context without a workspace: rows and answers are given, so that one figure can be looked at alone."""

import numpy as np
import pyarrow as pa

from mlops_core.domain import Model, ModelVersion
from mlops_core.domain.states import ProblemType
from mlops_core.registry.cards import Card
from mlops_core.scoring import Predictions
from mlops_core.version_tests import NotJudged, TestContext
from mlops_core.version_tests.builtin.catalogue import BUILT_IN


class GivenSource:
    """Rows and answers as they were handed over; `answer` stands for the artefact."""

    def __init__(self, rows, predictions, training=None, answer=None):
        self._rows, self._predictions, self._training, self._answer = rows, predictions, training, answer

    def rows(self):
        return self._rows

    def predictions(self):
        return self._predictions

    def training(self, columns=None):
        if self._training is None:
            raise NotJudged("The version has no training snapshot.")
        missing = set(columns or []) - set(self._training.column_names)
        if missing:
            raise NotJudged(f"The training snapshot has no column {sorted(missing)[0]}.")
        return self._training.select(columns) if columns else self._training

    def ask(self, rows, as_given=False):
        return self._answer(rows)

    def time_requests(self, rows, request_rows, requests):
        return self._answer(rows, request_rows, requests)


def outcome_of(
    test,
    problem,
    truth,
    prediction=None,
    *,
    probabilities=None,
    classes=None,
    metric=None,
    columns=None,
    training=None,
    protected=(),
    answer=None,
    **parameters,
):
    """What a built-in test finds in these rows."""
    columns = columns or {"x": np.arange(len(truth), dtype=float)}
    rows = pa.table({**columns, "outcome": truth})
    prediction = np.full(len(truth), 0.5) if prediction is None else np.asarray(prediction)
    context = TestContext(
        model=Model(
            name="given", problem_type=ProblemType(problem), primary_metric=metric, latency_objective_ms=50.0
        ),
        version=ModelVersion(number=1, columns=list(columns)),
        champion=None,
        card=Card("all", "none", tuple(protected), "") if protected else None,
        evaluation_snapshot=None,
        metrics=(),
        parameters=BUILT_IN[test].defaults | BUILT_IN[test].checked(parameters),
        source=GivenSource(rows, Predictions(prediction, None, probabilities, classes), training, answer),
    )
    return BUILT_IN[test](context)
