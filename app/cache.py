"""Keep what a page has read until the store's revision, or the minute, has changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any, TypeVar

from app import session
from mlops_core.workspace import Workspace

__all__ = ["one_revision", "until_changed"]

T = TypeVar("T")
_KEPT = 256
_seen: ContextVar[int | None] = ContextVar("seen", default=None)


def until_changed(read: Callable[..., T]) -> Callable[..., T]:
    """Wrap a core query `read(workspace, …)` as `read(…)` that asks the store only when it has changed.

    Arguments must be hashable, and the result is shared between viewers: it must not be altered. What was
    read outlives the page's script, which Streamlit executes anew each time.
    """

    @wraps(read)
    def ask(*arguments: object, **named: object) -> T:
        workspace = session.workspace()
        minute = int(workspace.clock.now().timestamp() // 60)
        seen = _seen.get()
        revision = workspace.store.revision() if seen is None else seen
        kept: T = _read(read, workspace, revision, minute, arguments, tuple(sorted(named.items())))
        return kept

    return ask


@contextmanager
def one_revision() -> Iterator[None]:
    """Read from one state of the store, for a page that reads much and changes nothing itself.

    It is asked once for its revision, and all reads share a session: to begin one costs more than to read.
    """
    store = session.workspace().store
    with store.read():
        token = _seen.set(store.revision())
        try:
            yield
        finally:
            _seen.reset(token)


@lru_cache(maxsize=_KEPT)
def _read(
    read: Callable[..., Any],
    workspace: Workspace,
    revision: int,
    minute: int,
    arguments: tuple[object, ...],
    named: tuple[tuple[str, object], ...],
) -> Any:
    return read(workspace, *arguments, **dict(named))
