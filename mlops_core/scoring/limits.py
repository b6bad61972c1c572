"""What an artefact may use while it is loaded and asked."""

from dataclasses import dataclass

from mlops_core.domain.errors import InvalidInput

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one artefact may use.

    Attributes
    ----------
    seconds
        For one call, with the transport of its rows.
    load_seconds
        For reading, checking and loading the artefact.
    memory_bytes
        Address space on top of what the libraries map; rows and answers count, too.

    Raises
    ------
    InvalidInput
        A limit is not above zero.
    """

    seconds: float = 30.0
    load_seconds: float = 30.0
    memory_bytes: int = 2 * 1024**3

    def __post_init__(self) -> None:
        for name in ("seconds", "load_seconds", "memory_bytes"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"the limit '{name}' is {getattr(self, name)}: give a number above 0")
