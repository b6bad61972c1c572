"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["JsonOption", "WorkspaceOption"]

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", help="Folder of the workspace \\[default: $BIGBOARD_WORKSPACE or data/workspace]."
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
