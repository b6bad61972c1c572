"""The wheel that users install: whole, tidy, and able to serve the console far from this checkout."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import mlops_core

pytestmark = pytest.mark.packaging

REPOSITORY = Path(__file__).resolve().parents[2]
CONSOLE = "mlops_core/_console"
NEVER_SHIPPED = re.compile(r"__pycache__|\.pyc$|^data/workspace|secrets\.toml$")
ANSWERS_WITHIN = 120.0  # seconds


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=REPOSITORY)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    """The names of all files in the wheel."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an empty environment in which the wheel, and what it asks for, has been installed."""
    environment = tmp_path_factory.mktemp("elsewhere") / "venv"
    beside = Path(sys.executable).parent / "uv"
    uv = beside if beside.exists() else shutil.which("uv")
    if uv is None:
        pytest.fail("no uv beside this Python: run the tests with `make test`")
    run([uv, "venv", "--python", sys.executable, environment])
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--python",
        environment / "bin" / "python",
        "--no-build",
    ]
    install += ["--constraint", REPOSITORY / "requirements.lock", f"bigboard[demo] @ {wheel.as_uri()}"]
    try:
        run([*install, "--offline"])  # `make setup` has filled uv's cache
    except AssertionError:
        run(install)
    return environment / "bin"


def test_nothing_but_the_core_lands_at_the_top_of_site_packages(contents: set[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in contents}

    assert tops == {"mlops_core", f"bigboard-{mlops_core.__version__}.dist-info"}


def test_every_file_of_the_core_and_the_console_travels(contents: set[str]) -> None:
    expected = shipped("mlops_core") | {
        f"{CONSOLE}/{name}" for part in ("app", "pages", "data", ".streamlit") for name in shipped(part)
    }

    assert {name for name in contents if name.startswith("mlops_core/")} == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "mlops_core/store/migrations/env.py",
        "mlops_core/store/migrations/versions/*.py",
        f"{CONSOLE}/app/main.py",
        f"{CONSOLE}/pages/*.py",
        f"{CONSOLE}/.streamlit/config.toml",
        f"{CONSOLE}/data/*",
    ],
)
def test_the_wheel_holds_what_the_console_needs(contents: set[str], pattern: str) -> None:
    assert fnmatch.filter(contents, pattern)


def test_the_metadata_says_what_pyproject_says(wheel: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    with ZipFile(wheel) as archive:
        folder = f"bigboard-{mlops_core.__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()

    assert metadata["Version"] == mlops_core.__version__
    assert set(metadata.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    assert f"bigboard = {project['scripts']['bigboard']}" in entry_points


def test_an_installed_bigboard_builds_the_demo_and_serves_the_console(
    elsewhere: Path, chromium_path: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    bigboard = elsewhere / "bigboard"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "BIGBOARD_DEMO_WEEKS": "2"}
    run([bigboard, "demo", "--no-serve", "--workspace", workspace], cwd=tmp_path, env=environment)

    with serving(bigboard, workspace, tmp_path, environment) as address:
        assert get(f"{address}/api/v1/health") == 200
        shown, failures = look_at(address, chromium_path)

    assert shown
    assert failures == []
    assert not any((tmp_path / name).exists() for name in ("app", "pages", "data"))


def shipped(part: str) -> set[str]:
    """Return the files of a top-level folder that must be in the wheel, relative to the repository."""
    files = (
        path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / part).rglob("*") if path.is_file()
    )
    return {name for name in files if not NEVER_SHIPPED.search(name)}


def run(
    command: list[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; what it printed is the message when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done


@contextmanager
def serving(bigboard: Path, workspace: Path, cwd: Path, env: dict[str, str]) -> Iterator[str]:
    """Serve a workspace on a free port until the block ends; yield the address once the API answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = cwd / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [bigboard, "serve", "--workspace", workspace, "--port", str(port)],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + ANSWERS_WITHIN
        while get(f"{address}/api/v1/health") != 200:
            assert server.poll() is None, f"bigboard serve ended early:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"bigboard serve does not answer:\n{log.read_text()}"
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def get(address: str) -> int | None:
    """Return the status with which an address answers, or None when nobody does."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (our own server)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def look_at(address: str, chromium: Path) -> tuple[str, list[str]]:
    """Open the console in a browser; return the text of the page and the exceptions that it shows."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("[data-testid=stMain] [data-testid=stMarkdown], [data-testid=stException]")
        shown = page.inner_text("[data-testid=stMain]")
        failures = page.locator("[data-testid=stException]").all_inner_texts()
        browser.close()
    return shown, failures
