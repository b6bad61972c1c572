import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import httpx
import pytest
from typer.testing import CliRunner

from mlops_core import __version__
from mlops_core.cli import app
from mlops_core.store import head_version
from tests.factories import HOLDER, run_as_ordinary_user, running, workspace_in

BIGBOARD = Path(sys.executable).with_name("bigboard")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("BIGBOARD_")]:
        monkeypatch.delenv(name)


def bigboard(*arguments):
    return CliRunner().invoke(app, [str(part) for part in arguments])


def contents_of(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    """The folder of a good, closed workspace."""
    workspace_in(tmp_path / "workspace").close()
    return tmp_path / "workspace"


def faults_in(output):
    return [line for line in output.splitlines() if line.startswith("fault")]


def test_version_prints_the_version():
    for result in (
        bigboard("version").output,
        subprocess.run([BIGBOARD, "version"], capture_output=True, text=True, check=True).stdout,
    ):
        assert result == f"bigboard {__version__}\n"


def test_help_lists_every_command():
    listed = bigboard("--help").output
    assert {"demo", "serve", "doctor", "version"} <= set(re.findall(r"\w+", listed))


# ── doctor ───────────────────────────────────────────────────────────────────────────────────────


def test_doctor_finds_no_fault_in_a_good_workspace_and_changes_nothing(folder):
    before = contents_of(folder)
    result = bigboard("doctor", "--workspace", folder)
    assert result.exit_code == 0, result.output
    assert faults_in(result.output) == []
    assert re.search(rf"schema version\s+{head_version()}", result.output)
    assert re.search(r"held by\s+nobody", result.output)
    assert contents_of(folder) == before


def test_doctor_examines_a_postgresql_store(postgres_database, tmp_path, monkeypatch):
    monkeypatch.setenv("BIGBOARD_DATABASE_URL", postgres_database)
    empty = bigboard("doctor", "--workspace", tmp_path)
    assert empty.exit_code == 1
    assert "none: the store is empty" in faults_in(empty.output)[0]
    workspace_in(tmp_path, postgres_database).close()
    assert bigboard("doctor", "--workspace", tmp_path).exit_code == 0


def test_doctor_reports_a_postgresql_server_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("BIGBOARD_DATABASE_URL", "postgresql+psycopg://me:secret@127.0.0.1:1/none")
    result = bigboard("doctor", "--workspace", tmp_path)
    assert result.exit_code == 1
    assert "does not answer" in faults_in(result.output)[0]
    assert "secret" not in result.output


def test_doctor_reports_a_missing_workspace_and_makes_none(tmp_path):
    result = bigboard("doctor", "--workspace", tmp_path / "none")
    assert result.exit_code == 1
    (fault,) = faults_in(result.output)
    assert "no workspace at" in fault
    assert "bigboard demo" in result.output
    assert list(tmp_path.iterdir()) == []


def damage(path):
    with path.open("r+b") as file:
        file.seek(4_100)
        file.write(b"\xa5" * 8_192)


def make_newer(path):
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def make_foreign(path):
    path.unlink()
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE sales (amount DOUBLE)")


@pytest.mark.parametrize(
    ("harm", "words"),
    [(damage, "damaged"), (make_newer, "newer release"), (make_foreign, "tables of something else")],
)
def test_doctor_reports_a_store_that_cannot_be_used_and_leaves_it(folder, harm, words):
    harm(folder / "bigboard.duckdb")
    before = contents_of(folder)
    result = bigboard("doctor", "--workspace", folder)
    assert result.exit_code == 1
    (fault,) = faults_in(result.output)
    assert words in fault
    assert contents_of(folder) == before


def test_doctor_names_the_process_that_holds_a_workspace_which_is_no_fault(folder):
    with running(HOLDER, folder) as holder:
        result = bigboard("doctor", "--workspace", folder)
    assert result.exit_code == 0, result.output
    assert re.search(rf"held by\s+process {holder.pid}", result.output)


def test_doctor_reports_a_folder_that_this_user_cannot_write(folder):
    for path in (folder / "bigboard.duckdb", folder):
        path.chmod(0o444 if path.is_file() else 0o555)
    done = run_as_ordinary_user([BIGBOARD, "doctor", "--workspace", folder])
    assert done.returncode == 1
    subjects = [line.split()[1] for line in faults_in(done.stdout)]
    assert subjects == ["can", "warehouse", "artefacts"], done


# ── serve ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def busy_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_serve_without_a_workspace_says_how_to_make_one(tmp_path, free_port):
    result = bigboard("serve", "--workspace", tmp_path / "none", "--port", free_port)
    assert result.exit_code == 1
    assert "there is no workspace at" in result.stderr
    assert "bigboard demo" in result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_busy_port_is_reported_before_anything_else_is_done(tmp_path, busy_port, command):
    result = bigboard(command, "--workspace", tmp_path / "none", "--port", busy_port)
    assert result.exit_code == 1
    assert f"port {busy_port} of 127.0.0.1 cannot be used" in result.stderr
    assert "choose another with --port" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_serve_and_demo_report_a_workspace_that_another_process_holds(folder, free_port):
    with running(HOLDER, folder) as holder:
        for command in (
            ["serve", "--port", free_port],
            ["demo", "--no-serve"],
            ["demo", "--no-serve", "--rebuild"],
        ):
            result = bigboard(*command, "--workspace", folder)
            assert result.exit_code == 1
            assert f"held by process {holder.pid}" in result.stderr


def test_a_served_workspace_answers_until_ctrl_c_and_is_then_free(folder, free_port):
    command = [BIGBOARD, "serve", "--workspace", folder, "--port", str(free_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://127.0.0.1:{free_port}"
            health = answer_of(f"{url}/api/v1/health", server)
            assert health.json()["status"] == "ok"
            assert httpx.get(url).status_code == 200
            found = bigboard("doctor", "--workspace", folder)
            assert re.search(rf"held by\s+process {server.pid}", found.output)
            server.send_signal(signal.SIGINT)
            output, errors = server.communicate(timeout=30)
        finally:
            server.kill()
    assert f"Bigboard is at http://localhost:{free_port}" in output
    assert "Traceback" not in errors
    workspace_in(folder).close()


def answer_of(url, server):
    """Wait until a server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, server.communicate()
        try:
            return httpx.get(url, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer within a minute")


# ── demo ─────────────────────────────────────────────────────────────────────────────────────────


def test_demo_refuses_a_folder_that_holds_something_else_and_leaves_it(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.txt").write_text("It was a dark night.")
    before = contents_of(tmp_path)
    for extra in ([], ["--rebuild"]):
        result = bigboard("demo", "--no-serve", "--workspace", tmp_path / "thesis", *extra)
        assert result.exit_code == 1
        assert "holds something else than a demo" in result.stderr
    assert contents_of(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_demo_refuses_a_workspace_that_is_no_demo_and_leaves_it(folder):
    before = contents_of(folder)
    result = bigboard("demo", "--no-serve", "--workspace", folder)
    assert result.exit_code == 1
    assert "holds something else than a demo" in result.stderr
    assert contents_of(folder) == before


def test_demo_refuses_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    result = bigboard("demo", "--no-serve", "--workspace", tmp_path / "file")
    assert result.exit_code == 1
    assert "is a file" in result.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("weeks", ["0", "27", "many"])
def test_a_number_of_weeks_that_the_data_does_not_have_is_refused(tmp_path, weeks):
    result = bigboard("demo", "--no-serve", "--workspace", tmp_path / "new", "--weeks", weeks)
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
