"""How the registry's commands print: plain tables, and JSON that holds the same."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from mlops_core.cli.output import console, fail
from mlops_core.domain.errors import BigboardError

if TYPE_CHECKING:
    from mlops_core.client import Client

__all__ = ["age", "asked", "print_json", "print_table", "say"]

_UNITS: Final = ((365, "y"), (30, "mo"), (7, "w"), (1, "d"))


@contextmanager
def asked(folder: Path | None, server: str | None) -> "Iterator[Client]":
    """Give a client of a workspace or a console; an error of ours is shown as a message, with status 2."""
    from mlops_core.cli.reaching import reached
    from mlops_core.settings import Settings

    try:
        with reached(Settings() if folder is None else Settings(workspace=folder), server) as console:
            yield console
    except BigboardError as error:
        fail(str(error))
        raise typer.Exit(2) from error


def print_table(headings: Sequence[str], right: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table without lines; the columns in `right` are numbers. A line that is too long is not cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=10_000).print(table, highlight=False)


def print_json(found: Any) -> None:
    """Print one JSON document; times are in ISO 8601."""
    sys.stdout.write(json.dumps(found, default=_plain, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def say(text: str, style: str = "") -> None:
    """Print a sentence, without interpreting anything in it."""
    console.print(text, style=style, markup=False, highlight=False)


def age(at: datetime, now: datetime) -> str:
    """Return how long ago something was, in its largest unit.

    >>> from datetime import UTC
    >>> now = datetime(2025, 3, 10, 12, tzinfo=UTC)
    >>> age(now - timedelta(days=20), now), age(now - timedelta(hours=3), now), age(now, now)
    ('2 w', '3 h', 'now')
    """
    past = now - at
    for days, unit in _UNITS:
        if past >= timedelta(days=days):
            return f"{past // timedelta(days=days)} {unit}"
    hours, minutes = past // timedelta(hours=1), past // timedelta(minutes=1)
    return f"{hours} h" if hours > 0 else f"{minutes} min" if minutes > 0 else "now"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")
