"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["JsonOption", "ServerOption", "WorkspaceOption"]

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", help="Folder of the workspace \\[default: $BIGBOARD_WORKSPACE or data/workspace]."
    ),
]

ServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Ask this console \\[default: the one that is running]."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
