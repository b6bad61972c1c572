"""From a file of predictions to a monitored model: register it, log what is new, count, measure, judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session, select

from mlops_core.analysis.sources import Source
from mlops_core.domain import Actor, Model, ModelVersion, ReferenceProfile
from mlops_core.domain.errors import Conflict, InvalidInput
from mlops_core.domain.states import LogKind, ProblemType, Stage
from mlops_core.features.values import store_training_data
from mlops_core.monitoring.board import BoardRow, read_board
from mlops_core.monitoring.log_queries import news_of
from mlops_core.monitoring.logs import log_outcomes, log_predictions, log_table
from mlops_core.monitoring.run import run_monitoring
from mlops_core.monitoring.watch_reference import (
    first_quarter,
    guess_problem,
    read_reference_rows,
    reference_metrics,
    rows_from,
    usual_pause,
    with_outcomes,
)
from mlops_core.monitoring.watched_file import (
    WatchPlan,
    check_roles,
    feature_columns,
    log_rows,
    prediction_times,
)
from mlops_core.registry.models import champion_of, create_model, find_model
from mlops_core.registry.promotions import move_version, promote_version
from mlops_core.registry.source_control import CommitState
from mlops_core.registry.versions import NewVersion, register_version
from mlops_core.workspace import Workspace, put_setting, setting

__all__ = ["WatchPlan", "Watched", "watch_file"]

_NO_OBJECTIVE_MS = 1_000.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What `watch_file` did.

    Attributes
    ----------
    is_new
        Whether the model was registered now.
    predictions, outcomes
        How many rows each log gained.
    known
        Rows of the file that were logged before.
    reference_rows, reference_end
        What the windows are compared with.
    skipped
        Columns that are not watched, with the reason.
    row
        The model on the board.
    """

    model: str
    is_new: bool
    problem: str
    predictions: int
    outcomes: int
    known: int
    reference_rows: int
    reference_end: datetime
    row: BoardRow
    skipped: dict[str, str] = field(default_factory=dict)


def watch_file(
    workspace: Workspace,
    actor: Actor,
    source: Source,
    plan: WatchPlan,
    *,
    progress: Callable[[str, float], None] | None = None,
) -> Watched:
    """Make a file a monitored model; run again with a newer file, log what is new and nothing twice.

    The reference is fixed when the model is registered: its rows are what production is compared with, and
    are not logged as predictions. What was stored when a run was interrupted stays; the next run goes on.

    Parameters
    ----------
    progress
        Called with what is done and the share of the file, 0 to 1.

    Raises
    ------
    InvalidInput, SchemaMismatch
        The file or the plan cannot be used.
    Conflict
        The model is there but was not made from a file, or was made with other columns.
    NotPermitted
    """
    check_roles(source, plan.columns)
    report = progress or (lambda _doing, _share: None)
    kept: dict[str, Any] | None = setting(workspace, _setting(plan.model))
    skipped: dict[str, str] = {}
    if kept is None:
        report("reading the reference", 0.0)
        kept, skipped = _register(workspace, actor, source, plan)
        is_new = True
    else:
        _check_same(plan, kept)
        is_new = False
    _finish_registration(workspace, actor, plan.model)
    problem = ProblemType(kept["problem"])
    with workspace.store.read() as session:
        model = find_model(session, plan.model)
        version = champion_of(session, model)
        reference = session.exec(
            select(ReferenceProfile).where(ReferenceProfile.model_version_id == version.id)
        ).one()
    source.check_columns([*version.columns])
    if not is_new:
        _check_rows(source, plan, version.columns, problem, workspace)
    after = datetime.fromisoformat(kept["log_from"]) if kept["log_from"] else None
    log = log_table(model, LogKind.OUTCOMES)
    logged_before = workspace.warehouse.files(log) if workspace.warehouse.exists(log) else []
    counts = {"predictions": 0, "outcomes": 0, "known": 0}
    total, done = max(1, source.rows), 0
    rows = log_rows(source, plan.columns, version.columns, problem, plan.positive, workspace.clock.now())
    for part in rows:
        done += part.predictions.num_rows
        predictions, outcomes = rows_from(part.predictions, part.outcomes, after)
        if predictions.num_rows:
            logged = log_predictions(workspace, actor, plan.model, version.number, predictions)
            counts["predictions"] += logged.stored
            counts["known"] += logged.duplicates
        news = news_of(outcomes, logged_before)
        if news.num_rows:
            counts["outcomes"] += log_outcomes(workspace, actor, plan.model, news).stored
        report("logging", done / total)
    report("measuring", 1.0)
    run_monitoring(workspace, actor)
    row = next(row for row in read_board(workspace).rows if row.model == plan.model)
    return Watched(
        model=plan.model,
        is_new=is_new,
        problem=problem,
        **counts,
        reference_rows=reference.rows,
        reference_end=reference.end,
        row=row,
        skipped=skipped,
    )


