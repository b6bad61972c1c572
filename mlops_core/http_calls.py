"""Calls to a console over HTTP: sent again where that is safe, answered with the core's own errors."""

import time
from collections.abc import Callable
from random import random
from types import TracebackType
from typing import Any, Final, Self

import httpx

from mlops_core.domain import errors
from mlops_core.domain.errors import BigboardError, InvalidInput, StoreError

__all__ = ["HttpCalls"]

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE: Final = 5.0
_TRY_AGAIN: Final = frozenset({502, 503, 504})


class HttpCalls:
    """Speaks to a console over HTTP.

    Parameters
    ----------
    base_url
        Where the console is served.
    timeout
        Seconds to wait for an answer.
    attempts
        How often a call is sent before the client gives up.
    transport
        What carries the calls, a network connection by default.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8501",
        *,
        timeout: float = 30.0,
        attempts: int = 6,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if attempts < 1:
            raise InvalidInput(f"{attempts} attempts send nothing: give at least one")
        if not base_url.startswith(("http://", "https://")):
            raise InvalidInput(
                f"'{base_url}' is no address of a console: give one like http://127.0.0.1:8501"
            )
        self._attempts = attempts
        self._http = httpx.Client(base_url=base_url, timeout=timeout, transport=transport)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        safe_to_repeat: bool,
        prepare: Callable[[], dict[str, Any]] = dict,
        **options: Any,
    ) -> Any:
        """Send a request and return the JSON of its answer.

        Parameters
        ----------
        safe_to_repeat
            Whether a call that may have been carried out, but got no answer, is sent again; one that did not
            reach the console always is.
        prepare
            Makes further options for each attempt anew, such as files from their beginning.

        Raises
        ------
        BigboardError
            As the console answered.
        StoreError
            No console answered.
        """
        failure: BigboardError | None = None
        for attempt in range(self._attempts):
            if attempt:
                pause = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
                time.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - so that clients do not come at once
            try:
                answer = self._http.request(method, path, **options, **prepare())
            except httpx.TransportError as error:
                failure = StoreError(
                    f"the console at {self._http.base_url} does not answer ({error}): start it with "
                    "`bigboard serve`, or give its address"
                )
                if safe_to_repeat or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    continue
                break
            if answer.is_success:
                return answer.json()
            failure = _error_of(answer)
            if answer.status_code not in _TRY_AGAIN:
                break
        raise failure or BigboardError("nothing was sent")


def _error_of(answer: httpx.Response) -> BigboardError:
    """Return the core's own error that an answer names."""
    try:
        told = answer.json()
        name, message = str(told["error"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        name, message = "", f"{answer.request.url} answered {answer.status_code}"
    if name not in errors.__all__:
        name = "InvalidInput" if answer.status_code in (413, 415, 422) else "BigboardError"
    kind: type[BigboardError] = getattr(errors, name)
    return kind(message)
