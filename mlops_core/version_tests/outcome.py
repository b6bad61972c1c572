"""What a test of a version found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np

from mlops_core.domain.states import TestStatus

__all__ = ["NotJudged", "Outcome", "plain"]


class NotJudged(Exception):
    """A test does not apply, or has nothing to go by: raised in it, it ends as `skipped` with this reason."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended.

    Attributes
    ----------
    status
        `passed`, `failed`, `skipped` (does not apply) or `error` (could not be carried out).
    sentence
        The result in words that need no other knowledge of the test.
    figure, limit
        What was measured and what it was held to, in the same unit; None where a test has none.
    evidence
        What the result rests on, as JSON can hold it. A page draws these keys: `facts` (words to values),
        `columns` and `rows` (a table), `points` (lists `x`, `y` and `rows`, with `x_title` and `y_title`) and
        `trace` (the last lines of an error).
    """

    status: TestStatus
    sentence: str
    figure: float | None = None
    limit: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def judged(
        cls,
        passed: bool,
        sentence: str,
        *,
        figure: float | None = None,
        limit: float | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> "Outcome":
        """Return a result that passed or failed."""
        status = TestStatus.PASSED if passed else TestStatus.FAILED
        return cls(status, sentence, figure, limit, evidence or {})

    @classmethod
    def skipped(cls, reason: str) -> "Outcome":
        """Return that the test does not apply, and why."""
        return cls(TestStatus.SKIPPED, reason)

    @classmethod
    def error(cls, sentence: str, trace: Sequence[str] = ()) -> "Outcome":
        """Return that the test could not be carried out, with the last lines of what was raised."""
        return cls(TestStatus.ERROR, sentence, evidence={"trace": list(trace)} if trace else {})


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: numbers of NumPy as Python's, what is not finite as None.

    >>> plain({"share": np.float64("nan"), "rows": (np.int64(3), 0.5)})
    {'share': None, 'rows': [3, 0.5]}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
