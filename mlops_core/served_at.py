"""Where a workspace is served: the server writes it down in the workspace, other processes read it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlops_core.settings import Settings

__all__ = ["address_of_server", "announced"]

_FILE = "server.json"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - names what to replace


@contextmanager
def announced(settings: Settings, host: str, port: int) -> Iterator[None]:
    """Say in the workspace where it is served, for as long as the block lasts.

    A workspace in a folder that cannot be written is served all the same.
    """
    path = settings.workspace / _FILE
    reached = _EVERYWHERE.get(host, host)
    url = f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
    with suppress(OSError):
        _write(path, {"url": url, "process_id": os.getpid()})
    try:
        yield
    finally:
        if _read(path).get("process_id") == os.getpid():
            with suppress(OSError):
                path.unlink()


def address_of_server(settings: Settings, process_id: int | None) -> str | None:
    """Return the URL of the server that holds a workspace, None when nobody has said so.

    Parameters
    ----------
    process_id
        Of the process that holds it (`StoreHeld.process_id`): what another one wrote, which was killed
        before it could take it back, is not believed. None where it is not known.
    """
    told = _read(settings.workspace / _FILE)
    url, written_by = told.get("url"), told.get("process_id")
    if not isinstance(url, str) or not isinstance(written_by, int):
        return None
    if process_id is not None and process_id != written_by:
        return None
    return url if _is_alive(written_by) else None


def _write(path: Path, told: dict[str, object]) -> None:
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(told), encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> dict[str, object]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