def _register(
    workspace: Workspace, actor: Actor, source: Source, plan: WatchPlan
) -> tuple[dict[str, Any], dict[str, str]]:
    """Register the model with its reference; return what later runs need to know, and skipped columns."""
    with workspace.store.read() as session:
        _check_free(session, plan.model)
    features, skipped = feature_columns(source, plan.columns)
    problem = plan.problem or guess_problem(source, plan.columns)
    times = prediction_times(source, plan.columns)
    if not len(times):
        raise InvalidInput(f"{source.name} has no rows: there is nothing to watch")
    log_from: datetime | None = None
    if plan.reference is None:
        log_from = plan.reference_until or first_quarter(times, source)
    origin = plan.reference or source
    check_roles(origin, plan.columns)
    origin.check_columns(features)
    _check_rows(source, plan, features, problem, workspace)
    reference, outcomes = read_reference_rows(
        origin, plan, features, problem, log_from, workspace.clock.now()
    )
    metric, metrics = reference_metrics(reference, outcomes, plan.columns, problem)
    model = _model(workspace, actor, plan, problem, metric, times)
    snapshot = store_training_data(workspace, actor, f"reference-of-{model.name}", reference)
    register_version(
        workspace,
        actor,
        model.name,
        NewVersion(
            estimator=None,
            columns=features,
            snapshot=snapshot,
            metrics=metrics,
            reference=with_outcomes(reference, outcomes),
            commit=CommitState("", dirty=False),
            metrics_data="reference",
        ),
    )
    kept: dict[str, Any] = {
        "columns": plan.columns.as_json(),
        "problem": str(problem),
        "positive": plan.positive,
        "log_from": log_from.isoformat() if log_from else None,
    }
    put_setting(workspace, actor, _setting(model.name), kept, f"{model.name} is watched from a file")
    return kept, skipped


def _check_rows(
    source: Source, plan: WatchPlan, features: Sequence[str], problem: ProblemType, workspace: Workspace
) -> None:
    """Read the whole file before anything is stored, so that a bad row late in it leaves nothing."""
    for _ in log_rows(source, plan.columns, features, problem, plan.positive, workspace.clock.now()):
        pass


def _check_free(session: Session, name: str) -> None:
    model = session.exec(select(Model).where(Model.name == name)).first()
    if model is None:
        return
    made = session.exec(select(ModelVersion).where(ModelVersion.model_id == model.id)).first()
    if made is not None and made.artefact_digest:
        raise Conflict(
            f"model '{name}' was registered with its artefact, not from a file: "
            "give this one another name with --model"
        )


def _model(
    workspace: Workspace,
    actor: Actor,
    plan: WatchPlan,
    problem: ProblemType,
    metric: str | None,
    times: NDArray[np.datetime64],
) -> Model:
    """Return the model; one that an interrupted run has made is used again."""
    with workspace.store.read() as session:
        known = session.exec(select(Model).where(Model.name == plan.model)).first()
    if known is not None:
        return known
    return create_model(
        workspace,
        actor,
        name=plan.model,
        description="Watched from a file of its predictions",
        owner=actor,
        problem_type=problem,
        primary_metric=metric,
        latency_objective_ms=_NO_OBJECTIVE_MS,
        cadence_hours=usual_pause(times),
        segment_columns=plan.columns.segments,
    )


def _finish_registration(workspace: Workspace, actor: Actor, name: str) -> None:
    """Take the version into production, from whatever stage an interrupted run has left it in."""
    steps = [Stage.CANDIDATE, Stage.APPROVED]
    with workspace.store.read() as session:
        model = find_model(session, name)
        version = session.exec(select(ModelVersion).where(ModelVersion.model_id == model.id)).one()
    if version.stage == Stage.PRODUCTION:
        return
    for stage in steps[steps.index(Stage(version.stage)) + 1 if version.stage in steps else 0 :]:
        move_version(workspace, actor, name, version.number, stage)
    promote_version(workspace, actor, name, version.number)


def _check_same(plan: WatchPlan, kept: dict[str, Any]) -> None:
    changed = [name for name, value in plan.columns.as_json().items() if value != kept["columns"].get(name)]
    if plan.problem is not None and plan.problem != kept["problem"]:
        changed.append("problem")
    if plan.positive != kept["positive"]:
        changed.append("positive")
    if changed:
        raise Conflict(
            f"model '{plan.model}' was watched with another {', '.join(changed)}: name the same, or give the "
            "model another name"
        )
    until = plan.reference_until
    if until is not None and until.isoformat() != kept["log_from"]:
        raise Conflict(
            f"model '{plan.model}' has the reference until {kept['log_from'] or 'a file of its own'}, which "
            "does not change: give the model another name to compare with another one"
        )


def _setting(model: str) -> str:
    return f"watch:{model}"
