"""Start the server from the command line."""

import importlib
import socket
import sys

from mlops_core.cli.output import console
from mlops_core.console_root import console_root
from mlops_core.domain.errors import Conflict
from mlops_core.settings import Settings
from mlops_core.workspace import open_workspace

__all__ = ["check_port_free", "serve_workspace"]

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def serve_workspace(settings: Settings, host: str, port: int) -> None:
    """Serve a workspace until the process is told to stop.

    The console's own package `app` lies beside `pages` in `console_root()`, outside the import path of
    other programs, so that installing Bigboard claims no such common names; it is found from here on.

    Raises
    ------
    StoreError
        There is no workspace, or another process holds it.
    """
    workspace = open_workspace(settings)
    sys.path.insert(0, str(console_root()))
    server = importlib.import_module("app.server")
    shown = "localhost" if host in _LOOPBACK else host
    console.print(f"Bigboard is at [bold]http://{shown}:{port}[/bold]  (Ctrl-C stops it)")
    if host not in _LOOPBACK:
        console.print(
            f"[bold yellow]warning:[/bold yellow] listening on {host}, and there is no sign-in yet: "
            "everybody who reaches this address can see and do everything"
        )
    server.run(workspace, host, port)


def check_port_free(host: str, port: int) -> None:
    """Check that nothing listens on a port yet.

    Raises
    ------
    Conflict
        Something does, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"port {port} of {host} cannot be used ({error.strerror}): choose another with --port"
            ) from error
