"""Workspaces that the pages show: the demo, one where something happens, an empty one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from app import session
from mlops_core.domain.states import Role, Stage
from mlops_core.monitoring import log_predictions, run_monitoring
from mlops_core.registry import move_version
from mlops_core.workspace import Workspace, actor_named, open_workspace, set_clock
from tests import factories

DRIFTED, MOVED_COLUMN = "churn-risk", "spend_8w"
SLOW = "spend-forecast"
WAITING = "pilot"


@pytest.fixture
def console(demo: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The pages show the demo workspace."""
    return shown(demo, monkeypatch)


@pytest.fixture
def eventful_console(eventful: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The pages show a workspace with findings, and a model on its way to production."""
    return shown(eventful, monkeypatch)


@pytest.fixture
def divided_console(divided: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The pages show a workspace in which an input drifted inside one segment alone."""
    return shown(divided, monkeypatch)


@pytest.fixture
def empty_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The pages show a workspace in which nothing was done yet."""
    workspace = factories.workspace_in(tmp_path / "workspace")
    yield shown(workspace, monkeypatch)
    workspace.close()


def shown(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(session, "_served", [workspace])
    return workspace


@pytest.fixture(scope="session")
def eventful(built_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The demo a week later: one model's input has moved, another answers slowly, a new one waits."""
    folder = shutil.copytree(built_demo, tmp_path_factory.mktemp("eventful") / "workspace")
    workspace = open_workspace(factories.settings_in(folder))
    log_a_week_that_moved(workspace)
    slow = newest_predictions(workspace, SLOW)
    times = pa.array([1000.0] * slow.num_rows)
    _log(workspace, SLOW, slow.set_column(slow.column_names.index("latency_ms"), "latency_ms", times))
    waiting = factories.new_version(workspace, factories.new_model(workspace, WAITING))
    move_version(
        workspace,
        factories.person(workspace, Role.DATA_SCIENTIST),
        WAITING,
        waiting.version.number,
        Stage.CANDIDATE,
    )
    run_monitoring(workspace, factories.system(workspace))
    yield workspace
    workspace.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """`churn-risk`, whose income is higher in the west, where a fifth of its customers live."""
    folder = tmp_path_factory.mktemp("divided")
    workspace = factories.workspace_in(folder)
    trained = factories.champion(workspace, cadence_hours=168)
    rows = factories.population(6_000, start=datetime(2025, 1, 27, tzinfo=UTC), days=28, seed=3)
    rows.loc[rows["region"] == "west", "income"] += 12
    someone = factories.system(workspace)
    log_predictions(workspace, someone, "churn-risk", 1, trained.predictions(rows))
    run_monitoring(workspace, someone)
    yield workspace
    workspace.close()
    shutil.rmtree(folder)


@pytest.fixture
def outside(eventful: Workspace) -> dict[str, set[str]]:
    """The models outside a range in their newest windows, by kind of monitor, from the store.

    Response times in the demo are really measured: on a busy machine, more models than one are slow.
    """
    with eventful.store.engine.connect() as connection:
        rows = connection.exec_driver_sql(OUTSIDE).fetchall()
    found: dict[str, set[str]] = {"drift": set(), "latency": set()}
    for kind, model in rows:
        found.setdefault(kind, set()).add(model)
    assert found["drift"] == {DRIFTED}
    assert SLOW in found["latency"]
    return found


OUTSIDE = """
SELECT DISTINCT monitor.kind, model.name
FROM measurement
JOIN (SELECT monitor_id, max(window_start) AS window_start FROM measurement GROUP BY monitor_id)
    USING (monitor_id, window_start)
JOIN monitor ON monitor.id = measurement.monitor_id
JOIN model_version ON model_version.id = monitor.model_version_id
JOIN model ON model.id = model_version.model_id
WHERE level IN ('warning', 'critical')
"""


def log_a_week_that_moved(workspace: Workspace) -> None:
    """Let a week pass, in which an input of one model moves."""
    set_clock(workspace, factories.system(workspace), workspace.clock.now() + timedelta(days=7))
    moved = newest_predictions(workspace, DRIFTED)
    spend = pa.array(moved[MOVED_COLUMN].to_numpy() + 500.0)
    _log(workspace, DRIFTED, moved.set_column(moved.column_names.index(MOVED_COLUMN), MOVED_COLUMN, spend))


def newest_predictions(workspace: Workspace, model: str) -> pa.Table:
    """The rows that a model scored last, to be scored again now."""
    folder = workspace.settings.workspace / "warehouse" / "predictions" / model
    log = pa.table(DeltaTable(str(folder)).to_pyarrow_table())
    times = log["predicted_at"].to_numpy()
    rows = log.filter(pa.array(times == times.max()))
    now = pa.array([workspace.clock.now()] * rows.num_rows, pa.timestamp("us", tz="UTC"))
    names = pa.array([f"again-{name}" for name in rows["prediction_id"].to_pylist()])
    rows = rows.set_column(rows.column_names.index("predicted_at"), "predicted_at", now)
    return rows.set_column(rows.column_names.index("prediction_id"), "prediction_id", names)


def _log(workspace: Workspace, model: str, rows: pa.Table) -> None:
    engineer = actor_named(workspace, "tomas.varga")
    log_predictions(workspace, engineer, model, 1, rows.drop_columns(["model_version"]))
