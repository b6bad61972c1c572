"""A Spark session: the one that is there, a Spark Connect server's, or one of our own."""

import os
import shutil
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mlops_core.domain.errors import EngineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["spark_session"]

_READING: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "131072",
}

_CONNECT_PORT: Final = 15_002
_PATIENCE: Final = 10.0  # seconds

_one_at_a_time = threading.Lock()


@contextmanager
def spark_session(master: str) -> Iterator["SparkSession"]:
    """Give a session in UTC with exact names; its own settings are put back afterwards.

    The session of this thread is used if it has one (a notebook's), else the server that ``SPARK_REMOTE``
    names, else a new one at `master`. It stays open for the next count.

    Raises
    ------
    EngineError
        If pyspark or Java is missing, or Spark does not start.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EngineError(
            f"Spark was chosen for counting, but {error.name or 'pyspark'} is not installed: install the "
            "extra (pip install 'bigboard[spark]'), or set BIGBOARD_ENGINE=local"
        ) from error
    # It warns of each function that takes pandas along, which none of ours does.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    with _one_at_a_time:
        try:
            session = SparkSession.getActiveSession() or _new_session(SparkSession.builder, master)
            before = {name: session.conf.get(name, None) for name in _READING}
            for name, value in _READING.items():
                session.conf.set(name, value)
        except (PySparkException, OSError, RuntimeError) as error:
            raise EngineError(f"Spark does not start ({_where(master)}): {_first_line(error)}") from error
        try:
            yield session
        finally:
            for name, value in before.items():
                session.conf.unset(name) if value is None else session.conf.set(name, value)


def _new_session(builder: "SparkSession.Builder", master: str) -> "SparkSession":
    if remote := os.environ.get("SPARK_REMOTE"):
        _check_reachable(remote)
        return builder.remote(remote).getOrCreate()
    if not _java():
        raise EngineError(
            "Spark was chosen for counting, but there is no Java: install Java 17 (Debian: apt-get install "
            "openjdk-17-jre-headless), let SPARK_REMOTE name a Spark Connect server, or set "
            "BIGBOARD_ENGINE=local"
        )
    builder = builder.master(master).appName("bigboard").config("spark.log.level", "ERROR")
    builder = builder.config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    if master.startswith("local"):
        # The loopback address, and the Python that has Bigboard.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
        builder = builder.config("spark.driver.host", "127.0.0.1")
    return builder.getOrCreate()


def _check_reachable(remote: str) -> None:
    """Knock at a Spark Connect server, since its client tries for ten minutes before it gives up."""
    address = urlsplit(remote)
    if address.scheme == "sc" and address.hostname:
        socket.create_connection((address.hostname, address.port or _CONNECT_PORT), _PATIENCE).close()


def _java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return (Path(home) / "bin" / "java").exists() if home else shutil.which("java") is not None


def _where(master: str) -> str:
    return os.environ.get("SPARK_REMOTE") or master


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
