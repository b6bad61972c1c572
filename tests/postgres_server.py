"""A PostgreSQL server of our own: found on this machine, started for one test session, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["create_database", "drop_database", "find_postgres", "running_server"]

SUPERUSER = "bigboard"
STARTS_WITHIN = 60.0  # seconds
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "timezone": "Asia/Kolkata",  # a user's server need not be in UTC: naive times must not pass
    # Nothing here outlives the session, so nothing needs to survive a crash.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def find_postgres() -> Path | None:
    """Return the folder that holds `initdb` and `postgres`, or None where there is no server."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


@contextmanager
def running_server(binaries: Path) -> Iterator[str]:
    """Run a server on a free loopback port; yield the SQLAlchemy URL of its `postgres` database."""
    user = _ordinary_user()
    folder = Path(tempfile.mkdtemp(prefix="bigboard-postgres-"))
    log = folder / "server.log"
    try:
        if user:
            shutil.chown(folder, user)
        initdb = [binaries / "initdb", "--pgdata", folder / "data", "--username", SUPERUSER, "--auth=trust"]
        initdb += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        made = subprocess.run(initdb, user=user, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        for _ in range(3):  # another process may take the port first
            port = _free_port()
            server = _start(binaries, folder, port, user, log)
            try:
                if _accepts(server, port):
                    yield f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{port}/postgres"
                    return
            finally:
                _stop(server)
        raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def create_database(server_url: str, name: str) -> str:
    """Create an empty database and return its URL."""
    _administer(server_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    return f"{server_url.rpartition('/')[0]}/{name}"


def drop_database(server_url: str, name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    _administer(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(server_url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)


def _major(binaries: Path) -> int:
    name = binaries.parent.name
    return int(name) if name.isdigit() else 0


def _ordinary_user() -> str | None:
    """PostgreSQL refuses to run as root: name the account to run it as, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in accounts else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(binaries: Path, folder: Path, port: int, user: str | None, log: Path) -> subprocess.Popen[bytes]:
    settings = SETTINGS | {"port": str(port), "unix_socket_directories": str(folder)}
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with log.open("ab") as output:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *arguments],
            user=user,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the tests; they stop the server
        )


def _accepts(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server takes connections; False when it ends or takes too long."""
    import psycopg

    deadline = time.monotonic() + STARTS_WITHIN
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user=SUPERUSER, dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return server.poll() is None
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)  # at once: nothing is worth saving
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
