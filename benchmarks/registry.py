"""Search among 1,000 models of 20 versions each, against a bare page of the versions' table.

Every question is asked in turn with ``SELECT id, number, stage FROM model_version ORDER BY id LIMIT 25`` of
the same store; its processor time is what it costs on a busy machine, too.
Run it alone: ``python benchmarks/registry.py [--models 1000] [--postgres]``.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import compare
from sqlalchemy import insert, text

from mlops_core.clock import FixedClock
from mlops_core.domain import (
    Actor,
    Alias,
    Comparison,
    Metric,
    Model,
    ModelTag,
    ModelVersion,
    Snapshot,
    StageChange,
    TestResult,
    TestRun,
)
from mlops_core.domain.states import JobState, ProblemType, Role, Stage, TestStatus, Verdict
from mlops_core.registry.catalogue import VersionQuery, search_versions
from mlops_core.settings import Settings
from mlops_core.workspace import Workspace, open_workspace

NOW = datetime(2025, 3, 10, 12, tzinfo=UTC)
VERSIONS = 20
PAGE = 25
TESTS = 12
BARE = f"SELECT id, number, stage FROM model_version ORDER BY id LIMIT {PAGE}"  # noqa: S608 - a constant
STAGES = [Stage.DEVELOPMENT, Stage.CANDIDATE, Stage.REJECTED, Stage.ARCHIVED]


def fill(workspace: Workspace, models: int) -> None:
    """Write models with all that the registry knows of a version, without training any."""
    rng = np.random.default_rng(5)
    versions = models * VERSIONS
    owners = [
        {"id": 10 + i, "name": f"owner-{i}", "full_name": f"Owner Number {i}", "role": Role.DATA_SCIENTIST}
        for i in range(40)
    ]
    at = [NOW - timedelta(minutes=int(minutes)) for minutes in rng.integers(0, 500_000, versions)]
    rows = {
        Actor: [one | {"created_at": NOW, "email": ""} for one in owners],
        Model: [
            {
                "id": i + 1,
                "name": f"model-{i:04d}",
                "description": f"Tells what customers of kind {i} will do",
                "owner_id": 10 + i % 40,
                "problem_type": ProblemType.BINARY,
                "primary_metric": "roc_auc",
                "latency_objective_ms": 50.0,
                "cadence_hours": 24.0,
                "segment_columns": ["region"],
                "created_at": NOW,
            }
            for i in range(models)
        ],
        ModelTag: [
            {"id": 2 * i + j + 1, "model_id": i + 1, "tag": tag}
            for i in range(models)
            for j, tag in enumerate((f"team-{i % 17}", "daily" if i % 3 else "weekly"))
        ],
        Snapshot: [
            {
                "id": i + 1,
                "table_name": f"training/model-{i:04d}",
                "version": 0,
                "rows": 10_000,
                "columns": {},
                "digest": "0" * 64,
                "created_at": NOW,
            }
            for i in range(models)
        ],
        ModelVersion: [
            {
                "id": i + 1,
                "model_id": i // VERSIONS + 1,
                "number": i % VERSIONS + 1,
                "stage": Stage.PRODUCTION if i % VERSIONS == 15 else STAGES[i % 4],
                "author_id": 10 + i % 40,
                "snapshot_id": i // VERSIONS + 1,
                "artefact_digest": f"{i:064x}",
                "artefact_format": "skops",
                "artefact_bytes": 100_000,
                "git_commit": f"{i:040x}",
                "git_dirty": False,
                "estimator": "HistGradientBoostingClassifier" if i % 2 else "LogisticRegression",
                "hyper_parameters": {"max_iter": 100, "learning_rate": 0.1},
                "columns": [f"feature_{(i + j * 7) % 200}" for j in range(20)],
                "created_at": at[i],
                "environment": {"python": "3.11", "scikit-learn": "1.9"},
                "predictions_digest": None,
            }
            for i in range(versions)
        ],
        StageChange: [
            {
                "id": i + 1,
                "model_version_id": i // 3 + 1,
                "stage": STAGES[i % 3],
                "at": at[i // 3],
                "actor_id": 10,
            }
            for i in range(3 * versions)
        ],
        Alias: [
            {
                "id": i + 1,
                "model_id": i + 1,
                "name": "champion",
                "model_version_id": i * VERSIONS + 16,
                "at": NOW - timedelta(days=200),
            }
            for i in range(models)
        ],
        Metric: [
            {
                "id": 2 * i + j + 1,
                "model_version_id": i + 1,
                "name": name,
                "data": "held-out",
                "value": float(rng.uniform(0.5, 1.0)),
                "rows": 5_000,
                "snapshot_id": None,
            }
            for i in range(versions)
            for j, name in enumerate(("roc_auc", "log_loss"))
        ],
        TestRun: [
            {
                "id": i + 1,
                "model_version_id": i + 1,
                "actor_id": 10,
                "state": JobState.SUCCEEDED,
                "started_at": at[i],
                "finished_at": at[i],
                "message": "",
            }
            for i in range(versions)
            if i % 3
        ],
        TestResult: [
            {
                "id": TESTS * i + j + 1,
                "test_run_id": i + 1,
                "test": f"test-{j}",
                "status": TestStatus.FAILED if i % 5 == 0 and j == 3 else TestStatus.PASSED,
                "sentence": "It is as it should be.",
                "evidence": {},
                "seconds": 0.1,
                "at": at[i],
            }
            for i in range(versions)
            if i % 3
            for j in range(TESTS)
        ],
        Comparison: [
            {
                "id": i + 1,
                "challenger_id": i + 1,
                "champion_id": i // VERSIONS * VERSIONS + 16,
                "snapshot_id": i // VERSIONS + 1,
                "actor_id": 10,
                "metric": "roc_auc",
                "challenger_value": 0.8,
                "champion_value": 0.79,
                "difference": float(rng.normal(0, 0.01)),
                "lower": -0.02,
                "upper": 0.02,
                "rows": 5_000,
                "verdict": list(Verdict)[i % 4],
                "segment": "",
                "report": {"metrics": ["x" * 40] * 100},
                "at": at[i],
            }
            for i in range(versions)
            if i % 3 == 1
        ],
    }
    with workspace.store.engine.begin() as connection:
        for table, values in rows.items():
            for start in range(0, len(values), 5_000):
                _insert(connection, table, values[start : start + 5_000])


def _insert(connection, table, values) -> None:
    if connection.dialect.name == "duckdb":
        _insert_arrow(connection, table, values)
    else:
        connection.execute(insert(table), values)


def _insert_arrow(connection, table, values) -> None:
    """Insert by Arrow: row by row DuckDB would take minutes."""
    import json

    import pyarrow as pa

    plain = [
        {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in row.items()}
        for row in values
    ]
    own = connection.connection.driver_connection
    own.register("filling", pa.Table.from_pylist(plain))
    columns = ", ".join(f'"{name}"' for name in plain[0])
    own.execute(f"INSERT INTO {table.__tablename__} ({columns}) SELECT {columns} FROM filling")  # noqa: S608 - our names
    own.unregister("filling")


def questions(models: int) -> dict[str, VersionQuery]:
    """Return what is asked, by title."""
    last = models * VERSIONS - PAGE
    return {
        "everything, first page": VersionQuery(limit=PAGE),
        "everything, last page": VersionQuery(limit=PAGE, offset=last),
        "text": VersionQuery(text="model-05 logistic", limit=PAGE),
        "owner": VersionQuery(owner="owner-7", limit=PAGE),
        "tag": VersionQuery(tag="team-3", limit=PAGE),
        "stage": VersionQuery(stages=[Stage.CANDIDATE], limit=PAGE),
        "updates, tests passed": VersionQuery(kind="update", tests="passed", limit=PAGE),
        "metric range": VersionQuery(metric_least=0.7, metric_most=0.75, order="metric", limit=PAGE),
        "feature": VersionQuery(feature="feature_17", limit=PAGE),
        "verdict, by difference": VersionQuery(verdict=Verdict.BETTER, order="difference", limit=PAGE),
        "text, tag, stage, metric, feature, deep": VersionQuery(
            text="kind",
            tag="daily",
            stages=[Stage.CANDIDATE, Stage.DEVELOPMENT],
            metric_least=0.6,
            feature="feature_17",
            limit=PAGE,
            offset=4 * PAGE,
        ),
    }


def measure(workspace: Workspace, models: int, repeats: int) -> None:
    """Print the median of each question."""

    def bare() -> None:
        with workspace.store.read() as session:
            session.execute(text(BARE)).all()

    for title, query in questions(models).items():
        found = search_versions(workspace, query)
        pair = compare(bare, lambda query=query: search_versions(workspace, query), repeats)
        spent = []
        for _ in range(repeats):
            start = time.process_time()
            search_versions(workspace, query)
            spent.append(1e3 * (time.process_time() - start))
        times = f"{1e3 * pair.ours:6.1f} ms, {statistics.median(spent):6.1f} ms of processor"
        print(f"{title:42s} {times}  {pair.ratio:5.1f} bare pages  {found.total:,} found", flush=True)


def main() -> None:
    """Fill a store and ask."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--models", type=int, default=1_000)
    arguments.add_argument("--repeats", type=int, default=15)
    arguments.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own")
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="registry-"))
    try:
        if given.postgres:
            from tests.postgres_server import create_database, find_postgres, running_server

            binaries = find_postgres()
            if binaries is None:
                sys.exit("no PostgreSQL server on this machine")
            with running_server(binaries) as url:
                ask(folder, create_database(url, "registry"), given)
        else:
            ask(folder, "", given)
    finally:
        shutil.rmtree(folder)


def ask(folder: Path, url: str, given: argparse.Namespace) -> None:
    """Open a store, fill it and measure."""
    settings = Settings(workspace=folder, database_url=url, warehouse="", actor="system")
    workspace = open_workspace(settings, create=True, clock=FixedClock(NOW))
    fill(workspace, given.models)
    if url:
        with workspace.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    size = f"{given.models:,} models of {VERSIONS} versions"
    print(f"{size}, {workspace.store.dialect}, median of {given.repeats}")
    measure(workspace, given.models, given.repeats)
    workspace.close()


if __name__ == "__main__":
    main()
