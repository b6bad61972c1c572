"""How long work tells what it is at, and is told to stop."""

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Progress", "unheard"]

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with the steps done, the steps in all and what is done now; raises `Cancelled` to stop the work."""


def unheard(done: int, total: int, doing: str) -> None:
    """Take a report that nobody listens to."""
