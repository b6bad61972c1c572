"""Keep what a page has read until the store's revision, or the minute, has changed."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from app import session
from mlops_core.workspace import Workspace

__all__ = ["until_changed"]

P = ParamSpec("P")
T = TypeVar("T")
_KEPT = 128


def until_changed(read: Callable[..., T]) -> Callable[..., T]:
    """Wrap a core query `read(workspace, …)` as `read(…)` that asks the store only when it has changed.

    Arguments must be hashable, and the result is shared between viewers: it must not be altered.
    """

    @lru_cache(maxsize=_KEPT)
    def kept(workspace: Workspace, revision: int, minute: int, arguments: object, named: object) -> T:
        assert isinstance(arguments, tuple)
        assert isinstance(named, tuple)
        return read(workspace, *arguments, **dict(named))

    @wraps(read)
    def ask(*arguments: object, **named: object) -> T:
        workspace = session.workspace()
        minute = int(workspace.clock.now().timestamp() // 60)
        return kept(workspace, workspace.store.revision(), minute, arguments, tuple(sorted(named.items())))

    return ask
