"""Where the command prints: results to standard output, faults to standard error."""

from rich.console import Console

__all__ = ["console", "fail"]

console = Console(soft_wrap=True)
_errors = Console(stderr=True, soft_wrap=True)


def fail(message: str) -> None:
    """Print an error message, without interpreting anything in it."""
    _errors.print("[bold red]error:[/bold red] ", end="")
    _errors.print(message, markup=False, highlight=False)
