"""`bigboard serve`: one process for the console, the API and the scheduler."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from sklearn.metrics import roc_auc_score

from mlops_core import __version__
from mlops_core.domain.states import Level, ProblemType
from tests import factories
from tests.demo_workspace import BIGBOARD, Facts, Served, free_port, ordinary_environment, serving
from tests.pages.measuring import half_of_pairs_within_a_cell


@pytest.fixture(scope="module")
def served(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console on the module's own demo workspace."""
    with serving(demo_workspace, tmp_path_factory.mktemp("console") / "serve.log") as running:
        yield running


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A workspace in which nothing was done yet."""
    factories.workspace_in(tmp_path / "workspace").close()
    return tmp_path / "workspace"


def serve(*options: object) -> subprocess.CompletedProcess[str]:
    """Run a `bigboard serve` that is expected to end by itself."""
    return subprocess.run(
        [str(part) for part in (BIGBOARD, "serve", *options)],
        env=ordinary_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ── what it answers ──────────────────────────────────────────────────────────────────────────────


def test_health_says_which_release_and_store_answer(served: Served, demo_facts: Facts) -> None:
    health = served.get("/api/v1/health")

    assert health["status"] == "ok"
    assert health["version"] == __version__
    assert health["store"] == "duckdb"
    assert health["revision"] >= demo_facts.one("SELECT revision FROM store_revision")
    assert datetime.fromisoformat(health["monitored_at"]) == demo_facts.one(
        "SELECT max(finished_at) FROM job_run WHERE job = 'monitoring'"
    )


def test_models_are_those_in_production_with_sane_figures(served: Served, demo_facts: Facts) -> None:
    models = served.get("/api/v1/models")

    assert len(models) >= 20
    assert sorted(model["name"] for model in models) == demo_facts.models
    for model in models:
        assert model["version"] >= 1
        assert model["owner"]
        assert ProblemType(model["problem_type"])
        assert Level(model["level"]) not in {Level.UNJUDGED, Level.UNKNOWN}
        assert model["status"]
        assert model["predictions"] > 0
        assert 0 < model["latency_p50_ms"] <= model["latency_p95_ms"] <= model["latency_p99_ms"]
        assert model["latency_objective_ms"] > 0
        assert datetime.fromisoformat(model["last_prediction"]).utcoffset() is not None


def test_the_newest_measured_auc_is_the_one_that_scikit_learn_computes(
    served: Served, demo_facts: Facts
) -> None:
    models = [model for model in served.get("/api/v1/models") if model["metric"] == "roc_auc"]

    assert len(models) >= 15
    for model in models:
        known = demo_facts.judged(model["name"])
        known = known[known["week"] == known["week"].max()]
        exact = roc_auc_score(known["outcome"], known["prediction"])
        bound = half_of_pairs_within_a_cell(known["prediction"], known["outcome"])
        assert model["measured"] == pytest.approx(exact, abs=bound + 1e-9), model["name"]


def test_the_console_is_served_beside_the_api(served: Served) -> None:
    with urllib.request.urlopen(f"{served.url}/", timeout=10) as answer:  # noqa: S310 - our own server
        assert b"<html" in answer.read()


def test_the_api_describes_itself(served: Served) -> None:
    paths = served.get("/api/openapi.json")["paths"]

    assert {"/v1/health", "/v1/models"} <= set(paths)


def test_what_does_not_exist_is_not_found(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        served.get("/api/v1/nonsense")


# ── who can reach it ─────────────────────────────────────────────────────────────────────────────


def test_by_default_only_this_machine_reaches_it(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    for address in {"127.0.0.2", *addresses_of_this_machine()}:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def addresses_of_this_machine() -> list[str]:
    """The address of the interface that leads outside, where there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return []
        return [address for address in [probe.getsockname()[0]] if address != "127.0.0.1"]


def test_the_default_address_comes_without_a_warning(served: Served) -> None:
    printed = served.log.read_text()

    assert f"http://localhost:{served.url.rpartition(':')[2]}" in printed
    assert "warning" not in printed.lower()
    assert "traceback" not in printed.lower()


def test_listening_to_everybody_warns_that_there_is_no_sign_in(small: Path, tmp_path: Path) -> None:
    with serving(small, tmp_path / "serve.log", "--host", "0.0.0.0") as open_to_all:  # noqa: S104 - what the warning is about
        port = int(open_to_all.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.2", port), timeout=5):
            pass

    printed = open_to_all.log.read_text()
    assert "warning" in printed.lower()
    assert "sign-in" in printed


def test_a_port_that_is_taken_is_named_before_the_store_is_opened(small: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        ended = serve("--workspace", small, "--port", port)

    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert "--port" in ended.stderr


# ── one process, one file ────────────────────────────────────────────────────────────────────────


def test_a_second_server_on_the_same_workspace_is_refused_and_names_the_first(served: Served) -> None:
    ended = serve("--workspace", served.workspace, "--port", free_port())

    assert ended.returncode == 1
    assert str(served.process.pid) in re.findall(r"\d+", ended.stderr)
    assert "Traceback" not in ended.stderr
    assert served.get("/api/v1/health")["status"] == "ok"


def test_stopping_is_clean_and_frees_the_file_though_a_page_is_open(small: Path, tmp_path: Path) -> None:
    with serving(small, tmp_path / "serve.log") as running, opened_page(running.url):
        began = time.monotonic()
        code = running.stop()  # within its ten seconds
        print(f"healthy after {running.healthy_after:.1f} s, stopped in {time.monotonic() - began:.1f} s")

    assert code in {0, -15, 143}
    with duckdb.connect(str(small / "bigboard.duckdb")) as store:
        assert store.execute("SELECT count(*) FROM actor").fetchone() == (1,)
    assert "Traceback" not in running.log.read_text()


@contextmanager
def opened_page(url: str) -> Iterator[None]:
    """Hold a WebSocket, as a page that is open in a browser does."""
    port = int(url.rpartition(":")[2])
    upgrade = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nOrigin: {url}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: streamlit\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as page:
        page.sendall(upgrade.encode())
        assert b" 101 " in page.recv(4096)
        yield


def test_serving_where_there_is_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    ended = serve("--workspace", tmp_path / "nothing", "--port", free_port())

    assert ended.returncode == 1
    assert "bigboard demo" in ended.stderr
    assert not (tmp_path / "nothing").exists()


# ── what an import costs ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("module", ["mlops_core", "mlops_core.cli", "mlops_core.cli.main"])
def test_importing_loads_none_of_what_is_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    heavy = {"streamlit", "plotly", "pandas", "duckdb"}
    if module == "mlops_core":
        heavy |= {"pyarrow", "sklearn", "scipy", "numpy", "sqlalchemy"}
    assert not heavy & set(loaded)


def test_the_core_never_imports_the_screen() -> None:
    program = (
        "import sys, mlops_core.api, mlops_core.demo, mlops_core.monitoring, mlops_core.value\n"
        "print(*{'streamlit', 'plotly', 'app', 'pages'} & set(sys.modules))"
    )

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []
