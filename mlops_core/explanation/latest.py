"""A few results that are kept, of which the one not asked for longest goes first."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Latest"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Latest(Generic[_Key, _Value]):
    """The `most` values that were put in or asked for last, by key; for several threads at once.

    Two threads that miss the same value both compute it, and the later one stays.

    Examples
    --------
    >>> latest = Latest(2)
    >>> for word in ("one", "two", "three"):
    ...     latest.put(word, len(word))
    >>> latest.find("one"), latest.find("three")
    (None, 5)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._found: OrderedDict[_Key, _Value] = OrderedDict()

    def find(self, key: _Key) -> _Value | None:
        """Return the value of a key, None when it is not kept."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key]

    def put(self, key: _Key, value: _Value) -> None:
        """Keep a value."""
        with self._lock:
            self._found[key] = value
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
