"""The second half of the year, week by week, on a simulated clock.

Each week every household is scored by the version in production, in requests whose response times are
really measured; outcomes are logged when the last week that they depend on has ended.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from mlops_core.clock import FixedClock
from mlops_core.demo.purchases import week_end
from mlops_core.demo.recipes import SEGMENT, SEGMENTATION, predict
from mlops_core.demo.world import HOUSEHOLD, SEGMENT_TABLE, Demo, Served, segment_rows, weeks_of, write_week
from mlops_core.domain import Actor
from mlops_core.domain.states import ProblemType, Role
from mlops_core.features import AS_OF, read_features, write_features
from mlops_core.monitoring import log_outcomes, log_predictions, run_monitoring

__all__ = ["replay_week"]

_MILLISECONDS = 1000.0
_MONITORS_AFTER = timedelta(minutes=30)


def replay_week(
    demo: Demo, system: Actor, clock: FixedClock, week: int, progress: Callable[[str], None]
) -> None:
    """Live through the Monday after a week: features, scores, outcomes that are known now, monitors."""
    clock.at = week_end(week)
    write_week(demo, week)
    clock.at += timedelta(minutes=demo.scenario.clock.scoring_delay_minutes)
    engineer = demo.person(Role.ML_ENGINEER)
    with threadpool_limits(1):
        households = _households(demo, week, exclude=SEGMENT.name)
        for name, served in demo.served.items():
            progress(f"week {week}: scoring {name}")
            _score(demo, engineer, served, households, week, clock.at)
            if name == SEGMENTATION:
                households = _households(demo, week)
    progress(f"week {week}: logging the outcomes that are known now")
    for served in demo.served.values():
        _log_known_outcomes(demo, engineer, served, week, clock.at)
    clock.at += _MONITORS_AFTER
    progress(f"week {week}: running the monitors")
    run_monitoring(demo.workspace, system)


def _households(demo: Demo, week: int, exclude: str = "") -> pa.Table:
    """Read every feature of every household, as of the end of a week."""
    wanted = {
        name
        for served in demo.served.values()
        for name in (*served.recipe.features, *served.recipe.segment_columns)
    }
    names = sorted(wanted - {exclude})
    return read_features(demo.workspace, names, start=week_end(week), end=week_end(week))


def _score(
    demo: Demo, engineer: Actor, served: Served, households: pa.Table, week: int, now: datetime
) -> None:
    recipe = served.recipe
    columns = list(dict.fromkeys([*recipe.features, *recipe.segment_columns]))
    rows = households.select([HOUSEHOLD, AS_OF, *columns])
    frame = rows.to_pandas()
    scores, latencies = _answer_requests(served, frame, demo.scenario.serving.request_rows)
    if recipe.problem_type == ProblemType.CLUSTERING:
        scores = scores.astype(str)
    log = rows.drop_columns([AS_OF])
    log = log.append_column(
        "prediction_id", pa.array(_prediction_ids(frame[HOUSEHOLD].tolist(), week), pa.string())
    )
    log = log.append_column("predicted_at", pa.array([now] * len(frame), pa.timestamp("us", tz="UTC")))
    log = log.append_column("prediction", pa.array(scores))
    log = log.append_column("latency_ms", pa.array(latencies))
    log_predictions(demo.workspace, engineer, recipe.name, served.version.number, log)
    if recipe.name == SEGMENTATION:
        write_features(demo.workspace, engineer, SEGMENT_TABLE, segment_rows(frame, scores))


def _answer_requests(
    served: Served, frame: pd.DataFrame, request_rows: int
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.float64]]:
    """Score a frame in requests; each row carries the response time of its request, in milliseconds."""
    scores: list[npt.NDArray[np.generic]] = []
    latencies = np.empty(len(frame))
    for start in range(0, len(frame), request_rows):
        request = frame.iloc[start : start + request_rows]
        began = time.perf_counter()
        scores.append(predict(served.recipe, served.estimator, request))
        latencies[start : start + request_rows] = (time.perf_counter() - began) * _MILLISECONDS
    return np.concatenate(scores), latencies


def _log_known_outcomes(demo: Demo, engineer: Actor, served: Served, week: int, now: datetime) -> None:
    recipe = served.recipe
    scored_in = week - recipe.horizon_weeks
    if not recipe.target or scored_in < demo.scenario.clock.first_week:
        return
    known = weeks_of(demo.targets[recipe.target], range(scored_in, scored_in + 1))
    households = known[HOUSEHOLD].to_pylist()
    outcomes = pa.table(
        {
            "prediction_id": pa.array(_prediction_ids(households, scored_in), pa.string()),
            "outcome": known["outcome"].cast(pa.float64()),
            "known_at": pa.array([now] * len(households), pa.timestamp("us", tz="UTC")),
        }
    )
    log_outcomes(demo.workspace, engineer, recipe.name, outcomes)


def _prediction_ids(households: list[int], week: int) -> list[str]:
    return [f"2017-w{week:02d}-{household}" for household in households]
