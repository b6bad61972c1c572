"""What every test may ask for: a real PostgreSQL server, a real browser, and a finished demo workspace.

On a user's machine a test skips, with the reason, when the program is missing; in CI it fails.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from tests.demo_workspace import built_demo, demo, demo_facts, demo_workspace, served_console
from tests.postgres_server import create_database, drop_database, find_postgres, running_server

__all__ = ["built_demo", "demo", "demo_facts", "demo_workspace", "served_console"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Two busy cores make any deadline a coin toss; CI repeats the same examples on every run.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def missing(what: str) -> NoReturn:
    """Skip the test because a program is missing, or fail it where CI promises the program."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}; CI must have it", pytrace=False)
    pytest.skip(what, allow_module_level=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a running PostgreSQL server, one for each test process."""
    binaries = find_postgres()
    if binaries is None:
        missing("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    with running_server(binaries) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database that lives as long as the test."""
    name = f"test_{uuid.uuid4().hex}"
    yield create_database(postgres_url, name)
    drop_database(postgres_url, name)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser that Playwright drives."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        missing("no Chromium or Chrome on this machine (Debian: apt-get install chromium)")
    return Path(found)
